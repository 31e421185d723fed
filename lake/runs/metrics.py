"""CloudWatch metrics of a run, put once with the dataset and once with the pipeline as dimension."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from lake.contract.model import Contract
from lake.core.counts import NOTHING, Counts
from lake.core.errors import CountsNotReconciled, LakeError

Ending = Literal["succeeded", "failed", "skipped"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Metric:
    """One value of one metric; ``unit`` is a unit of CloudWatch."""

    name: str
    value: float
    unit: str = "Count"


@dataclass
class Run:
    """The counts of a run, zero until the run sets them. ``outcome`` is how it ends without an error."""

    counts: Counts = NOTHING
    outcome: Ending = "succeeded"


class Metrics:
    """The metrics of one environment; ``client`` is a boto3 CloudWatch client, ``now`` returns the time (UTC)."""

    def __init__(self, client: Any, namespace: str, environment: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._namespace = namespace
        self._environment = environment
        self._now = now

    @contextmanager
    def of_run(self, target: Contract) -> Iterator[Run]:
        """Put the metrics of the run in the block; when it raises, those of a failed run, with the counts of its error.

        The block gets a Run to fill in: its counts and its outcome. The block's error is raised again; an error of
        CloudWatch is only logged.
        """
        run, started = Run(), self._now()
        try:
            yield run
        except Exception as error:
            counts = error.counts if isinstance(error, LakeError) else NOTHING
            # A run that ended before it had counted everything has lost nothing: it published nothing.
            unreconciled = counts.unreconciled if isinstance(error, CountsNotReconciled) else 0
            self._put(target, counted(counts, unreconciled), [*ended("failed"), self._duration(started)])
            raise
        found = counted(run.counts, run.counts.unreconciled)
        self._put(target, found, [*ended(run.outcome), self._duration(started)])

    def finished(self, target: Contract, counts: Counts) -> None:
        """Put the metrics of a run that died and that another one has finished; its duration is not known.

        An error of CloudWatch is only logged.
        """
        self._put(target, counted(counts, counts.unreconciled), ended("succeeded"))

    def _duration(self, started: datetime) -> Metric:
        return Metric("RunDuration", (self._now() - started).total_seconds(), "Seconds")

    def _put(self, target: Contract, counts: Sequence[Metric], ending: Sequence[Metric]) -> None:
        """Put metrics for dataset and pipeline. Best effort: a CloudWatch failure never fails a published run.

        Derived rows are none of the pipeline's records, which its other datasets have counted.
        """
        of_pipeline = ending if target.inputs else (*counts, *ending)
        places = (({"Dataset": target.name}, (*counts, *ending)), ({"Pipeline": target.domain}, of_pipeline))
        data = [self._datum(metric, place) for place, metrics in places for metric in metrics]
        try:
            self._client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except (BotoCoreError, ClientError):
            logger.exception("%s: the metrics of the run could not be put", target.name)

    def _datum(self, metric: Metric, place: dict[str, str]) -> dict[str, Any]:
        named = {"Environment": self._environment, **place}
        dimensions = [{"Name": name, "Value": value} for name, value in named.items()]
        return {"MetricName": metric.name, "Value": metric.value, "Unit": metric.unit, "Dimensions": dimensions}


def counted(counts: Counts, unreconciled: int) -> list[Metric]:
    """Return the metrics of a run's counts; QuarantineRatio only if records were received.

    ``unreconciled`` is the number of records that are missing or surplus.
    """
    metrics = [
        Metric("RecordsReceived", counts.received),
        Metric("RecordsNew", counts.new),
        Metric("RecordsReplaced", counts.replaced),
        Metric("RecordsDuplicate", counts.duplicate),
        Metric("RecordsQuarantined", counts.quarantined),
        Metric("RecordsUnreconciled", unreconciled),
        Metric("SchemaDrift", len(counts.drift)),
    ]
    if counts.received:
        metrics.append(Metric("QuarantineRatio", counts.quarantined / counts.received, "None"))
    return metrics


def ended(outcome: Ending) -> list[Metric]:
    """Return one metric for each outcome. ``skipped``: the run did nothing, because another run held the dataset.

    Always all three, so that each has data as long as runs end.
    """
    names: dict[Ending, str] = {"succeeded": "RunsSucceeded", "failed": "RunsFailed", "skipped": "RunsSkipped"}
    return [Metric(name, int(ending == outcome)) for ending, name in names.items()]
