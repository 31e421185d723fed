"""An environment delivered by workflows: what their roles are enough for, and what they are refused."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import local_aws
from tests.pipelines.deployment import build
from tests.platform import forbidden
from tests.platform.delivered import ACCOUNT, BOUNDARY, JOBS, PATH, Account, account, make_roles
from tests.platform.forbidden import BUCKET, CELLS, LOCKS, LOGS, STATE, Cell

pytestmark = pytest.mark.e2e
Clients = Callable[[str], Any]
# The words with which AWS's actions begin that change something.
CHANGES = ("Add", "Attach", "Create", "Delete", "Pass", "Put", "Schedule", "Set", "Tag", "Update")
# What makes a policy that somebody adds to a role a difference.
EXCLUSIVE = ("aws_iam_role_policies_exclusive", "aws_iam_role_policy_attachments_exclusive")
STRANGERS = f"arn:aws:iam::{ACCOUNT}:policy/strangers"


@dataclass(frozen=True)
class Delivered:
    """dev as workflows have made it, and what Terraform said to the first plan, the apply and the plan after it."""

    account: Account
    planned: subprocess.CompletedProcess[str]
    applied: subprocess.CompletedProcess[str]
    again: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    build()
    with account(tmp_path_factory.mktemp("delivered")) as aws:
        planned = aws.terraform("plan", **aws.workflow("plan"))
        applied = aws.terraform("apply", **aws.workflow("apply"))
        yield Delivered(aws, planned, applied, aws.terraform("plan", **aws.workflow("plan")))


def test_a_delivery_plans_applies_and_has_nothing_left_to_do(delivered: Delivered) -> None:
    assert delivered.planned.returncode == 2, delivered.planned.stdout[-3000:] + delivered.planned.stderr
    assert delivered.applied.returncode == 0, delivered.applied.stdout[-3000:] + delivered.applied.stderr
    assert "the first version of the pseudonym key was written" in delivered.applied.stdout
    assert delivered.again.returncode == 0, delivered.again.stdout[-3000:] + delivered.again.stderr
    assert delivered.again.stdout.count("No changes. Your infrastructure matches the configuration.") == 2


def test_who_plans_reads_no_secret_no_ledger_and_no_data_and_changes_nothing(delivered: Delivered) -> None:
    calls = delivered.account.calls_on(f"assumed-role/{forbidden.DELIVERY['plan']}/")
    assert len(calls) > 100
    actions = {action for action, _ in calls}
    assert "secretsmanager:DescribeSecret" in actions
    assert "secretsmanager:GetSecretValue" not in actions
    items = {resource for action, resource in calls if action in ("dynamodb:GetItem", "dynamodb:Query")}
    assert items == {f"arn:aws:dynamodb:us-east-1:000000000000:table/{LOCKS}"}, "the checksum of the state alone"
    objects = {resource for action, resource in calls if action == "s3:GetObject"}
    assert objects == {f"arn:aws:s3:::{STATE}/dev/*", f"arn:aws:s3:::{BUCKET}/contracts/*"}
    assert [action for action in actions if action.partition(":")[2].startswith(CHANGES)] == []


def test_every_role_of_the_lake_is_on_the_path_and_within_the_boundary(delivered: Delivered) -> None:
    iam = delivered.account.client("iam")
    roles = [role for role in iam.list_roles()["Roles"] if role["RoleName"].endswith(("-dev", "-dev-schedule"))]
    ours = [role["RoleName"] for role in roles if not role["Path"].startswith("/delivery/")]
    assert len(ours) > 10
    found = [iam.get_role(RoleName=name)["Role"] for name in ours]
    demanded = {(role["Path"], role["PermissionsBoundary"]["PermissionsBoundaryArn"]) for role in found}
    assert demanded == {(PATH, BOUNDARY)}


def test_a_budget_tells_whom_alarms_tell(delivered: Delivered) -> None:
    budgets = delivered.account.client("budgets")
    (budget,) = budgets.describe_budgets(AccountId=ACCOUNT)["Budgets"]
    named = {"AccountId": ACCOUNT, "BudgetName": budget["BudgetName"]}
    notifications = budgets.describe_notifications_for_budget(**named)["Notifications"]
    found = {
        (of["NotificationType"], of["Threshold"], subscriber["Address"])
        for of in notifications
        for subscriber in budgets.describe_subscribers_for_notification(**named, Notification=of)["Subscribers"]
    }
    told = ("data-platform@example.com", "on-call@example.com")
    assert found == {(*of, address) for of in (("ACTUAL", 80.0), ("FORECASTED", 100.0)) for address in told}


def test_what_runs_within_the_boundary_lands_data(delivered: Delivered) -> None:
    aws, s3 = delivered.account.of("weather_iot"), delivered.account.client("s3")
    for function, prefix in (("batch_ingest", "raw/weather/"), ("stream_generate", "raw/iot-sensors/")):
        answer = aws.invoke(function, {})
        assert not answer.error, answer.payload
        assert aws.flush() == 0
        assert s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"] > 0
    watch = aws.client("lambda").invoke(FunctionName=forbidden.WATCH, Payload=b"{}")
    assert "FunctionError" not in watch, watch["Payload"].read()


@pytest.fixture(scope="module")
def furnished(delivered: Delivered) -> Delivered:
    """What there is to spoil besides: data, prod's state, things of strangers, a role that a delivery made."""
    aws = delivered.account
    s3, iam, kms = (aws.client(service) for service in ("s3", "iam", "kms"))
    for bucket, key in (
        (BUCKET, forbidden.DATA), (LOGS, "s3-access-logs/a"), (STATE, "prod/terraform.tfstate"),
    ):  # fmt: skip
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    iam.create_policy(PolicyName="strangers", PolicyDocument=forbidden.EVERYTHING)
    iam.create_role(RoleName="strangers", AssumeRolePolicyDocument=forbidden.TRUST)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=forbidden.STRANGERS_KEY, TargetKeyId=key)
    aws.client("ssm").put_parameter(Name="/strangers", Value="x", Type="String")
    applying = aws.clients("apply")("iam")
    applying.create_role(**forbidden.role(name="made"))
    applying.put_role_policy(RoleName="made", PolicyName="all", PolicyDocument=forbidden.EVERYTHING)
    return delivered


