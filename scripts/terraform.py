"""Run Terraform for the platform and the pipelines of one environment, each a root with a state of its own.

The platform comes first, then every pipeline that has a folder; `destroy` goes the other way. A root that fails does
not keep the others from their turn; the end names the roots that failed, with exit code 1. `--pipeline NAME` takes one
root alone, `--pipeline platform` the platform.

Where it works is decided by AWS_ENDPOINT_URL and the credentials alone. `plan` ends with 0 for no changes, else 2.
`unlock` shows who holds the locks of the states and since when; with --lock <ID> it takes that lock away.
The states lie in the account of the credentials, which must be `account_id` of the <environment>.tfvars when that is
given. LAKE_PROJECT, when set, is the first part of all names: so a second lake stands beside the first.
`destroy` needs allow_destroy = true in the <environment>.tfvars of each root, applied, and CONFIRM=<environment>.
`plan --out FOLDER` keeps the plans, which hold values, and a manifest, which holds none. `judge --plan FOLDER` says
what they would do. `apply --plan FOLDER` applies exactly those files; `apply --reviewed FOLDER/manifest.json` plans
again and applies only what is identical. `plan --destroy` and `destroy` work the same way. A pipeline can be planned
when its platform stands: `--stage platform`, then `--stage pipelines`, or both at once when the platform does not
change what it tells its pipelines.
`judge` asks neither AWS nor Terraform. It refuses a plan that deletes or replaces what holds data or a key, or loosens
what protects them, unless allow_destroy is true in the tfvars (for a deletion: was applied) and CONFIRM=<environment>.
It ends with 0 when nothing is against the plans, 1 when they could not be judged, 3 when they are refused.
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
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lake.environment import deployment, releases
from lake.environment.deployment import PROJECT_VARIABLE
from lake.maintenance import key_rotation
from scripts import contract_guard, job_code, kept_plans, plan_files, roots, state_lock
from scripts.plan_files import PlanRefused
from scripts.plan_review import command as plan_review
from scripts.roots import REPOSITORY, TERRAFORM

# What else decides which state and which provider an initialised folder is for.
PLACE = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "TF_CLI_CONFIG_FILE")
CACHE = REPOSITORY / ".cache"
OLDEST_TERRAFORM = (1, 11)
# Terraform and the provider end after a minute, and each goes over the provider's whole schema at every collection.
# With 400 instead of Go's 100 a plan takes a fifth less of the processor, and each of the two 450 MB instead of 300.
COLLECTOR = {"GOGC": "400"}
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
    text = (
        "provider_installation {\n"
        f'  filesystem_mirror {{\n    path    = {json.dumps(str(mirror))}\n    include = ["{PROVIDER}"]\n  }}\n'
        f'  direct {{\n    exclude = ["{PROVIDER}"]\n  }}\n'
        "}\n"
    )
    # Another Terraform may be reading it: there is no moment at which it is not whole.
    with tempfile.NamedTemporaryFile("w", dir=cache, prefix=written.name, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(written)
    return written


def terraform_environment(environment: Mapping[str, str], cache: Path) -> dict[str, str]:
    """The environment of every Terraform command."""
    # A shared plugin cache holds one platform only and would ask for a change of the lock file.
    without = {"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"}
    kept = {name: value for name, value in environment.items() if name not in without}
    configuration = configuration_file(environment, cache)
    ours = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    return COLLECTOR | kept | ours | ({"TF_CLI_CONFIG_FILE": str(configuration)} if configuration else {})


def check_version(executable: str, environment: Mapping[str, str]) -> str:
    """Refuse a Terraform that is too old for the lock in S3; return its version."""
    command = [executable, "version", "-json"]
    answer = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    version = str(json.loads(answer.stdout)["terraform_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TERRAFORM:
        raise TerraformError(f"{MISSING_TERRAFORM} (found {version})")
    return version


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
        self.version = check_version(executable, self.environment)

    def run(self, action: str, *options: str, output: Path | None = None) -> int:
        """Run with its output on the terminal or in a file, errors on the terminal, and return its exit code."""
        plain = () if sys.stdout.isatty() and not output else ("-no-color",)
        command = [*self.command, action, *options, *plain]
        if output is None:
            return subprocess.run(command, env=self.environment, check=False).returncode
        with output.open("w", encoding="utf-8") as file:
            return subprocess.run(command, env=self.environment, stdout=file, check=False).returncode

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
        used = (*sorted(self.folder.glob("*.tf")), *sorted((TERRAFORM / "modules").rglob("*.tf")))
        files = [file for file in used if ".terraform" not in file.parts]
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
        return self.run(action, *self._options(), *extra[action], *self._variables())

    def plan_to(self, folder: Path, *, destroy: bool, lock: bool = True, quiet: bool = False) -> int:
        """Keep a plan and its JSON in a folder; the exit code.

        Without ``lock`` nothing is written elsewhere. ``quiet`` keeps the words of the plan, which have values, in the
        folder too.
        """
        self.connect()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder.resolve() / "plan.tfplan"
        asked = {"-destroy": destroy, "-lock=false": not lock}
        extra = ["-detailed-exitcode", f"-out={file}", *(option for option, wanted in asked.items() if wanted)]
        output = folder / "plan.txt" if quiet else None
        code = self.run("plan", *self._options(), *extra, *self._variables(), output=output)
        if code in (0, 2):
            command = [*self.command, "show", "-json", str(file)]
            with (folder / "plan.json").open("w", encoding="utf-8") as written:
                subprocess.run(command, env=self.environment, stdout=written, check=True)
        return code

    def apply_file(self, file: Path) -> int:
        """Apply exactly this plan; Terraform refuses it when the state has gone on since."""
        self.connect()
        return self.run("apply", *self._options(), str(file.resolve()))

    def _options(self) -> tuple[str, ...]:
        return "-input=false", "-compact-warnings", f"-lock-timeout={self.environment.get('LOCK_TIMEOUT', '60s')}"

    def _variables(self) -> list[str]:
        values = (f"-var={name}={value}" for name, value in self._values().items() if value)
        return [f"-var-file={self.name}.tfvars", *values]

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


def chosen_roots(action: str, pipeline: str | None, stage: str | None = None, *, destroy: bool = False) -> list[str]:
    """The roots that a command is about, in the order of their turns."""
    if pipeline:
        return [pipeline]
    if action == "output":
        return [roots.PLATFORM]
    stages = {"platform": [roots.PLATFORM], "pipelines": roots.pipelines()}
    everything = [root for name, of_stage in stages.items() if stage in (None, name) for root in of_stage]
    if action == "validate":
        return [roots.BOOTSTRAP, *everything]
    return everything[::-1] if action == "destroy" or destroy else everything


class Turns:
    """The roots one after the other; ``ended`` has the exit code of each, 1 where it could not even begin.

    ``act`` is what a turn is when it is not simply the action. ``waiting`` has the roots that need the platform first.
    """

    def __init__(
        self,
        action: str,
        environment: str,
        make: Callable[[str], Terraform],
        act: Callable[[Terraform], int] | None = None,
    ) -> None:
        self._action = action
        self._environment = environment
        self._make = make
        self._act = act or (lambda terraform: terraform.act(action))
        self.ended: dict[str, int] = {}
        self.waiting: dict[str, str] = {}

    def take(self, chosen: Sequence[str]) -> int:
        """Give each its turn; 1 when one failed, else 2 when a plan has changes, else 0."""
        for root in chosen:
            try:
                self.ended[root] = self._turn(root, alone=len(chosen) == 1)
            except (TerraformError, PlanRefused) as error:
                print(f"{self._action} {self._environment}, {root}: {error}", file=sys.stderr)
                self.ended[root] = 1
        failed = [root for root, code in self.ended.items() if code not in (0, 2)]
        if failed and len(chosen) > 1:
            print(f"{self._action} {self._environment} failed in: {', '.join(failed)}", file=sys.stderr)
        # Terraform has other codes than 1 for no failure of its own.
        return 1 if failed else max(self.ended.values(), default=0)

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
                self.waiting[root] = missing
                return 0
            if self._action == "apply":
                upload_code(self._environment, root)
        code = self._act(terraform)
        if self._action == "apply" and not code:
            if root == roots.PLATFORM:
                print(write_first_key(self._environment))
            record_release(self._environment, root)
        return code


def upload_code(environment: str, pipeline: str) -> None:
    """Add the code of the pipeline's jobs to the code bucket; says which keys are new."""
    try:
        bucket = deployment.load(environment).names["code_bucket"]
        for key in job_code.upload(boto3.client("s3"), bucket, pipeline):
            print(f"{pipeline}: s3://{bucket}/{key} was put there")
    except KeyError as missing:
        raise TerraformError(
            "the platform is older than its pipelines; first: make apply PIPELINE=platform"
        ) from missing
    except (BotoCoreError, ClientError) as error:
        raise TerraformError(f"the code of its jobs could not be put into the code bucket: {error}") from error


