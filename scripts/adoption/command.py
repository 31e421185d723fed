"""Adopt what AWS has under the names of an environment and no state knows, then apply.

For what a killed apply has made before it could write it down, and for what was there before the first apply, such as
the log group of a function. Of all that Terraform would create, AWS is asked what is there already: each has its line.
Without --yes nothing else happens.

adopt   it is ours by its tags, or cannot have any: Terraform takes it, and sets what differs
ask     it has no tags of ours: it is taken only when --ours has its name
refuse  it is another project's or environment's, or could only be taken by deleting it first
unseen  of this kind nobody has said how to look for it: when the apply meets one, terraform import takes it
orphan  a KMS key with our tags that no state has: keys have no names, so Terraform made another one

Nothing is taken in a root in which something is asked or refused. Ends with 1 then, and when an apply fails.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lake.environment import deployment
from scripts import plan_files, roots, values
from scripts.adoption import existing, findings
from scripts.adoption.existing import Cloud, InTheWay, UnknownKind
from scripts.adoption.findings import Finding
from scripts.plan_files import PlanRefused
from scripts.terraform import Terraform, TerraformError, Turns, account_for, check_contracts, chosen_roots

IMPORTS = "adoption.tf.json"
ORPHAN = (
    "no state has it. What was encrypted with it can be read as long as it is there. When all is adopted and applied, "
    "and nobody wants that any more: aws kms schedule-key-deletion --key-id {}"
)


@dataclass
class Adopt:
    """The turn of a root: look, say what was found, and with ``wanted`` take it and apply."""

    cloud: Cloud
    environment: str
    ours: Collection[str]
    wanted: bool
    adopted: int = 0

    def take(self, terraform: Terraform) -> int:
        """Give one root its turn; Terraform's exit code, 1 when something that is there cannot be adopted."""
        terraform.connect()
        with copied(terraform), tempfile.TemporaryDirectory(prefix="plan-") as scratch:
            looking = _Looking(self.cloud, terraform, Path(scratch))
            if code := looking.look():
                return code
            found = [*looking.others, *findings.imports(looking.plan, self._tags(terraform.root), self.ours)]
            self._say(terraform.root, found, looking.plan)
            if any(finding.blocks for finding in found):
                raise PlanRefused("nothing was adopted and nothing applied, because of the lines above")
            self.adopted += sum(finding.state == "adopt" for finding in found)
            return terraform.apply_file(looking.file) if self.wanted else 0

    def _tags(self, root: str) -> dict[str, str]:
        tags = {"project": deployment.project(), "environment": self.environment}
        return tags if root == roots.PLATFORM else {**tags, "pipeline": root}

    def _say(self, root: str, found: Sequence[Finding], plan: dict[str, Any]) -> None:
        known = findings.known_keys(plan)
        left = [
            Finding("orphan", "aws_kms_key", key.id, f"{key.description}: {ORPHAN.format(key.id)}")
            for key in existing.orphans(self.cloud, self._tags(root), known)
        ]
        for finding in [*found, *left]:
            print(f"{root}: {finding}", flush=True)
        if not found:
            print(f"{root}: nothing to adopt", flush=True)


class _Looking:
    """Plan, ask AWS for what the plan would create, import that, and plan again, until nothing more is found.

    More than once, because a plan knows some names only when what they are made of is imported.
    """

    def __init__(self, cloud: Cloud, terraform: Terraform, scratch: Path) -> None:
        self._cloud, self._terraform, self._scratch = cloud, terraform, scratch
        self._ids: dict[str, str] = {}
        self._asked: set[str] = set()
        self._round = 0
        self.plan: dict[str, Any] = {}
        self.others: list[Finding] = []

    @property
    def file(self) -> Path:
        """The plan with all imports."""
        return plan_files.plan_file(self._scratch, str(self._round))

    def look(self) -> int:
        """Find everything; 0, or Terraform's exit code when a plan fails."""
        found = True
        while found:
            self._round += 1
            folder = self._scratch / str(self._round)
            code = self._terraform.plan_to(folder, destroy=False, quiet=True)
            if code not in (0, 2):
                return code
            self.plan = plan_files.read_plan(self._scratch, str(self._round))
            found = self._more()
        return 0

    def _more(self) -> bool:
        before = len(self._ids)
        for change in findings.creations(self.plan):
            if change["address"] not in self._asked:
                self._ask(change)
        imports = [{"to": address, "id": name} for address, name in self._ids.items()]
        (self._terraform.folder / IMPORTS).write_text(json.dumps({"import": imports}), encoding="utf-8")
        return len(self._ids) > before

    def _ask(self, change: Mapping[str, Any]) -> None:
        address, kind = change["address"], change["type"]
        try:
            if name := existing.find(self._cloud, kind, change["change"]["after"]):
                self._ids[address] = name
        except KeyError:
            return
        except (InTheWay, UnknownKind) as reason:
            state = "refuse" if isinstance(reason, InTheWay) else "unseen"
            self.others.append(Finding(state, kind, address, str(reason)))
        self._asked.add(address)


@contextmanager
def copied(terraform: Terraform) -> Iterator[None]:
    """Let Terraform work in a copy of its root, in a tree in which all else is the repository's.

    What stands there, no later command finds: not even when this one is killed.
    """
    original, command = terraform.folder, terraform.command
    with tempfile.TemporaryDirectory(prefix="adopt-") as scratch:
        terraform.folder = _copy(original, Path(scratch))
        terraform.command = [command[0], f"-chdir={terraform.folder}"]
        try:
            yield
        finally:
            terraform.folder, terraform.command = original, command


def _copy(root: Path, top: Path) -> Path:
    here, there = roots.REPOSITORY, top
    for part in root.relative_to(roots.REPOSITORY).parts:
        for entry in here.iterdir():
            if entry.name != part:
                (there / entry.name).symlink_to(entry)
        here, there = here / part, there / part
        there.mkdir()
    for file in (file for file in here.iterdir() if file.is_file()):
        (there / file.name).write_bytes(file.read_bytes())
    return there


def arguments() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", choices=roots.environments(), default="dev", help="environment (default: dev)")
    one = (roots.PLATFORM, *roots.pipelines())
    parser.add_argument("--pipeline", choices=one, help="one root alone (default: all)")
    parser.add_argument("--ours", nargs="*", default=[], metavar="NAME", help="these are ours, though no tag says so")
    parser.add_argument("--yes", action="store_true", help="adopt, and apply; without it only say what would be")
    return parser


def adopt(given: argparse.Namespace) -> int:
    """Do what was asked for; the exit code. Raises TerraformError, PlanRefused or botocore's errors."""
    account, region, chosen = account_for(given.env), values.region(given.env), chosen_roots("apply", given.pipeline)
    session: Any = boto3.Session(region_name=region)
    taking = Adopt(Cloud(session.client, account, region), given.env, given.ours, given.yes)

    def make(root: str) -> Terraform:
        return Terraform(given.env, root, os.environ, account)

    make(chosen[0]).connect()
    check_contracts(given.env)
    code = Turns("apply" if given.yes else "plan", given.env, make, taking.take).take(chosen)
    if taking.adopted and not code and not given.yes:
        print(f"nothing was changed. To adopt these and apply the rest: make adopt ENV={given.env} YES=1")
    return code


def main() -> int:
    """Command line; 0, or 1 when something cannot be adopted, cannot be looked at, or an apply fails."""
    given = arguments().parse_args()
    try:
        return adopt(given)
    except (TerraformError, PlanRefused, BotoCoreError, ClientError) as error:
        print(f"adopt {given.env}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
