"""The workflows, step by step on this machine, from a first deployment to the end of the lake; the guard of the plans.

One local AWS, one history: each workflow begins where the one before ended, as on GitHub. Tests ask what came of it.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localaws.testing import Issuer
from scripts.plan_review import judgement
from tests import local_aws
from tests.delivery import api as github_api
from tests.delivery.conftest import commit, git
from tests.delivery.runner import INSTALLED, WORKFLOWS, Assumption, Run, Runner
from tests.local_aws import REPOSITORY, LocalAws

pytestmark = pytest.mark.long

ACCOUNT, REGION = "000000000000", "us-east-1"
PROJECT = "aws-datalake-platform"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/delivery/{PROJECT}/{PROJECT}-delivery-{{}}-dev"
SETTINGS = {
    "account_id": ACCOUNT,
    "region": REGION,
    **{f"{kind}_role": ROLE.format(kind) for kind in ("plan", "apply", "destroy")},
    "alert_email": "lake@company.test",
}
GITHUB = ["--github", "owner/lake", "--owner-id", "11", "--repository-id", "22"]
OURS = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "owner/lake"}}, "base": {}}}
THEIRS = {"pull_request": {"number": 8, "head": {"repo": {"full_name": "stranger/lake"}}, "base": {}}}
DISTURBED, ALIAS = "module.watch.aws_lambda_function.this", "module.watch.aws_lambda_alias.live"
# Steps that no test here runs, each with the reason.
ELSEWHERE = {
    ("ci.yml", "make test"): "it is the command that runs the tests",
    ("ci.yml", 'make test-all TIERS=e2e,drill SHARD="$SHARD/8"'): "it runs tests",
    ("ci.yml", "make demo"): "tests/scripts/test_demo.py",
    ("ci.yml", "make glue-test"): "it runs tests",
    ("ci.yml", ".venv-audit/bin/python -m scripts.delivery.vulnerabilities"): "it asks the network for advisories",
    ("glue-image.yml", "make glue-docker-test"): "it needs Docker and AWS's image",
    ("glue-image.yml", 'make up\neval "$(make -s env)"\nmake bootstrap apply\n'): "tests of a deployed lake begin so",
    ("glue-image.yml", 'make glue-docker-run JOB=transform INVOKE="$FUNCTIONS"'): "it needs Docker and AWS's image",
    ("nightly.yml", 'make test-all SHARD="$SHARD/8"'): "it runs tests",
}  # fmt: skip


@dataclass
class History:
    """What was done, and what it left."""

    aws: LocalAws
    runner: Runner
    api: github_api.Api
    folder: Path
    runs: dict[str, Run] = field(default_factory=dict)
    assumed: dict[str, list[Assumption]] = field(default_factory=dict)
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    asked: list[Assumption] = field(default_factory=list)

    def run(self, name: str, workflow: str, event: str, **more: Any) -> Run:
        """Run a workflow, and keep the run and whom it was to AWS under a name."""
        before = len(self.asked)
        self.runs[name] = self.runner.run(workflow, event, **more)
        self.assumed[name] = self.asked[before:]
        return self.runs[name]

    def expect(self, name: str, result: str, workflow: str, event: str, **more: Any) -> Run:
        """As ``run``, and fail when the run ends otherwise: what follows would have no ground."""
        done = self.run(name, workflow, event, **more)
        assert done.result == result, f"{name}: {done.said[-6000:]}"
        return done

    def standing(self) -> set[str]:
        """The buckets that the lake has."""
        return {
            bucket["Name"] for bucket in self.aws.client("s3").list_buckets()["Buckets"] if "-dev-" in bucket["Name"]
        }

    def change_by_hand(self) -> None:
        """What somebody does between a judgement and its apply."""
        self.watch_timeout(78)

    def watch_timeout(self, seconds: int | None = None) -> int:
        """The timeout of the watch function; set by hand first when one is given."""
        client = self.aws.client("lambda")
        (name,) = (entry["FunctionName"] for entry in client.list_functions()["Functions"])
        if seconds:
            client.update_function_configuration(FunctionName=name, Timeout=seconds)
        return int(client.get_function_configuration(FunctionName=name)["Timeout"])


@dataclass(frozen=True)
class Offline:
    """Runs that need no AWS, and what they asked of `gh`."""

    runner: Runner
    runs: dict[str, Run]
    gh: list[str]


@pytest.fixture(scope="module")
def offline(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Offline:
    """A tag, and the part of ci that looks for credentials."""
    folder = tmp_path_factory.mktemp("offline")
    (folder / "bin").mkdir()
    gh = folder / "bin/gh"
    gh.write_text(f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" > {folder}/gh\n')
    gh.chmod(0o755)
    runner = Runner(source, folder, {}, "", {"AWS_ENDPOINT_URL": ""}, lambda _asked: pytest.fail("no job needs AWS"))
    base = git(source, "rev-parse", "HEAD").strip()
    pushed = {"event": {"before": base}}
    runs = {
        "release": runner.run("release.yml", "push", github={"ref": "refs/tags/v1", "ref_name": "v1"}),
        "clean change": runner.run("ci.yml", "push", github=pushed, only={"secrets"}),
    }
    # In parts, or this file would be found too.
    (source / "leaked.txt").write_text("aws_access_key_id = AKIA" + "Q7X2" * 4 + "\n")
    commit(source)
    runs["leak"] = runner.run("ci.yml", "push", github=pushed, only={"secrets"})
    git(source, "reset", "--quiet", "--hard", base)
    return Offline(runner, runs, (folder / "gh").read_text().split())


@pytest.fixture(scope="module")
def history(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Everything that happened, in order."""
    folder = tmp_path_factory.mktemp("delivery")
    with local_aws.running(folder / "home") as aws, github_api.running() as api:
        asked: list[Assumption] = []

        issuer = Issuer()
        aws.trust_issuer(issuer.url, issuer.keys)

        def credentials(assumption: Assumption) -> dict[str, str]:
            asked.append(assumption)
            return as_web_identity(aws, issuer, assumption)

        runner = Runner(source, folder, {"LAKE_DEV": json.dumps(SETTINGS)}, api.address, aws.environment, credentials)
        told = History(aws, runner, api, folder, asked=asked)
        bootstrapped = subprocess.run(
            ["bash", "terraform/bootstrap.sh"], cwd=REPOSITORY, env=aws.process_environment(), check=False
        )
        assert bootstrapped.returncode == 0
        give_roles(aws, source)
        deploy_and_disturb(told, source)
        judge_mutations(told, source)
        apply_kept_plans(told, source)
        allow_and_destroy(told, source)
        yield told