def record_release(environment: str, root: str) -> None:
    """Write down which code runs now, so that there is a way back to it."""
    try:
        release = releases.record(deployment.load(environment), root, datetime.now(UTC))
    except (BotoCoreError, ClientError) as error:
        raise TerraformError(f"it is applied, but what code it has could not be recorded: {error}") from error
    if release:
        print(f"{root}: release {release.at}; back to the one before: lake rollback run --pipeline {root} --yes")


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


@dataclass(frozen=True)
class Request:
    """One call of the command line."""

    action: str
    environment: str
    chosen: Sequence[str]
    lock_id: str | None = None
    out: Path | None = None
    destroy: bool = False
    lock: bool = True
    quiet: bool = False
    plan: Path | None = None
    reviewed: Path | None = None


def perform(request: Request) -> int:
    """Do it; the exit code. Raises TerraformError or PlanRefused when nothing was begun."""
    action, environment, chosen = request.action, request.environment, request.chosen
    account = "" if action == "validate" else account_for(environment)

    def make(root: str) -> Terraform:
        return Terraform(environment, root, os.environ, account)

    if action == "unlock":
        return unlock(environment, account, chosen, request.lock_id, make)
    if action in ("plan", "apply"):
        make(chosen[0]).connect()
        check_contracts(environment)
    if action == "destroy":
        check_destroy(environment, chosen, make)
    if request.out:
        return keep(request, account, request.out, make)
    return Turns(action, environment, make, acting(request, account)).take(chosen)


