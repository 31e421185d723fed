"""The whole lake on this machine: start AWS, deploy dev, run each pipeline on recorded input, show the numbers.

With --pipeline one pipeline alone. One without a module in demos/ is deployed and reported, and does nothing by itself.
Runs again without harm and without change. Leaves AWS running; `make down` stops it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from lake.cli.output import show
from lake.core.errors import LakeError
from lake.environment import alarms, deployment
from lake.environment.deployment import Platform
from scripts import roots
from scripts.demo import catalogue, flow
from scripts.demo.pipeline import DemoFailed, Pipeline

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / "build" / "demo"
_Result = TypeVar("_Result")
console = Console(highlight=False)
# Where the step that runs now shows what it does; empty without a terminal.
_progress: list[Callable[[str], None]] = []


def main() -> int:
    """Command line; 0 when everything worked and the numbers add up."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--pipeline", choices=roots.pipelines(), help="this one alone (make: PIPELINE=…)")
    chosen = parser.parse_args().pipeline
    pipelines = [chosen] if chosen else roots.pipelines()
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        deploy([roots.PLATFORM, chosen] if chosen else [])
        show_result(run_pipelines(pipelines))
    except (DemoFailed, LakeError, BotoCoreError, ClientError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    return 0


def deploy(chosen: list[str]) -> None:
    """Start AWS on this machine and deploy the ``chosen`` roots to it, all when none is chosen."""
    _step("Start AWS on this machine", lambda: _command("up", [sys.executable, "-m", "localaws", "up"]))
    os.environ.update(_environment())
    _step("Build functions and wheel", lambda: _command("build", [sys.executable, "scripts/build.py"]))
    _step("Make the Terraform state", lambda: _command("bootstrap", ["bash", "terraform/bootstrap.sh"]))
    apply = [sys.executable, "-m", "scripts.terraform", "apply", "--env", "dev"]
    if not chosen:
        _step("terraform apply (dev)", lambda: _command("apply", apply))
    for root in chosen:
        alone = [*apply, "--pipeline", root]
        _step(f"terraform apply (dev, {root})", partial(_command, f"apply-{root}", alone))


def run_pipelines(pipelines: list[str]) -> dict[str, Any]:
    """Everything from the sources to the analysts, one pipeline after the other; returns the summary."""
    lake = deployment.load("dev")
    ran = {name: _run_pipeline(lake, name) for name in pipelines}
    _step("Draw the lake on one page", lambda: flow.draw(lake, BUILD / "report.html"))
    return {
        "environment": "dev",
        "pipelines": ran,
        "datasets": _step("Count every dataset", lambda: flow.sizes(lake, pipelines)),
        "counts": flow.counts(lake, pipelines),
        "content": flow.content(lake, pipelines),
        "alarms": [
            {"alarm": alarm.name, "state": alarm.state, "reason": alarm.reason} for alarm in alarms.current(lake)
        ],
    }


def _run_pipeline(lake: Platform, name: str) -> dict[str, Any]:
    """Run the steps of a pipeline's demo and ask its questions; returns what each has returned."""
    demo, pipeline = catalogue.demo(name), Pipeline(lake, name, lambda state: _show_progress([state]))
    steps = {step.title: _step(step.title, partial(step.work, pipeline)) for step in demo.steps}
    if not demo.questions:
        return {"steps": steps, "answers": {}}
    return {"steps": steps, "answers": _step("Ask Athena", lambda: flow.answers(lake, demo.questions))}


def show_result(summary: dict[str, Any]) -> None:
    """The tables on the terminal, the same in build/demo."""
    (BUILD / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    console.print()
    show(summary["datasets"], as_json=False, title="Objects and records")
    show(summary["counts"], as_json=False, title="received = new + replaced + duplicate + quarantined")
    for pipeline in summary["pipelines"].values():
        for question, answer in pipeline["answers"].items():
            rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
            title = f"{question}: {len(rows)} rows, {answer['bytes_scanned']:,} bytes scanned"
            show(rows[:8], as_json=False, title=title)
    show(summary["alarms"], as_json=False, title="Alarms")
    print(_NEXT.format(dataset=next(iter(summary["content"]), "DATASET")))


_NEXT = """
The lake on one page: build/demo/report.html   ('lake report' draws it anew)
The numbers:          build/demo/summary.json

AWS runs on this machine until 'make down'. What to try next:
  eval "$(make -s env)"; eval "$(lake names)"
  lake status
  lake cost
  lake query "SELECT * FROM pipeline_runs"
  lake quarantine list {dataset}
  aws s3 ls --recursive s3://$BUCKET/curated/
  lake local advance 1h        the schedules of an hour run now"""


def _step(name: str, work: Callable[[], _Result]) -> _Result:
    """Run one step and say how long it took; on a terminal it moves while it works."""
    started = time.monotonic()
    if console.is_terminal:
        with console.status(name) as status:
            _progress.append(lambda text: status.update(f"{name}  [dim]{text[: console.width - len(name) - 8]}[/dim]"))
            result = work()
            _progress.pop()
    else:
        print(f"{name} …", flush=True)
        result = work()
    console.print(f"[green]✓[/green] {name}  [dim]{time.monotonic() - started:.1f} s[/dim]")
    return result


def _command(name: str, command: list[str]) -> None:
    """Run a command of the project; its output goes to build/demo/<name>.log and is shown when it fails."""
    log = BUILD / f"{name}.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT)
        while _runs(process):
            _show_progress(_lines(log)[-1:])
    if process.returncode:
        tail = "\n".join(_lines(log)[-25:])
        where = log.relative_to(REPOSITORY)
        raise DemoFailed(f"'{name}' ended with {process.returncode}; the end of {where}:\n{tail}")


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """Wait a moment; whether the process still runs."""
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return True
    return False


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _show_progress(lines: list[str]) -> None:
    for show_line in _progress[-1:]:
        show_line(escape("".join(lines)))


def _environment() -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    from localaws.core import settings

    return settings.credentials()


if __name__ == "__main__":
    sys.exit(main())
