"""Run a drill: break, notice, follow the runbook, prove."""

import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.drill import Drill, DrillFailed, require
from drills.lake import Lake, Unfinished
from drills.runbook import Runbook
from lake.core.errors import LakeError
from lake.environment.deployment import project
from scripts import roots

# What may go wrong in a drill; anything else is a defect of the drill and shows as one.
_PROBLEMS = (DrillFailed, Unfinished, LakeError, BotoCoreError, ClientError, OSError, subprocess.SubprocessError)
STEP_SECONDS = 60
ALARMS_OVER_SECONDS = 3600
NO_CHANGES = "No changes. Your infrastructure matches the configuration."
Say = Callable[[str], None]


@dataclass
class Result:
    """The result of a drill. Times to detect and to restore are simulated seconds after the fault, others real."""

    id: str
    section: str
    title: str
    passed: bool = False
    problem: str = ""
    alarms: tuple[str, ...] = ()
    noticed: str = ""
    detected_seconds: float = 0.0
    restored_seconds: float = 0.0
    proof: str = ""
    blocks: dict[str, float] = field(default_factory=dict)
    wall_seconds: float = 0.0


class Terminal:
    """A shell session of somebody on call: what one command exports, the next one has."""

    def __init__(self, lake: Lake, beginning: str, variables: Path) -> None:
        self._lake, self._beginning, self._variables = lake, beginning, variables
        variables.write_text("", encoding="utf-8")

    def give(self, variables: Mapping[str, str]) -> None:
        """Export variables, as ``export NAME=value`` typed by hand."""
        with self._variables.open("a", encoding="utf-8") as file:
            file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())

    def type(self, commands: str) -> tuple[int, str]:
        """Run commands; exit code and all that was printed."""
        file = shlex.quote(str(self._variables))
        script = f"{self._beginning}\nsource {file}\n{commands}\nexport -p > {file}\n"
        done = self._lake.command("bash", "-euo", "pipefail", "-c", script)
        return done.returncode, done.stdout + done.stderr


@dataclass
class _Waiting:
    """A drill that is over but for its alarms: the mails that say that they are OK have not come yet."""

    drill: Drill
    result: Result
    mails: int


