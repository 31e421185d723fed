"""The roles of a delivery, read from a mocked apply of terraform/bootstrap."""

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import pytest

from lake.environment.deployment import PROJECT
from tests.terraform.conftest import Resources, Run, mocked_apply, resources_of, state_of, states_of
from tests.terraform.test_policies import statements

ISSUER = "token.actions.githubusercontent.com"
# AWS counts no white space. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_CHARACTERS = 6144
POLICIES_OF_A_ROLE = 10
# The mocked platform gives these ARNs instead of names.
MOCKED = {
    "secret:mocked": "secret:lake-pseudonym-key-test-AbCdEf",
    "sns:eu-west-1:123456789012:mocked": "sns:eu-west-1:123456789012:lake-alerts-test",
    "sqs:eu-west-1:123456789012:mocked": "sqs:eu-west-1:123456789012:lake-dead-letters-test",
}
KEY_KEEPER = "lake-key-keeper-test"
ANALYST = "arn:aws:iam::123456789012:role/lake/lake/test/lake-analyst-test"


@pytest.fixture(scope="module")
def delivery(tree: Path, terraform: Run) -> Resources:
    """Address => values of everything that terraform/bootstrap makes."""
    states = states_of(mocked_apply(tree / "terraform/bootstrap", terraform))
    return dict(resources_of(states[0]["root_module"]))


def document(delivery: Resources, name: str, environment: str = "test") -> list[dict[str, Any]]:
    """The statements of one policy."""
    (policy,) = (
        values["policy"]
        for values in delivery.values()
        if values["resource_type"] == "aws_iam_policy" and values["name"] == f"lake-delivery-{name}-{environment}"
    )
    return list(json.loads(policy)["Statement"])


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def matches(statement: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement is about the action on the resource, its condition aside."""
    about = any(fnmatch.fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
    if "NotResource" in statement:
        return about and not any(fnmatch.fnmatchcase(resource, of) for of in listed(statement["NotResource"]))
    return about and any(fnmatch.fnmatchcase(resource, of) for of in listed(statement["Resource"]))


def allowed(policies: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Whether the statements allow it: one does, and none denies it without a condition."""
    found = [statement for statement in policies if matches(statement, action, resource)]
    denied = [of for of in found if of["Effect"] == "Deny" and "Condition" not in of]
    return not denied and any(of["Effect"] == "Allow" for of in found)


def test_every_policy_fits_and_no_role_has_too_many(delivery: Resources) -> None:
    # With the longest project; also where "lake" is none, so that there is room.
    sizes = {
        address: len(re.sub(r"\s", "", values["policy"].replace("lake", PROJECT)))
        for address, values in delivery.items()
        if values["resource_type"] == "aws_iam_policy"
    }
    assert len(sizes) == 26
    assert {address: size for address, size in sizes.items() if size > POLICY_CHARACTERS} == {}
    attached = [values["role"] for values in delivery.values() if values["resource_type"].endswith("_attachment")]
    assert max(attached.count(role) for role in attached) <= POLICIES_OF_A_ROLE


@pytest.mark.parametrize(
    ("role", "jobs"),
    [
        ("plan", ["pull_request", "ref:refs/heads/main"]),
        ("apply", ["environment:test"]),
        ("destroy", ["environment:destroy-test"]),
    ],
)
def test_a_trust_names_whole_subjects_of_both_formats_and_the_number_of_the_repository(
    delivery: Resources, role: str, jobs: list[str]
) -> None:
    roles = [values for values in delivery.values() if values["resource_type"] == "aws_iam_role"]
    (values,) = (values for values in roles if values["name"] == f"lake-delivery-{role}-test")
    (trust,) = json.loads(values["assume_role_policy"])["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}
    repositories = ("repo:acme/lake", "repo:acme@11/lake@22")
    assert trust["Condition"] == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": [f"{repository}:{job}" for repository in repositories for job in jobs],
            f"{ISSUER}:repository_id": "22",
        }
    }


def test_every_role_of_the_lake_has_the_path_and_the_boundary_that_are_demanded(platform: Resources) -> None:
    roles = [values for values in platform.values() if values["resource_type"] == "aws_iam_role"]
    assert len(roles) > 10
    boundary = "arn:aws:iam::123456789012:policy/lake-delivery-boundary-test"
    demanded = {(values["path"], values["permissions_boundary"]) for values in roles}
    assert demanded == {("/lake/lake/test/", boundary)}