def give_roles(aws: LocalAws, source: Path) -> None:
    """Make the roles of the delivery, and write into the values of dev what the command says is to be written there."""
    environment = {
        **aws.process_environment(),
        "TF_VAR_allow_destroy": "true",
        "TF_DATA_DIR": str(source.parent / "terraform"),
    }
    command = [sys.executable, "-m", "scripts.delivery_roles", *GITHUB, "--yes"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    of_dev = next(line for line in done.stdout.splitlines() if line.startswith("  roles = ") and "dev" in line)
    values = source / "terraform/platform/dev.tfvars"
    values.write_text(f"{values.read_text()}{of_dev.strip()}\n")
    commit(source)


def as_web_identity(aws: LocalAws, issuer: Issuer, assumption: Assumption) -> dict[str, str]:
    """The credentials for which a job exchanges its token; raises ClientError when the role does not trust it."""
    token = issuer.token(aws.now, sub=assumption.subject, repository_id="22", repository_owner_id="11")
    keys = aws.client("sts").assume_role_with_web_identity(
        RoleArn=assumption.role, RoleSessionName=assumption.session, WebIdentityToken=token
    )["Credentials"]
    return {
        **{name: value for name, value in aws.environment.items() if name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def deploy_and_disturb(told: History, source: Path) -> None:
    """A pull request, the first deployment, a hand-made change, and what each finds."""
    base = commit(source)
    ours, theirs = ({"pull_request": {**event["pull_request"], "base": {"sha": base}}} for event in (OURS, THEIRS))
    told.run("fork", "plan.yml", "pull_request", github={"ref": "refs/pull/8/merge", "event": theirs})
    told.expect(
        "pull request", "success", "plan.yml", "pull_request", github={"ref": "refs/pull/7/merge", "event": ours}
    )
    told.seen["buckets after the pull request"] = told.standing()
    told.expect("first deployment", "success", "deploy.yml", "push")
    told.expect("no drift", "success", "drift.yml", "schedule")
    told.seen["issues without drift"] = dict(told.api.issues)
    told.watch_timeout(77)
    told.expect("drift", "success", "drift.yml", "schedule")
    told.seen["issue"] = {**told.api.issues[1]}
    # Between the judgement and the apply somebody changes something else.
    told.runner.before["dev / apply_platform / apply"] = told.change_by_hand
    told.run("disturbed", "deploy.yml", "push")
    told.runner.before.clear()
    told.seen["timeout after the disturbed deployment"] = told.watch_timeout()
    told.expect("mended", "success", "deploy.yml", "push")
    told.seen["timeout after the mended deployment"] = told.watch_timeout()
    told.expect("drift is over", "success", "drift.yml", "schedule")
    told.run(
        "destroy without switches", "destroy.yml", "workflow_dispatch", inputs={"environment": "dev", "confirm": "dev"}
    )
    told.seen["buckets after the refusal"] = told.standing()


def judge_mutations(told: History, source: Path) -> None:
    """Plan mutations of the platform that is deployed."""
    platform, dev = "terraform/platform/*.tf", "terraform/platform/dev.tfvars"
    environment = 'environment = "dev"'
    told.plans["untouched"] = planned(told, source)
    told.plans["prefix renamed"] = planned(told, source, (dev, environment, f'{environment}\nbucket_prefix = "other"'))
    told.plans["allow_destroy flipped"] = planned(
        told, source, (dev, environment, f"{environment}\nallow_destroy = true")
    )
    told.plans["things renamed"] = planned(
        told,
        source,
        (platform, "results_bucket", "answers_bucket"),
        (platform, "aws_kms_key.privacy", "aws_kms_key.secrecy"),
        (platform, 'resource "aws_kms_key" "privacy"', 'resource "aws_kms_key" "secrecy"'),
        (platform, 'format(local.naming, "ledger")', 'format(local.naming, "ledgers")'),
        (platform, 'format(local.naming, "pseudonym-key")', 'format(local.naming, "pseudonym-keys")'),
        (platform, 'resource "aws_athena_workgroup" "analytics"', 'resource "aws_athena_workgroup" "answers"'),
        (platform, "aws_athena_workgroup.analytics", "aws_athena_workgroup.answers"),
    )
    told.plans["loosened"] = planned(
        told,
        source,
        (
            "terraform/modules/bucket/policy.tf",
            '{ "aws:SecureTransport" = "false" }',
            '{ "aws:SecureTransport" = "true" }',
        ),
        ("terraform/platform/watch.tf", '["s3:ListBucket"]', '["s3:ListBucket", "s3:GetObject"]'),
        (
            "terraform/platform/ledger.tf",
            "point_in_time_recovery {\n    enabled = true",
            "point_in_time_recovery {\n    enabled = false",
        ),
    )


def planned(told: History, source: Path, *changes: tuple[str, str, str]) -> dict[str, Any]:
    """The real plan of the platform after texts were replaced in files: pattern of the files, old, new."""
    copy = checked_out(told, source, f"mutation-{len(told.plans)}")
    for pattern, old, new in changes:
        files = [file for file in copy.glob(pattern) if old in file.read_text(encoding="utf-8")]
        assert files, f"{old} is not in {pattern}"
        for file in files:
            file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    done = terraform(told, copy, "plan", "--no-lock", "--out", "plans")
    assert done.returncode in (0, 2), done.stdout[-3000:] + done.stderr
    plan: dict[str, Any] = json.loads((copy / "plans/platform/plan.json").read_text(encoding="utf-8"))
    return plan


def checked_out(told: History, source: Path, name: str) -> Path:
    """A clone in which somebody works on a machine of their own."""
    copy = told.folder / name
    subprocess.run(["git", "clone", "--quiet", str(source), str(copy)], check=True)
    for installed in INSTALLED:
        (copy / installed).symlink_to(REPOSITORY / installed)
    shutil.copytree(next(told.folder.glob("run-*/artifacts/artefacts")), copy / "build/artifacts")
    return copy


def terraform(told: History, copy: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the wrapper for the platform of dev in a clone."""
    command = [sys.executable, "-m", "scripts.terraform", *options, "--pipeline", "platform"]
    environment = {**told.aws.process_environment(), "ALERT_EMAIL": SETTINGS["alert_email"]}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def apply_kept_plans(told: History, source: Path) -> None:
    """The same on a machine of one's own: plan, judge, apply those very files, and once more."""
    copy = checked_out(told, source, "own-machine")
    told.watch_timeout(77)
    told.seen["kept"] = terraform(told, copy, "plan", "--out", "plans").returncode
    told.seen["judged"] = terraform(told, copy, "judge", "--plan", "plans", "--json")
    package = copy / "build/artifacts/platform/watch.zip"
    content = package.read_bytes()
    package.write_bytes(b"another build")
    told.seen["other artefacts"] = terraform(told, copy, "apply", "--plan", "plans")
    package.write_bytes(content)
    told.seen["timeout before the kept plan"] = told.watch_timeout()
    told.seen["applied"] = terraform(told, copy, "apply", "--plan", "plans")
    told.seen["timeout after the kept plan"] = told.watch_timeout()
    told.seen["applied twice"] = terraform(told, copy, "apply", "--plan", "plans")


def allow_and_destroy(told: History, source: Path) -> None:
    """The first switch, applied without and with the second one, and the end."""
    for values in (source / "terraform/platform/dev.tfvars", source / "terraform/pipelines/tiny/dev.tfvars"):
        values.write_text(values.read_text() + "allow_destroy = true\n")
    commit(source)
    told.run("allowed", "deploy.yml", "push")
    told.expect("allowed and confirmed", "success", "deploy.yml", "workflow_dispatch", inputs={"confirm": "dev"})
    told.run("wrong name", "destroy.yml", "workflow_dispatch", inputs={"environment": "dev", "confirm": "prod"})
    told.seen["buckets before the end"] = told.standing()
    told.expect(
        "destroyed", "success", "destroy.yml", "workflow_dispatch", inputs={"environment": "dev", "confirm": "dev"}
    )
    told.seen["buckets at the end"] = told.standing()


def test_a_pull_request_of_a_fork_gets_no_credentials(history: History) -> None:
    assert set(history.runs["fork"].results().values()) == {"skipped"}
    assert history.assumed["fork"] == []


def test_a_pull_request_is_planned_by_the_role_that_only_reads(history: History) -> None:
    (asked,) = history.assumed["pull request"]
    assert (asked.role, asked.account, asked.subject) == (
        SETTINGS["plan_role"],
        ACCOUNT,
        "repo:owner/lake:pull_request",
    )
    assert history.seen["buckets after the pull request"] == set()


def test_a_pull_request_has_one_comment_with_what_waits_for_the_platform(history: History) -> None:
    (comment,) = history.api.comments.values()
    assert comment["number"] == 7
    assert "## dev: nothing against it" in comment["body"]
    assert "`tiny` could not be planned yet" in comment["body"]
    assert "created" in comment["body"]


def test_the_first_deployment_applies_the_platform_and_then_plans_the_pipeline(history: History) -> None:
    assert history.runs["first deployment"].results() == {
        "build / build": "success",
        "dev / plan_platform / plan": "success",
        "dev / apply_platform / apply": "success",
        "dev / plan_pipelines / plan": "success",
        "dev / apply_pipelines / apply": "success",
        "dev / settled / plan": "success",
        "prod": "skipped",
    }
    asked = [(one.role.rpartition("/")[2], one.subject) for one in history.assumed["first deployment"]]
    plans, applies = (
        (f"{PROJECT}-delivery-plan-dev", "repo:owner/lake:ref:refs/heads/main"),
        (f"{PROJECT}-delivery-apply-dev", "repo:owner/lake:environment:dev"),
    )
    assert asked == [plans, applies, plans, applies, plans]


def test_what_others_may_read_of_a_plan_has_no_values(history: History) -> None:
    reviews = [file for file in history.folder.glob("run-*/artifacts/review-*/*") if file.is_file()]
    assert {file.name for file in reviews} == {"manifest.json", "judgement.md", "judgement.json"}
    assert [file for file in reviews if SETTINGS["alert_email"] in file.read_text()] == []
    assert list(history.folder.glob("run-*/artifacts/**/*.tfplan")) == []
    assert [name for name, run in history.runs.items() if SETTINGS["alert_email"] in run.said] == []


def test_nothing_is_said_when_there_is_no_drift(history: History) -> None:
    assert history.runs["no drift"].jobs["dev / plan"].outputs["changes"] == "false"
    assert history.seen["issues without drift"] == {}


def test_a_change_by_hand_is_an_issue_that_names_the_address(history: History) -> None:
    assert history.runs["drift"].jobs["dev / plan"].outputs["changes"] == "true"
    assert (history.seen["issue"]["state"], history.seen["issue"]["labels"]) == ("open", ["drift-dev"])
    assert f"- changed: `{DISTURBED}`" in history.seen["issue"]["body"]


def test_the_issue_is_closed_when_the_drift_is_over(history: History) -> None:
    assert {number: issue["state"] for number, issue in history.api.issues.items()} == {1: "closed"}


def test_an_apply_does_not_do_what_was_not_judged(history: History) -> None:
    disturbed = history.runs["disturbed"]
    assert disturbed.jobs["dev / apply_platform / apply"].result == "failure"
    assert "the plan is no longer the one that was judged" in disturbed.said
    assert history.seen["timeout after the disturbed deployment"] == 78
    assert "dev / apply_pipelines / apply" not in disturbed.jobs


def test_a_stage_without_changes_asks_for_no_approval(history: History) -> None:
    assert history.seen["timeout after the mended deployment"] == 60
    mended = history.runs["mended"].results()
    assert (mended["dev / apply_platform / apply"], mended["dev / apply_pipelines"]) == ("success", "skipped")


@pytest.mark.parametrize("name", ["destroy without switches", "wrong name"])
def test_destroy_is_refused_without_both_switches(history: History, name: str) -> None:
    refused = history.runs[name]
    assert refused.results() == {"build / build": "success", "plan / plan": "failure", "destroy": "skipped"}
    assert "exit code 3" in refused.said
    assert {one.role for one in history.assumed[name]} == {SETTINGS["plan_role"]}
    assert len(history.seen["buckets after the refusal"]) == len(history.seen["buckets before the end"]) == 4


def test_the_first_switch_cannot_be_applied_without_the_second(history: History) -> None:
    refused = history.runs["allowed"]
    assert refused.jobs["dev / plan_platform / plan"].result == "failure"
    assert "takes the environment's name in CONFIRM" in refused.said
    assert "dev / apply_platform / apply" not in refused.jobs


def test_both_switches_destroy_under_a_role_of_their_own(history: History) -> None:
    assert history.seen["buckets at the end"] == set()
    roles = [(one.role, one.subject) for one in history.assumed["destroyed"]]
    assert roles[-1] == (SETTINGS["destroy_role"], "repo:owner/lake:environment:destroy-dev")


def test_kept_plans_are_applied_as_they_are_and_once(history: History) -> None:
    seen = history.seen
    assert seen["kept"] == 2
    assert json.loads(seen["judged"].stdout)["roots"]["platform"]["changed"] == {DISTURBED: "changed", ALIAS: "changed"}
    assert (seen["applied"].returncode, seen["timeout after the kept plan"]) == (0, 60), seen["applied"].stderr
    assert seen["applied twice"].returncode == 1
    assert "stale" in seen["applied twice"].stderr


def test_kept_plans_are_not_applied_with_other_artefacts(history: History) -> None:
    assert history.seen["other artefacts"].returncode == 1
    assert (
        "not the files that were planned with: build/artifacts/platform/watch.zip"
        in history.seen["other artefacts"].stderr
    )
    assert history.seen["timeout before the kept plan"] == 77


def test_a_release_is_attested_and_drafted_with_bills_and_sums(offline: Offline) -> None:
    assert offline.runs["release"].result == "success", offline.runs["release"].said
    attested = offline.runner.attested
    assert {"SHA256SUMS", "functions.cdx.json", "platform-watch.zip"} <= set(attested)
    of_the_job = [name for name in attested if name.startswith("jobs-weather_iot-transform-")]
    assert [Path(name).suffix for name in of_the_job] == [".whl", ".py"]
    assert offline.gh[:3] == ["release", "create", "v1"]
    assert "--draft" in offline.gh
    assert sorted(name.removeprefix("release/") for name in offline.gh if name.startswith("release/")) == attested


def test_a_credential_in_a_change_is_found(offline: Offline) -> None:
    assert offline.runs["clean change"].result == "success"
    assert offline.runs["leak"].result == "failure"
    assert "leaked.txt" in offline.runs["leak"].said


def judged(history: History, mutation: str, confirm: str = "") -> dict[str, Any]:
    return judgement.judge({"platform": history.plans[mutation]}, "dev", confirm).as_json()


def refused(history: History, mutation: str, confirm: str = "") -> dict[str, str]:
    found = judged(history, mutation, confirm)["roots"]["platform"]["refused"]
    return {danger["address"]: danger["what"] for danger in found}


def test_a_plan_without_changes_is_not_refused_and_costs_nothing(history: History) -> None:
    found = judged(history, "untouched")
    assert (found["refused"], found["changes"], found["usd_a_month"]) == (False, False, 0)


def test_a_renamed_prefix_would_replace_buckets(history: History) -> None:
    found = refused(history, "prefix renamed", confirm="dev")
    replaced = {address for address, what in found.items() if what == "aws_s3_bucket would be replaced"}
    assert replaced == {f"module.{name}_bucket.aws_s3_bucket.this" for name in ("code", "lake", "logs", "results")}


def test_a_renamed_module_key_table_secret_and_workgroup_are_losses(history: History) -> None:
    found = refused(history, "things renamed", confirm="dev")
    assert {
        "module.results_bucket.aws_s3_bucket.this": "aws_s3_bucket would be deleted",
        "aws_kms_key.privacy": "aws_kms_key would be deleted",
        "aws_dynamodb_table.ledger": "aws_dynamodb_table would be replaced",
        "aws_secretsmanager_secret.pseudonym_key": "aws_secretsmanager_secret would be replaced",
        "aws_athena_workgroup.analytics": "aws_athena_workgroup would be deleted",
    }.items() <= found.items()


def test_flipping_the_first_switch_needs_the_second(history: History) -> None:
    found = refused(history, "allow_destroy flipped")
    assert found["aws_dynamodb_table.ledger"] == "deletion_protection_enabled would go from True to False"
    assert found["module.lake_bucket.aws_s3_bucket.this"] == "force_destroy would go from False to True"
    assert refused(history, "allow_destroy flipped", confirm="prod") == found
    assert refused(history, "allow_destroy flipped", confirm="dev") == {}


def test_what_protects_may_not_be_loosened(history: History) -> None:
    found = refused(history, "loosened", confirm="dev")
    assert found["aws_dynamodb_table.ledger"] == "point_in_time_recovery.enabled would go from True to False"
    assert "no longer: everybody must not s3:*" in found["module.lake_bucket.aws_s3_bucket_policy.this"]


def test_a_right_that_is_gained_is_said_in_words(history: History) -> None:
    rights = judged(history, "loosened")["roots"]["platform"]["rights"]
    (watch,) = (change for change in rights if "watch" in change["address"])
    assert [right.partition(" on ")[0] for right in watch["gained"]] == ["may s3:GetObject"]
    assert watch["lost"] == []


def test_every_step_of_every_workflow_is_executed_or_has_a_reason(history: History, offline: Offline) -> None:
    written = {
        (path.name, step["run"])
        for path in sorted((REPOSITORY / WORKFLOWS).glob("*.yml"))
        for job in history.runner.definition(path.name)["jobs"].values()
        for step in job.get("steps", ())
        if "run" in step
    }
    ran = history.runner.executed | offline.runner.executed
    executed = {(workflow, command) for workflow, _job, command in ran}
    assert written - executed == set(ELSEWHERE)
