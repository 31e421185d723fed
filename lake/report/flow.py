"""The flow of data, read from deployed settings: outputs of functions, destinations of streams, inputs of jobs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lake.contract import model
from lake.contract.model import Contract
from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.environment.inventory import Dataset
from lake.environment.partial_results import PartialResult
from lake.report.model import Flow, Node

QUERY = "Athena"


@dataclass(frozen=True)
class Step:
    """A function, stream or job: what it feeds by name, and what is said of it now; ``bad`` when that is bad news.

    ``helper`` is the function that a stream lets change its records; ``failure`` says why nothing is known of the step.
    """

    name: str
    feeds: tuple[str, ...]
    lines: tuple[str, ...]
    bad: bool = False
    helper: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Steps:
    """The steps between the datasets; ``reads`` maps a job to the datasets that it reads."""

    functions: tuple[Step, ...]
    streams: tuple[Step, ...]
    jobs: tuple[Step, ...]
    reads: Mapping[str, tuple[str, ...]]


def function_feeds(platform: Platform, name: str) -> tuple[str, ...]:
    """The datasets and streams that a function's settings name."""
    settings = platform.client("lambda").get_function_configuration(FunctionName=name)
    variables = settings.get("Environment", {}).get("Variables", {})
    datasets = tuple(json.loads(variables.get("WRITES", "{}")))
    streams = tuple(stream for stream in inventory.parts(platform, "streams") if stream in variables.values())
    return (*datasets, *(inventory.short(platform, stream) for stream in streams))


def stream_ends(platform: Platform, name: str) -> tuple[tuple[str, ...], str]:
    """The dataset below whose prefix a stream delivers, and the function that it lets change its records, if any."""
    client = platform.client("firehose")
    description = client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    destination = description["Destinations"][0]["ExtendedS3DestinationDescription"]
    sources = dict.fromkeys(model.load(curated).source or "" for curated in inventory.rejecting())
    feeds = tuple(raw for raw in sources if destination["Prefix"].startswith(f"{model.load(raw).path}/"))
    processing = destination.get("ProcessingConfiguration", {}).get("Processors", [])
    arguments = {entry["ParameterName"]: entry["ParameterValue"] for step in processing for entry in step["Parameters"]}
    # The ARN of a function goes on with its version.
    return feeds, arguments.get("LambdaArn", "").partition(":function:")[2].partition(":")[0]


def job_ends(platform: Platform, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The datasets that a job reads, and those that it writes."""
    arguments = platform.job_arguments(name)
    return tuple(json.loads(arguments["--reads"])), tuple(json.loads(arguments["--writes"]))


def flow(
    steps: Steps, datasets: Mapping[str, Dataset], records: Mapping[str, PartialResult[int]], states: Mapping[str, str]
) -> Flow:
    """Draw steps and datasets together: one lane for each curated dataset, what feeds it in the same lane.

    A derived dataset spans the lanes of its inputs.

    ``records`` are of every table to be drawn, quarantine tables included; ``states`` are the datasets' freshness.
    """
    drawn = [loaded for loaded in _by_source() if loaded.name in records]
    lanes, every = _lanes(drawn), tuple(range(max(sum(loaded.has_quarantine for loaded in drawn), 1)))
    nodes = [*_step_nodes(steps, lanes), *_dataset_nodes(drawn, datasets, records, states, lanes)]
    nodes.append(Node(QUERY, "query", every, ("tables for analysts",)))
    return Flow(tuple(nodes), tuple(_edges(steps, {node.name for node in nodes})))


def _by_source() -> list[Contract]:
    """The curated datasets, those of one raw dataset beside each other; then derived ones, each after its inputs."""
    drawn = [model.load(name) for name in inventory.rejecting()]
    sources = [loaded.source for loaded in drawn]
    derived = [model.load(name) for name in inventory.curated() if not model.load(name).has_quarantine]
    return [*sorted(drawn, key=lambda loaded: sources.index(loaded.source)), *derived]


def _lanes(drawn: Sequence[Contract]) -> dict[str, tuple[int, ...]]:
    """A lane for each curated dataset and its quarantine; a raw one spans the lanes of all that are made from it."""
    lanes: dict[str, tuple[int, ...]] = {}
    for lane, loaded in enumerate(loaded for loaded in drawn if loaded.has_quarantine):
        lanes[loaded.name] = lanes[loaded.quarantine().name] = (lane,)
        source = loaded.source or ""
        lanes[source] = (*lanes.get(source, ()), lane)
    for loaded in drawn:
        if loaded.inputs:
            spanned = {lane for name in loaded.inputs for lane in lanes.get(name, (0,))}
            lanes[loaded.name] = tuple(range(min(spanned), max(spanned) + 1))
    return lanes


def _step_nodes(steps: Steps, lanes: dict[str, tuple[int, ...]]) -> Iterator[Node]:
    for kind, group in (("stream", steps.streams), ("function", steps.functions), ("job", steps.jobs)):
        for step in group:
            ends = (*step.feeds, *steps.reads.get(step.name, ()))
            spanned = tuple(sorted({lane for end in ends for lane in lanes.get(end, ())}))
            # One that tells nothing of what it feeds, because it is gone, still has its place.
            lanes[step.name] = spanned or (0,)
            yield Node(step.name, kind, lanes[step.name], step.lines, _tone(step.bad), step.failure)


def _dataset_nodes(
    drawn: Sequence[Contract],
    datasets: Mapping[str, Dataset],
    records: Mapping[str, PartialResult[int]],
    states: Mapping[str, str],
    lanes: Mapping[str, tuple[int, ...]],
) -> Iterator[Node]:
    # A raw dataset may feed several curated ones, and is drawn once.
    kinds = {loaded.source: "raw" for loaded in drawn if loaded.source}
    for loaded in drawn:
        quarantine = {loaded.quarantine().name: "quarantine"} if loaded.has_quarantine else {}
        kinds |= {loaded.name: "derived" if loaded.inputs else "curated", **quarantine}
    for part, kind in kinds.items():
        stale = states.get(part) == "stale"
        lines = (_counted(records[part]), *_stored(datasets.get(part)))
        failure = records[part].failure
        shown = (*lines[:1], "stale") if stale else lines
        yield Node(part, kind, lanes[part], shown, _tone(stale or bool(failure)), failure=failure)


def _tone(bad: bool) -> str:
    return "bad" if bad else "ok"


def _counted(records: PartialResult[int]) -> str:
    return "not readable" if records.value is None else counted(records.value, "record")


def _stored(dataset: Dataset | None) -> tuple[str, ...]:
    return () if dataset is None else (f"{counted(dataset.objects, 'object')}, {size(dataset.size)}",)


def counted(number: float, thing: str) -> str:
    """Return a number with its noun, e.g. ``2 objects``."""
    return f"{number:,.0f} {thing}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Return a number of bytes as text, e.g. ``1.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _edges(steps: Steps, known: set[str]) -> Iterator[tuple[str, str]]:
    # A derived dataset hangs on its inputs, whichever job makes it.
    made = {name: model.load(name) for name in inventory.curated() if name in known}
    for step in (*steps.functions, *steps.streams, *steps.jobs):
        yield from ((step.name, end) for end in step.feeds if end in known and not (end in made and made[end].inputs))
        yield from ((start, step.name) for start in steps.reads.get(step.name, ()) if start in known - made.keys())
    for name, loaded in made.items():
        yield from ((start, name) for start in loaded.inputs if start in known)
        yield (name, QUERY)
        if loaded.has_quarantine and loaded.quarantine().name in known:
            yield (loaded.quarantine().name, QUERY)
