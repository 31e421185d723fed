"""Run Terraform for the platform and the pipelines of one environment, each a root with a state of its own.

The platform comes first, then every pipeline that has a folder; `destroy` goes the other way. A root that fails does
not keep the others from their turn; the end names the roots that failed, with exit code 1. `--pipeline NAME` takes one
root alone, `--pipeline platform` the platform.

Where it works is decided by AWS_ENDPOINT_URL and the credentials alone. `plan` ends with 0 for no changes, else 2.
`unlock` shows who holds the locks of the states and since when; with --lock <ID> it takes that lock away.
The states lie in the account of the credentials, which must be `account_id` of the <environment>.tfvars when that is
given. LAKE_PROJECT, when set, is the first part of all names: so a second lake stands beside the first.
`destroy` needs allow_destroy = true in the <environment>.tfvars of each root, applied, and CONFIRM=<environment>.
`apply` of the platform also writes the first version of the pseudonym key, once: Terraform never has a key.
ALERT_EMAIL, when set, is the address that receives alarms. TF_PLUGIN_MIRROR, when set, is a folder that holds a folder
registry.terraform.io. LOCK_TIMEOUT, when set, is how long to wait for a lock that somebody else holds (60s).
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lake.environment import deployment
from lake.environment.deployment import PROJECT_VARIABLE
from lake.maintenance import key_rotation
from scripts import contract_guard, roots, state_lock
from scripts.roots import REPOSITORY, TERRAFORM

# What else decides which state and which provider an initialised folder is for.
PLACE = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "TF_CLI_CONFIG_FILE")
CACHE = REPOSITORY / ".cache"
OLDEST_TERRAFORM = (1, 11)
REGISTRY = "registry.terraform.io"
PROVIDER = f"{REGISTRY}/hashicorp/aws"
USUAL_PLACES = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share",
    "/usr/share",
    "/usr/local/lib",
    "/opt",
    "/var/lib",
)
MISSING_TERRAFORM = "Terraform 1.11 or later is needed: https://developer.hashicorp.com/terraform/install"


class TerraformError(Exception):
    """Something that the person at the keyboard can mend; the message says what."""


def mirrors(environment: Mapping[str, str]) -> Iterator[Path]:
    """Folders that hold the provider on this machine."""
    named = environment.get("TF_PLUGIN_MIRROR")
    if named:
        if not (Path(named) / PROVIDER).is_dir():
            raise TerraformError(f"TF_PLUGIN_MIRROR is {named}, but there is no {PROVIDER} in it")
        yield Path(named)
    for place in map(Path.expanduser, map(Path, USUAL_PLACES)):
        # At most two folders deep: usual places can be large.
        for pattern in (REGISTRY, f"*/{REGISTRY}", f"*/*/{REGISTRY}"):
            yield from (found.parent for found in sorted(place.glob(pattern)) if (found / "hashicorp/aws").is_dir())


def configuration_file(environment: Mapping[str, str], cache: Path) -> Path | None:
    """CLI configuration: the given one if it exists, else one for a mirror, else none, which means the registry."""
    given = environment.get("TF_CLI_CONFIG_FILE")
    if given and Path(given).is_file():
        return Path(given)
    mirror = next(mirrors(environment), None)
    if mirror is None:
        return None
    written = cache / "terraform.tfrc"
    cache.mkdir(parents=True, exist_ok=True)
    # Direct installation must not know the provider, or Terraform asks the registry for newer versions of it.
    written.write_text(
        "provider_installation {\n"
        f'  filesystem_mirror {{\n    path    = {json.dumps(str(mirror))}\n    include = ["{PROVIDER}"]\n  }}\n'
        f'  direct {{\n    exclude = ["{PROVIDER}"]\n  }}\n'
        "}\n"
    )
    return written


def terraform_environment(environment: Mapping[str, str], cache: Path) -> dict[str, str]:
    """The environment of every Terraform command."""
    # A shared plugin cache holds one platform only and would ask for a change of the lock file.
    without = {"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"}
    kept = {name: value for name, value in environment.items() if name not in without}
    configuration = configuration_file(environment, cache)
    ours = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    return kept | ours | ({"TF_CLI_CONFIG_FILE": str(configuration)} if configuration else {})


def check_version(executable: str, environment: Mapping[str, str]) -> None:
    """Refuse a Terraform that is too old for the lock in S3."""
    command = [executable, "version", "-json"]
    answer = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    version = json.loads(answer.stdout)["terraform_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TERRAFORM:
        raise TerraformError(f"{MISSING_TERRAFORM} (found {version})")


class Terraform:
    """Terraform in one root, with the values and the state of one environment."""

    def __init__(
        self, name: str, root: str, environment: Mapping[str, str], account: str = "", cache: Path = CACHE
    ) -> None:
        executable = shutil.which("terraform", path=environment.get("PATH"))
        if executable is None:
            raise TerraformError(MISSING_TERRAFORM)
        self.name = name
        self.root = root
        self.account = account
        self.cache = cache
        self.folder = roots.folder(root)
        self.environment = terraform_environment(environment, cache)
        usual = self.folder / ".terraform"
        self.data = Path(environment["TF_DATA_DIR"]) / root if environment.get("TF_DATA_DIR") else usual
        self.data = self.data / name
        self.environment["TF_DATA_DIR"] = str(self.data.resolve())
        self.command = [executable, f"-chdir={self.folder}"]
        check_version(executable, self.environment)

    def run(self, action: str, *options: str) -> int:
        """Run with its output on the terminal, and return its exit code."""
        plain = () if sys.stdout.isatty() else ("-no-color",)
        return subprocess.run([*self.command, action, *options, *plain], env=self.environment, check=False).returncode

    def connect(self) -> None:
        """Initialise with the state, unless that was done and the configuration has not changed since."""
        mark, configuration = self.data / "connected", self._configuration()
        if mark.is_file() and mark.read_text(encoding="ascii") == configuration:
            return
        # Always anew: the same folder may have been used with another account or another localaws.
        self.initialise("-reconfigure", *roots.backend_options(self.name, self.root, self.account))
        mark.write_text(configuration, encoding="ascii")

    def _configuration(self) -> str:
        """Return a digest of what an initialised folder depends on; files of other roots are not in it."""
        used = (*self.folder.glob("*.tf"), *(TERRAFORM / "modules").rglob("*.tf"))
        files = [file for file in sorted(used) if ".terraform" not in file.parts]
        contents = [file.read_bytes() for file in (*files, roots.BACKEND, self.folder / ".terraform.lock.hcl")]
        options = roots.backend_options(self.name, self.root, self.account)
        place = json.dumps([*(self.environment.get(name) for name in PLACE), *options])
        return hashlib.sha256(b"".join([place.encode(), *contents])).hexdigest()

    def initialise(self, *options: str) -> None:
        """Install the provider and connect the state. Says nothing unless it fails."""
        command = [*self.command, "init", "-input=false", "-no-color", "-lockfile=readonly", *options]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            output = f"{done.stdout}{done.stderr}".strip()
            hint = "\nThe state bucket is made by: bash terraform/bootstrap.sh" if "NoSuchBucket" in output else ""
            raise TerraformError(f"terraform init failed\n{output}{hint}")

    def outputs(self) -> dict[str, Any]:
        """The values of the outputs, as they were applied."""
        command = [*self.command, "output", "-json"]
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return {name: output["value"] for name, output in json.loads(answer.stdout).items()}

    def validate(self) -> int:
        """Check the configuration; needs neither state nor account."""
        self.environment["TF_DATA_DIR"] = str((self.cache / f"terraform-validate-{self.root}").resolve())
        self.initialise("-backend=false")
        return self.run("validate")

    def check_switches(self) -> None:
        """Refuse what destroy_guard would refuse, but earlier: by then Terraform has dropped the outputs."""
        command = [*self.command, "output", "-json"]
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        if json.loads(answer.stdout).get("allow_destroy", {"value": "true"})["value"] != "true":
            raise TerraformError(f"set allow_destroy = true in its {self.name}.tfvars and apply that first.")
        if self.environment.get("CONFIRM") != self.name:
            raise TerraformError(f"all its data would be lost. If that is meant, give CONFIRM={self.name}.")

    def force_unlock(self, lock_id: str) -> int:
        """Take a lock of this state away."""
        self.connect()
        return self.run("force-unlock", "-force", lock_id)

    def act(self, action: str) -> int:
        """Plan, apply, destroy or show the outputs; Terraform's exit code."""
        self.connect()
        if action == "output":
            return self.run("output", "-json")
        extra = {"plan": ("-detailed-exitcode",), "apply": ("-auto-approve",), "destroy": ("-auto-approve",)}
        return self.run(
            action,
            "-input=false",
            "-compact-warnings",
            f"-lock-timeout={self.environment.get('LOCK_TIMEOUT', '60s')}",
            *extra[action],
            f"-var-file={self.name}.tfvars",
            *(f"-var={name}={value}" for name, value in self._values().items() if value),
        )

    def _values(self) -> dict[str, str | None]:
        """The variables that do not come from the files of values, or not from those of this root."""
        shared = {"account_id": roots.expected_account(self.name), "project": self.environment.get(PROJECT_VARIABLE)}
        return {"alert_email": self.environment.get("ALERT_EMAIL"), **shared} if self.root == roots.PLATFORM else shared


