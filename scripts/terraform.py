"""Run Terraform for one environment: finds the provider, initialises, then validates, plans, applies or destroys.

Where it works is decided by AWS_ENDPOINT_URL and the credentials alone. `plan` ends with 0 for no changes, else 2.
`unlock` shows who holds the lock of the state and since when; with --lock <ID> it takes that lock away.
`destroy` needs allow_destroy = true in the environment's terraform.tfvars, applied before, and CONFIRM=<environment>.
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
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts import bootstrap_state, contract_guard, state_lock

REPOSITORY = Path(__file__).parent.parent
TERRAFORM = REPOSITORY / "terraform"
ENVIRONMENTS = TERRAFORM / "envs"
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
    """Refuse a Terraform that is too old for write-only values and the lock in S3."""
    command = [executable, "version", "-json"]
    answer = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    version = json.loads(answer.stdout)["terraform_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TERRAFORM:
        raise TerraformError(f"{MISSING_TERRAFORM} (found {version})")


class Terraform:
    """Terraform in the folder of one environment."""

    def __init__(self, name: str, environment: Mapping[str, str], cache: Path = CACHE) -> None:
        executable = shutil.which("terraform", path=environment.get("PATH"))
        if executable is None:
            raise TerraformError(MISSING_TERRAFORM)
        self.name = name
        self.cache = cache
        self.environment = terraform_environment(environment, cache)
        self.command = [executable, f"-chdir={ENVIRONMENTS / name}"]
        check_version(executable, self.environment)

    def run(self, action: str, *options: str) -> int:
        """Run with its output on the terminal, and return its exit code."""
        plain = () if sys.stdout.isatty() else ("-no-color",)
        return subprocess.run([*self.command, action, *options, *plain], env=self.environment, check=False).returncode

    def connect(self) -> None:
        """Initialise with the state, unless that was done and the configuration has not changed since."""
        data = Path(self.environment.get("TF_DATA_DIR") or ENVIRONMENTS / self.name / ".terraform")
        mark, configuration = data / "connected", self._configuration()
        if mark.is_file() and mark.read_text(encoding="ascii") == configuration:
            return
        # Always anew: the same folder may have been used with another account or another localaws.
        self.initialise("-reconfigure")
        mark.write_text(configuration, encoding="ascii")

    def _configuration(self) -> str:
        files = [file for file in sorted(TERRAFORM.rglob("*.tf")) if ".terraform" not in file.parts]
        contents = [file.read_bytes() for file in (*files, ENVIRONMENTS / self.name / ".terraform.lock.hcl")]
        place = json.dumps([self.environment.get(name) for name in PLACE])
        return hashlib.sha256(b"".join([place.encode(), *contents])).hexdigest()

    def initialise(self, *options: str) -> None:
        """Install the provider and connect the state. Says nothing unless it fails."""
        command = [*self.command, "init", "-input=false", "-no-color", "-lockfile=readonly", *options]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            output = f"{done.stdout}{done.stderr}".strip()
            hint = "\nThe state bucket is made by: bash terraform/bootstrap.sh" if "NoSuchBucket" in output else ""
            raise TerraformError(f"terraform init failed\n{output}{hint}")

    def validate(self) -> int:
        """Check the configuration; needs neither state nor account."""
        self.environment["TF_DATA_DIR"] = str((self.cache / f"terraform-validate-{self.name}").resolve())
        self.initialise("-backend=false")
        return self.run("validate")

    def check_switches(self) -> None:
        """Refuse what destroy_guard of main.tf would refuse, but earlier: by then Terraform has dropped the outputs."""
        command = [*self.command, "output", "-json"]
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        if json.loads(answer.stdout).get("allow_destroy", {"value": "true"})["value"] != "true":
            raise TerraformError("set allow_destroy = true in its terraform.tfvars and apply that first.")
        if self.environment.get("CONFIRM") != self.name:
            raise TerraformError(f"all its data would be lost. If that is meant, give CONFIRM={self.name}.")

    def check_contracts(self) -> None:
        """Refuse contracts that break what is deployed."""
        try:
            found = contract_guard.breaches(self.name)
        except (BotoCoreError, ClientError) as error:
            raise TerraformError(f"the contracts could not be compared with those deployed: {error}") from error
        if found:
            raise TerraformError("\n".join(["contracts break what relies on them; nothing was changed", *found]))

    def unlock(self, lock_id: str | None) -> int:
        """Show the locks of the state; with the ID of one, take it away."""
        backend = (ENVIRONMENTS / self.name / "backend.tf").read_text(encoding="utf-8")
        settings = bootstrap_state.backend_settings(backend)
        found = state_lock.locks(settings, partial(boto3.client, region_name=settings["region"]))
        for lock in found:
            print(lock.sentence())
        if not found:
            print(f"nobody holds the lock of {self.name}")
            return 0
        if lock_id is None:
            print("When that command has ended for certain: the same again with --lock and the ID (make: LOCK=<ID>).")
            return 0
        if lock_id not in {lock.id for lock in found}:
            raise TerraformError(f"no lock has the ID {lock_id}; nothing was unlocked")
        self.connect()
        return self.run("force-unlock", "-force", lock_id)

    def act(self, action: str) -> int:
        """Plan, apply, destroy or show the outputs."""
        self.connect()
        if action in ("plan", "apply"):
            self.check_contracts()
        if action == "destroy":
            self.check_switches()
        if action == "output":
            return self.run("output", "-json")
        address = self.environment.get("ALERT_EMAIL")
        settings = (f"-var=alert_email={address}",) if address else ()
        extra = {"plan": ("-detailed-exitcode",), "apply": ("-auto-approve",), "destroy": ("-auto-approve",)}
        return self.run(
            action,
            "-input=false",
            "-compact-warnings",
            f"-lock-timeout={self.environment.get('LOCK_TIMEOUT', '60s')}",
            *extra[action],
            *settings,
        )


def main() -> int:
    """Command line; ends with Terraform's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("validate", "plan", "apply", "destroy", "output", "unlock"))
    names = sorted(folder.name for folder in ENVIRONMENTS.iterdir() if folder.is_dir())
    parser.add_argument("--env", choices=names, default="dev", help="environment (default: dev)")
    parser.add_argument("--lock", metavar="ID", help="with unlock: the lock to take away, as unlock shows it")
    arguments = parser.parse_args()
    try:
        terraform = Terraform(arguments.env, os.environ)
        if arguments.action == "validate":
            return terraform.validate()
        return (
            terraform.unlock(arguments.lock or None)
            if arguments.action == "unlock"
            else terraform.act(arguments.action)
        )
    except (TerraformError, BotoCoreError, ClientError) as error:
        print(f"{arguments.action} {arguments.env}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
