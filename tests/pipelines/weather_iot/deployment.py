"""A deployed dev platform, and what tests do with it and ask it."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.lake import FORGOTTEN_SECONDS, UNFINISHED, Invocation, Lake, weather_record
from drills.lake import RUN_DEADLINE_SECONDS as DEADLINE_SECONDS
from tests.local_aws import LocalAws

__all__ = ["DEADLINE_SECONDS", "FORGOTTEN_SECONDS", "UNFINISHED", "Deployed", "Invocation", "deploy", "weather_record"]


@dataclass(frozen=True)
class Deployed(Lake):
    """dev in this session's localaws. ``said`` collects all that Terraform has printed."""

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


def deploy(aws: LocalAws, folder: Path) -> Deployed:
    """Build, make the state, apply dev."""
    deployed = Deployed(aws.home, aws.port, aws.environment, folder / "terraform")
    # Right after the hourly schedule's minute: nearly an hour may pass until it fires, so no test meets it by chance.
    deployed.advance_to_minute(11)
    built = deployed.command(sys.executable, "scripts/build.py")
    assert built.returncode == 0, built.stderr
    bootstrapped = deployed.command("bash", "terraform/bootstrap.sh")
    assert bootstrapped.returncode == 0, bootstrapped.stderr
    assert bootstrapped.stdout.count("created") == 2
    applied = deployed.terraform("apply")
    assert applied.returncode == 0, applied.stdout[-3000:] + applied.stderr
    return deployed
