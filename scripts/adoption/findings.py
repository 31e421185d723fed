"""Read from a plan with imports which of them are ours. Nothing here asks AWS."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OWNER_TAGS = ("project", "environment", "pipeline")


@dataclass(frozen=True)
class Finding:
    """One thing that is there, and what becomes of it; ``state`` is adopt, ask, refuse, unseen or orphan."""

    state: str
    kind: str
    name: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.state:<7} {self.kind} {self.name}: {self.sentence}"

    @property
    def blocks(self) -> bool:
        """Return True if nothing may be adopted beside it."""
        return self.state in ("ask", "refuse")


def creations(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The changes of a plan that create something, imports aside."""
    for change in plan.get("resource_changes", ()):
        if change["change"]["actions"] == ["create"] and change["mode"] == "managed":
            yield change


def owner(values: Mapping[str, Any]) -> dict[str, str]:
    """The tags that say who owns something."""
    tags = values.get("tags_all") or {}
    return {name: tags[name] for name in OWNER_TAGS if tags.get(name)}


def imports(plan: Mapping[str, Any], ours: Mapping[str, str], said: Collection[str]) -> list[Finding]:
    """Say of each import whether it is ours: by its tags, because somebody has ``said`` its name, or not."""
    found = [change for change in plan.get("resource_changes", ()) if "importing" in change["change"]]
    return [_import(change, ours, said) for change in found]


def _import(entry: Mapping[str, Any], ours: Mapping[str, str], said: Collection[str]) -> Finding:
    change, name = entry["change"], entry["change"]["importing"]["id"]

    def finding(state: str, sentence: str) -> Finding:
        return Finding(state, entry["type"], name, sentence)

    theirs = owner(change["before"])
    strange = {tag: value for tag, value in theirs.items() if value != ours.get(tag)}
    if strange:
        whose = ", ".join(f"{tag} {value}" for tag, value in strange.items())
        return finding("refuse", f"belongs to {whose}; choose another name, or take it away")
    if "delete" in change["actions"]:
        kept = ", ".join(sorted({str(path[0]) for path in change.get("replace_paths", [])}))
        return finding("refuse", f"would be replaced, because AWS cannot change its {kept or 'kind'}; take it away")
    if "tags_all" in change["before"] and theirs != ours and name not in said:
        return finding("ask", f'has no tags of ours. When it is ours all the same: OURS="{name}"')
    return finding("adopt", f"{entry['address']}{_differences(change)}")


def _differences(change: Mapping[str, Any]) -> str:
    """Say which values an apply would change; of those that AWS does not have, Terraform only makes a note."""
    before, after, unknown = change["before"], change["after"], change.get("after_unknown", {})
    known = (name for name, value in before.items() if value is not None)
    names = sorted(name for name in known if unknown.get(name) is True or before[name] != after.get(name))
    return f"; changes {', '.join(names)}" if names else ""


def known_keys(plan: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the KMS keys that the state of a plan has, or gets by its imports."""
    return frozenset(_ids(plan.get("prior_state", {}).get("values", {}).get("root_module", {}))) | frozenset(
        change["change"]["importing"]["id"]
        for change in plan.get("resource_changes", ())
        if change["type"] == "aws_kms_key" and "importing" in change["change"]
    )


def _ids(module: Mapping[str, Any]) -> Iterator[str]:
    yield from (of["values"]["key_id"] for of in module.get("resources", ()) if of["type"] == "aws_kms_key")
    for child in module.get("child_modules", ()):
        yield from _ids(child)