def check_destroy(environment: str, chosen: Sequence[str], make: Callable[[str], Terraform]) -> None:
    """Refuse to destroy when a switch is missing, or a pipeline would be left without its platform."""
    if roots.PLATFORM in chosen:
        check_registered(environment, chosen)
    for root in chosen:
        terraform = make(root)
        terraform.connect()
        terraform.check_switches()


def keep(request: Request, account: str, out: Path, make: Callable[[str], Terraform]) -> int:
    """Plan, and keep the plans in ``out``; their manifest is there only when every root was planned."""
    kept = kept_plans.Keep(out, destroy=request.destroy, lock=request.lock, quiet=request.quiet)
    turns = Turns("plan", request.environment, make, kept.take)
    code = turns.take(request.chosen)
    if code in (0, 2):
        version = make(request.chosen[0]).version
        manifest = kept.finish(request.environment, account, version, turns.waiting)
        print(f"{out}: {'changes' if manifest.changes else 'no changes'}, digest {manifest.digest}")
    return code


def acting(request: Request, account: str) -> Callable[[Terraform], int] | None:
    """Return the act of a turn about plans that were kept or judged before; None when it is about neither."""
    source = request.plan or request.reviewed
    if source is None:
        return None
    manifest = plan_files.read_manifest(source)
    plan_files.check_place(manifest, request.environment, account, request.action == "destroy")
    return kept_plans.ApplyFiles(source, manifest).take if request.plan else kept_plans.ApplyReviewed(manifest).take