class Runner:
    """Runs drills against one lake, with one runbook. ``say`` gets a line for each step."""

    def __init__(self, lake: Lake, runbook: Runbook, say: Say) -> None:
        self.lake, self.runbook, self.say = lake, runbook, say
        self._waiting: list[_Waiting] = []
        self._unplanned: list[Result] = []
        made = lake.command("make", "-s", "env")
        require(made.returncode == 0, f"make env failed\n{made.stderr}")
        self.shell = made.stdout

    def run(self, drill: Drill) -> Result:
        """Run one drill. What it broke and did not mend is left to ``terraform apply``."""
        # What a drill that applies has left, it has left to nobody's apply but its own.
        if drill.section in {result.section for result in self._unplanned if not _has_applied(result)}:
            self.require_empty_plan()
        result, started = Result(drill.id, drill.section, drill.title), time.monotonic()
        self.say(f"{drill.id}  {drill.title}")
        try:
            self._run(drill, result)
            result.passed = True
        except _PROBLEMS as error:
            self._fail(result, error)
            self.lake.command("make", "-s", "apply")
        result.wall_seconds = round(time.monotonic() - started, 1)
        self.say(f"{drill.id}  {'passed' if result.passed else 'FAILED'} in {result.wall_seconds} s")
        return result

    def require_empty_plan(self) -> None:
        """Ask Terraform whether the drills since the last time have left anything; they fail when they have."""
        drills, self._unplanned = self._unplanned, []
        if not drills:
            return
        done = self.lake.terraform("plan")
        if done.returncode == 0:
            return
        ids = ", ".join(result.id for result in drills)
        error = DrillFailed(f"after {ids} the plan is not empty\n{(done.stdout + done.stderr)[-3000:]}")
        for result in drills:
            result.passed = False
            self._fail(result, error)
        self.lake.command("make", "-s", "apply")

    def drain(self, alarms: Iterable[str] | None = None) -> None:
        """Let time pass until the alarms of earlier drills (of these only, when given) have mailed that they are OK."""
        wanted = None if alarms is None else set(alarms)
        for waiting in [w for w in self._waiting if wanted is None or wanted & set(w.drill.alarms)]:
            self._waiting.remove(waiting)
            try:
                self._wait_for_good_news(waiting)
            except DrillFailed as error:
                waiting.result.passed = False
                self._fail(waiting.result, error)

    def _fail(self, result: Result, error: Exception) -> None:
        result.problem = f"{type(error).__name__}: {error}"
        self.say(f"{result.id}  {result.problem}")

    def _run(self, drill: Drill, result: Result) -> None:
        self.drain(None if drill.unheard else drill.alarms)
        self._wait_until_over(drill.alarms)
        mails, started = len(self.lake.mail()), self.lake.now
        lake, found = self.lake.of(drill.pipeline), None
        try:
            found = drill.inject(lake)
            result.noticed = self._notice(drill, lake, found, mails, result)
            result.detected_seconds = self._since(started)
            self._follow(drill, lake, found, result)
            if drill.plans_nothing:
                self._unplanned.clear()
            lake.advance(drill.waits.get("proof", 0))
            result.proof = drill.proof(lake, found)
            result.restored_seconds = self._since(started)
        finally:
            lake.reset_simulators()
            lake.break_aws()
            drill.cleanup(lake, found)
        self.say(f"{drill.id}  {result.proof}")
        self._waiting.append(_Waiting(drill, result, mails))
        if not (drill.fresh_account or drill.plans_nothing):
            self._unplanned.append(result)

    def _notice(self, drill: Drill, lake: Lake, found: Any, mails: int, result: Result) -> str:
        if drill.noticed is not None:
            return drill.noticed(lake, found)
        waiting, waited = set(drill.alarms), 0
        while waiting:
            waiting -= self._news(mails, "ALARM")
            if waiting and waited >= drill.notice_seconds:
                raise DrillFailed(f"no mail of {', '.join(sorted(waiting))} within {waited} simulated seconds")
            if waiting:
                self.lake.advance(STEP_SECONDS)
                waited += STEP_SECONDS
        result.alarms = drill.alarms
        return f"mail: {', '.join(drill.alarms)}"

    def _news(self, first: int, state: str) -> set[str]:
        """The short names of the alarms that have mailed this state since."""
        pattern = rf'^{state}: "{project()}-(\S+)-dev"'
        found = (re.match(pattern, mail["subject"]) for mail in self.lake.mail()[first:])
        return {match[1] for match in found if match}

    def _follow(self, drill: Drill, lake: Lake, found: Any, result: Result) -> None:
        """Run the blocks one after the other, as somebody who copies them from the page into one terminal."""
        with tempfile.TemporaryDirectory() as folder:
            terminal = Terminal(lake, self.shell, Path(folder) / "variables")
            terminal.give(drill.variables(lake, found))
            for number, block in enumerate(drill.names()):
                if seconds := drill.waits.get(block.rpartition(".")[2]) or drill.waits.get(block):
                    lake.advance(seconds)
                started = time.monotonic()
                printed = self._block(terminal, lake, block, block.rpartition(".")[2] in drill.refused)
                result.blocks[block] = round(time.monotonic() - started, 1)
                self.say(f"{drill.id}  {block}  {result.blocks[block]} s")
                if number == 0:
                    self._require_sign(drill, f"{result.noticed}\n{printed}")
                    result.noticed = result.noticed or f"seen in {block}"
                    terminal.give({name: self._read(pattern, printed) for name, pattern in drill.reads.items()})
            if drill.plans_nothing:
                planned = printed.count(NO_CHANGES)
                require(planned == len(roots.pipelines()) + 1, f"there is something to do\n{printed[-3000:]}")

    def _block(self, terminal: "Terminal", lake: Lake, block: str, refused: bool) -> str:
        require(block in self.runbook.blocks, f"the runbook has no block {block}")
        code, printed = terminal.type(self.runbook.script(block))
        if (code != 0) != refused:
            raise DrillFailed(f"{block} ended with {code}\n{printed[-3000:]}")
        require('"FunctionError"' not in printed, f"{block}: the function failed\n{printed[-3000:]}")
        if run_id := re.search(r'"JobRunId": "(\w+)"', printed):
            _require_success(lake, block, run_id[1])
        if missing := self.runbook.missing_from(block, printed):
            raise DrillFailed(f"{block} did not print {missing} but\n{printed[-3000:]}")
        return printed

    def _require_sign(self, drill: Drill, printed: str) -> None:
        cause = self.runbook.causes.get(drill.id)
        for word in cause.quoted if cause else []:
            parts = [re.escape(part) for part in word.split("…")]
            if not re.search(".*".join(parts), printed):
                raise DrillFailed(f"there is no {word!r}, the sign of cause {drill.id}\n{printed[-3000:]}")

    def _read(self, pattern: str, printed: str) -> str:
        found = re.search(pattern, printed)
        require(found is not None, f"{pattern!r} is not in what the first block printed:\n{printed[-2000:]}")
        return found[1] if found else ""

    def _wait_for_good_news(self, waiting: _Waiting) -> None:
        waited = 0
        while (missing := set(waiting.drill.alarms) - self._news(waiting.mails, "OK")) and waited < ALARMS_OVER_SECONDS:
            self.lake.advance(STEP_SECONDS * 5)
            waited += STEP_SECONDS * 5
        require(not missing, f"{', '.join(sorted(missing))} did not go back to OK within {waited} simulated seconds")

    def _wait_until_over(self, alarms: tuple[str, ...]) -> None:
        """An alarm that rings already, because a drill has failed, would not mail again."""
        names, waited = {f"{project()}-{alarm}-dev" for alarm in alarms}, 0
        while ringing := names & self.lake.ringing():
            require(waited < ALARMS_OVER_SECONDS, f"{', '.join(sorted(ringing))} rings without end")
            self.lake.advance(STEP_SECONDS * 5)
            waited += STEP_SECONDS * 5

    def _since(self, started: datetime) -> float:
        return round((self.lake.now - started).total_seconds())


def _has_applied(result: Result) -> bool:
    """Return True if one of its blocks was an apply of everything."""
    return any(block.rpartition(".")[2] == "apply" for block in result.blocks)


def _require_success(lake: Lake, block: str, run_id: str) -> None:
    run = lake.ended(run_id)
    reason = f"{block}: the run ended with {run['JobRunState']}: {run.get('ErrorMessage', '')}"
    require(run["JobRunState"] == "SUCCEEDED", reason)
