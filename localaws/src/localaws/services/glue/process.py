"""One Glue job run as a process: its arguments, states, logs and end.

AWS: Spark on workers of its own, with the job's role, killed at its timeout; what it prints goes to log groups below
/aws-glue/jobs or below the prefix that the job's arguments name, as far as the role may create and fill them.
MiniStack: nothing runs. Added: a process group with the role's session and nothing else of this process; what the role
may not write down is lost, as on AWS. The run's folder holds the script, the unpacked packages, Spark's settings and
scratch space; it goes when the run ends.
"""

import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ministack.services import cloudwatch_logs

from localaws.core import clock, identity, settings
from localaws.services.glue import launch

LOG_GROUP_ARGUMENT, LOG_GROUP = "--custom-logGroup-prefix", "/aws-glue/jobs"
POLL_SECONDS = 0.1
# A run hangs that for so long has used less than this part of one processor. A waiting JVM uses about a hundredth.
PATIENCE_SECONDS = 60
BUSY = 0.05

TRACEBACK = "Traceback (most recent call last):"


def arguments(job: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """Return the arguments of a run that was started with ``given``: the job's own that may not be overridden win."""
    return {**(job.get("DefaultArguments") or {}), **given, **(job.get("NonOverridableArguments") or {})}


def log_group(job: dict[str, Any], given: dict[str, str]) -> str:
    """Return what the names of a run's log groups begin with; ``/output`` and ``/error`` follow."""
    return arguments(job, given).get(LOG_GROUP_ARGUMENT) or LOG_GROUP


def runs_folder() -> Path:
    """Return the folder of the runs' folders."""
    return settings.home() / "glue-runs"


@dataclass
class Activity:
    """When a process was last seen at work, on a monotonic clock, and the processor time that it had used by then."""

    at: float
    used: float = 0.0

    def has_ceased(self, now: float, used: float) -> bool:
        """Return whether it has stood still for a while, having `used` so many processor seconds up to `now`."""
        if used - self.used >= BUSY * max(now - self.at, PATIENCE_SECONDS):
            self.at, self.used = now, used
        return now - self.at >= PATIENCE_SECONDS


class Process:
    """The process of one run. `run` blocks until it ends; `stop` and `kill` may come from any thread.

    `ended` is set by the owner when all that follows the end has been done.
    """

    def __init__(self, job: dict[str, Any], run: dict[str, Any]) -> None:
        self._job, self._run = job, run
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self.ended, self._activity = threading.Event(), Activity(time.monotonic())
        self._errors: collections.deque[str] = collections.deque(maxlen=5000)
        # What the role may do to its logs; asked once for a run, not for each line.
        self._rights: dict[tuple[str, str], bool] = {}

    def stop(self) -> None:
        """Kill the process group; the run ends STOPPED."""
        self._stopped.set()
        self.kill()

    def kill(self) -> None:
        """Kill the process group. Spark's JVM is in it, so nothing of the job goes on."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def hangs(self) -> bool:
        """Return whether it only waits: give up a job that stands still, not one on a slow machine.

        To be asked again and again, from one thread."""
        used = _processor_seconds(self._child.pid) if self._child else 0.0
        return self._activity.has_ceased(time.monotonic(), used)

    def run(self) -> tuple[str, str]:
        """Run to the end; final state and error message (empty when there is none)."""
        runs_folder().mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{self._run['JobName']}-", dir=runs_folder()))
        try:
            child = self._launched(folder)
        except launch.LaunchError as error:
            self._log("error", f"LAUNCH ERROR | {error}")
            return "FAILED", f"LAUNCH ERROR | {error}"
        else:
            pumps = [self._pump("output", child.stdout), self._pump("error", child.stderr)]
            timed_out = self._wait(child)
            self.kill()
            for pump in pumps:
                pump.join()
            return self._end(child.returncode, timed_out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _launched(self, folder: Path) -> subprocess.Popen[bytes]:
        own = {"--JOB_NAME": self._run["JobName"], "--JOB_RUN_ID": self._run["Id"]}
        whole = {**own, **arguments(self._job, self._run["Arguments"])}
        command, environment = launch.prepared(folder, self._job, whole)
        self._child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if self._stopped.is_set():
            self.kill()
        else:
            self._run["JobRunState"] = "RUNNING"
        return self._child

    def _wait(self, child: subprocess.Popen[bytes]) -> bool:
        """Wait for the end; whether the timeout, minutes on localaws' clock, came first."""
        deadline = self._run["StartedOn"] + 60 * self._run["Timeout"]
        while True:
            try:
                child.wait(POLL_SECONDS)
                return False
            except subprocess.TimeoutExpired:
                if clock.now().timestamp() >= deadline:
                    self.kill()
                    child.wait()
                    return True

    def _end(self, exit_code: int, timed_out: bool) -> tuple[str, str]:
        if self._stopped.is_set():
            return "STOPPED", ""
        if timed_out:
            return "TIMEOUT", f"Job run exceeded its timeout of {self._run['Timeout']} minutes"
        if exit_code == 0:
            return "SUCCEEDED", ""
        if exit_code < 0:
            return "FAILED", f"Command was killed by signal {-exit_code}"
        said = _last_exception(list(self._errors)) if exit_code == 1 else ""
        return "FAILED", said or f"Command failed with exit code {exit_code}"

    def _pump(self, kind: str, stream: IO[bytes] | None) -> threading.Thread:
        def copy_lines() -> None:
            for line in stream or ():
                text = line.decode("utf-8", errors="replace").rstrip("\n")
                if kind == "error":
                    self._errors.append(text)
                if text:
                    self._log(kind, text)

        pump = threading.Thread(target=copy_lines, daemon=True)
        pump.start()
        return pump

    def _log(self, kind: str, line: str) -> None:
        group, stream = f"{self._run['LogGroupName']}/{kind}", self._run["Id"]
        place = {"logGroupName": group, "logStreamName": stream}
        if group not in cloudwatch_logs._log_groups and self._may("logs:CreateLogGroup", group):
            cloudwatch_logs._create_log_group({"logGroupName": group})
        streams = (cloudwatch_logs._log_groups.get(group) or {}).get("streams")
        if streams is not None and stream not in streams and self._may("logs:CreateLogStream", group, stream):
            cloudwatch_logs._create_log_stream(place)
        if streams is not None and stream in streams and self._may("logs:PutLogEvents", group, stream):
            event = {"timestamp": int(time.time() * 1000), "message": line}
            cloudwatch_logs._put_log_events({**place, "logEvents": [event]})

    def _may(self, action: str, group: str, stream: str = "") -> bool:
        asked = (action, group)
        if asked not in self._rights:
            arn = f"arn:aws:logs:{settings.REGION}:{settings.ACCOUNT}:log-group:{group}"
            resource = f"{arn}:log-stream:{stream}" if stream else arn
            self._rights[asked] = identity.role_may(launch.role_arn(self._job), action, resource)
        return self._rights[asked]


def _processor_seconds(group: int) -> float:
    """Return the processor seconds of a group of processes; ps prints [days-][hours:]minutes:seconds."""
    ps = subprocess.run(["ps", "-A", "-o", "pgid=,time="], capture_output=True, text=True, check=False).stdout
    times = [line.split()[1] for line in ps.splitlines() if line.split()[0] == str(group)]
    return sum(_seconds(text) for text in times)


def _seconds(text: str) -> float:
    parts = [float(part) for part in re.split("[-:]", text)]
    return sum(part * unit for part, unit in zip(reversed(parts), (1, 60, 3600, 86400), strict=False))


def _last_exception(errors: list[str]) -> str:
    """The exception that a script died of, without its module and with the cause that Spark puts on the next line."""
    starts = [number for number, line in enumerate(errors) if line == TRACEBACK]
    if not starts:
        return next((line for line in reversed(errors) if line.strip()), "")  # the text of sys.exit("text")
    said = [line for line in errors[starts[-1] + 1 :] if line and not line.startswith(" ")]
    if not said:
        return ""
    cause = said[1] if len(said) > 1 and said[1].startswith(": ") else ""
    return (re.sub(r"^[\w.]+\.(?=\w+(:|$))", "", said[0]) + cause)[:4000]
