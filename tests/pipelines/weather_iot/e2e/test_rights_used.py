"""Every right that a role of the deployed lake has is used by what the role is for, or has its reason here.

An hour of a lake's life with each of its ordinary acts is played. localaws counts each call of a role; what
is granted besides has to be in one of the lists below, and what is in a list must not be used.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from lake.environment import athena
from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.first_day import BY_HAND

pytestmark = pytest.mark.after_first_day
DATASET = "curated_sensor_readings"
RARE_AT_MOST = 0.05
Rights = dict[str, set[str]]

# A service does this in the name of the role inside AWS, and localaws counts no call for it. What it decides there it
# asks the role's policy: localaws/tests, tests/pipelines/weather_iot/e2e/test_deploy.py.
INSIDE = {"kms:Decrypt", "kms:GenerateDataKey", "logs:CreateLogStream", "logs:PutLogEvents"}
# Used only when something has failed; the drills of tests/pipelines/weather_iot/drills make that happen.
FAILED = {"sqs:SendMessage"}
# Everybody may, without a right.
FREE = {"sts:GetCallerIdentity"}
_ATHENA = "AWS's Athena asks for it, by the AWS managed policy AmazonAthenaFullAccess; localaws's does not"
_FIREHOSE = "AWS's page about the rights of Firehose asks for it; localaws's does not need it"
# Role => action => why it is granted although AWS alone asks for it.
ASKED_BY_AWS: dict[str, dict[str, str]] = {
    "analyst": dict.fromkeys(
        ("glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "s3:AbortMultipartUpload",
         "s3:GetBucketLocation", "s3:ListMultipartUploadParts"), _ATHENA,
    ),
    "erase": {"cloudwatch:PutMetricData": "Glue itself writes the metrics of a job; this one has none of its own"},
    "iot-firehose": dict.fromkeys(
        ("lambda:GetFunctionConfiguration", "s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject",
         "s3:ListBucket", "s3:ListBucketMultipartUploads"), _FIREHOSE,
    ),
}  # fmt: skip
# Role => action => why it is granted although nothing of an ordinary day needs it.
REASONS: dict[str, dict[str, str]] = {
    "batch-ingest": {"s3:GetObject": "of two deliveries of one event at once the second looks what is there"},
    "batch-ingest-schedule": {"lambda:InvokeFunction": "once a day, and what is played here is shorter"},
    "stream-generate": dict.fromkeys(
        ("s3:GetObject", "s3:ListBucket", "s3:PutObject"), "a message larger than the stream takes becomes an object",
    ),
}  # fmt: skip


def granted(deployed: Deployed) -> Rights:
    """Role of the lake, by its short name => actions that its policies allow."""
    iam = deployed.client("iam")
    found: Rights = {}
    for role in iam.get_paginator("list_roles").paginate().build_full_result()["Roles"]:
        if (name := short(deployed, role["RoleName"])) is None:
            continue
        policies = [
            iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        ]
        statements = [of for policy in policies for of in policy["Statement"] if of["Effect"] == "Allow"]
        found[name] = {action for of in statements for action in of["Action"]}
    return found


def short(deployed: Deployed, role: str) -> str | None:
    """transform-schedule for aws-datalake-platform-transform-dev-schedule; None for a role that is not the lake's."""
    project = deployed.names["project"]
    if not role.startswith(f"{project}-") or "-dev" not in role:
        return None
    return role.removeprefix(f"{project}-").replace("-dev", "", 1)


def used(deployed: Deployed) -> Rights:
    """Role of the lake, by its short name => actions that it has called."""
    found: Rights = defaultdict(set)
    for call in deployed.ask("calls")["calls"]:
        _, assumed, session = call["caller"].partition(":assumed-role/")
        if assumed and (name := short(deployed, session.split("/")[0])) is not None:
            found[name].add(call["action"])
    return found


