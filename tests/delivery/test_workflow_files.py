"""Rules that every workflow keeps, read from the files; actionlint and zizmor keep more of them."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import roots
from tests.delivery import expressions
from tests.local_aws import REPOSITORY

FILES = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"^\s*-? ?uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")
# What may write on GitHub, and nothing else may.
WRITERS = {
    ("plan.yml", "comment"): {"pull-requests"},
    ("drift.yml", "issue"): {"issues"},
    ("release.yml", "attest"): {"attestations", "id-token"},
    ("release.yml", "publish"): {"contents"},
}


def read(path: Path) -> dict[str, Any]:
    # For YAML the key `on` is the truth.
    return {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text()).items()}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in FILES:
        for name, job in read(path)["jobs"].items():
            yield path.name, name, job


def actions(job: dict[str, Any]) -> list[str]:
    return [step["uses"].partition("@")[0] for step in job.get("steps", ()) if "uses" in step]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_with_its_version(path: Path) -> None:
    used = [line for line in path.read_text().splitlines() if re.match(r"\s*-? ?uses: (?!\./)", line)]
    assert [line for line in used if not PINNED.match(line)] == []


def test_an_action_has_one_pin() -> None:
    pins = defaultdict(set)
    for line in (line for path in FILES for line in path.read_text().splitlines()):
        if found := PINNED.match(line):
            pins[found[1]].add((found[2], found[3]))
    assert {action: pin for action, pin in pins.items() if len(pin) > 1} == {}
    assert len(pins) >= 7


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_workflow_has_no_rights_no_secrets_and_no_dangerous_trigger(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    assert "secrets." not in path.read_text()
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(workflow["on"])
    assert "workflow_call" in workflow["on"] or "group" in workflow["concurrency"]


def test_every_job_says_its_rights_and_how_long_it_may_take() -> None:
    assert [(file, name) for file, name, job in jobs() if "permissions" not in job] == []
    assert [(file, name) for file, name, job in jobs() if "uses" not in job and "timeout-minutes" not in job] == []


def test_only_some_jobs_may_write_and_they_install_nothing() -> None:
    found = {
        (file, name): {right for right, value in job["permissions"].items() if value == "write"}
        for file, name, job in jobs()
    }
    on_github = {key: rights for key, rights in found.items() if rights - {"id-token"}}
    assert on_github == WRITERS
    for file, name, job in jobs():
        if (file, name) in WRITERS:
            assert "aws-actions/configure-aws-credentials" not in actions(job)
            assert not [step for step in job["steps"] if "setup.sh" in step.get("run", "")]


def test_a_token_for_aws_is_only_where_credentials_are_taken() -> None:
    asking = {
        (file, name)
        for file, name, job in jobs()
        if job["permissions"].get("id-token") == "write" and "uses" not in job
    }
    taking = {(file, name) for file, name, job in jobs() if "aws-actions/configure-aws-credentials" in actions(job)}
    assert taking == {("plan-environment.yml", "plan"), ("apply-environment.yml", "apply")}
    assert asking == taking | {("release.yml", "attest")}


def test_checkouts_leave_no_token_and_nothing_is_cached() -> None:
    for file, name, job in jobs():
        for step in job.get("steps", ()):
            given = step.get("with", {})
            if "actions/checkout" in step.get("uses", ""):
                assert given["persist-credentials"] is False, (file, name)
            assert not (given.keys() & {"cache", "cache-dependency-path"}), (file, name)
            assert "actions/cache" not in step.get("uses", ""), (file, name)


def test_an_apply_waits_for_the_one_before_and_is_never_cut_off() -> None:
    (apply,) = (job for file, _name, job in jobs() if file == "apply-environment.yml")
    assert apply["concurrency"] == {"group": "terraform-${{ inputs.environment }}", "cancel-in-progress": False}
    assert "environment" in apply


def test_every_environment_is_in_every_workflow_of_delivery() -> None:
    names = set(roots.environments())
    for file in ("plan.yml", "deploy.yml", "drift.yml"):
        assert names <= read(REPOSITORY / ".github/workflows" / file)["jobs"].keys(), file
    drift = read(REPOSITORY / ".github/workflows/drift.yml")["jobs"]["issue"]["strategy"]["matrix"]["include"]
    assert {cell["environment"] for cell in drift} == names
    destroy = read(REPOSITORY / ".github/workflows/destroy.yml")["on"]["workflow_dispatch"]["inputs"]["environment"]
    assert set(destroy["options"]) == names


def test_no_expression_stands_in_a_script() -> None:
    steps = [(file, step["run"]) for file, _name, job in jobs() for step in job.get("steps", ()) if "run" in step]
    assert [found for found in steps if "${{" in found[1]] == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.flag && 'yes' || 'no'", "no"),
        ("!inputs.flag", True),
        ("!inputs.name", False),
        ("needs.one.outputs.changes == 'true' && inputs.name != ''", True),
        ("vars.MISSING == ''", True),
        ("fromJSON(inputs.json).role", "r"),
        ("fromJSON(inputs.json).missing", None),
        ("format('destroy-{0}', inputs.name)", "destroy-dev"),
        ("(inputs.flag || true) && 'a''b'", "a'b"),
    ],
)
def test_expressions_have_github_s_values(expression: str, value: Any) -> None:
    contexts = {
        "inputs": {"flag": False, "name": "dev", "json": '{"role": "r"}'},
        "needs": {"one": {"outputs": {"changes": "true"}}},
        "vars": {},
    }
    assert expressions.evaluate(expression, contexts) == value


def test_an_expression_that_is_not_known_is_an_error() -> None:
    for expression in ("hashFiles('x')", "secrets.KEY", "inputs.", "1 +"):
        with pytest.raises((expressions.NotKnown, IndexError)):
            expressions.evaluate(expression, {"inputs": {}})
