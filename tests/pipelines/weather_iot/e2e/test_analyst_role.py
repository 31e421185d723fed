"""Analysts in a deployed lake: what the role is enough for, and what it is refused that an administrator may do."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lake.contract import model
from lake.environment import athena
from lake.environment.athena import QueryFailed
from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.first_day import BY_HAND

Clients = Callable[[str], Any]
# How services say that a right is missing.
REFUSED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")

pytestmark = [pytest.mark.after_first_day, pytest.mark.usefixtures("transformed")]


@pytest.fixture(scope="module")
def analyst(deployed: Deployed) -> Clients:
    """The clients of somebody who has assumed the role of analysts."""
    assumed = deployed.client("sts").assume_role(RoleArn=deployed.names["analyst_role"], RoleSessionName="somebody")
    made = assumed["Credentials"]
    keys = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    session: Any = boto3.Session(*keys, region_name=deployed.names["region"])
    return lambda service: session.client(service, endpoint_url=deployed.endpoint)


def rows(deployed: Deployed, clients: Clients, sql: str, workgroup: str = "analysts_workgroup") -> tuple[Any, ...]:
    names = deployed.names
    return athena.query(clients("athena"), names[workgroup], names["database"], sql).rows


def test_an_analyst_queries_curated_rows_and_the_result_is_below_a_prefix_of_its_own(
    deployed: Deployed, analyst: Clients
) -> None:
    client, names = analyst("athena"), deployed.names
    sql = "SELECT count(*) FROM curated_weather"
    answer = athena.query(client, names["analysts_workgroup"], names["database"], sql)
    assert answer.rows == (("745",),)
    execution = client.get_query_execution(QueryExecutionId=answer.query_id)["QueryExecution"]
    place = f"s3://{names['results_bucket']}/query-results/analysts/{answer.query_id}.csv"
    assert execution["ResultConfiguration"]["OutputLocation"] == place
    stored = analyst("s3").get_object(
        Bucket=names["results_bucket"], Key=place.partition(f"{names['results_bucket']}/")[2]
    )
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", names["key_arn"])
    assert stored["Body"].read().decode().split() == ['"_col0"', '"745"']


def test_what_a_query_asks_for_does_not_move_its_result(deployed: Deployed, analyst: Clients) -> None:
    client, names = analyst("athena"), deployed.names
    elsewhere = {"OutputLocation": f"s3://{deployed.bucket}/curated/weather/"}
    asked = {"QueryString": "SELECT 1", "WorkGroup": names["analysts_workgroup"], "ResultConfiguration": elsewhere}
    started = client.start_query_execution(**asked)["QueryExecutionId"]
    execution = client.get_query_execution(QueryExecutionId=started)["QueryExecution"]
    assert "/query-results/analysts/" in execution["ResultConfiguration"]["OutputLocation"]


def test_the_workgroup_has_the_example_of_each_dataset_that_analysts_read_and_each_answers_something(
    deployed: Deployed, analyst: Clients
) -> None:
    client, names = analyst("athena"), deployed.names
    numbers = client.list_named_queries(WorkGroup=names["analysts_workgroup"])["NamedQueryIds"]
    found = {query["Name"]: query for query in client.batch_get_named_query(NamedQueryIds=numbers)["NamedQueries"]}
    contracts = [model.read(path) for path in model.files()]
    assert found.keys() == {of.name for of in contracts if of.path.startswith(("curated/", "ops/"))}
    for number in numbers:
        query = client.get_named_query(NamedQueryId=number)["NamedQuery"]
        assert query["Database"] == names["database"]
        assert query["QueryString"] == model.load(query["Name"]).example
        # Its days are those of production; these are those of the test.
        assert rows(deployed, analyst, query["QueryString"].replace("2026-08-01", "2025-05-01")), query["Name"]


def test_an_analyst_reads_curated_objects_and_those_of_runs_without_athena(
    deployed: Deployed, analyst: Clients
) -> None:
    s3 = analyst("s3")
    for prefix in ("curated/weather/", "ops/runs/"):
        listed = s3.list_objects_v2(Bucket=deployed.bucket, Prefix=prefix)["Contents"]
        assert s3.get_object(Bucket=deployed.bucket, Key=listed[0]["Key"])["Body"].read()
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=deployed.bucket, Prefix="raw/")


@pytest.mark.parametrize(
    "table", ["raw_weather", "raw_iot_sensors", "quarantine_curated_weather", "quarantine_curated_sensor_readings"]
)
def test_a_query_on_what_is_not_curated_fails_for_an_analyst_alone(
    deployed: Deployed, analyst: Clients, table: str
) -> None:
    sql = f"SELECT count(*) FROM {table}"  # noqa: S608 - a constant of the test
    with pytest.raises(QueryFailed, match=r"PERMISSION_DENIED.*glue:GetTable"):
        rows(deployed, analyst, sql)
    assert rows(deployed, deployed.client, sql, "workgroup")


def test_a_partition_that_lies_among_raw_objects_fails_for_an_analyst_alone(
    deployed: Deployed, analyst: Clients
) -> None:
    """Somebody has put one into a table that analysts see: Athena reads S3 with the rights of who asks."""
    glue, table = deployed.client("glue"), {"DatabaseName": deployed.names["database"]}
    described = glue.get_table(**table, Name="pipeline_runs")["Table"]["StorageDescriptor"]
    table["TableName"] = "pipeline_runs"
    place = {**described, "Location": f"s3://{deployed.bucket}/{BY_HAND.rpartition('/')[0]}/"}
    glue.create_partition(**table, PartitionInput={"Values": ["1999-01-01"], "StorageDescriptor": place})
    sql = "SELECT count(*) FROM pipeline_runs WHERE date = DATE '1999-01-01'"
    try:
        assert rows(deployed, deployed.client, sql, "workgroup") == (("2",),)
        with pytest.raises(QueryFailed, match=r"PERMISSION_DENIED.*/raw/weather/"):
            rows(deployed, analyst, sql)
    finally:
        glue.delete_partition(**table, PartitionValues=["1999-01-01"])


def refused(call: Callable[..., Any], parameters: dict[str, Any]) -> bool:
    """Whether the right is missing; another error is none of that."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] in REFUSED
    return False


