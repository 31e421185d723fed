"""Calls that the roles of a delivery, and the roles that it makes, may not make; each is one that somebody else may."""

import json
from dataclasses import dataclass, field
from typing import Any

from lake.environment.deployment import PROJECT
from scripts import roots
from tests.platform.delivered import ACCOUNT, BOUNDARY, PATH

IAM = f"arn:aws:iam::{ACCOUNT}"
HERE = f"us-east-1:{ACCOUNT}"
BUCKET = f"{PROJECT}-{ACCOUNT}-us-east-1-dev-datalake"
CODE = f"{PROJECT}-{ACCOUNT}-us-east-1-dev-code"
LOGS = f"{PROJECT}-{ACCOUNT}-us-east-1-dev-logs"
STATE = roots.backend(ACCOUNT)["bucket"]
LOCKS = roots.backend(ACCOUNT)["dynamodb_table"]
SECRET, LEDGER = f"{PROJECT}-pseudonym-key-dev", f"{PROJECT}-ledger-dev"
WATCH, STREAM = f"{PROJECT}-watch-dev", f"{PROJECT}-iot-firehose-dev"
KEY_ROLE = f"{IAM}:role{PATH}{PROJECT}-key-keeper-dev"
WATCH_ROLE = f"{PROJECT}-watch-dev"
DELIVERY = {kind: f"{PROJECT}-delivery-{kind}-dev" for kind in ("plan", "apply", "destroy")}
LAKE_KEY, STRANGERS_KEY = f"alias/{PROJECT}-datalake-dev", "alias/strangers"
DATA, SECRET_TEXT = "raw/weather/date=2026-11-20/a.json", "ciphertext"
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
# A trust of everybody in the account.
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"{IAM}:root"}}],
    }
)
SCHEDULE = {
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": f"arn:aws:sqs:{HERE}:x", "RoleArn": f"{IAM}:role/strangers", "Input": "{}"},
}
JOB = {"Role": f"{IAM}:role/strangers", "Command": {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/x.py"}}
OPEN_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"{IAM}:root"}, "Action": "*", "Resource": "*"}],
    }
)
ITEM = {"pk": {"S": "dataset#x"}, "sk": {"S": "y"}}
LOCK = {"LockID": {"S": f"{STATE}/dev/terraform.tfstate"}}


@dataclass(frozen=True)
class Cell:
    """A call of a role. ``may`` makes the same call as a control: the administrator, or who keeps the pseudonym key."""

    role: str
    service: str
    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)
    may: str = "administrator"

    def __str__(self) -> str:
        """What pytest calls it."""
        return f"{self.role} {self.service} {self.operation}"


def role(path: str = PATH, boundary: str | None = BOUNDARY, name: str = "new") -> dict[str, str]:
    """The parameters of a new role."""
    bounded = {"PermissionsBoundary": boundary} if boundary else {}
    return {"RoleName": name, "Path": path, "AssumeRolePolicyDocument": TRUST, **bounded}


READ_SECRET = ("secretsmanager", "get_secret_value", {"SecretId": SECRET}, "keeper")
READ_DATA = ("s3", "get_object", {"Bucket": BUCKET, "Key": DATA})
READ_ITEM = ("dynamodb", "get_item", {"TableName": LEDGER, "Key": ITEM})
TAKE_KEY_ROLE = ("sts", "assume_role", {"RoleArn": KEY_ROLE, "RoleSessionName": "somebody"})