def check_contracts(environment: str) -> None:
    """Refuse contracts that break what is deployed. A contract is in the jobs' wheel, so it stops every root."""
    try:
        found = contract_guard.breaking_changes(environment)
    except (BotoCoreError, ClientError) as error:
        raise TerraformError(f"the contracts could not be compared with those deployed: {error}") from error
    if found:
        raise TerraformError("\n".join(["contracts break what relies on them; nothing was changed", *found]))


def account_for(environment: str) -> str:
    """The account of the credentials; raises TerraformError when the environment belongs into another one."""
    account, expected = roots.caller_account(), roots.expected_account(environment)
    if expected and account != expected:
        raise TerraformError(
            f"the credentials are of account {account}, but {environment} belongs into {expected} (account_id in "
            f"terraform/platform/{environment}.tfvars); nothing was begun. Log in to {expected}."
        )
    return account


def unlock(
    environment: str, account: str, chosen: Sequence[str], lock_id: str | None, make: Callable[[str], Terraform]
) -> int:
    """Show the locks of the states; with the ID of one, take it away."""
    client = partial(boto3.client, region_name=roots.state_region())
    found = {root: state_lock.locks(roots.state(environment, root, account), client) for root in chosen}
    for lock in (lock for of_root in found.values() for lock in of_root):
        print(lock.summary())
    if not any(found.values()):
        print(f"nobody holds the lock of {environment}")
        return 0
    if lock_id is None:
        print("When that command has ended for certain: the same again with --lock and the ID (make: LOCK=<ID>).")
        return 0
    owner = next((root for root, of_root in found.items() if lock_id in {lock.id for lock in of_root}), None)
    if owner is None:
        raise TerraformError(f"no lock has the ID {lock_id}; nothing was unlocked")
    return make(owner).force_unlock(lock_id)