def cells(deployed: Deployed) -> list[tuple[str, str, dict[str, Any]]]:
    """Service, operation and parameters of calls that are not for analysts; reading before changing."""
    names, bucket = deployed.names, deployed.bucket
    rejected = sorted(deployed.objects("quarantine/"))[0]
    manifest = sorted(deployed.objects("ops/manifests/"))[0]
    code = deployed.client("s3").list_objects_v2(Bucket=names["code_bucket"])["Contents"][0]["Key"]
    item = {"pk": {"S": "dataset#curated_weather"}, "sk": {"S": "x"}}
    audit = {"Bucket": bucket, "Key": "ops/audits/curated_weather/of-somebody.json"}
    deployed.client("s3").put_object(**audit, Body=b"{}", IfNoneMatch="*")
    sql = {"QueryString": "SELECT 1"}
    place = {"ResultConfiguration": {"OutputLocation": f"s3://{names['results_bucket']}/query-results/analysts/"}}
    other = deployed.client("athena").start_query_execution(**sql, WorkGroup=names["workgroup"])["QueryExecutionId"]
    named = deployed.client("athena").list_named_queries(WorkGroup=names["workgroup"])["NamedQueryIds"][0]
    return [
        *(("s3", "get_object", {"Bucket": bucket, "Key": key}) for key in (BY_HAND, rejected, manifest)),
        ("s3", "get_object", audit),
        ("s3", "get_object", {"Bucket": names["code_bucket"], "Key": code}),
        ("s3", "get_object", {"Bucket": names["results_bucket"], "Key": f"query-results/{other}.csv"}),
        ("s3", "put_object", {"Bucket": bucket, "Key": "curated/weather/date=2025-06-02/x.parquet", "Body": b""}),
        ("s3", "put_object", {"Bucket": names["results_bucket"], "Key": "query-results/x.csv", "Body": b""}),
        ("s3", "delete_object", {"Bucket": names["results_bucket"], "Key": "query-results/x.csv"}),
        ("s3", "delete_object", {"Bucket": bucket, "Key": "curated/weather/date=2025-06-02/x.parquet"}),
        ("dynamodb", "get_item", {"TableName": names["ledger"], "Key": item}),
        ("dynamodb", "scan", {"TableName": names["ledger"]}),
        ("secretsmanager", "describe_secret", {"SecretId": names["pseudonym_key"]}),
        ("athena", "start_query_execution", {**sql, "WorkGroup": names["workgroup"]}),
        ("athena", "start_query_execution", {**sql, "WorkGroup": "primary", **place}),
        ("athena", "get_query_results", {"QueryExecutionId": other}),
        ("athena", "get_named_query", {"NamedQueryId": named}),
        (
            "athena",
            "create_named_query",
            {"Name": "x", "Database": "x", **sql, "WorkGroup": names["analysts_workgroup"]},
        ),
        (
            "athena",
            "update_work_group",
            {"WorkGroup": names["analysts_workgroup"], "Description": "Queries of analysts"},
        ),
        ("glue", "get_table", {"DatabaseName": names["database"], "Name": "raw_weather"}),
        ("glue", "get_partitions", {"DatabaseName": names["database"], "TableName": "raw_weather"}),
        ("glue", "delete_table", {"DatabaseName": names["database"], "Name": "quarantine_curated_weather"}),
        ("ssm", "get_parameter", {"Name": f"/lake/{names['project']}/dev"}),
        ("sts", "assume_role", {"RoleArn": names["repair_role"], "RoleSessionName": "somebody"}),
        ("lambda", "get_function", {"FunctionName": names["watch"]}),
    ]


def test_what_is_not_for_analysts_is_refused_to_them_and_not_to_an_administrator(
    deployed: Deployed, analyst: Clients
) -> None:
    forbidden = cells(deployed)
    assert len(forbidden) >= 20
    for clients, expected in ((analyst, True), (deployed.client, False)):
        answers = {
            f"{number} {service} {operation}": refused(getattr(clients(service), operation), parameters)
            for number, (service, operation, parameters) in enumerate(forbidden)
        }
        assert [call for call, answer in answers.items() if answer is not expected] == []


def test_the_value_of_the_key_is_refused_by_the_role_too(deployed: Deployed, analyst: Clients) -> None:
    """The secret's own policy names its readers: the key's keeper is the control."""
    with pytest.raises(ClientError, match="AccessDenied"):
        analyst("secretsmanager").get_secret_value(SecretId=deployed.names["pseudonym_key"])
    assert deployed.pseudonym_key()
