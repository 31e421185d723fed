"""Who may do what, read from the policies of a mocked apply of the whole platform."""

import fnmatch
import json
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import FIRST, Resources, Run, contracts

LAKE = "arn:aws:s3:::lake-123456789012-eu-west-1-test-datalake"
CODE = "arn:aws:s3:::lake-123456789012-eu-west-1-test-code"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function"
# Action => why it cannot be limited to a resource.
ANY_RESOURCE = {"cloudwatch:PutMetricData": "metrics have no ARN; the namespace is limited instead"}

DATASETS = tuple(loaded.name for loaded in contracts(FIRST))
QUARANTINE_TABLES = tuple(loaded.quarantine().name for loaded in contracts(FIRST) if loaded.source)
# Roles that people assume, not services.
OF_PEOPLE = tuple(f"module.{role}.aws_iam_role.this" for role in ("quarantine_repair", "key_keeper", "analyst"))


def statements(platform: Resources, role: str) -> list[dict[str, Any]]:
    """Statements of the policies of one role: its own and those that pipelines attach."""
    policies = [
        values["policy"]
        for values in platform.values()
        if values["resource_type"] == "aws_iam_role_policy" and values["role"] == role
    ]
    assert policies, role
    return [statement for policy in policies for statement in json.loads(policy)["Statement"]]


def allowed(platform: Resources, role: str, action: str, resource: str) -> bool:
    """Whether a statement allows the action on the resource, its condition aside, and none denies it."""
    about = [statement["Effect"] for statement in statements(platform, role) if is_about(statement, action, resource)]
    return "Allow" in about and "Deny" not in about


def denied(platform: Resources, role: str, action: str, resource: str) -> bool:
    """Whether a statement denies it, so that no policy that somebody adds can allow it."""
    about = [statement["Effect"] for statement in statements(platform, role) if is_about(statement, action, resource)]
    return "Deny" in about


