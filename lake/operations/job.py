"""The main part of a Glue job: parse its arguments, run one operation (by default a refresh) for each dataset."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import boto3
from py4j.java_gateway import JavaPackage
from pyspark.sql import DataFrame, SparkSession

from lake.contract import model
from lake.contract.model import Contract
from lake.core.errors import ContractError, LakeError, summary_line
from lake.core.s3 import Location, Storage
from lake.operations import registry
from lake.operations.arguments import answer_key
from lake.operations.context import SparkRunContext
from lake.operations.derivation.derive import Derivation, check_signature
from lake.operations.refresh import Transformation
from lake.operations.registry import REFRESH, DatasetJob, DerivedJob, OperationUnknown
from lake.pseudonyms import keys
from lake.runs.bounds import Bounds
from lake.runs.ledger import LEASE, Ledger
from lake.runs.metrics import Metrics
from lake.tables.catalog import Catalog

logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
_SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]key|pseudonym",
}


class JobFailed(Exception):
    """The operation failed for at least one dataset; the message names each with its reason."""


@dataclass(frozen=True)
class JobRequest:
    """The operation that the job is to perform, for all of its datasets or for the one named in the arguments.

    If the arguments hold ``answer``, the result rows go to that object of the staging area; ``order`` is the id by
    which the caller finds the runs.
    """

    operation: str = REFRESH
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, dataset: str) -> bool:
        """Return True if the request covers the dataset."""
        return self.arguments.get("dataset") in (None, dataset)


class Job:
    """One run of a Glue job. Datasets are independent: one that fails does not stop the others."""

    def __init__(self, context: SparkRunContext, request: JobRequest, written: Sequence[str] = ()) -> None:
        """``written`` names what the job writes, quarantine tables and other tables included."""
        self.lake = context
        self._request = request
        self._written = written
        self._failures: dict[str, Exception] = {}
        self._done: dict[str, list[dict[str, Any]]] = {}

    @staticmethod
    def from_arguments(arguments: Sequence[str], only: str = "") -> "Job":
        """Return the job that Glue's arguments describe; arguments that Glue adds for itself are ignored.

        Raises OperationUnknown when ``only`` is given and the arguments ask for another operation.
        """
        options, _ = _parser().parse_known_args(arguments)
        if only and options.operation != only:
            raise OperationUnknown(f"this job does nothing but {only}; it was asked for {options.operation}")
        logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("lake").setLevel(logging.INFO)
        writes = json.loads(options.writes)
        uris = {**json.loads(options.reads), **writes}
        arguments_of_operation = json.loads(options.operation_arguments)
        context = SparkRunContext(
            engine=cache(spark_session),
            storage=Storage(boto3.client("s3")),
            ledger=Ledger(boto3.client("dynamodb"), options.ledger, _now),
            catalog=Catalog(boto3.client("glue"), options.database),
            metrics=Metrics(boto3.client("cloudwatch"), options.metrics_namespace, options.environment, _now),
            locations={name: Location.parse(uri) for name, uri in uris.items()},
            staging=Location.parse(options.staging),
            manifests=Location.parse(options.manifests),
            keys=_keys(options.pseudonym_key),
            code_version=options.code_version,
            now=_now,
            bounds=Bounds(begins_before=_half_of(options.time_limit_minutes), waits=LEASE + timedelta(minutes=1)),
            pause=lambda: time.sleep(_PAUSE_SECONDS),
            order=arguments_of_operation.get("order", ""),
        )
        return Job(context, JobRequest(options.operation, arguments_of_operation), tuple(writes))

    def datasets(self) -> list[str]:
        """Return the datasets that the job makes: those it writes whose contract says what they are made from."""
        contracts = {path.stem for path in model.files()}
        return [name for name in self._written if name in contracts and model.load(name).made_from]

    def run_each(self, transformations: Mapping[str, Transformation | Derivation]) -> None:
        """Perform the job's operation on each dataset that it makes, a derived one after its inputs.

        A dataset without a transformation keeps the fields that its source has; a derived one without one fails alone.
        Raises ContractError when there is a transformation of a dataset that the job does not make.
        """
        made = self.datasets()
        if unknown := sorted(transformations.keys() - set(made)):
            raise ContractError(f"the job has a transformation of {', '.join(unknown)}; it makes {', '.join(made)}")
        for dataset in _inputs_first([*transformations, *made]):
            try:
                dataset_job = _job(model.load(dataset), transformations.get(dataset))
            except LakeError as error:
                self._fail(dataset, error)
            else:
                self.run(dataset_job)

    def run(self, dataset_job: DatasetJob | DerivedJob) -> None:
        """Perform the job's operation on one dataset: a refresh, unless the arguments name another one.

        An error of the operation is logged and kept: ``finish`` raises for all datasets.
        """
        dataset = dataset_job.target.name
        if not self._request.covers(dataset):
            return
        try:
            rows = registry.perform(self.lake, dataset_job, self._request.operation, self._request.arguments)
        except Exception as error:  # whatever it is, it is raised again by finish()
            self._fail(dataset, error)
            return
        self._done[dataset] = rows
        logger.info("%s: %s", dataset, rows or "nothing to do")

    def _fail(self, dataset: str, error: Exception) -> None:
        if self._request.covers(dataset):
            logger.error("%s FAILED", dataset, exc_info=error)
            self._failures[dataset] = error

    def finish(self) -> None:
        """Store the result if the arguments ask for it; raises JobFailed when a dataset failed or none was covered."""
        if self._failures:
            reasons = [
                f"{name}: {type(error).__name__}: {summary_line(error)}" for name, error in self._failures.items()
            ]
            raise JobFailed(" | ".join(reasons))
        if not self._done:
            raise JobFailed(f"the job does not write {self._request.arguments['dataset']}")
        if "answer" in self._request.arguments:
            rows = [row for rows in self._done.values() for row in rows]
            key = answer_key(self.lake.staging.prefix, self._request.arguments["answer"])
            self.lake.storage.put(self.lake.staging.bucket, key, json.dumps(rows).encode())


def _job(target: Contract, transformation: Transformation | Derivation | None) -> DatasetJob | DerivedJob:
    if target.source:
        return DatasetJob(target, model.load(target.source), transformation or _unchanged)
    if transformation is None:
        raise ContractError(
            f"{target.name} is derived from {', '.join(target.inputs)}: the job has no function of these"
        )
    model.check_inputs(target)
    check_signature(transformation, target)
    return DerivedJob(target, transformation)


def _inputs_first(datasets: Sequence[str]) -> list[str]:
    """The datasets, each after those that it is made from; otherwise in the order given."""
    known = list(dict.fromkeys(datasets))
    order = {name: [other for other in model.load(name).inputs if other in known] for name in known}
    return list(TopologicalSorter(order).static_order())


def _unchanged(raw: DataFrame) -> DataFrame:
    return raw


def spark_session() -> SparkSession:
    """Return the job's Spark session; inside Glue that of GlueContext, because Glue's metrics depend on it.

    Python's half of awsglue can be installed anywhere; Glue's Java half is in Glue and in its image only.
    """
    builder = SparkSession.builder
    for name, value in _SPARK_SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    java: Any = session.sparkContext._jvm
    if isinstance(java.com.amazonaws.services.glue.GlueContext, JavaPackage):
        return session
    from awsglue.context import GlueContext

    glue_session: SparkSession = GlueContext(session.sparkContext).spark_session
    return glue_session


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--reads", required=True, help='JSON: dataset to location, {"raw_weather": "s3://bucket/raw/weather/"}'
    )
    parser.add_argument(
        "--writes", required=True, help="JSON: dataset to location, quarantine tables and pipeline_runs included"
    )
    parser.add_argument("--staging", required=True, help="location for what is not published yet")
    parser.add_argument("--manifests", required=True, help="location of the runs' manifests")
    parser.add_argument("--database", required=True, help="database of the Glue Data Catalog")
    parser.add_argument("--ledger", required=True, help="DynamoDB table of the ledger")
    parser.add_argument(
        "--pseudonym_key",
        default="",
        help="ARN of the secret with the pseudonym key; none for a job that encrypts nothing",
    )
    parser.add_argument("--environment", required=True, help="what the metrics name as Environment, e.g. dev")
    parser.add_argument("--metrics_namespace", required=True, help="namespace of the metrics in CloudWatch")
    parser.add_argument("--code_version", required=True, help="what the ledger records as the code that ran")
    parser.add_argument(
        "--time_limit_minutes",
        type=int,
        required=True,
        help="after which Glue ends the job; no run begins in the second half of it",
    )
    parser.add_argument("--operation", default=REFRESH, help="what to do; see lake/operations/registry.py")
    parser.add_argument(
        "--operation_arguments", default="{}", help='JSON: its arguments, {"dataset": "curated_weather", ...}'
    )
    return parser


def _keys(secret: str) -> tuple[keys.KeyVersion, ...]:
    if not secret:
        return ()
    return keys.key_versions(boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])


def _half_of(time_limit_minutes: int) -> datetime:
    """Return until when a run may begin: it is to have as much time as all before it."""
    return _now() + timedelta(minutes=time_limit_minutes) / 2


def _now() -> datetime:
    return datetime.now(UTC)
