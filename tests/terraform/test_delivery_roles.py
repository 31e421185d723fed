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


ENVIRONMENT = "arn:aws:iam::123456789012:role/lake/lake/test"
LEDGER = "arn:aws:dynamodb:eu-west-1:123456789012:table/lake-ledger-test"
RAW = "arn:aws:s3:::lake-123456789012-eu-west-1-test-datalake/raw/a"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:lake-pseudonym-key-test-AbCdEf"


def never(policies: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Whether a statement denies it whatever the request is, so that nothing that is added can allow it."""
    found = [of for of in policies if of["Effect"] == "Deny" and "Condition" not in of]
    return any(matches(statement, action, resource) for statement in found)


@pytest.mark.parametrize(
    ("policy", "action", "resource"),
    [
        ("fence", "secretsmanager:GetSecretValue", SECRET),
        ("fence", "secretsmanager:BatchGetSecretValue", "*"),
        ("fence", "s3:GetObject", RAW),
        ("fence", "s3:GetObjectVersion", RAW),
        ("fence", "dynamodb:GetItem", LEDGER),
        ("fence", "dynamodb:PutItem", LEDGER),
        ("fence", "dynamodb:Scan", LEDGER),
        ("fence", "athena:StartQueryExecution", "arn:aws:athena:eu-west-1:123456789012:workgroup/lake-analytics-test"),
        ("fence", "sts:AssumeRole", f"{ENVIRONMENT}/{KEY_KEEPER}"),
        ("fence", "iam:PutRolePolicy", "arn:aws:iam::123456789012:role/delivery/lake/lake-delivery-apply-test"),
        (
            "fence",
            "iam:CreatePolicyVersion",
            "arn:aws:iam::123456789012:policy/delivery/lake/lake-delivery-boundary-test",
        ),
        ("fence", "iam:DeleteRolePermissionsBoundary", f"{ENVIRONMENT}/lake-transform-test"),
        ("keep", "dynamodb:DeleteTable", LEDGER),
        ("keep", "s3:DeleteBucket", "arn:aws:s3:::lake-123456789012-eu-west-1-test-datalake"),
        ("keep", "kms:ScheduleKeyDeletion", KEY),
        ("keep", "kms:DisableKey", KEY),
        ("keep", "secretsmanager:DeleteSecret", SECRET),
        ("keep", "firehose:DeleteDeliveryStream", "arn:aws:firehose:eu-west-1:123456789012:deliverystream/lake-s-test"),
        ("keep", "glue:DeleteDatabase", "arn:aws:glue:eu-west-1:123456789012:database/lake_test"),
        ("plan", "s3:PutObject", RAW),
        ("plan", "s3:DeleteObject", RAW),
        ("plan", "lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:lake-watch-test"),
        ("plan", "lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:123456789012:function:lake-watch-test"),
        ("plan", "iam:PassRole", f"{ENVIRONMENT}/lake-transform-test"),
        ("plan", "iam:CreateRole", f"{ENVIRONMENT}/new"),
        ("plan", "secretsmanager:PutSecretValue", SECRET),
        ("plan", "dynamodb:PutItem", LEDGER),
        ("plan", "kms:PutKeyPolicy", KEY),
        ("plan", "glue:StartJobRun", "arn:aws:glue:eu-west-1:123456789012:job/lake-transform-test"),
        ("boundary", "iam:CreateRole", f"{ENVIRONMENT}/new"),
        ("boundary", "sts:AssumeRole", f"{ENVIRONMENT}/{KEY_KEEPER}"),
        ("boundary", "kms:DisableKey", KEY),
        ("boundary", "kms:ScheduleKeyDeletion", KEY),
        ("boundary", "kms:PutKeyPolicy", KEY),
        ("boundary", "kms:CreateGrant", KEY),
    ],
)
def test_nothing_that_is_added_lets_a_delivery_or_what_it_makes(
    delivery: Resources, policy: str, action: str, resource: str
) -> None:
    assert never(document(delivery, policy), action, resource)


def test_a_delivery_still_reads_its_code_and_its_state(delivery: Resources) -> None:
    """What the fence leaves open, so that it is known to be a fence and no wall."""
    code = "arn:aws:s3:::lake-123456789012-eu-west-1-test-code/jobs/weather_iot/transform/0/transform.py"
    state = "arn:aws:s3:::lake-tf-state-123456789012-eu-west-1/test/terraform.tfstate"
    assert [of for of in (code, state) if never(document(delivery, "fence"), "s3:GetObject", of)] == []


def policies_of(delivery: Resources, role: str, environment: str = "test") -> set[str]:
    """What is attached to a role of a delivery: the names of its policies, without what all names have."""
    module = f'module.delivery["{environment}"].module.{role}'
    of_role = re.compile(rf'{re.escape(module)}(\[0\])?\.aws_iam_role_policy_attachment\.this\["([\w-]+)"\]')
    return {found[2] for address in delivery if (found := of_role.fullmatch(address))}


def test_each_role_of_a_delivery_has_the_fence_and_what_its_work_needs(delivery: Resources) -> None:
    seeing = {"fence", "see-places", "see-work"}
    assert {role: policies_of(delivery, role) - seeing for role in ("plan", "apply", "destroy")} == {
        "plan": {"plan"},
        "apply": {"keep", "make-keys", "make-places", "make-work", "roles", "state"},
        "destroy": {"destroy", "destroy-work", "state"},
    }
    assert all(seeing <= policies_of(delivery, role) for role in ("plan", "apply", "destroy"))


def test_nothing_but_reading_is_allowed_to_who_plans(delivery: Resources) -> None:
    reading = ("Describe", "Get", "List", "View")
    allowed_to = {
        action
        for name in ("see-places", "see-work")
        for of in document(delivery, name)
        if of["Effect"] == "Allow"
        for action in listed(of["Action"])
    }
    assert len(allowed_to) > 40
    assert {action for action in allowed_to if not action.partition(":")[2].startswith(reading)} == {"kms:Decrypt"}
    assert not {"secretsmanager:GetSecretValue", "athena:GetQueryResults", "dynamodb:Scan"} & allowed_to


def test_who_applies_makes_roles_with_the_boundary_and_hands_them_to_the_services_of_the_lake(
    delivery: Resources, platform: Resources
) -> None:
    for of in document(delivery, "roles"):
        conditions = of.get("Condition", {}).get("StringEquals", {})
        if {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"} & set(of["Action"]):
            assert conditions.keys() == {"iam:PermissionsBoundary"}
        if "iam:PassRole" in of["Action"]:
            trusts = [
                json.loads(v["assume_role_policy"])["Statement"] for v in platform.values() if "assume_role_policy" in v
            ]
            used = {service for (trust,) in trusts for service in listed(trust["Principal"].get("Service", []))}
            assert set(conditions["iam:PassedToService"]) == used
    made = {action for of in document(delivery, "roles") for action in of["Action"]}
    assert {"iam:CreateRole", "iam:PassRole"} <= made


def test_a_delivery_lends_a_key_to_services_alone(delivery: Resources) -> None:
    lending = [of for of in document(delivery, "make-keys") if "kms:CreateGrant" in of["Action"]]
    assert [of["Condition"].get("Bool") for of in lending] == [{"kms:GrantIsForAWSResource": "true"}]


def test_a_session_of_a_delivery_ends_after_an_hour_and_tokens_are_for_aws_alone(delivery: Resources) -> None:
    roles = [values for values in delivery.values() if values["resource_type"] == "aws_iam_role"]
    assert {values["max_session_duration"] for values in roles} == {3600}
    (provider,) = (of for of in delivery.values() if of["resource_type"] == "aws_iam_openid_connect_provider")
    assert (provider["url"], provider["client_id_list"]) == (f"https://{ISSUER}", ["sts.amazonaws.com"])