def assumed(aws: Account, role_arn: str) -> Clients:
    """The clients of a session that the administrator takes."""
    keys = aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="somebody")["Credentials"]
    names = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    session: Any = boto3.Session(*names, region_name="us-east-1")
    return lambda service: session.client(service, endpoint_url=aws.endpoint)


def refused(aws: Account, clients: Clients, cell: Cell) -> bool:
    """Whether the call was refused for want of a right; another error is none."""
    kms, parameters = aws.client("kms"), dict(cell.parameters)
    if str(parameters.get("KeyId", "")).startswith("alias/"):
        parameters["KeyId"] = kms.describe_key(KeyId=parameters["KeyId"])["KeyMetadata"]["KeyId"]
    if parameters.get("CiphertextBlob"):
        parameters["CiphertextBlob"] = kms.encrypt(KeyId=forbidden.LAKE_KEY, Plaintext=b"x")["CiphertextBlob"]
    try:
        getattr(clients(cell.service), cell.operation)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError")
    return False


@pytest.mark.parametrize("number", range(len(CELLS)), ids=[str(cell) for cell in CELLS])
def test_a_forbidden_call_is_refused(furnished: Delivered, number: int) -> None:
    aws, cell = furnished.account, CELLS[number]
    made = f"arn:aws:iam::000000000000:role{PATH}made"
    clients = assumed(aws, made) if cell.role == "made" else aws.clients(cell.role)
    assert refused(aws, clients, cell)


