"""The judgement of one root's plan and of all of them: a pure function of the plans and of what was confirmed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lake.environment import plan_cost
from scripts import plan_files
from scripts.plan_review import guard, rights

_KINDS = {
    ("create",): "created",
    ("update",): "changed",
    ("delete",): "deleted",
    ("delete", "create"): "replaced",
    ("create", "delete"): "replaced",
    ("forget",): "forgotten",
    ("no-op",): "imported",
}


@dataclass(frozen=True)
class OfRoot:
    """The judgement of one root's plan. ``refused`` are those of its dangers that the switches do not permit."""

    root: str
    changed: Mapping[str, str]
    dangers: tuple[guard.Danger, ...]
    refused: tuple[guard.Danger, ...]
    switches: guard.Switches
    rights: tuple[rights.Change, ...]
    cost: plan_cost.Difference

    @property
    def numbers(self) -> Mapping[str, int]:
        """Return the number of resources that are created, changed, replaced, deleted."""
        return Counter(self.changed.values())


@dataclass(frozen=True)
class Judgement:
    """The judgement of all plans of an environment. ``digest`` is that of their manifest, empty when there is none."""

    environment: str
    roots: tuple[OfRoot, ...]
    waiting: Mapping[str, str]
    digest: str = ""

    @property
    def refused(self) -> bool:
        """Return True if any plan must not be applied."""
        return any(root.refused for root in self.roots)

    @property
    def changes(self) -> bool:
        """Return True if anything would change."""
        return any(root.changed for root in self.roots)

    @property
    def usd_a_month(self) -> float:
        """The cost difference of all roots."""
        return sum(root.cost.usd_a_month for root in self.roots)

    def as_json(self) -> dict[str, Any]:
        """The judgement as JSON has it."""
        return {
            "environment": self.environment,
            "digest": self.digest,
            "refused": self.refused,
            "changes": self.changes,
            "usd_a_month": round(self.usd_a_month, 4),
            "waiting": dict(self.waiting),
            "roots": {root.root: _root_as_json(root) for root in self.roots},
        }


def judge(
    plans: Mapping[str, Mapping[str, Any]],
    environment: str,
    confirm: str = "",
    waiting: Mapping[str, str] | None = None,
    digest: str = "",
) -> Judgement:
    """Judge plans (root => JSON of ``terraform show -json``); ``confirm`` is the value of CONFIRM."""
    found = tuple(_of_root(root, plan, environment, confirm) for root, plan in plans.items())
    return Judgement(environment, found, waiting or {}, digest)


def _of_root(root: str, plan: Mapping[str, Any], environment: str, confirm: str) -> OfRoot:
    switches = guard.switches(plan, environment, confirm)
    dangers = tuple(guard.dangers(plan))
    return OfRoot(
        root=root,
        changed=_changed(plan),
        dangers=dangers,
        refused=tuple(danger for danger in dangers if not switches.permit(danger)),
        switches=switches,
        rights=tuple(rights.changes(plan)),
        cost=plan_cost.difference(plan),
    )


def _changed(plan: Mapping[str, Any]) -> dict[str, str]:
    return {
        entry["address"]: _KINDS[tuple(entry["change"]["actions"])]
        for entry in plan_files.effects(plan)["resources"]
    }  # fmt: skip


def _root_as_json(root: OfRoot) -> dict[str, Any]:
    return {
        "changed": dict(root.changed),
        "dangers": [asdict(danger) for danger in root.dangers],
        "refused": [asdict(danger) for danger in root.refused],
        "switches": asdict(root.switches),
        "rights": [
            {
                "address": change.address,
                "whose": change.whose,
                "unknown": change.unknown,
                "gained": [right.text for right in change.gained],
                "lost": [right.text for right in change.lost],
            }
            for change in root.rights
        ],
        "cost": {
            "usd_a_month": round(root.cost.usd_a_month, 4),
            "changes": [asdict(change) for change in root.cost.changes],
            "unpriced": dict(root.cost.unpriced),
        },
    }
