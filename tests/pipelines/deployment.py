"""A deployed dev platform, and what tests do with it and ask it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from drills.lake import FORGOTTEN_SECONDS, Invocation, Lake
from drills.lake import RUN_DEADLINE_SECONDS as DEADLINE_SECONDS
from tests import deployments, local_aws
from tests.local_aws import REPOSITORY, LocalAws

__all__ = ["DEADLINE_SECONDS", "FORGOTTEN_SECONDS", "Deployed", "Invocation"]

DEPLOYMENTS = REPOSITORY / ".cache/deployments"
SAID = "said.json"
KNOWN = "known.json"
MOMENT = "moment"
# More than a restored localaws takes until its clock goes on.
TO_START = timedelta(minutes=1)
# All that a deployment is made of and by. What the functions and the job are made of is in the artifacts.
INPUTS = [
    REPOSITORY / name
    for name in (
        "terraform",
        "contracts",
        "glue_jobs",
        "build/artifacts",
        "localaws/src",
        "requirements",
        "scripts",
        "drills/lake.py",
    )
]


@dataclass(frozen=True)
class Deployed(Lake):
    """dev in this session's localaws. ``said`` collects all that Terraform has printed."""

    pipeline: str = "weather_iot"
    said: list[str] = field(default_factory=list)

    def terraform(self, action: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform for dev, and keep what it says."""
        done = super().terraform(action, **variables)
        self.said.append(done.stdout + done.stderr)
        return done

    def flush(self) -> int:
        """Deliver what the streams hold, without letting time pass; all of it must arrive."""
        left = super().flush()
        assert left == 0
        return left

    def records(self, key: str) -> list[dict[str, Any]]:
        """The records of a newline-delimited object, of which every line ends."""
        body = self.read(key)
        assert body.endswith(b"\n")
        return [json.loads(line) for line in body.splitlines()]


@contextmanager
def fresh(folder: Path) -> Iterator[Deployed]:
    """dev in a localaws of one's own, deployed by Terraform now."""
    build()
    with local_aws.running(folder / "home") as aws:
        yield deploy(aws, folder)


@contextmanager
def restored(folder: Path) -> Iterator[Deployed]:
    """dev in a localaws of one's own, as Terraform deployed it when the same inputs were deployed first."""
    build()
    with _started(deployments.kept(DEPLOYMENTS, INPUTS, _keep), folder) as deployed:
        yield deployed


@dataclass(frozen=True)
class Played:
    """What is done once to a deployed lake, and what many tests begin after.

    ``inputs`` are the files that decide what is done. ``play`` does it, and returns what is to be known of it, as JSON.
    """

    name: str
    inputs: tuple[Path, ...]
    play: Callable[[Deployed], dict[str, Any]]


@contextmanager
def restored_after(played: Played, folder: Path) -> Iterator[tuple[Deployed, dict[str, Any]]]:
    """dev in a localaws of one's own, as ``played`` has left it, and what is known of that."""
    build()
    inputs = [*INPUTS, Path(__file__), *played.inputs]
    snapshot = deployments.kept(
        DEPLOYMENTS / played.name, inputs, partial(_keep_played, played), partial(_is_ahead, least=TO_START)
    )
    # Another process may remove it as soon as it is no more ahead than that.
    if _is_ahead(snapshot, least=2 * TO_START):
        with _started(snapshot, folder) as deployed:
            yield deployed, json.loads((snapshot / KNOWN).read_text(encoding="utf-8"))
    else:
        with restored(folder) as deployed:
            yield deployed, json.loads(_known(played, deployed))


def _is_ahead(snapshot: Path, least: timedelta) -> bool:
    """Whether a lake can go on at the moment at which it was kept, for so long.

    The clock of localaws is never behind real time: it would go on in a later hour, without the data of that time.
    """
    moment = datetime.fromisoformat((snapshot / MOMENT).read_text(encoding="ascii"))
    return moment - datetime.now(UTC) > least


def _known(played: Played, deployed: Deployed) -> str:
    return json.dumps(played.play(deployed), default=str)


@contextmanager
def _started(snapshot: Path, folder: Path) -> Iterator[Deployed]:
    with local_aws.running(folder / "home", snapshot) as aws:
        said = json.loads((snapshot / SAID).read_text(encoding="utf-8"))
        yield Deployed(aws.home, aws.port, aws.environment, folder / "terraform", said=said)


def _keep(snapshot: Path) -> None:
    """Deploy, and keep the lake and what Terraform said."""
    with tempfile.TemporaryDirectory(prefix="deployed-") as folder, fresh(Path(folder)) as deployed:
        _save(deployed, snapshot)


def _keep_played(played: Played, snapshot: Path) -> None:
    """Play on a deployed lake, and keep it and what is to be known."""
    with tempfile.TemporaryDirectory(prefix="played-") as folder, restored(Path(folder)) as deployed:
        (snapshot / KNOWN).write_text(_known(played, deployed), encoding="utf-8")
        (snapshot / MOMENT).write_text(deployed.now.isoformat(), encoding="ascii")
        _save(deployed, snapshot)


def _save(deployed: Deployed, snapshot: Path) -> None:
    deployed.save(snapshot)
    (snapshot / SAID).write_text(json.dumps(deployed.said), encoding="utf-8")


def build() -> None:
    """Build what Terraform deploys."""
    built = subprocess.run(
        [sys.executable, "scripts/build.py"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr


def deploy(aws: LocalAws, folder: Path) -> Deployed:
    """Make the state, apply dev."""
    deployed = Deployed(aws.home, aws.port, aws.environment, folder / "terraform")
    # Right after the hourly schedule's minute: nearly an hour may pass until it fires, so no test meets it by chance.
    deployed.advance_to_minute(11)
    bootstrapped = deployed.command("bash", "terraform/bootstrap.sh")
    assert bootstrapped.returncode == 0, bootstrapped.stderr
    assert bootstrapped.stdout.count("created") == 2
    applied = deployed.terraform("apply")
    assert applied.returncode == 0, applied.stdout[-3000:] + applied.stderr
    return deployed