PLAN = [
    ("budgets", "delete_budget", {"AccountId": ACCOUNT, "BudgetName": f"{PROJECT}-monthly-dev"}),
    READ_SECRET,
    READ_DATA,
    READ_ITEM,
    TAKE_KEY_ROLE,
    ("s3", "get_object", {"Bucket": LOGS, "Key": "s3-access-logs/a"}),
    ("s3", "get_object", {"Bucket": STATE, "Key": "prod/terraform.tfstate"}),
    ("s3", "get_object", {"Bucket": STATE, "Key": "bootstrap.tfstate"}),
    ("s3", "put_object", {"Bucket": STATE, "Key": "dev/terraform.tfstate", "Body": b"{}"}),
    ("s3", "put_object", {"Bucket": CODE, "Key": "jobs/weather_iot/transform/0123456789ab/transform.py", "Body": b""}),
    ("dynamodb", "scan", {"TableName": LEDGER}),
    ("dynamodb", "put_item", {"TableName": LOCKS, "Item": LOCK}),
    ("dynamodb", "query", {
        "TableName": LEDGER, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": ITEM["pk"]},
    }),
    ("kms", "decrypt", {"CiphertextBlob": SECRET_TEXT}),
    ("iam", "create_role", role(name="by-plan")),
    ("lambda", "invoke", {"FunctionName": WATCH, "Payload": b"{}"}),
    ("lambda", "update_function_configuration", {"FunctionName": WATCH, "Timeout": 61}),
    ("ssm", "put_parameter", {"Name": f"/lake/{PROJECT}/dev", "Value": "{}", "Type": "String", "Overwrite": True}),
    ("athena", "start_query_execution", {"QueryString": "SELECT 1", "WorkGroup": f"{PROJECT}-analytics-dev"}),
    ("logs", "filter_log_events", {"logGroupName": f"/aws/lambda/{WATCH}"}),
]  # fmt: skip
APPLY = [
    READ_SECRET,
    READ_DATA,
    READ_ITEM,
    TAKE_KEY_ROLE,
    ("iam", "create_role", role(boundary=None, name="without")),
    ("iam", "create_role", role(boundary=f"{IAM}:policy/strangers", name="other")),
    ("iam", "create_role", role(path="/", name="elsewhere")),
    ("iam", "create_role", role(path=f"/lake/{PROJECT}/prod/", name="in-prod")),
    ("iam", "create_policy_version", {"PolicyArn": BOUNDARY, "PolicyDocument": EVERYTHING, "SetAsDefault": True}),
    ("iam", "delete_policy_version", {"PolicyArn": BOUNDARY, "VersionId": "v0"}),
    ("iam", "put_role_permissions_boundary", {
        "RoleName": WATCH_ROLE, "PermissionsBoundary": f"{IAM}:policy/strangers",
    }),
    ("iam", "delete_role_permissions_boundary", {"RoleName": WATCH_ROLE}),
    ("iam", "put_role_policy", {"RoleName": DELIVERY["apply"], "PolicyName": "x", "PolicyDocument": EVERYTHING}),
    ("iam", "attach_role_policy", {
        "RoleName": DELIVERY["apply"], "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
    }),
    ("iam", "update_assume_role_policy", {"RoleName": DELIVERY["plan"], "PolicyDocument": TRUST}),
    ("iam", "put_role_policy", {"RoleName": "strangers", "PolicyName": "x", "PolicyDocument": EVERYTHING}),
    ("iam", "create_user", {"UserName": "somebody"}),
    ("iam", "delete_open_id_connect_provider", {
        "OpenIDConnectProviderArn": f"{IAM}:oidc-provider/token.actions.githubusercontent.com",
    }),
    ("scheduler", "create_schedule", {"Name": f"{PROJECT}-x-dev", **SCHEDULE}),
    ("glue", "create_job", {"Name": f"{PROJECT}-x-dev", **JOB}),
    ("events", "put_targets", {
        "Rule": f"{PROJECT}-glue-erase-failures-dev",
        "Targets": [{"Id": "x", "Arn": f"arn:aws:sqs:{HERE}:x", "RoleArn": KEY_ROLE}],
    }),
    ("s3", "get_object", {"Bucket": STATE, "Key": "prod/terraform.tfstate"}),
    ("s3", "put_object", {"Bucket": STATE, "Key": "prod/terraform.tfstate", "Body": b"{}"}),
    ("s3", "put_object", {"Bucket": BUCKET, "Key": DATA, "Body": b""}),
    ("s3", "put_bucket_policy", {"Bucket": STATE, "Policy": OPEN_POLICY}),
    ("s3", "create_bucket", {"Bucket": "somebody-else-s"}),
    ("kms", "put_key_policy", {"KeyId": STRANGERS_KEY, "Policy": OPEN_POLICY}),
    ("ssm", "get_parameter", {"Name": "/strangers"}),
    # What Terraform would do to replace or destroy.
    ("s3", "delete_bucket", {"Bucket": LOGS}),
    ("dynamodb", "delete_table", {"TableName": LEDGER}),
    ("kms", "schedule_key_deletion", {"KeyId": LAKE_KEY}),
    ("firehose", "delete_delivery_stream", {"DeliveryStreamName": STREAM}),
    ("secretsmanager", "delete_secret", {"SecretId": SECRET}),
]  # fmt: skip
DESTROY = [
    READ_SECRET,
    READ_DATA,
    READ_ITEM,
    TAKE_KEY_ROLE,
    ("iam", "create_role", role(name="by-destroy")),
    ("lambda", "update_function_configuration", {"FunctionName": WATCH, "Timeout": 62}),
    ("s3", "delete_object", {"Bucket": STATE, "Key": "prod/terraform.tfstate"}),
    ("s3", "delete_bucket", {"Bucket": STATE}),
    ("dynamodb", "delete_table", {"TableName": LOCKS}),
]
# A role of the lake whose own policy allows everything, which a delivery can make.
MADE = [
    ("iam", "create_user", {"UserName": "made"}),
    TAKE_KEY_ROLE,
    ("kms", "put_key_policy", {"KeyId": LAKE_KEY, "Policy": OPEN_POLICY}),
    ("secretsmanager", "put_secret_value", {"SecretId": SECRET, "SecretString": "{}"}, "keeper"),
    ("s3", "get_object", {"Bucket": STATE, "Key": "dev/terraform.tfstate"}),
    ("s3", "put_bucket_policy", {"Bucket": LOGS, "Policy": OPEN_POLICY}),
    ("lambda", "update_function_configuration", {"FunctionName": WATCH, "Timeout": 63}),
]
CELLS = [
    Cell(name, *call)  # type: ignore[arg-type]  # a fourth field is optional
    for name, calls in (("plan", PLAN), ("apply", APPLY), ("destroy", DESTROY), ("made", MADE))
    for call in calls
]
