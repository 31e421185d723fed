"""Plans that are kept: a folder with the plan of each root, and a manifest that says what they are plans of.

The plans hold values, so only their owner may read the folder. The manifest holds digests and no value: it may be read
by everybody, and is what an apply compares with. Nothing here calls Terraform or AWS.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.roots import REPOSITORY

MANIFEST = "manifest.json"
# What Terraform reads from files at the moment of an apply, however old the plan is.
READ_AT_APPLY = ("build/artifacts", "contracts", "glue_jobs")
_WITHOUT_EFFECT = ("no-op", "read")


class PlanRefused(Exception):
    """A kept plan is not to be applied here; the message says why."""


@dataclass(frozen=True)
class RootPlan:
    """One root's plan: whether it ``changes`` anything, ``digest`` of what, and the SHA-256 of its two files."""

    changes: bool
    digest: str
    plan_sha256: str
    json_sha256: str


@dataclass(frozen=True)
class Manifest:
    """Plans of one environment and account: from which sources, on which platform, root by root.

    ``platform`` is a digest of what the platform tells its pipelines, empty before it is deployed. ``waiting`` has the
    roots that could not be planned yet, each with the reason.
    """

    environment: str
    account: str
    destroy: bool
    commit: str
    terraform: str
    artefacts: dict[str, str]
    platform: str = ""
    roots: dict[str, RootPlan] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Return True if any root changes."""
        return any(root.changes for root in self.roots.values())

    @property
    def text(self) -> str:
        """The manifest as its file has it."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @property
    def digest(self) -> str:
        """One digest for all of it, for people to compare."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write it into a folder of plans."""
        (folder / MANIFEST).write_text(self.text, encoding="utf-8")


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a folder of plans, or the file itself; raises PlanRefused when it is none."""
    file = path / MANIFEST if path.is_dir() else path
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        planned = {name: RootPlan(**values) for name, values in written.pop("roots").items()}
        return Manifest(**written, roots=planned)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PlanRefused(f"{file} is no manifest of plans: {error}") from error


def plan_file(folder: Path, root: str) -> Path:
    """Return the path of a root's plan in a folder, as Terraform applies it."""
    return folder / root / "plan.tfplan"


def json_file(folder: Path, root: str) -> Path:
    """Return the path of a root's plan in a folder, as JSON."""
    return folder / root / "plan.json"


def read_plan(folder: Path, root: str) -> dict[str, Any]:
    """The plan of a root as JSON has it."""
    plan: dict[str, Any] = json.loads(json_file(folder, root).read_text(encoding="utf-8"))
    return plan


def checked_plan(manifest: Manifest, folder: Path, root: str) -> dict[str, Any]:
    """The plan of a root as JSON has it; raises PlanRefused when it is not the one of the manifest."""
    if not json_file(folder, root).is_file() or _sha256(json_file(folder, root)) != manifest.roots[root].json_sha256:
        raise PlanRefused(f"{json_file(folder, root)} is not the plan of the manifest")
    return read_plan(folder, root)


def new_folder(folder: Path) -> Path:
    """Make a folder for plans that only its owner can read; raises PlanRefused when something is in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise PlanRefused(f"{folder} is not empty; plans of two days must not lie in one folder")
    folder.chmod(0o700)
    return folder


def describe(folder: Path, root: str) -> RootPlan:
    """Return the manifest's entry for a root's plan that lies in the folder."""
    plan = read_plan(folder, root)
    files = (_sha256(plan_file(folder, root)), _sha256(json_file(folder, root)))
    return RootPlan(bool(effects(plan)["resources"] or effects(plan)["outputs"]), digest(plan), *files)


def digest(plan: Mapping[str, Any]) -> str:
    """A digest of all that applying a plan would change, values included; equal when two plans do the same.

    Who made the plan, when, and what it read on the way are not in it; of what is deleted neither is what it held: a
    root that is destroyed before may change that, as a pipeline takes its policy from a role of the platform.
    """
    found = effects(plan)
    resources = [_deletion(change) or change for change in found["resources"]]
    return hashlib.sha256(json.dumps({**found, "resources": resources}, sort_keys=True).encode()).hexdigest()


def _deletion(change: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is deleted by the change, by address and id; None when it does anything else."""
    if change["change"]["actions"] != ["delete"]:
        return None
    before = change["change"].get("before") or {}
    return {"delete": change["address"], "deposed": change.get("deposed", ""), "id": before.get("id")}


def effects(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that a plan would make to ``resources`` and ``outputs``, in the order of their addresses."""
    changed = [change for change in plan.get("resource_changes", ()) if has_effect(change["change"])]
    outputs = {name: change for name, change in plan.get("output_changes", {}).items() if has_effect(change)}
    ordered = sorted(changed, key=lambda change: (change["address"], change.get("deposed", "")))
    return {"resources": ordered, "outputs": outputs}


def has_effect(change: Mapping[str, Any]) -> bool:
    """Return True if a change in a plan is one: an import is, a data source that is read is not."""
    return "importing" in change or not set(change["actions"]) <= set(_WITHOUT_EFFECT)


def artefacts(repository: Path = REPOSITORY) -> dict[str, str]:
    """File => SHA-256 of everything that an apply reads besides the plan."""
    files = [file for folder in READ_AT_APPLY for file in sorted((repository / folder).rglob("*")) if file.is_file()]
    kept = [file for file in files if "__pycache__" not in file.parts]
    return {file.relative_to(repository).as_posix(): _sha256(file) for file in kept}


def commit(repository: Path = REPOSITORY) -> str:
    """The commit that is checked out, as Git or the runner says; empty when neither knows."""
    if os.environ.get("GITHUB_SHA"):
        return os.environ["GITHUB_SHA"]
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def check_place(manifest: Manifest, environment: str, account: str, destroy: bool) -> None:
    """Refuse plans of another environment, account or purpose, and files that are not those of the plans."""
    if manifest.environment != environment:
        raise PlanRefused(f"the plans are of {manifest.environment}, not of {environment}")
    if manifest.account != account:
        raise PlanRefused(f"the plans are of account {manifest.account}, the credentials of {account}")
    if manifest.destroy != destroy:
        raise PlanRefused(f"the plans {'destroy' if manifest.destroy else 'deploy'}, which is not what was asked for")
    here = artefacts()
    differing = sorted(name for name in here | manifest.artefacts if here.get(name) != manifest.artefacts.get(name))
    if differing:
        raise PlanRefused(f"not the files that were planned with: {', '.join(differing)}")


def check_files(manifest: Manifest, folder: Path, root: str) -> None:
    """Refuse a plan that is not byte for byte the one of the manifest."""
    planned = manifest.roots.get(root)
    if planned is None:
        raise PlanRefused(f"{root} is not among the plans: {', '.join(manifest.roots) or 'there are none'}")
    if not plan_file(folder, root).is_file() or _sha256(plan_file(folder, root)) != planned.plan_sha256:
        raise PlanRefused(f"{plan_file(folder, root)} is not the plan of the manifest")


def check_same(manifest: Manifest, root: str, plan: Mapping[str, Any]) -> None:
    """Refuse a plan that would do something else than the one of the manifest; names what differs as far as known."""
    planned = manifest.roots.get(root)
    if planned is None:
        raise PlanRefused(f"{root} is not among the plans that were judged: {', '.join(manifest.roots) or 'none'}")
    if digest(plan) != planned.digest:
        now = ", ".join(change["address"] for change in effects(plan)["resources"]) or "nothing"
        raise PlanRefused(f"the plan is no longer the one that was judged; now it changes {now}. Plan and judge again.")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