def check_registered(environment: str, leaving: Sequence[str]) -> None:
    """Refuse to destroy a platform on which a pipeline stands that is not about to be destroyed itself."""
    try:
        standing = sorted(set(deployment.load(environment).pipelines) - set(leaving))
    except deployment.NotDeployed:
        return
    if standing:
        commands = [f"make destroy ENV={environment} PIPELINE={name} CONFIRM={environment}" for name in standing]
        raise TerraformError("\n".join([f"pipelines are registered: {', '.join(standing)}. First:", *commands]))


def chosen_roots(action: str, pipeline: str | None) -> list[str]:
    """The roots that a command is about, in the order of their turns."""
    if pipeline:
        return [pipeline]
    if action == "output":
        return [roots.PLATFORM]
    everything = [roots.PLATFORM, *roots.pipelines()]
    if action == "validate":
        return [roots.BOOTSTRAP, *everything]
    return everything[::-1] if action == "destroy" else everything


class Turns:
    """The roots one after the other; ``ended`` has the exit code of each, 1 where it could not even begin."""

    def __init__(self, action: str, environment: str, make: Callable[[str], Terraform]) -> None:
        self._action = action
        self._environment = environment
        self._make = make
        self.ended: dict[str, int] = {}

    def take(self, chosen: Sequence[str]) -> int:
        """Give each its turn; 1 when one failed, else 2 when a plan has changes, else 0."""
        for root in chosen:
            try:
                self.ended[root] = self._turn(root, alone=len(chosen) == 1)
            except TerraformError as error:
                print(f"{self._action} {self._environment}, {root}: {error}", file=sys.stderr)
                self.ended[root] = 1
        failed = [root for root, code in self.ended.items() if code not in (0, 2)]
        if failed and len(chosen) > 1:
            print(f"{self._action} {self._environment} failed in: {', '.join(failed)}", file=sys.stderr)
        # Terraform has other codes than 1 for no failure of its own.
        return 1 if failed else max(self.ended.values())

    def _turn(self, root: str, alone: bool) -> int:
        if self._action == "destroy" and root == roots.PLATFORM and any(self.ended.values()):
            raise TerraformError("not destroyed, because a pipeline that stands on it was not")
        terraform = self._make(root)
        if self._action == "validate":
            return terraform.validate()
        if self._action in ("plan", "apply") and root != roots.PLATFORM:
            terraform.connect()
            missing = _platform_is_missing(self._environment)
            if missing and (alone or self._action == "apply"):
                raise TerraformError(f"it needs the platform: {missing}")
            if missing:
                print(f"{root}: can be planned as soon as the platform is deployed")
                return 0
        code = terraform.act(self._action)
        if self._action == "apply" and root == roots.PLATFORM and not code:
            print(write_first_key(self._environment))
        return code