def is_about(statement: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement is about the action on the resource, its condition aside."""
    if not any(fnmatch.fnmatchcase(action, pattern) for pattern in statement["Action"]):
        return False
    if "NotResource" in statement:
        return not any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["NotResource"])
    return any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])


def documents(platform: Resources, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Address => statements of all resources of one kind that have a policy."""
    return {
        address: json.loads(values["policy"])["Statement"]
        for address, values in platform.items()
        if values["resource_type"] == kind
    }


TRANSFORM, BATCH, STREAM, VALIDATE, FIREHOSE, WATCH, REPAIR, ERASE, KEEPER, ANALYST = (
    f"lake-{thing}-test"
    for thing in (
        "transform", "batch-ingest", "stream-generate", "stream-validate", "iot-firehose", "watch", "quarantine-repair",
        "erase", "key-keeper", "analyst",
    )
)  # fmt: skip
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mocked"
RESULTS = "arn:aws:s3:::lake-123456789012-eu-west-1-test-results"
CATALOG, ATHENA = "arn:aws:glue:eu-west-1:123456789012:table/lake_test", "arn:aws:athena:eu-west-1:123456789012"
LEDGER = "arn:aws:dynamodb:eu-west-1:123456789012:table/lake-ledger-test"


@pytest.mark.parametrize(
    ("role", "action", "resource", "expected"),
    [
        (TRANSFORM, "s3:GetObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", True),
        (TRANSFORM, "s3:GetObject", f"{CODE}/jobs/weather_iot/transform/0123456789ab/transform.py", True),
        (TRANSFORM, "s3:GetObject", f"{CODE}/jobs/another/transform/0123456789ab/transform.py", False),
        (TRANSFORM, "s3:GetObject", f"{CODE}/releases/weather_iot/20261127T120000Z.json", False),
        (TRANSFORM, "s3:PutObject", f"{LAKE}/curated/weather/date=2026-11-20/all.parquet", True),
        (TRANSFORM, "s3:PutObject", f"{LAKE}/quarantine/sensor-readings/date=2026-11-20/h13.parquet", True),
        (TRANSFORM, "s3:PutObject", f"{LAKE}/ops/runs/date=2026-11-20/run.json", True),
        (TRANSFORM, "s3:DeleteObject", f"{LAKE}/staging/weather_iot/run/part.parquet", False),
        (TRANSFORM, "s3:PutObject", f"{LAKE}/staging/another/run/part.parquet", False),
        (TRANSFORM, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (TRANSFORM, "s3:DeleteObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (TRANSFORM, "s3:DeleteObject", f"{LAKE}/curated/weather/date=2026-11-20/all.parquet", False),
        (TRANSFORM, "s3:DeleteObjectVersion", f"{LAKE}/staging/weather_iot/run/part.parquet", False),
        (TRANSFORM, "s3:PutObject", f"{CODE}/jobs/weather_iot/transform/0123456789ab/transform.py", False),
        (TRANSFORM, "s3:GetObject", "arn:aws:s3:::lake-123456789012-eu-west-1-test-results/query-results/a.csv", False),
        (TRANSFORM, "secretsmanager:PutSecretValue", SECRET, False),
        (TRANSFORM, "dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:123456789012:table/lake-ledger-test", False),
        (
            TRANSFORM,
            "glue:BatchCreatePartition",
            "arn:aws:glue:eu-west-1:123456789012:table/lake_test/curated_weather",
            True,
        ),
        (TRANSFORM, "glue:GetTable", "arn:aws:glue:eu-west-1:123456789012:table/lake_test/another", False),
        (TRANSFORM, "glue:DeleteTable", "arn:aws:glue:eu-west-1:123456789012:table/lake_test/curated_weather", False),
        (BATCH, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", True),
        (BATCH, "s3:PutObject", f"{LAKE}/raw/iot-sensors/a.json", False),
        (BATCH, "s3:GetObject", f"{LAKE}/curated/weather/date=2026-11-20/all.parquet", False),
        (BATCH, "s3:DeleteObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (
            BATCH,
            "firehose:PutRecordBatch",
            "arn:aws:firehose:eu-west-1:123456789012:deliverystream/lake-iot-firehose-test",
            False,
        ),
        (
            STREAM,
            "firehose:PutRecordBatch",
            "arn:aws:firehose:eu-west-1:123456789012:deliverystream/lake-iot-firehose-test",
            True,
        ),
        (STREAM, "s3:PutObject", f"{LAKE}/raw/iot-sensors/a.json", True),
        (STREAM, "s3:PutObject", f"{LAKE}/raw/weather/a.json", False),
        (FIREHOSE, "s3:PutObject", f"{LAKE}/raw/iot-sensors/year=2026/month=11/day=20/a.gz", True),
        (FIREHOSE, "s3:PutObject", f"{LAKE}/firehose-errors/a", True),
        (FIREHOSE, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (FIREHOSE, "lambda:InvokeFunction", f"{FUNCTION}:lake-stream-validate-test:live", True),
        (FIREHOSE, "lambda:InvokeFunction", f"{FUNCTION}:lake-batch-ingest-test:live", False),
        (VALIDATE, "s3:PutObject", f"{LAKE}/raw/iot-sensors/a.json", False),
        (
            "lake-transform-test-schedule",
            "glue:StartJobRun",
            "arn:aws:glue:eu-west-1:123456789012:job/lake-transform-test",
            True,
        ),
        ("lake-transform-test-schedule", "glue:StartJobRun", "arn:aws:glue:eu-west-1:123456789012:job/another", False),
        (TRANSFORM, "s3:GetObjectVersion", f"{LAKE}/raw/weather/date=2026-11-20/a.json", True),
        (TRANSFORM, "s3:GetObjectVersion", f"{LAKE}/ops/manifests/curated_sensor_readings/tokens.json", True),
        (TRANSFORM, "s3:GetObjectVersion", f"{CODE}/jobs/weather_iot/transform/0123456789ab/transform.py", False),
        (TRANSFORM, "s3:PutObject", f"{LAKE}/raw/iot-sensors/year=2026/month=11/day=20/a.gz", False),
        (TRANSFORM, "s3:DeleteObjectVersion", f"{LAKE}/curated/sensor-readings/date=2026-11-20/h01.parquet", False),
        (ERASE, "s3:PutObject", f"{LAKE}/raw/iot-sensors/year=2026/month=11/day=20/a.gz", True),
        (ERASE, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (ERASE, "s3:DeleteObjectVersion", f"{LAKE}/raw/iot-sensors/year=2026/month=11/day=20/a.gz", True),
        (ERASE, "s3:DeleteObjectVersion", f"{LAKE}/firehose-errors/a", True),
        (ERASE, "s3:DeleteObjectVersion", f"{LAKE}/set-aside/raw/a", True),
        (ERASE, "s3:PutObject", f"{LAKE}/set-aside/raw/a", True),
        (ERASE, "s3:DeleteObjectVersion", f"{LAKE}/curated/weather/date=2026-11-20/day.parquet", False),
        (ERASE, "s3:DeleteObjectVersion", f"{LAKE}/ops/manifests/curated_sensor_readings/a.json", False),
        (REPAIR, "glue:StartJobRun", "arn:aws:glue:eu-west-1:123456789012:job/lake-erase-test", False),
        (REPAIR, "s3:GetObject", f"{LAKE}/quarantine/weather/date=2026-11-20/h13.parquet", True),
        (REPAIR, "s3:GetObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (REPAIR, "s3:GetObject", f"{LAKE}/curated/weather/date=2026-11-20/day.parquet", False),
        (REPAIR, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/fixed-0123.json", True),
        (REPAIR, "s3:PutObject", f"{LAKE}/curated/city-hours/date=2026-11-20/fixed-0123.json", False),
        (REPAIR, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (REPAIR, "s3:PutObject", f"{LAKE}/quarantine/weather/date=2026-11-20/h13.parquet", False),
        (REPAIR, "secretsmanager:GetSecretValue", SECRET, True),
        (REPAIR, "secretsmanager:PutSecretValue", SECRET, False),
        (REPAIR, "glue:StartJobRun", "arn:aws:glue:eu-west-1:123456789012:job/lake-transform-repairs-test", True),
        (REPAIR, "glue:StartJobRun", "arn:aws:glue:eu-west-1:123456789012:job/lake-transform-test", True),
        (REPAIR, "glue:StartJobRun", "arn:aws:glue:eu-west-1:123456789012:job/lake-erase-test", False),
        (KEEPER, "secretsmanager:PutSecretValue", SECRET, True),
        (KEEPER, "s3:GetObject", f"{LAKE}/quarantine/weather/date=2026-11-20/h13.parquet", False),
        (BATCH, "secretsmanager:GetSecretValue", SECRET, False),
        (WATCH, "secretsmanager:GetSecretValue", SECRET, False),
        # Their metrics are in their logs.
        (WATCH, "cloudwatch:PutMetricData", "*", False),
        (VALIDATE, "cloudwatch:PutMetricData", "*", False),
        (TRANSFORM, "cloudwatch:PutMetricData", "*", True),
        (WATCH, "s3:ListBucket", LAKE, True),
        (WATCH, "s3:GetObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (WATCH, "s3:PutObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json", False),
        (WATCH, "dynamodb:UpdateItem", "arn:aws:dynamodb:eu-west-1:123456789012:table/lake-ledger-test", False),
        (WATCH, "kms:DescribeKey", "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000", True),
    ],
)
def test_a_role_may_do_what_its_reads_and_writes_say(
    platform: Resources, role: str, action: str, resource: str, expected: bool
) -> None:
    assert allowed(platform, role, action, resource) is expected


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{LAKE}/curated/weather/date=2026-11-20/day.parquet"),
        ("s3:GetObject", f"{LAKE}/ops/runs/date=2026-11-20/run.json"),
        ("s3:GetObject", f"{RESULTS}/query-results/analysts/a.csv"),
        ("s3:PutObject", f"{RESULTS}/query-results/analysts/a.csv"),
        ("glue:GetTable", f"{CATALOG}/pipeline_runs"),
        ("athena:StartQueryExecution", f"{ATHENA}:workgroup/lake-analysts-test"),
        ("athena:GetNamedQuery", f"{ATHENA}:workgroup/lake-analysts-test"),
    ],
)
def test_an_analyst_queries_what_is_curated(platform: Resources, action: str, resource: str) -> None:
    assert allowed(platform, ANALYST, action, resource)


def test_an_analyst_sees_the_tables_of_every_curated_contract_and_of_no_other(platform: Resources) -> None:
    tables = {values["name"] for values in platform.values() if values["resource_type"] == "aws_glue_catalog_table"}
    seen = {name for name in tables if allowed(platform, ANALYST, "glue:GetTable", f"{CATALOG}/{name}")}
    assert seen == {loaded.name for loaded in contracts() if loaded.path.startswith(("curated/", "ops/"))}
    assert {"curated_weather", "pipeline_runs"} < seen < tables
    assert not allowed(platform, ANALYST, "glue:CreateTable", f"{CATALOG}/curated_weather")


def test_each_dataset_has_its_example_as_a_query_and_analysts_have_those_that_they_may_run(platform: Resources) -> None:
    made = {
        values["name"]: (values["workgroup"], values["query"])
        for values in platform.values()
        if values["resource_type"] == "aws_athena_named_query"
    }
    workgroups = {"curated": "lake-analysts-test", "ops": "lake-analysts-test", "raw": "lake-analytics-test"}
    datasets = [loaded for loaded in contracts() if loaded.name != "quarantine"]
    assert len(datasets) >= 5
    assert made == {of.name: (workgroups[of.path.partition("/")[0]], of.example) for of in datasets}


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{LAKE}/raw/weather/date=2026-11-20/a.json"),
        ("s3:GetObjectVersion", f"{LAKE}/raw/weather/date=2026-11-20/a.json"),
        ("s3:GetObject", f"{LAKE}/quarantine/weather/date=2026-11-20/h13.parquet"),
        ("s3:GetObject", f"{LAKE}/ops/manifests/curated_sensor_readings/tokens.json"),
        ("s3:GetObject", f"{LAKE}/ops/audits/curated_weather/a.json"),
        ("s3:GetObject", f"{CODE}/jobs/weather_iot/transform/0123456789ab/transform.py"),
        ("s3:GetObject", f"{RESULTS}/query-results/a.csv"),
        ("s3:PutObject", f"{RESULTS}/query-results/a.csv"),
        ("s3:PutObject", f"{LAKE}/curated/weather/date=2026-11-20/day.parquet"),
        ("s3:DeleteObject", f"{LAKE}/curated/weather/date=2026-11-20/day.parquet"),
        ("athena:StartQueryExecution", f"{ATHENA}:workgroup/lake-analytics-test"),
        ("athena:StartQueryExecution", f"{ATHENA}:workgroup/primary"),
        ("secretsmanager:GetSecretValue", SECRET),
        ("dynamodb:GetItem", LEDGER),
        ("dynamodb:Scan", LEDGER),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/lake/lake/test/lake-quarantine-repair-test"),
    ],
)
def test_nothing_that_is_added_to_it_lets_an_analyst(platform: Resources, action: str, resource: str) -> None:
    assert denied(platform, ANALYST, action, resource)


def test_no_role_has_a_wildcard_without_a_reason(platform: Resources, first: Resources) -> None:
    assert len(documents(first, "aws_iam_role_policy")) == 15
    roles = documents(platform, "aws_iam_role_policy")
    for address, granted in roles.items():
        for statement in (of for of in granted if of["Effect"] == "Allow"):
            assert not [action for action in statement["Action"] if "*" in action], address
            if "*" in statement["Resource"]:
                assert set(statement["Action"]) <= ANY_RESOURCE.keys(), address
                assert "Condition" in statement, address


def test_listing_is_limited_to_the_declared_prefixes(platform: Resources) -> None:
    for role in (TRANSFORM, BATCH, WATCH):
        (listing,) = (granted for granted in statements(platform, role) if "s3:ListBucket" in granted["Action"])
        prefixes = listing["Condition"]["StringLike"]["s3:prefix"]
        assert "raw/weather/*" in prefixes
        assert "*" not in prefixes


def test_versions_are_listed_of_what_a_job_puts_back_or_judges_again(platform: Resources) -> None:
    (listing,) = (
        granted for granted in statements(platform, TRANSFORM) if "s3:ListBucketVersions" in granted["Action"]
    )
    prefixes = listing["Condition"]["StringLike"]["s3:prefix"]
    assert {"raw/weather/*", "curated/weather/*", "quarantine/weather/*", "ops/manifests/*"} < set(prefixes)
    assert "*" not in prefixes


def test_a_job_logs_into_two_groups_of_its_own_that_expire_and_have_a_key(platform: Resources) -> None:
    """It makes none itself: that would have neither."""
    kept = {
        values["name"]: (values["retention_in_days"], values["kms_key_id"])
        for values in platform.values()
        if values["resource_type"] == "aws_cloudwatch_log_group"
    }
    jobs = [values for values in platform.values() if values["resource_type"] == "aws_glue_job"]
    assert len(jobs) >= 2
    for job in jobs:
        prefix = job["non_overridable_arguments"]["--custom-logGroup-prefix"]
        # Repairs are the same code by the same role, and log where the loads do.
        name = job["name"].replace("-repairs-", "-")
        groups = [f"{prefix}/{kind}" for kind in ("output", "error")]
        assert prefix == f"/aws-glue/{name}"
        assert {kept[name] for name in groups} == {(14, platform["aws_kms_key.lake"]["arn"])}
        logs = [of for of in statements(platform, name) if any("logs:" in action for action in of["Action"])]
        ((actions, resources),) = ((of["Action"], of["Resource"]) for of in logs)
        assert set(actions) == {"logs:CreateLogStream", "logs:PutLogEvents"}
        assert {arn.partition("log-group:")[2] for arn in resources} == {f"{name}:*" for name in groups}


def test_a_role_is_assumed_by_one_service_only(platform: Resources) -> None:
    for address, values in platform.items():
        if values["resource_type"] == "aws_iam_role" and address not in OF_PEOPLE:
            (trust,) = json.loads(values["assume_role_policy"])["Statement"]
            assert list(trust["Principal"]) == ["Service"], address
            assert trust["Action"] == "sts:AssumeRole", address


def test_a_role_of_people_is_assumed_by_whom_the_environment_names(platform: Resources) -> None:
    principals = set()
    for address in OF_PEOPLE:
        (trust,) = json.loads(platform[address]["assume_role_policy"])["Statement"]
        assert trust["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
        named = trust["Condition"].pop("ArnLike")
        assert trust["Condition"] == {"StringLike": {"sts:SourceIdentity": "?*"}}
        principals |= set(named["aws:PrincipalArn"])
    assert principals == {
        "arn:aws:iam::123456789012:role/repairer",
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Keys_*",
        "arn:aws:iam::123456789012:role/analysts",
    }


@pytest.mark.parametrize(
    ("environment", "named", "refused"),
    [("dev", False, False), ("dev", True, False), ("prod", True, False), ("prod", False, True)],
)
def test_only_dev_leaves_open_who_repairs_and_who_keeps_the_key(
    tree: Path, terraform: Run, tmp_path: Path, environment: str, named: bool, refused: bool
) -> None:
    for file in ("variables.tf", "variables_people.tf"):
        (tmp_path / file).write_text((tree / "terraform/platform" / file).read_text(encoding="utf-8"), encoding="utf-8")
    people = ["arn:aws:iam::123456789012:role/r"] if named else []
    values = {
        "environment": environment,
        "alert_email": "a@b.org",
        "repair_principals": people,
        "key_principals": people,
        "analyst_principals": people,
    }
    (tmp_path / "some.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
    planned = terraform(tmp_path, "plan", "-no-color", "-input=false", "-var-file=some.tfvars.json")
    assert (planned.returncode != 0) is refused, planned.stderr
    for said in ("Name who may repair", "Name who keeps the key", "Name who the analysts are"):
        assert (said in planned.stderr) is refused


def key_policy(platform: Resources, name: str) -> dict[str, dict[str, Any]]:
    """Statement id => statement of the policy of a KMS key."""
    return {statement["Sid"]: statement for statement in documents(platform, "aws_kms_key")[f"aws_kms_key.{name}"]}


def test_the_pseudonym_key_has_a_kms_key_that_named_roles_alone_decrypt_with(platform: Resources) -> None:
    """Neither who administers the key nor who may use the lake's key reads the secret."""
    secret = platform["aws_secretsmanager_secret.pseudonym_key"]
    assert secret["kms_key_id"] == platform["aws_kms_key.privacy"]["arn"] != platform["aws_kms_key.lake"]["arn"]
    policy = key_policy(platform, "privacy")
    using = {sid for sid, of in policy.items() if not {"kms:Decrypt", "kms:GenerateDataKey"}.isdisjoint(of["Action"])}
    assert using == {"WriteTheSecret", "TryTheKey", "ReadTheSecret"}
    for sid in using:
        via = policy[sid]["Condition"]["StringEquals"]["kms:ViaService"]
        assert via == "secretsmanager.eu-west-1.amazonaws.com", sid
    administering = {action.removeprefix("kms:") for action in policy["Administer"]["Action"]}
    assert "PutKeyPolicy" in administering
    assert not {"*", "CreateGrant", "Encrypt", "ReEncrypt*", "GenerateDataKey*"} & administering
    (trial,) = (of for sid, of in policy.items() if sid == "TryTheKey")
    assert trial["Condition"]["StringEquals"]["kms:EncryptionContext:SecretVersionId"] == "RequestToValidateKeyAccess"


def test_key_and_secret_name_the_same_readers_and_they_are_those_that_have_the_right(platform: Resources) -> None:
    (deny,) = documents(platform, "aws_secretsmanager_secret_policy")["aws_secretsmanager_secret_policy.pseudonym_key"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "secretsmanager:GetSecretValue")
    named = deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    assert key_policy(platform, "privacy")["ReadTheSecret"]["Condition"]["ArnLike"]["aws:PrincipalArn"] == named
    patterns = [arn.partition(":role")[2] for arn in named]
    for values in platform.values():
        if values["resource_type"] == "aws_iam_role":
            reads = allowed(platform, values["name"], "secretsmanager:GetSecretValue", SECRET)
            assert reads is any(fnmatch.fnmatchcase(values["path"] + values["name"], of) for of in patterns), values[
                "name"
            ]


def test_a_role_uses_a_key_through_services_alone(platform: Resources) -> None:
    for address, granted in documents(platform, "aws_iam_role_policy").items():
        for statement in granted:
            if {"kms:Decrypt", "kms:GenerateDataKey"} & set(statement["Action"]):
                assert "kms:ViaService" in statement["Condition"]["StringEquals"], address


def test_who_repairs_writes_nothing_into_the_ledger_and_audits_only_where_there_is_none(first: Resources) -> None:
    granted = statements(first, REPAIR)
    writing = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "s3:DeleteObject"}
    assert [of for of in granted if writing & set(of["Action"])] == []
    (audit,) = (of for of in granted if any("/ops/audits/" in arn for arn in of["Resource"]))
    assert audit["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert set(audit["Resource"]) == {f"{LAKE}/ops/audits/{name}/*" for name in DATASETS}


def test_the_lake_bucket_replaces_and_deletes_no_audit_for_anybody(platform: Resources) -> None:
    granted = documents(platform, "aws_s3_bucket_policy")["module.lake_bucket.aws_s3_bucket_policy.this"]
    denied = {of["Sid"]: of for of in granted}
    for sid, actions, condition in (
        ("CreateOnly", ["s3:PutObject"], {"Null": {"s3:if-none-match": "true"}}),
        ("DeleteNone", ["s3:DeleteObject", "s3:DeleteObjectVersion"], None),
    ):
        of = denied[sid]
        assert (of["Effect"], of["Principal"], of["Resource"]) == ("Deny", "*", [f"{LAKE}/ops/audits/*"])
        assert (of["Action"], of.get("Condition")) == (actions, condition)


def test_nothing_is_left_of_an_object_when_its_contract_says_so(platform: Resources) -> None:
    """An object that expires stays as an old version: both times together are the promise."""
    rules = platform["module.lake_bucket.aws_s3_bucket_lifecycle_configuration.this"]["rule"]
    days = {
        rule["filter"][0]["prefix"]: (
            rule["expiration"][0]["days"],
            rule["noncurrent_version_expiration"][0]["noncurrent_days"],
        )
        for rule in rules
        if rule["id"] != "housekeeping"
    }
    promised = {f"{loaded.path}/": loaded.retention_days for loaded in contracts()}
    assert {prefix: sum(days[prefix]) for prefix in promised} == promised
    assert {days[prefix][1] for prefix in promised} == {30}, "so long a run can be undone"
    assert {prefix: sum(of) for prefix, of in days.items() if prefix not in promised} == {
        "staging/": 7, "glue-temp/": 7, "firehose-errors/": 90, "set-aside/": 90,
    }  # fmt: skip


def test_whoever_touches_the_ledger_is_held_to_the_keys_of_his_pipeline(first: Resources) -> None:
    assert {"curated_weather", "raw_iot_sensors", "quarantine_curated_weather"} < {*DATASETS, *QUARANTINE_TABLES}
    own = {f"dataset#{name}" for name in (*DATASETS, *QUARANTINE_TABLES, "pipeline_runs")}
    for role in (TRANSFORM, ERASE, REPAIR):
        for granted in statements(first, role):
            if any(action.startswith("dynamodb:") for action in granted["Action"]):
                (keys,) = (of["dynamodb:LeadingKeys"] for of in granted["Condition"].values())
                assert set(keys) <= own | {"stream#lake-iot-firehose-test"}, (role, granted)


def test_every_bucket_denies_what_is_not_tls(platform: Resources) -> None:
    policies = documents(platform, "aws_s3_bucket_policy")
    assert len(policies) == 4
    for granted in policies.values():
        (deny,) = (statement for statement in granted if statement["Sid"] == "TlsOnly")
        assert (deny["Effect"], deny["Action"], len(deny["Resource"])) == ("Deny", "s3:*", 2)
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_put_with_another_encryption_is_denied_but_a_plain_put_is_not(platform: Resources) -> None:
    granted = documents(platform, "aws_s3_bucket_policy")["module.lake_bucket.aws_s3_bucket_policy.this"]
    (deny,) = (statement for statement in granted if statement["Sid"] == "KmsOnly")
    header = "s3:x-amz-server-side-encryption"
    assert deny["Condition"] == {"Null": {header: "false"}, "StringNotEquals": {header: "aws:kms"}}


def test_no_bucket_takes_what_is_encrypted_with_a_key_that_is_not_its_own(platform: Resources) -> None:
    header = "s3:x-amz-server-side-encryption"
    for address, granted in documents(platform, "aws_s3_bucket_policy").items():
        denied = {of["Sid"]: of for of in granted if of["Effect"] == "Deny" and of["Action"] == "s3:PutObject"}
        assert denied["NoCustomerKeys"]["Condition"] == {"Null": {f"{header}-customer-algorithm": "false"}}
        key = "" if address.startswith("module.logs_bucket.") else platform["aws_kms_key.lake"]["arn"]
        name = f"{header}-aws-kms-key-id"
        assert denied["NoOtherKeys"]["Condition"] == {"Null": {name: "false"}, "StringNotEquals": {name: key}}


def test_the_topic_has_a_key_of_its_own(platform: Resources) -> None:
    """The message that the lake's key cannot be used must arrive."""
    topic, keys = platform["aws_sns_topic.alerts"], documents(platform, "aws_kms_key").keys()
    assert keys == {"aws_kms_key.lake", "aws_kms_key.alerts", "aws_kms_key.privacy"}
    assert topic["kms_master_key_id"] == platform["aws_kms_key.alerts"]["arn"] != platform["aws_kms_key.lake"]["arn"]


def test_terraform_owns_the_secret_and_never_a_value_of_it(platform: Resources) -> None:
    """Reading a version back is what its resource does at every plan: whoever plans would have to be able to."""
    kinds = {values["resource_type"] for values in platform.values()}
    of_secrets = {kind for kind in kinds if kind.startswith("aws_secretsmanager_")}
    assert of_secrets == {"aws_secretsmanager_secret", "aws_secretsmanager_secret_policy"}
