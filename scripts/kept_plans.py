"""Turns of a root when plans are kept: make one and keep it, apply a kept one, or apply one that was judged."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Protocol

from lake.environment import deployment
from scripts import plan_files, roots
from scripts.plan_files import Manifest, PlanRefused, RootPlan


class Planner(Protocol):
    """Terraform in one root."""

    name: str
    root: str
    account: str

    def plan_to(self, folder: Path, *, destroy: bool, lock: bool = True, quiet: bool = False) -> int:
        """Write the plan and its JSON into the folder; Terraform's exit code, 2 for changes."""

    def apply_file(self, file: Path) -> int:
        """Apply exactly this plan; Terraform's exit code."""


class Keep:
    """Make the plans and keep them in a folder, with a manifest at the end."""

    def __init__(self, folder: Path, *, destroy: bool, lock: bool, quiet: bool = False) -> None:
        self._folder = plan_files.new_folder(folder)
        self._destroy = destroy
        self._lock = lock
        self._quiet = quiet
        self._roots: dict[str, RootPlan] = {}

    def take(self, terraform: Planner) -> int:
        """Plan one root; 0 for no changes, 2 for changes."""
        folder = self._folder / terraform.root
        code = terraform.plan_to(folder, destroy=self._destroy, lock=self._lock, quiet=self._quiet)
        if code in (0, 2):
            self._roots[terraform.root] = plan_files.describe(self._folder, terraform.root)
        return code

    def finish(self, environment: str, account: str, version: str, waiting: dict[str, str]) -> Manifest:
        """Write the manifest, and return it."""
        manifest = Manifest(
            environment=environment,
            account=account,
            destroy=self._destroy,
            commit=plan_files.commit(),
            terraform=version,
            artefacts=plan_files.artefacts(),
            platform=platform_digest(environment),
            roots=self._roots,
            waiting=waiting,
        )
        manifest.write(self._folder)
        return manifest


class ApplyFiles:
    """Apply the plans that a folder keeps, byte for byte."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest

    def take(self, terraform: Planner) -> int:
        """Apply one root's plan; raises PlanRefused when it is not the one of the manifest, or too old."""
        plan_files.check_files(self._manifest, self._folder, terraform.root)
        self._check_platform(terraform)
        if not self._manifest.roots[terraform.root].changes:
            print(f"{terraform.root}: nothing to do")
            return 0
        return terraform.apply_file(plan_files.plan_file(self._folder, terraform.root))

    def _check_platform(self, terraform: Planner) -> None:
        # Terraform notices that a root's own state went on, not that what the root has read of the platform did.
        if terraform.root != roots.PLATFORM and platform_digest(terraform.name) != self._manifest.platform:
            raise PlanRefused(f"the platform has changed since {terraform.root} was planned; plan and judge again")


class ApplyReviewed:
    """Plan again, and apply that plan when it does exactly what the judged one would do."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def take(self, terraform: Planner) -> int:
        """Plan and apply one root; raises PlanRefused when the plan is no longer the judged one."""
        with tempfile.TemporaryDirectory(prefix="plan-") as scratch:
            folder = Path(scratch)
            # Who judged it knows what it says, and logs of a workflow are as open as its artefacts.
            code = terraform.plan_to(folder / terraform.root, destroy=self._manifest.destroy, quiet=True)
            if code not in (0, 2):
                return code
            plan_files.check_same(self._manifest, terraform.root, plan_files.read_plan(folder, terraform.root))
            return terraform.apply_file(plan_files.plan_file(folder, terraform.root)) if code == 2 else 0


def platform_digest(environment: str) -> str:
    """A digest of what the platform tells its pipelines; empty when there is no platform."""
    try:
        names = deployment.load(environment).names
    except deployment.NotDeployed:
        return ""
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()
