"""A lake of its own in localaws, for tests that run the data path in their own process."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.contract import model
from lake.contract.model import Contract
from lake.core.counts import Counts
from lake.core.s3 import Location, Storage
from lake.operations.context import SparkRunContext
from lake.operations.refresh import Refresh, Transformation
from lake.operations.registry import DatasetJob, perform
from lake.pseudonyms import keys
from lake.runs.ledger import Ledger
from lake.runs.metrics import Metrics
from lake.runs.run import run
from lake.tables.catalog import Catalog
from tests.local_aws import LocalAws

SOURCE, TARGET = model.load("raw_weather"), model.load("curated_weather")
MESSAGES, READINGS = model.load("raw_iot_sensors"), model.load("curated_sensor_readings")
QUARANTINE, RUNS = TARGET.quarantine(), model.load("pipeline_runs")
CITY_HOURS = model.load("curated_city_hours")
DATASETS = (SOURCE, TARGET, QUARANTINE, MESSAGES, READINGS, READINGS.quarantine(), CITY_HOURS, RUNS)
SECRET = json.dumps({"versions": [{"version": 1, "valid_from": "1970-01-01T00:00:00Z", "key": "a key of the tests"}]})


def weather(raw: DataFrame) -> DataFrame:
    return raw.withColumn("temperature_f", F.col("temperature_c") * 9 / 5 + 32)


def readings(raw: DataFrame) -> DataFrame:
    return raw.withColumn("quality_score", F.lit("PASS"))


def line(hour: int, temperature: float, city: str = "Paris", day: int = 20) -> str:
    """One raw record."""
    return json.dumps(
        {
            "ingestion_id": "i", "city": city, "latitude": 48.8, "longitude": 2.3, "temperature_c": temperature,
            "timestamp": f"2026-11-{day:02d}T{hour:02d}:00", "ingested_at": "2026-11-20T00:00:00+00:00",
        }
    )  # fmt: skip


class Clock:
    """Real time, plus what a test adds."""

    shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


def refresh(context: SparkRunContext, target: Contract, source: Contract, transformation: Transformation) -> Counts:
    """One refresh, in the test's own process."""
    return run(context, Refresh(target, source, transformation))


@dataclass(frozen=True)
class Place:
    """A lake of its own for one test."""

    lake: SparkRunContext
    aws: LocalAws
    clock: Clock
    transformation: Transformation = weather

    @property
    def bucket(self) -> str:
        return self.lake.staging.bucket

    def put(self, name: str, *lines: str) -> None:
        body = "\n".join(lines).encode()
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=f"raw/weather/date=2026-11-20/{name}", Body=body)

    def run(self) -> Counts:
        return refresh(self.lake, TARGET, SOURCE, self.transformation)

    def perform(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        """What the job does when it is started with that operation."""
        by = {"by": "arn:aws:iam::123456789012:role/operator", **arguments}
        return perform(self.lake, DatasetJob(TARGET, SOURCE, self.transformation), operation, by)

    def run_readings(self) -> Counts:
        return refresh(self.lake, READINGS, MESSAGES, readings)

    def rows(self, dataset: Contract) -> list[dict[str, Any]]:
        keys = [entry.key for entry in self.lake.storage.list(self.lake.locations[dataset.name])]
        if not keys:
            return []
        uris = [f"s3://{self.bucket}/{key}" for key in keys]
        return [row.asDict() for row in self.lake.spark.read.schema(dataset.ddl).parquet(*uris).collect()]

    def measured(self, metric: str, statistic: str = "Sum", dataset: Contract = TARGET) -> float | None:
        """A metric of a dataset over all of the test's time; None when nothing was put."""
        dimensions = [{"Name": "Environment", "Value": self.bucket}, {"Name": "Dataset", "Value": dataset.name}]
        now = self.aws.now
        (point,) = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace="test-lake", MetricName=metric, Dimensions=dimensions, Statistics=[statistic],
            StartTime=now - timedelta(days=1), EndTime=now + timedelta(days=1), Period=7 * 86400,
        )["Datapoints"] or [{statistic: None}]  # fmt: skip
        return None if point[statistic] is None else float(point[statistic])

    def locked(self) -> dict[str, str]:
        """What the ledger's lock item says, numbers aside."""
        key = {"pk": {"S": f"dataset#{TARGET.name}"}, "sk": {"S": "lock"}}
        item = self.aws.client("dynamodb").get_item(TableName=self.bucket, Key=key, ConsistentRead=True)["Item"]
        return {name: value["S"] for name, value in item.items() if "S" in value}

    def temperatures(self) -> dict[tuple[str, str], float]:
        rows = self.rows(TARGET)
        assert len({(row["city"], row["timestamp"]) for row in rows}) == len(rows), "a key is there twice"
        return {(row["city"], f"{row['timestamp']:%dT%H}"): row["temperature_c"] for row in rows}

    def runs(self) -> list[dict[str, Any]]:
        location = self.lake.locations["pipeline_runs"]
        bodies = [self.lake.storage.read(self.bucket, entry.key) for entry in self.lake.storage.list(location)]
        return sorted((json.loads(body) for body in bodies), key=lambda run: str(run["started_at"]))


@contextmanager
def lake_of_its_own(aws: LocalAws, spark: SparkSession) -> Iterator[Place]:
    name = f"test-lake-{uuid.uuid4().hex[:12]}"
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": name})
    for dataset in DATASETS:
        glue.create_table(DatabaseName=name, TableInput=table(dataset, name))
    clock = Clock()
    locations = {dataset.name: Location(name, f"{dataset.path}/") for dataset in DATASETS}
    lake = SparkRunContext(
        engine=lambda: spark,
        storage=Storage(aws.client("s3")),
        ledger=Ledger(aws.client("dynamodb"), name, clock),
        catalog=Catalog(glue, name),
        metrics=Metrics(aws.client("cloudwatch"), "test-lake", name, clock),
        locations=locations,
        staging=Location(name, "staging/"),
        manifests=Location(name, "ops/manifests/"),
        keys=keys.key_versions(SECRET),
        code_version="test",
        now=clock,
    )
    try:
        yield Place(lake, aws, clock)
    finally:
        _remove(aws, name)


def _remove(aws: LocalAws, name: str) -> None:
    glue = aws.client("glue")
    for dataset in DATASETS:
        glue.delete_table(DatabaseName=name, Name=dataset.name)
    glue.delete_database(Name=name)


def table(dataset: Contract, bucket: str) -> dict[str, Any]:
    columns = [{"Name": column.stored_name, "Type": column.stored_type} for column in dataset.stored]
    folders = [{"Name": column.name, "Type": column.physical_type} for column in dataset.partitions]
    storage = {"Columns": columns, "Location": f"s3://{bucket}/{dataset.path}/"}
    return {"Name": dataset.name, "StorageDescriptor": storage, "PartitionKeys": folders}