def lake(deployed: Deployed, *words: str, **variables: str) -> Any:
    done = deployed.command(".venv/bin/lake", *words, "--json", **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def session(deployed: Deployed, role: str) -> dict[str, str]:
    """The environment of somebody who has assumed a role of people."""
    made = deployed.client("sts").assume_role(RoleArn=deployed.names[role], RoleSessionName="somebody")["Credentials"]
    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    return {variable: made[name] for name, variable in {**names, "SessionToken": "AWS_SESSION_TOKEN"}.items()}


def repair(deployed: Deployed) -> None:
    """Somebody opens, fixes, replays and discards rejected records."""
    role = session(deployed, "repair_role")
    record = f"{BY_HAND}:2"
    lake(deployed, "quarantine", "list", "curated_weather")
    lake(deployed, "quarantine", "show", "curated_weather", record, **role)
    lake(deployed, "quarantine", "fix", "curated_weather", record, "--set", "temperature_c=9.9", "--yes", **role)
    lake(deployed, "quarantine", "replay", DATASET, "--all", "--yes", **role)
    lake(deployed, "quarantine", "discard", DATASET, "--all", "--why", "nobody needs them", "--yes", **role)


def analyse(deployed: Deployed) -> None:
    """An analyst looks at the queries that there are, and runs one."""
    role = session(deployed, "analyst_role")
    keys = (role["AWS_ACCESS_KEY_ID"], role["AWS_SECRET_ACCESS_KEY"], role["AWS_SESSION_TOKEN"])
    clients: Any = boto3.Session(*keys, region_name=deployed.names["region"])
    client, names = clients.client("athena", endpoint_url=deployed.endpoint), deployed.names
    workgroup = names["analysts_workgroup"]
    numbers = client.list_named_queries(WorkGroup=workgroup)["NamedQueryIds"]
    client.batch_get_named_query(NamedQueryIds=numbers)
    client.get_named_query(NamedQueryId=numbers[0])
    client.get_work_group(WorkGroup=workgroup)
    for table in ("curated_weather", DATASET):
        sql = f"SELECT count(*) FROM {table} WHERE date >= DATE '2025-01-01'"  # noqa: S608 - a constant of the test
        athena.query(client, workgroup, names["database"], sql)
    started = client.start_query_execution(QueryString="SELECT 1", WorkGroup=workgroup)["QueryExecutionId"]
    client.stop_query_execution(QueryExecutionId=started)
    executions = client.list_query_executions(WorkGroup=workgroup)["QueryExecutionIds"]
    client.batch_get_query_execution(QueryExecutionIds=executions)
    s3 = clients.client("s3", endpoint_url=deployed.endpoint)
    s3.list_objects_v2(Bucket=deployed.bucket, Prefix="curated/weather/")


@pytest.fixture(scope="module")
def rights(
    deployed: Deployed, canary: str, transformed: dict[str, Any], planted: str
) -> Iterator[tuple[Rights, Rights]]:
    """What is granted, and what has been used after each ordinary act."""
    deployed.advance(3700)
    deployed.flush()
    repair(deployed)
    analyse(deployed)
    lake(deployed, "keys", "list")
    lake(deployed, "keys", "rotate", "--from", f"{deployed.now + timedelta(days=30):%Y-%m-%d}", "--yes")
    lake(deployed, "erase", DATASET, "--subject", planted, "--yes")
    yield granted(deployed), used(deployed)


def test_every_role_that_there_is_has_acted(rights: tuple[Rights, Rights]) -> None:
    given, made = rights
    assert len(given) > 10
    # One only logs, which is no call; the other acts once a day.
    assert given.keys() - made.keys() == {"stream-validate", "batch-ingest-schedule"}


def test_no_right_is_granted_and_never_used_without_a_reason(rights: tuple[Rights, Rights]) -> None:
    given, made = rights
    never = {role: actions - made.get(role, set()) - INSIDE - FAILED for role, actions in given.items()}
    explained = {
        role: {*ASKED_BY_AWS.get(role, {}), *REASONS.get(role, {})} for role in ASKED_BY_AWS.keys() | REASONS.keys()
    }
    assert {role: actions for role, actions in never.items() if actions} == explained


def test_what_was_called_is_what_is_granted(rights: tuple[Rights, Rights]) -> None:
    given, made = rights
    asked_in_vain = {role: made.get(role, set()) - actions - FREE for role, actions in given.items()}
    assert {role: actions for role, actions in asked_in_vain.items() if actions} == {}


def test_few_rights_are_for_what_an_ordinary_day_does_not_need(rights: tuple[Rights, Rights]) -> None:
    given, _ = rights
    total = sum(len(actions) for actions in given.values())
    assert total > 100
    assert sum(len(reasons) for reasons in REASONS.values()) / total <= RARE_AT_MOST