def write_first_key(environment: str) -> str:
    """Write the first version of the pseudonym key unless there is one; return what was done."""
    try:
        key_rotation.begin(deployment.load(environment))
    except key_rotation.FirstVersionExists:
        return "the pseudonym key has its first version; it was left alone"
    except (BotoCoreError, ClientError) as error:
        raise TerraformError(f"the platform stands, but its pseudonym key could not be written: {error}") from error
    return "the first version of the pseudonym key was written"


def _platform_is_missing(environment: str) -> str:
    """Why no pipeline can stand yet; empty when one can."""
    try:
        deployment.load(environment)
    except deployment.NotDeployed as reason:
        return str(reason)
    except (BotoCoreError, ClientError) as error:
        raise TerraformError(str(error)) from error
    return ""


def perform(action: str, environment: str, chosen: Sequence[str], lock_id: str | None) -> int:
    """Do it; the exit code. Raises TerraformError when nothing was begun."""
    account = "" if action == "validate" else account_for(environment)

    def make(root: str) -> Terraform:
        return Terraform(environment, root, os.environ, account)

    if action == "unlock":
        return unlock(environment, account, chosen, lock_id, make)
    if action in ("plan", "apply"):
        make(chosen[0]).connect()
        check_contracts(environment)
    if action == "destroy":
        if roots.PLATFORM in chosen:
            check_registered(environment, chosen)
        for root in chosen:
            terraform = make(root)
            terraform.connect()
            terraform.check_switches()
    return Turns(action, environment, make).take(chosen)


def main() -> int:
    """Command line; ends with 0, 1 for a failure, 2 for a plan with changes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("validate", "plan", "apply", "destroy", "output", "unlock"))
    parser.add_argument("--env", choices=roots.environments(), default="dev", help="environment (default: dev)")
    one = (roots.PLATFORM, *roots.pipelines())
    parser.add_argument("--pipeline", metavar="NAME", help=f"one root alone: {', '.join(one)} (default: all)")
    parser.add_argument("--lock", metavar="ID", help="with unlock: the lock to take away, as unlock shows it")
    given = parser.parse_args()
    if given.pipeline and given.pipeline not in one:
        parser.error(f"there is no pipeline {given.pipeline}; there are {', '.join(one)}")
    try:
        return perform(given.action, given.env, chosen_roots(given.action, given.pipeline), given.lock or None)
    except (TerraformError, BotoCoreError, ClientError) as error:
        print(f"{given.action} {given.env}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
