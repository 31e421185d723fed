"""The steps of the workflows that plan and apply: plan and judge, apply what was judged.

`plan` writes FOLDER, which holds values and stays on the runner, and REVIEW, which others may read: the manifest, and
the judgement as Markdown and JSON. It says to the workflow whether there are `changes`, and the `digest` of the plans.
It ends with 3 when the plans are refused, and with 1 when --settled is true and something would change.
SETTINGS is the environment's variable of the repository, JSON: account_id, region, plan_role, apply_role, destroy_role,
and as far as needed alert_email, second_alert_email, project, repair_principals, key_principals and analyst_principals.
`apply` plans again and applies only what REVIEW's manifest says, of which the digest must be the given one.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import plan_files
from scripts.plan_files import PlanRefused
from scripts.plan_review import command as review
from scripts.plan_review import markdown
from scripts.plan_review.judgement import Judgement

JUDGEMENT = "judgement"
# Setting => the variable by which scripts.terraform and Terraform take it.
TAKEN = {
    "alert_email": "ALERT_EMAIL",
    "second_alert_email": "TF_VAR_second_alert_email",
    "project": "LAKE_PROJECT",
    "repair_principals": "TF_VAR_repair_principals",
    "key_principals": "TF_VAR_key_principals",
    "analyst_principals": "TF_VAR_analyst_principals",
}
# What configure-aws-credentials takes, in the workflow itself.
OF_THE_WORKFLOW = ("account_id", "region", "plan_role", "apply_role", "destroy_role")


class SettingsError(Exception):
    """The variable of the repository that describes an environment cannot be used; the message says why."""


def plan(given: argparse.Namespace) -> int:
    """Plan without a lock, judge, and leave the review; the exit code."""
    options = [*_stage(given), *(["--destroy"] if given.destroy == "true" else []), "--no-lock", "--quiet"]
    if _terraform("plan", given.env, "--out", str(given.folder), *options) not in (0, 2):
        return 1
    judged = review.judged(given.folder, os.environ.get("CONFIRM", ""))
    leave(judged, given.folder, given.review)
    tell("GITHUB_OUTPUT", f"changes={str(judged.changes).lower()}\ndigest={judged.digest}\n")
    text = markdown.write(judged)
    tell("GITHUB_STEP_SUMMARY", text)
    print(text)
    if given.settled == "true" and judged.changes:
        print("something would change right after the apply", file=sys.stderr)
        return 1
    return review.REFUSED if judged.refused else 0


def apply(given: argparse.Namespace) -> int:
    """Apply or destroy what was judged; the exit code. Raises PlanRefused when the review is not the expected one."""
    manifest = plan_files.read_manifest(given.review)
    if manifest.digest != given.digest:
        raise PlanRefused(f"the manifest has the digest {manifest.digest}, but {given.digest or 'none'} was judged")
    action = "destroy" if given.destroy == "true" else "apply"
    reviewed = ["--reviewed", str(given.review / plan_files.MANIFEST)]
    return _terraform(action, given.env, *reviewed, *_stage(given))


def leave(judged: Judgement, folder: Path, written: Path) -> None:
    """Write what others may read of the plans."""
    written.mkdir(parents=True, exist_ok=True)
    plan_files.read_manifest(folder).write(written)
    (written / f"{JUDGEMENT}.md").write_text(markdown.write(judged), encoding="utf-8")
    (written / f"{JUDGEMENT}.json").write_text(json.dumps(judged.as_json(), indent=2), encoding="utf-8")


def tell(variable: str, text: str) -> None:
    """Append to one of the files by which a step speaks to its workflow; nothing happens outside a workflow."""
    if os.environ.get(variable):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
            file.write(text)


def settings(text: str) -> dict[str, str]:
    """The variables of Terraform's environment that the settings of an environment are; raises SettingsError."""
    try:
        given = dict(json.loads(text or "{}"))
    except ValueError as error:
        raise SettingsError(f"SETTINGS is no JSON object: {error}") from error
    if unknown := sorted(given.keys() - {*TAKEN, *OF_THE_WORKFLOW}):
        known = ", ".join([*OF_THE_WORKFLOW, *TAKEN])
        raise SettingsError(f"SETTINGS has {', '.join(unknown)}, which nothing reads; there are {known}")
    values = {TAKEN[name]: value for name, value in given.items() if name in TAKEN and value}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _terraform(action: str, environment: str, *options: str) -> int:
    command = [sys.executable, "-m", "scripts.terraform", action, "--env", environment, *options]
    return subprocess.run(command, env=os.environ | settings(os.environ.get("SETTINGS", "")), check=False).returncode


def _stage(given: argparse.Namespace) -> Sequence[str]:
    return ["--stage", given.stage] if given.stage else []


def main() -> int:
    """Command line; 0, or 1 for a failure, or 3 for plans that are refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("plan", "apply"))
    parser.add_argument("--env", required=True, help="environment")
    parser.add_argument("--stage", choices=("", "platform", "pipelines"), default="", help="default: both")
    parser.add_argument("--folder", type=Path, help="with plan: where the plans go")
    parser.add_argument("--review", type=Path, required=True, help="what others may read of the plans")
    parser.add_argument("--digest", default="", help="with apply: the digest that plan said")
    # Workflows say yes and no as texts.
    for name, meaning in (("destroy", "destroy instead of deploy"), ("settled", "fail when something would change")):
        parser.add_argument(f"--{name}", choices=("true", "false"), default="false", help=meaning)
    given = parser.parse_args()
    try:
        return plan(given) if given.step == "plan" else apply(given)
    except (PlanRefused, SettingsError) as error:
        print(f"{given.step} {given.env}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
