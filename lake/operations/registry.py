"""The registry of operations: their names, and how their arguments become runs."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from lake.contract.model import Contract
from lake.core.errors import LakeError
from lake.core.s3 import Location, StoredObject
from lake.operations import key_overrides
from lake.operations.arguments import DAYS_IN_A_RUN
from lake.operations.backfill import Backfill, Window
from lake.operations.context import SparkRunContext
from lake.operations.derivation.derive import Derivation, Derive
from lake.operations.erasure.erase import Erase
from lake.operations.quarantine import Discard, Selection
from lake.operations.refresh import Refresh, Transformation
from lake.operations.rekey import Rekey
from lake.operations.replay import Replay
from lake.operations.rollback import Undo
from lake.pseudonyms import spark
from lake.records import typed, validation
from lake.runs.run import Outcome, Work, abandon, preview, published, run, run_all

logger = logging.getLogger(__name__)
Arguments = Mapping[str, Any]
REFRESH, ABANDON = "refresh", "abandon"


class OperationUnknown(LakeError):
    """The requested operation does not exist."""


@dataclass(frozen=True)
class DatasetJob:
    """A dataset of the job with its source and the transformation between them, row by row."""

    target: Contract
    source: Contract
    transformation: Transformation


@dataclass(frozen=True)
class DerivedJob:
    """A dataset of the job that is derived from all rows of its inputs, and the function that makes it of them."""

    target: Contract
    derivation: Derivation


def perform(
    context: SparkRunContext, job: DatasetJob | DerivedJob, operation: str, arguments: Arguments
) -> list[dict[str, Any]]:
    """Perform an operation on the job's dataset; returns the result rows of its runs.

    ``arguments`` are those of the operation, from JSON; with ``preview`` nothing is published and the rows are those of
    previews. Raises OperationUnknown for an unknown name, or one that a derived dataset does not have, and LakeError
    when a run fails; a run is published wholly or not at all. A refresh goes on, run by run, while objects wait; what
    arrives while a repair of several runs works is loaded between these.
    """
    if operation == "validate" and isinstance(job, DatasetJob):
        return [validate(context, job, arguments)]
    if operation == ABANDON:
        return [_abandoned(context, job.target, arguments)]
    works = _works(job, operation, arguments)
    if arguments.get("preview"):
        return [_previewed(work, preview(context, work)) for work in works]
    rows: list[dict[str, Any]] = []
    for number, work in enumerate(works):
        if number:
            _load(context, job)
        about = {"dataset": work.target.name, "kind": work.kind}
        rows += [{**about, **asdict(counts)} for counts in run_all(context, work)]
    return rows


def _load(context: SparkRunContext, job: DatasetJob | DerivedJob) -> None:
    """Load what has arrived meanwhile: the job of the loads found the dataset held."""
    try:
        for work in _works(job, REFRESH, {}):
            run(context, work)
    except LakeError as error:
        # The ledger has it, and it rings; the repair does not depend on it.
        logger.error("%s: what has arrived meanwhile could not be loaded: %s", job.target.name, error)


def _abandoned(context: SparkRunContext, target: Contract, arguments: Arguments) -> dict[str, Any]:
    """Abandon the prepared run ``run``, or with ``preview`` say how far it has come; the rows are those of a table."""
    run_id = arguments["run"]
    if arguments.get("preview"):
        record = context.ledger.unfinished(target.name)
        done, files = published(context, record, target, run_id)
    else:
        done, files = abandon(context, target, run_id, arguments["by"])
    return {"dataset": target.name, "run": run_id, "partition files": files, "published": done}


def _works(job: DatasetJob | DerivedJob, operation: str, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    if operation not in (*_WORKS, "validate"):
        known = ", ".join(sorted((*_WORKS, ABANDON)))
        raise OperationUnknown(f"'{operation}' is no operation; there are {known}")
    if isinstance(job, DatasetJob):
        return _WORKS[operation](job, arguments)
    if operation not in _OF_DERIVED:
        raise OperationUnknown(
            f"{job.target.name} is derived, and has no '{operation}': do it to {', '.join(job.target.inputs)}; the "
            "next refresh follows"
        )
    return _OF_DERIVED[operation](job, arguments)


def validate(context: SparkRunContext, job: DatasetJob, arguments: Arguments) -> dict[str, Any]:
    """Validate one encrypted record that is in no raw object yet.

    ``arguments`` are ``encrypted_payload`` (base64) and ``key_version``. Returns the number of ``records`` that the
    payload holds, and the ``reasons``: the names of the rules that they break, sorted.
    """
    encrypted, version = arguments["encrypted_payload"], arguments["key_version"]
    payload = spark.decrypted(context.spark, job.target, context.keys, version, encrypted)
    arriving = StoredObject(".json", "", len(payload), context.now())
    raw = typed.of_records(context.spark, job.source, job.target, [arriving], lambda _: payload)
    keys = key_overrides.schedule(context, job.target)
    validated_rows = validation.validated(raw, job.target, job.transformation, keys).select("reasons").collect()
    return {
        "records": len(validated_rows),
        "reasons": sorted({reason for row in validated_rows for reason in row["reasons"]}),
    }


def _refresh(job: DatasetJob, _arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    yield Refresh(job.target, job.source, job.transformation)


def _replay(job: DatasetJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    selection = Selection.of(arguments)
    yield Replay(job.target, job.source, job.transformation, selection, arguments["by"])


def _discard(job: DatasetJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    yield Discard(job.target, Selection.of(arguments), arguments["why"], arguments["by"])


def _backfill(job: DatasetJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    """Yield a run for each piece of the window. A preview allows loss, because it has to show the rows to lose."""
    window = Window(date.fromisoformat(arguments["first"]), date.fromisoformat(arguments["last"]))
    may_lose = bool(arguments.get("allow_loss") or arguments.get("preview"))
    for chunk in window.chunks(int(arguments.get("days", DAYS_IN_A_RUN))):
        yield Backfill(job.target, job.source, job.transformation, chunk, arguments["by"], allow_loss=may_lose)


def _rekey(job: DatasetJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    """Yield one run: an override of the key version and its rows change together."""
    window = Window(date.fromisoformat(arguments["first"]), date.fromisoformat(arguments["last"]))
    version = int(arguments["version"])
    yield Rekey(job.target, job.source, job.transformation, window, arguments["by"], version=version)


def _erase(job: DatasetJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    yield Erase(
        job.target,
        job.source,
        arguments["encrypted_payload"],
        arguments["key_version"],
        arguments["stream"],
        Location.parse(arguments["errors"]),
        arguments["by"],
    )


def _undo(job: DatasetJob | DerivedJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    yield Undo(job.target, arguments["run"], arguments["by"])


def _derive(job: DerivedJob, _arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    yield Derive(job.target, job.derivation)


def _derive_window(job: DerivedJob, arguments: Arguments) -> Iterator[Work[SparkRunContext]]:
    """Yield a run for each piece of the window, as a backfill."""
    window = Window(date.fromisoformat(arguments["first"]), date.fromisoformat(arguments["last"]))
    may_lose = bool(arguments.get("allow_loss") or arguments.get("preview"))
    for chunk in window.chunks(int(arguments.get("days", DAYS_IN_A_RUN))):
        yield Derive(job.target, job.derivation, chunk, arguments["by"], allow_loss=may_lose)


_WORKS: dict[str, Callable[[DatasetJob, Arguments], Iterator[Work[SparkRunContext]]]] = {
    REFRESH: _refresh,
    "replay": _replay,
    "discard": _discard,
    "backfill": _backfill,
    "rekey": _rekey,
    "undo": _undo,
    "erase": _erase,
}
_OF_DERIVED: dict[str, Callable[[DerivedJob, Arguments], Iterator[Work[SparkRunContext]]]] = {
    REFRESH: _derive,
    "backfill": _derive_window,
    "undo": _undo,
}


def _previewed(work: Work[SparkRunContext], outcome: Outcome) -> dict[str, Any]:
    about = {"dataset": work.target.name, "kind": work.kind}
    return {
        **about,
        **asdict(outcome.counts),
        "partition_files": len(outcome.partition_files),
        "details": dict(outcome.details),
    }