def test_the_boundary_holds_all_that_the_modules_grant(delivery: Resources, platform: Resources) -> None:
    boundary = document(delivery, "boundary")
    names = [values["name"] for values in platform.values() if values["resource_type"] == "aws_iam_role"]
    granted = {
        (name, action, resource)
        for name in names
        for statement in statements(platform, name)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    assert len(granted) > 200
    outside = sorted(
        (role, action, resource)
        for role, action, resource in granted
        if not allowed(boundary, action, _named(resource))
    )
    assert outside == []


def test_where_lake_formation_governs_analysts_are_granted_what_they_read_and_the_boundary_holds_it(
    delivery: Resources, tree: Path, terraform: Run
) -> None:
    """A mocked apply says what would be granted; no Lake Formation has judged it."""
    switched = state_of(mocked_apply(tree / "terraform/platform", terraform, "-var", "lake_formation=true"))
    grants = {a: of for a, of in switched.items() if of["resource_type"] == "aws_lakeformation_permissions"}
    database, runs = (
        grants.pop(f"{module}aws_lakeformation_permissions.analyst[0]") for module in ("", "module.pipeline_runs.")
    )
    assert grants == {}
    assert (database["principal"], database["permissions"]) == (ANALYST, ["DESCRIBE"])
    assert (runs["principal"], runs["permissions"]) == (ANALYST, ["DESCRIBE", "SELECT"])
    assert (database["database"][0]["name"], runs["table"][0]["name"]) == ("lake_test", "pipeline_runs")
    assert json.loads(switched["aws_ssm_parameter.platform"]["value"])["lake_formation"] is True, "pipelines read it"
    (governed,) = (of for of in statements(switched, "lake-analyst-test") if of["Sid"] == "GovernedData")
    (action,) = governed["Action"]
    assert allowed(document(delivery, "boundary"), action, "*")


def test_without_the_switch_nothing_is_asked_of_lake_formation(platform: Resources) -> None:
    assert "aws_lakeformation_permissions" not in {values["resource_type"] for values in platform.values()}
    assert "lakeformation:" not in json.dumps(statements(platform, "lake-analyst-test"))


def _named(resource: str) -> str:
    for mocked, name in MOCKED.items():
        resource = resource.replace(mocked, name)
    return resource


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/lake/lake/test/new"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/lake/lake/test/lake-transform-test"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/lake/lake/test/lake-key-keeper-test"),
        ("kms:PutKeyPolicy", "arn:aws:kms:eu-west-1:123456789012:key/1"),
        ("kms:DisableKey", "arn:aws:kms:eu-west-1:123456789012:key/1"),
        ("s3:GetObject", "arn:aws:s3:::lake-123456789012-eu-west-1-prod-datalake/raw/a"),
        (
            "s3:PutObject",
            "arn:aws:s3:::lake-123456789012-eu-west-1-test-code/jobs/weather_iot/transform/0/transform.py",
        ),
        ("s3:DeleteBucket", "arn:aws:s3:::lake-123456789012-eu-west-1-test-datalake"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::lake-123456789012-eu-west-1-test-datalake"),
        ("dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:123456789012:table/lake-ledger-prod"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:123456789012:function:lake-watch-test"),
    ],
)
def test_the_boundary_holds_nothing_else(delivery: Resources, action: str, resource: str) -> None:
    assert not allowed(document(delivery, "boundary"), action, resource)


def test_only_who_keeps_the_key_writes_it(delivery: Resources) -> None:
    (deny,) = (of for of in document(delivery, "boundary") if of["Sid"] == "NoSecrets")
    keeper = f"arn:aws:iam::123456789012:role/lake/lake/test/{KEY_KEEPER}"
    assert deny["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": keeper}}
    assert "secretsmanager:Put*" in deny["Action"]


def test_no_policy_allows_everything_of_a_service(delivery: Resources) -> None:
    for address, values in delivery.items():
        if values["resource_type"] != "aws_iam_policy":
            continue
        for statement in json.loads(values["policy"])["Statement"]:
            if statement["Effect"] == "Allow":
                assert not [action for action in listed(statement["Action"]) if action.endswith(":*")], address