def planned(chosen: Sequence[str], source: Path | None) -> list[str]:
    """Of the chosen roots those of which there are plans; raises PlanRefused when there are none."""
    if source is None:
        return list(chosen)
    manifest = plan_files.read_manifest(source)
    found = [root for root in chosen if root in manifest.roots]
    for root in (root for root in chosen if root in manifest.waiting):
        print(f"{root}: had to wait for the platform; plan it when the platform is applied")
    if not found:
        raise PlanRefused(f"none of {', '.join(chosen)} is among the plans of {source}")
    return found


def arguments() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("validate", "plan", "judge", "apply", "destroy", "output", "unlock"))
    parser.add_argument("--env", choices=roots.environments(), default="dev", help="environment (default: dev)")
    one = (roots.PLATFORM, *roots.pipelines())
    parser.add_argument("--pipeline", metavar="NAME", help=f"one root alone: {', '.join(one)} (default: all)")
    parser.add_argument("--stage", choices=("platform", "pipelines"), help="the platform alone, or every pipeline")
    parser.add_argument("--lock", metavar="ID", help="with unlock: the lock to take away, as unlock shows it")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="with plan: keep the plans here, for their owner alone"
    )
    parser.add_argument("--destroy", action="store_true", help="with plan --out: plan what destroy would do")
    parser.add_argument("--quiet", action="store_true", help="with plan --out: show no values, keep them in FOLDER too")
    parser.add_argument("--no-lock", action="store_true", help="with plan --out: take no lock, so write nothing at all")
    parser.add_argument(
        "--plan", type=Path, metavar="FOLDER", help="with judge, apply, destroy: the plans of plan --out"
    )
    parser.add_argument(
        "--reviewed", type=Path, metavar="FILE", help="with apply, destroy: the manifest of judged plans"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="with judge: write the judgement here too")
    parser.add_argument("--json", action="store_true", help="with judge: print JSON")
    return parser


def check_arguments(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End with the parser's error when options do not go together."""
    one = (roots.PLATFORM, *roots.pipelines())
    if given.pipeline and given.pipeline not in one:
        parser.error(f"there is no pipeline {given.pipeline}; there are {', '.join(one)}")
    if given.action == "judge" and not given.plan:
        parser.error("judge needs --plan FOLDER")
    if given.out and given.action != "plan":
        parser.error("--out goes with plan")
    if (given.destroy or given.no_lock or given.quiet) and not given.out:
        parser.error("--destroy, --no-lock and --quiet go with plan --out FOLDER")
    if given.reviewed and (given.plan or given.action not in ("apply", "destroy")):
        parser.error("--reviewed goes with apply or destroy, and not with --plan")
    if given.plan and given.action not in ("judge", "apply", "destroy"):
        parser.error("--plan goes with judge, apply or destroy")


def requested(given: argparse.Namespace, chosen: Sequence[str]) -> Request:
    """Return the call that the options ask for."""
    return Request(
        action=given.action,
        environment=given.env,
        chosen=chosen,
        lock_id=given.lock or None,
        out=given.out,
        destroy=given.destroy,
        lock=not given.no_lock,
        quiet=given.quiet,
        plan=given.plan,
        reviewed=given.reviewed,
    )


def main() -> int:
    """Command line; ends with 0, 1 for a failure, 2 for a plan with changes, 3 for plans that judge refuses."""
    parser = arguments()
    given = parser.parse_args()
    check_arguments(parser, given)
    chosen = chosen_roots(given.action, given.pipeline, given.stage, destroy=given.destroy)
    try:
        if given.action == "judge":
            return plan_review.judge_folder(given.plan, os.environ.get("CONFIRM", ""), given.markdown, given.json)
        chosen = planned(chosen, given.plan or given.reviewed)
        return perform(requested(given, chosen))
    except (TerraformError, PlanRefused, BotoCoreError, ClientError) as error:
        print(f"{given.action} {given.env}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
