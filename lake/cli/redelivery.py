"""``lake redeliver``: list and redeliver messages that the delivery stream did not put into raw."""

from collections import Counter
from typing import Annotated

import typer

from lake.cli.options import Environment, Json
from lake.cli.output import show
from lake.environment.deployment import load
from lake.maintenance import redelivery
from lake.maintenance.redelivery import Message

application = typer.Typer(
    help="Messages that the delivery stream did not put into raw.",
    no_args_is_help=True,
    epilog="Example: lake redeliver run --yes",
)

Pipeline = Annotated[str | None, typer.Option(help="Pipeline of the stream, where several have streams.")]
Stream = Annotated[str | None, typer.Option(help="Short name of the stream, where the pipeline has several.")]


@application.command("list")
def list_failed(
    last: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    pipeline: Pipeline = None,
    stream: Stream = None,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """List the waiting messages: reason and place of each. Their content is not shown."""
    platform = load(env)
    found = redelivery.waiting(platform, redelivery.stream(platform, pipeline, stream))
    newest = sorted(found, key=lambda message: (message.arrived_at, message.line), reverse=True)[:last]
    rows = [
        {"arrived_at": message.arrived_at, "code": message.code, "object": message.stored.key, "line": message.line}
        for message in newest
    ]
    show(rows, as_json, "Failed deliveries")


@application.command()
def run(
    failed_validation: Annotated[
        bool, typer.Option("--failed-validation", help="Also those that the validation refused: mended since.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be done.")] = False,
    pipeline: Pipeline = None,
    stream: Stream = None,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Redeliver messages to the stream, each once: those that came while the stream's check itself failed.

    Ends with 1 when the stream does not accept all of them; repeat the command then.
    """
    platform = load(env)
    source = redelivery.stream(platform, pipeline, stream)
    waiting = redelivery.waiting(platform, source)
    chosen = [message for message in waiting if failed_validation or not message.failed_validation]
    if yes:
        redelivery.send(platform, source, chosen)
    show(_summary(waiting, chosen, "sent" if yes else "would be sent"), as_json, "Failed deliveries")


def _summary(waiting: list[Message], chosen: list[Message], done: str) -> list[dict[str, object]]:
    every, some = (Counter(message.code for message in group) for group in (waiting, chosen))
    return [{"code": code, done: some[code], "left": number - some[code]} for code, number in sorted(every.items())]