def test_somebody_else_may_make_each_of_these_calls(
    furnished: Delivered, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In a copy of the account: the calls destroy what they are about."""
    assert len(CELLS) >= 30
    snapshot, folder = tmp_path_factory.mktemp("snapshot"), tmp_path_factory.mktemp("copy")
    furnished.account.save(snapshot)
    with local_aws.running(folder / "home", snapshot) as copy:
        aws = Account(copy.home, copy.port, copy.environment, folder / "terraform")
        keeper = assumed(aws, forbidden.KEY_ROLE)
        clients: dict[str, Clients] = {"administrator": aws.client, "keeper": keeper}
        assert [str(cell) for cell in CELLS if refused(aws, clients[cell.may], cell)] == []


def roles_of(aws: Account, key: str) -> dict[str, str]:
    """Address => name of each role that a state has."""
    state = json.loads(aws.read(key, STATE))
    return {
        f"{resource['module']}.": instance["attributes"]["name"]
        for resource in state["resources"]
        if resource["type"] == "aws_iam_role"
        for instance in resource["instances"]
    }


def policies_of(aws: Account, role: str) -> set[str]:
    """The names of all policies of a role."""
    iam = aws.client("iam")
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return {*iam.list_role_policies(RoleName=role)["PolicyNames"], *(policy["PolicyName"] for policy in attached)}


def add_by_hand(aws: Account, role: str) -> None:
    """Give a role two policies, as somebody with a console does."""
    iam = aws.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=forbidden.EVERYTHING)
    iam.attach_role_policy(RoleName=role, PolicyArn=STRANGERS)


def test_a_policy_that_somebody_adds_to_a_role_is_drift_and_who_applies_may_take_it_away(furnished: Delivered) -> None:
    """Of every role that the states have."""
    aws = furnished.account
    roles = {**roles_of(aws, "dev/terraform.tfstate"), **roles_of(aws, "dev/weather_iot.tfstate")}
    before = {role: policies_of(aws, role) for role in roles.values()}
    assert len(before) > 10
    for role in roles.values():
        add_by_hand(aws, role)
    planned = aws.terraform("plan", **aws.workflow("plan"))
    assert planned.returncode == 2, planned.stdout[-3000:] + planned.stderr
    expected = {f"{module}{kind}.this" for module in roles for kind in EXCLUSIVE}
    assert set(re.findall(r"^  # (\S+) will be updated in-place$", planned.stdout, re.MULTILINE)) == expected
    assert planned.stdout.count('- "by-hand"') == planned.stdout.count(f'- "{STRANGERS}"') == len(roles)
    applied = aws.terraform("apply", **aws.workflow("apply"))
    assert applied.returncode == 0, applied.stdout[-3000:] + applied.stderr
    assert {role: policies_of(aws, role) for role in roles.values()} == before


def test_a_policy_that_somebody_adds_to_a_role_of_the_delivery_goes_when_its_roles_are_made_again(
    furnished: Delivered,
) -> None:
    aws = furnished.account
    roles = roles_of(aws, "bootstrap.tfstate")
    before = {role: policies_of(aws, role) for role in roles.values()}
    assert len(before) >= len(JOBS)
    for role in roles.values():
        add_by_hand(aws, role)
    made = make_roles(aws)
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr
    assert made.stdout.count('- "by-hand"') == len(roles)
    assert {role: policies_of(aws, role) for role in roles.values()} == before


def test_who_applies_does_not_destroy(furnished: Delivered) -> None:
    aws = furnished.account
    aws.client("iam").delete_role_policy(RoleName="made", PolicyName="all")
    aws.client("iam").delete_role(RoleName="made")
    refusal = aws.terraform("destroy", CONFIRM="dev", **aws.workflow("apply"))
    assert refusal.returncode == 1
    assert "explicit deny" in refusal.stdout + refusal.stderr
    assert aws.client("s3").head_object(Bucket=BUCKET, Key=forbidden.DATA)
    assert aws.client("dynamodb").describe_table(TableName=forbidden.LEDGER)


def test_who_destroys_leaves_nothing(furnished: Delivered) -> None:
    aws = furnished.account
    done = aws.terraform("destroy", CONFIRM="dev", **aws.workflow("destroy"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]] == [STATE]
    assert [role for role in aws.client("iam").list_roles()["Roles"] if role["Path"] == PATH] == []
    assert aws.client("budgets").describe_budgets(AccountId=ACCOUNT)["Budgets"] == []
