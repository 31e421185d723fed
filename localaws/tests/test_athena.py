"""Athena through its API: catalog, what is read and counted, results, workgroups, rights. Traps 4 to 8 of MiniStack."""

import contextlib
import csv
import datetime
import gzip
import hashlib
import io
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from localaws.client import LocalAws

PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
JSON = "org.openx.data.jsonserde.JsonSerDe"
ROWS = 20_000
DEADLINE_SECONDS = 3600


@dataclass
class Answer:
    """How an execution ended, and its rows as text without the header."""

    execution: dict[str, Any]
    columns: dict[str, str]
    rows: list[list[str | None]]

    @property
    def state(self) -> str:
        return str(self.execution["Status"]["State"])

    @property
    def reason(self) -> str:
        return str(self.execution["Status"].get("StateChangeReason", ""))

    @property
    def scanned(self) -> int:
        return int(self.execution["Statistics"]["DataScannedInBytes"])


class Lake:
    """A database of its own with one Parquet and two JSON tables, and a workgroup."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.name = aws, f"lake-{uuid.uuid4().hex[:8]}"
        self.database, self.workgroup = self.name.replace("-", "_"), f"{self.name}-analysts"
        self.s3, self.glue, self.athena = (aws.client(service) for service in ("s3", "glue", "athena"))

    def build(self) -> None:
        self.s3.create_bucket(Bucket=self.name)
        self.glue.create_database(DatabaseInput={"Name": self.database})
        self.make_workgroup(self.workgroup)
        self.make_table("samples", PARQUET, "city string,at timestamp,t double,n bigint,note string", "date date")
        self.make_table(
            "readings", JSON, "device string,t double,aqi int,tags map<string,bigint>", "month string,day string"
        )
        self.make_table("runs", JSON, "id string,rows bigint", "")
        for day in (1, 2, 3):
            self.put(f"samples/date=2026-01-0{day}/unit.parquet", samples(day))
        self.put(
            "readings/month=01/day=05/a.gz",
            gzip.compress(b'{"Device":"a","t":1,"aqi":"3","tags":{"x":1}}\n{"device":7}\n'),
        )
        self.put("readings/month=01/day=06/b.json", b'{"device":"b","t":2.5,"other":true}\n')
        self.put("readings/month=01/day=06/_hidden.json", b"no JSON")
        self.put("runs/one.json", b'{"id":"r1","rows":5}')

    def make_workgroup(self, name: str, **more: Any) -> None:
        location = {"OutputLocation": f"s3://{self.name}/results/{name}/"}
        given = {"ResultConfiguration": location, "EnforceWorkGroupConfiguration": True, **more}
        self.athena.create_work_group(Name=name, Configuration=given)

    def make_table(self, name: str, serde: str, columns: str, keys: str) -> None:
        storage = {
            "Columns": fields(columns),
            "Location": f"s3://{self.name}/{name}/",
            "SerdeInfo": {"SerializationLibrary": serde},
        }
        entry = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": storage,
            "PartitionKeys": fields(keys),
        }
        self.glue.create_table(DatabaseName=self.database, TableInput=entry)

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def start(self, sql: str, athena: Any = None, **more: Any) -> str:
        given = {"WorkGroup": self.workgroup, "QueryExecutionContext": {"Database": self.database}, **more}
        return str((athena or self.athena).start_query_execution(QueryString=sql, **given)["QueryExecutionId"])

    def finished(self, execution_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            execution = dict(self.athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"])
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
        raise TimeoutError(execution_id)

    def ask(self, sql: str, **more: Any) -> Answer:
        execution = self.finished(self.start(sql, **more))
        if execution["Status"]["State"] != "SUCCEEDED":
            return Answer(execution, {}, [])
        found = self.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]
        rows = [[datum.get("VarCharValue") for datum in row["Data"]] for row in found["Rows"]]
        columns = {column["Name"]: column["Type"] for column in found["ResultSetMetadata"]["ColumnInfo"]}
        return Answer(execution, columns, rows[1:] if execution["StatementType"] == "DML" else rows)

    def object(self, location: str) -> Any:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)


def fields(text: str) -> list[dict[str, str]]:
    """'a int,b map<string,int>' as the catalog wants it."""
    parts = [
        part.split(" ", 1) for part in text.replace(",", "\n").replace("string\nb", "string,b").split("\n") if part
    ]
    return [{"Name": name, "Type": kind} for name, kind in parts]


def samples(day: int) -> bytes:
    """Rows of one day; the second has timestamps as older Spark writes them, the third as newer."""
    # Days of INT96 reach further than nanoseconds in 64 bits.
    moment = datetime.datetime.fromisoformat("2500-01-01T12:00" if day == 2 else f"2026-01-0{day}T12:00")
    kind = pa.timestamp("us", "UTC") if day == 3 else pa.timestamp("us")
    columns = {
        "city": [f"c{n % 4}" for n in range(ROWS)],
        "at": pa.array([moment] * ROWS, kind),
        "t": [n * 1.5 for n in range(ROWS)],
        "n": list(range(ROWS)),
        "note": [hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest() for n in range(ROWS)],
    }
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body, use_deprecated_int96_timestamps=day == 2, row_group_size=2000)
    return body.getvalue()


@pytest.fixture(scope="module")
def lake(aws: LocalAws) -> Lake:
    built = Lake(aws)
    built.build()
    return built


@pytest.fixture(scope="module", autouse=True)
def repaired(lake: Lake) -> tuple[Answer, ...]:
    """What is asked before and while the folders become partitions; all other tests come after."""
    before = lake.ask("SELECT count(*) FROM samples")
    return before, lake.ask(f"MSCK REPAIR TABLE {lake.database}.samples"), lake.ask("MSCK REPAIR TABLE readings;")


# What is in the catalog


def test_only_registered_partitions_are_seen_and_msck_registers_folders(
    lake: Lake, repaired: tuple[Answer, ...]
) -> None:
    before, first, _ = repaired
    assert before.rows == [["0"]]
    assert first.rows[1] == ["Repair: Added partition to metastore samples:date=2026-01-01"]
    assert lake.ask("SELECT count(*) FROM samples").rows == [[str(3 * ROWS)]]
    again = lake.ask("-- Run in Athena\nMSCK REPAIR TABLE /* again */ samples;")
    assert (again.state, again.rows) == ("SUCCEEDED", [])


def test_partitions_and_tables_are_listed(lake: Lake) -> None:
    assert lake.ask("SHOW PARTITIONS readings").rows == [["month=01/day=05"], ["month=01/day=06"]]
    assert lake.ask("SHOW TABLES 'r*'").rows == [["readings"], ["runs"]]
    assert lake.ask(f'SELECT count(*) FROM "AwsDataCatalog".{lake.database}.runs').rows == [["1"]]  # noqa: S608
    assert [lake.database] in lake.ask("SHOW DATABASES").rows
    assert [str(line[0]).split() for line in lake.ask("DESCRIBE runs").rows] == [["id", "string"], ["rows", "bigint"]]


def test_a_partition_can_be_dropped_and_added(lake: Lake) -> None:
    count = "SELECT count(*) FROM samples"
    lake.ask("ALTER TABLE samples DROP PARTITION (date = '2026-01-03')")
    without = lake.ask(count).rows
    lake.ask(
        f"ALTER TABLE samples ADD PARTITION (date = '2026-01-03') LOCATION 's3://{lake.name}/samples/date=2026-01-03/'"
    )
    assert (without, lake.ask(count).rows) == ([[str(2 * ROWS)]], [[str(3 * ROWS)]])


# What a query answers


def test_values_and_types_are_those_of_the_table(lake: Lake) -> None:
    answer = lake.ask("SELECT city, at, t, n, date FROM samples WHERE n = 5 AND date = date '2026-01-01'")
    assert answer.rows == [["c1", "2026-01-01 12:00:00.000", "7.5", "5", "2026-01-01"]]
    assert answer.columns == {"city": "varchar", "at": "timestamp", "t": "double", "n": "bigint", "date": "date"}


def test_timestamps_are_the_same_in_every_form_that_spark_writes(lake: Lake) -> None:
    answer = lake.ask("SELECT DISTINCT date_format(at, '%H:%i') FROM samples")
    assert answer.rows == [["12:00"]]


def test_json_is_read_as_the_openx_serde_does(lake: Lake) -> None:
    answer = lake.ask("SELECT * FROM readings ORDER BY day, device DESC")
    assert answer.rows == [
        ["a", "1.0", "3", "{x=1}", "01", "05"],
        ["7", None, None, None, "01", "05"],
        ["b", "2.5", None, None, "01", "06"],
    ]


def test_a_value_that_does_not_fit_fails_only_the_queries_that_have_a_use_for_its_column(lake: Lake) -> None:
    lake.make_table("odd", JSON, "id string,aqi int", "")
    lake.put("odd/a.json", b'{"id": "a", "aqi": "good"}\n{"id": "b", "aqi": 4}\n')
    assert lake.ask("SELECT count(*), max(ID) FROM odd").rows == [["2", "b"]]
    for uses_it in ("SELECT * FROM odd", "SELECT o.* FROM odd o", "SELECT o.id FROM odd o JOIN odd USING (aqi)"):
        assert lake.ask(uses_it).reason.startswith("HIVE_BAD_DATA: Error parsing field value for field aqi")


def test_a_line_that_is_no_json_fails_the_query_and_hidden_objects_are_not_read(lake: Lake) -> None:
    lake.make_table("broken", JSON, "id string", "")
    lake.put("broken/_SUCCESS", b"")
    lake.put("broken/a.json", b'{"id": 1}\nnot json\n')
    answer = lake.ask("SELECT * FROM broken")
    assert (answer.state, "Row is not a valid JSON Object" in answer.reason) == ("FAILED", True)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT nope FROM samples", "COLUMN_NOT_FOUND: Column 'nope' cannot be resolved"),
        ("SELECT * FROM other.x.samples", "CATALOG_NOT_FOUND: Catalog 'other' does not exist"),
        ("SELECT * FROM nope", "TABLE_NOT_FOUND: Table 'awsdatacatalog."),
        (
            "SELECT * FROM samples WHERE date = '2026-01-01'",
            "TYPE_MISMATCH: Cannot apply operator: date compared with varchar",
        ),
        (
            "SELECT * FROM readings WHERE month = 1",
            "TYPE_MISMATCH: Cannot apply operator: varchar compared with number",
        ),
        ("UNLOAD (SELECT 1) TO 's3://x/' WITH (format = 'PARQUET')", "NOT_SUPPORTED: not supported locally"),
        ("CREATE SCHEMA x", "NOT_SUPPORTED: not supported locally"),
        ("INSERT INTO runs SELECT 'x', 1", "NOT_SUPPORTED: not supported locally"),
        ("DELETE FROM samples", "NOT_SUPPORTED: not supported locally"),
        ("COPY samples TO '/tmp/x'", "NOT_SUPPORTED: not supported locally"),
    ],
)
def test_a_statement_fails_for_a_reason(lake: Lake, sql: str, reason: str) -> None:
    answer = lake.ask(sql)
    assert answer.state == "FAILED"
    assert answer.reason.startswith(reason)


def test_views_keep_their_query(lake: Lake) -> None:
    assert lake.ask("CREATE VIEW cities AS SELECT city, count(*) AS n FROM samples GROUP BY city").state == "SUCCEEDED"
    assert lake.ask("SELECT sum(n) FROM cities", QueryExecutionContext={}, WorkGroup=lake.workgroup).state == "FAILED"
    assert lake.ask(f"SELECT sum(n) FROM {lake.database}.cities").rows == [[str(3 * ROWS)]]  # noqa: S608
    assert lake.ask("CREATE VIEW cities AS SELECT 1 AS x").reason.startswith("VIEW_ALREADY_EXISTS")
    assert lake.ask("CREATE OR REPLACE VIEW cities AS SELECT 2 AS x").state == "SUCCEEDED"
    assert lake.ask("SELECT x FROM cities").rows == [["2"]]
    assert lake.ask("DROP VIEW cities").state == "SUCCEEDED"
    assert lake.ask("SELECT x FROM cities").state == "FAILED"


def test_create_table_as_stores_rows_and_partitions(lake: Lake) -> None:
    options = f"format = 'PARQUET', external_location = 's3://{lake.name}/few/', partitioned_by = ARRAY['date']"
    query = "SELECT city, t, date FROM samples WHERE n < 10"
    made = lake.ask(f"CREATE TABLE few WITH ({options}) AS {query}")
    assert made.state == "SUCCEEDED", made.reason
    assert lake.ask("SELECT date, count(*) FROM few GROUP BY 1 ORDER BY 1").rows[0] == ["2026-01-01", "10"]
    assert ["date=2026-01-02"] in lake.ask("SHOW PARTITIONS few").rows
    assert lake.ask(f"CREATE TABLE again WITH ({options}) AS {query}").reason.startswith("HIVE_PATH_ALREADY_EXISTS")
    assert lake.ask("CREATE TABLE one AS SELECT 1 AS x").state == "SUCCEEDED"
    assert lake.ask("SELECT x FROM one").rows == [["1"]]


# What is read and counted


def test_bytes_scanned_are_the_bytes_that_were_read(lake: Lake) -> None:
    def size(key: str) -> int:
        return int(lake.s3.head_object(Bucket=lake.name, Key=key)["ContentLength"])

    assert lake.ask("SELECT * FROM readings").scanned == size("readings/month=01/day=05/a.gz") + size(
        "readings/month=01/day=06/b.json"
    )
    assert lake.ask("SELECT * FROM readings WHERE day = '06'").scanned == size("readings/month=01/day=06/b.json")
    assert lake.ask("SELECT 1").scanned == 0
    everything = sum(size(f"samples/date=2026-01-0{day}/unit.parquet") for day in (1, 2, 3))
    assert lake.ask("SELECT sum(n) FROM samples").scanned < everything / 3
    assert (
        everything * 0.8 < lake.ask("SELECT max(at), max(t), max(n), max(note) FROM samples").scanned < everything * 1.2
    )


def test_partitions_that_the_conditions_exclude_are_not_read(lake: Lake) -> None:
    every_day = lake.ask("SELECT max(t) FROM samples").scanned
    one_day = lake.ask("SELECT max(t) FROM samples WHERE date = date '2026-01-02'").scanned
    no_day = lake.ask("SELECT max(t) FROM samples WHERE date >= current_date - interval '1' day").scanned
    assert (one_day < every_day / 2, no_day) == (True, 0)


def test_row_groups_that_the_conditions_exclude_are_not_read(lake: Lake) -> None:
    day = "date = date '2026-01-02'"
    assert (
        lake.ask(f"SELECT max(t) FROM samples WHERE {day} AND n = 5").scanned  # noqa: S608 - the test's own text
        < lake.ask(f"SELECT max(t), max(n) FROM samples WHERE {day}").scanned  # noqa: S608 - the test's own text
    )


def test_a_condition_above_an_outer_join_does_not_choose_partitions(lake: Lake) -> None:
    sql = "SELECT count(*) FROM runs LEFT JOIN samples ON samples.city <> runs.id WHERE samples.date IS NULL"
    assert lake.ask(sql).rows == [["0"]]


def test_a_query_above_the_scan_limit_is_cancelled(lake: Lake) -> None:
    name = f"{lake.name}-small"
    lake.make_workgroup(name, BytesScannedCutoffPerQuery=10_000_000)
    lake.make_table("big", JSON, "id string", "")
    lake.put("big/a.json", b'{"id":"' + b"x" * 10_000_100 + b'"}')
    answer = lake.ask("SELECT count(*) FROM big", WorkGroup=name)
    assert (answer.state, answer.reason) == ("CANCELLED", "Query cancelled! : Bytes scanned limit was exceeded")


# Where the result goes


def test_the_result_file_is_where_the_api_says_at_the_moment_it_says_so(lake: Lake) -> None:
    execution = lake.ask(
        "SELECT city, n, null AS nothing FROM samples WHERE n = 1 AND date = date '2026-01-01'"
    ).execution
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{lake.name}/results/{lake.workgroup}/{execution['QueryExecutionId']}.csv"
    rows = list(csv.reader(io.StringIO(lake.object(location)["Body"].read().decode())))
    assert rows == [["city", "n", "nothing"], ["c1", "1", ""]]
    assert lake.object(f"{location}.metadata")["ContentLength"] > 0


def test_results_come_in_pages_and_the_header_is_the_first_row_of_the_first(lake: Lake) -> None:
    execution_id = lake.start("SELECT n FROM samples WHERE date = date '2026-01-01' AND n < 2500 ORDER BY n")
    lake.finished(execution_id)
    pages = list(lake.athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id))
    rows = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    assert rows == ["n", *map(str, range(2500))]


def test_an_enforced_workgroup_decides_about_location_and_encryption(lake: Lake) -> None:
    key = lake.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    name, mine = f"{lake.name}-encrypted", {"OutputLocation": f"s3://{lake.name}/mine/"}
    encryption = {"EncryptionOption": "SSE_KMS", "KmsKey": key}
    lake.make_workgroup(
        name, ResultConfiguration={"OutputLocation": f"s3://{lake.name}/theirs/", "EncryptionConfiguration": encryption}
    )
    location = lake.ask("SELECT 1", WorkGroup=name, ResultConfiguration=mine).execution["ResultConfiguration"][
        "OutputLocation"
    ]
    stored = lake.object(location)
    assert location.startswith(f"s3://{lake.name}/theirs/")
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_workgroup_that_enforces_nothing_lets_the_client_choose(lake: Lake) -> None:
    name = f"{lake.name}-free"
    lake.make_workgroup(name, EnforceWorkGroupConfiguration=False)
    chosen = {"OutputLocation": f"s3://{lake.name}/mine"}
    answer = lake.ask("SELECT 1", WorkGroup=name, ResultConfiguration=chosen)
    assert answer.execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{lake.name}/mine/")


def test_a_result_that_cannot_be_written_fails_the_query(lake: Lake) -> None:
    name = f"{lake.name}-nowhere"
    lake.make_workgroup(name, ResultConfiguration={"OutputLocation": "s3://no-such-bucket-here/"})
    assert lake.ask("SELECT 1", WorkGroup=name).state == "FAILED"


@pytest.mark.parametrize(
    ("workgroup", "message"),
    [("primary", "No output location provided"), ("no-such", "is not found"), ("disabled", "is disabled")],
)
def test_a_query_is_refused_when_its_workgroup_does_not_let_it_run(lake: Lake, workgroup: str, message: str) -> None:
    if workgroup == "disabled":
        workgroup = f"{lake.name}-disabled"
        lake.make_workgroup(workgroup)
        lake.athena.update_work_group(WorkGroup=workgroup, State="DISABLED")
    with pytest.raises(lake.athena.exceptions.InvalidRequestException, match=message):
        lake.start("SELECT 1", WorkGroup=workgroup)


def test_a_repeated_request_is_the_same_execution(lake: Lake) -> None:
    token = uuid.uuid4().hex * 2
    assert lake.start("SELECT 1", ClientRequestToken=token) == lake.start("SELECT 1", ClientRequestToken=token)


def test_a_query_can_be_stopped(lake: Lake) -> None:
    execution_id = lake.start("SELECT sum(a.n * b.n) FROM samples a CROSS JOIN samples b WHERE a.n <> b.n")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (
        lake.athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]["Status"]["State"] == "QUEUED"
    ):
        assert time.monotonic() < deadline
    lake.athena.stop_query_execution(QueryExecutionId=execution_id)
    status = lake.finished(execution_id)["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Query cancelled by user")
    with pytest.raises(lake.athena.exceptions.InvalidRequestException, match="CANCELLED"):
        lake.athena.get_query_results(QueryExecutionId=execution_id)


# Whose rights


@contextlib.contextmanager
def analyst(lake: Lake, *prefixes: str) -> Iterator[Any]:
    """An Athena client of a user who may read these prefixes and write results."""
    iam, name = lake.aws.client("iam"), f"analyst-{uuid.uuid4().hex[:8]}"
    objects = [f"arn:aws:s3:::{lake.name}/{prefix}*" for prefix in (*prefixes, "results/")]
    allowed = [
        {"Effect": "Allow", "Action": ["athena:*", "glue:Get*"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": f"arn:aws:s3:::{lake.name}"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": objects},
    ]
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed})
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    yield session.client("athena", endpoint_url=lake.aws.endpoint)


def test_a_query_reads_with_the_rights_of_its_caller(lake: Lake) -> None:
    with analyst(lake, "samples/") as athena:
        assert lake.ask("SELECT count(*) FROM samples", athena=athena).rows == [[str(3 * ROWS)]]
        denied = lake.ask("SELECT count(*) FROM readings", athena=athena)
    assert (denied.state, denied.reason.startswith("PERMISSION_DENIED")) == ("FAILED", True)


def test_msck_needs_the_right_to_add_partitions(lake: Lake) -> None:
    lake.put("samples/date=2026-01-09/unit.parquet", samples(9))
    with analyst(lake, "samples/") as athena:
        denied = lake.ask("MSCK REPAIR TABLE samples", athena=athena)
    assert (denied.state, "AccessDenied" in denied.reason) == ("FAILED", True)
    lake.s3.delete_object(Bucket=lake.name, Key="samples/date=2026-01-09/unit.parquet")
