"""Run a workflow on this machine: its `run:` steps as they stand, its `uses:` by stand-ins.

A job gets a clone of the repository, as a runner does. The packages that `make setup` installed are linked into it, so
set-up steps find them there. Before `configure-aws-credentials` a step has no credentials.
"""

import fnmatch
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.delivery import expressions
from tests.delivery.api import TOKEN
from tests.local_aws import REPOSITORY

WORKFLOWS = ".github/workflows"
INSTALLED = (".venv", ".venv-checks", ".venv-audit", ".cache")
# What of this machine a step may see: where programs, packages and Terraform's provider are.
PASSED = (
    *("HOME", "LANG", "TF_PLUGIN_MIRROR", "TF_CLI_CONFIG_FILE"),
    *("UV_", "PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)


@dataclass(frozen=True)
class Assumption:
    """What `configure-aws-credentials` asks for, and the claim by which AWS decides: the subject of the run's token."""

    role: str
    session: str
    account: str
    region: str
    subject: str


@dataclass
class Job:
    """How a job ended: success, failure or skipped."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""


@dataclass
class Run:
    """A run of a workflow: its jobs by path, such as ``dev / apply_platform / apply``."""

    jobs: dict[str, Job] = field(default_factory=dict)
    result: str = "success"

    @property
    def said(self) -> str:
        """Everything that its steps have printed."""
        return "\n".join(f"--- {path}: {job.result}\n{job.said}" for path, job in self.jobs.items())

    def results(self) -> dict[str, str]:
        """Path of each job => how it ended."""
        return {path: job.result for path, job in self.jobs.items()}


@dataclass
class Runner:
    """Runs the workflows of ``source``, a Git repository. ``credentials`` stands for AWS's STS.

    ``executed`` collects (workflow, job, command) of every step that ran. ``before`` is called before jobs, by path.
    """

    source: Path
    folder: Path
    variables: dict[str, str]
    api: str
    aws: dict[str, str]
    credentials: Callable[[Assumption], dict[str, str]]
    executed: set[tuple[str, str, str]] = field(default_factory=set)
    attested: list[str] = field(default_factory=list)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    runs: int = 0

    def run(
        self,
        workflow: str,
        event: str,
        github: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        only: set[str] | None = None,
    ) -> Run:
        """Run a workflow, or ``only`` some of its jobs, for an event; on main unless ``github`` says otherwise."""
        self.runs += 1
        run = {"event_name": event, "event": {}, "run_id": str(self.runs), "token": TOKEN}
        usual = {"ref": "refs/heads/main", "ref_name": "main", "repository": "owner/lake"}
        context = {**run, **usual, "server_url": "https://github.invalid", **(github or {})}
        place = self.folder / f"run-{self.runs}"
        done = Run()
        done.result = _Workflow(self, workflow, place, context, dict(inputs or {}), done, "").run(only)
        return done

    def definition(self, workflow: str) -> dict[str, Any]:
        """A workflow as the source's working tree has it."""
        text = (self.source / WORKFLOWS / workflow).read_text(encoding="utf-8")
        # For YAML the key `on` is the truth.
        return {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}


class _Workflow:
    """One workflow of a run, or one that it calls."""

    def __init__(
        self,
        runner: Runner,
        name: str,
        place: Path,
        github: Mapping[str, Any],
        inputs: dict[str, Any],
        done: Run,
        path: str,
    ) -> None:
        self.runner, self.name, self.place, self.github, self.done, self.path = runner, name, place, github, done, path
        self.definition = runner.definition(name)
        self.inputs = self._defaults() | inputs
        self.needs: dict[str, Job] = {}
        self.behind: dict[str, set[str]] = {}

    def run(self, only: set[str] | None = None) -> str:
        """Run every job when those that it needs have ended; how the workflow ended."""
        left = {name: job for name, job in self.definition["jobs"].items() if only is None or name in only}
        while left:
            name = next(name for name, job in left.items() if not set(_needed(job)) & left.keys())
            self.needs[name] = self._job(name, left.pop(name))
        ended = {job.result for job in self.needs.values()}
        return "failure" if "failure" in ended else "success" if "success" in ended else "skipped"

    def outputs(self) -> dict[str, str]:
        """What a called workflow says to its caller."""
        called = self._events().get("workflow_call") or {}
        jobs = {name: {"outputs": job.outputs, "result": job.result} for name, job in self.needs.items()}
        wanted = {name: output["value"] for name, output in (called.get("outputs") or {}).items()}
        return {name: expressions.as_text(value) for name, value in expressions.filled(wanted, {"jobs": jobs}).items()}

    def _events(self) -> Mapping[str, Any]:
        events = self.definition["on"]
        return events if isinstance(events, Mapping) else {}

    def _defaults(self) -> dict[str, Any]:
        events = self._events()
        given: dict[str, Any] = {}
        for event in ("workflow_call", "workflow_dispatch"):
            given |= {
                name: entry.get("default") for name, entry in ((events.get(event) or {}).get("inputs") or {}).items()
            }
        return given

    def _job(self, name: str, job: dict[str, Any]) -> Job:
        needed = _needed(job)
        self.behind[name] = set(needed).union(*(self.behind[other] for other in needed))
        if not self._wanted(name, job, needed):
            return self._ended(name, Job("skipped"))
        if "uses" in job:
            return self._call(name, job)
        matrix = job.get("strategy", {}).get("matrix", {})
        cells = expressions.filled(matrix.get("include", [{}]), self._contexts({}))
        ended = [self._ended(f"{name}{_suffix(cell)}", self._steps(name, job, cell)) for cell in cells]
        return next((one for one in ended if one.result == "failure"), ended[-1])

    def _wanted(self, name: str, job: dict[str, Any], needed: list[str]) -> bool:
        behind = [self.needs[other].result for other in self.behind[name]]
        direct = [self.needs[other].result for other in needed]
        status: dict[str, Callable[[], bool]] = {
            "always": lambda: True,
            "cancelled": lambda: False,
            "failure": lambda: "failure" in behind,
            "success": lambda: set(direct) <= {"success"} and "failure" not in behind,
        }
        written = str(job.get("if", "success()"))
        wanted = expressions.condition(written, self._contexts({}), status)
        return wanted and (expressions.asks_for_the_status(written) or status["success"]())

    def _call(self, name: str, job: dict[str, Any]) -> Job:
        inputs = expressions.filled(job.get("with", {}), self._contexts({}))
        called = Path(job["uses"]).name
        inner = _Workflow(self.runner, called, self.place, self.github, inputs, self.done, f"{self.path}{name} / ")
        result = inner.run()
        return Job(result, inner.outputs())

    def _ended(self, name: str, job: Job) -> Job:
        self.done.jobs[f"{self.path}{name}"] = job
        return job

    def _contexts(self, matrix: Mapping[str, Any]) -> dict[str, Any]:
        needs = {name: {"result": job.result, "outputs": job.outputs} for name, job in self.needs.items()}
        variables = {"vars": self.runner.variables, "inputs": self.inputs, "matrix": matrix}
        return {"github": self.github, "needs": needs, **variables}

    def _steps(self, name: str, job: dict[str, Any], matrix: Mapping[str, Any]) -> Job:
        path = f"{self.path}{name}"
        if path in self.runner.before:
            self.runner.before[path]()
        return _Steps(self, name, job, matrix).run()


class _Steps:
    """The steps of one job."""

    def __init__(self, workflow: _Workflow, name: str, job: dict[str, Any], matrix: Mapping[str, Any]) -> None:
        self.workflow, self.name, self.job = workflow, name, job
        self.runner = workflow.runner
        self.folder = workflow.place / f"{workflow.path}{name}{_suffix(matrix)}".replace(" / ", "-") / "work"
        self.temporary = self.folder.parent / "temp"
        for folder in (self.folder, self.temporary):
            folder.mkdir(parents=True)
        self.contexts = {**workflow._contexts(matrix), "runner": {"temp": str(self.temporary)}, "steps": {}}
        self.environment = self._bare_environment()
        self.ended = Job("success")

    def run(self) -> Job:
        """Run the steps; how the job ended, and its outputs."""
        status: dict[str, Callable[[], bool]] = {
            "always": lambda: True,
            "cancelled": lambda: False,
            "failure": lambda: self.ended.result == "failure",
            "success": lambda: self.ended.result == "success",
        }
        for step in self.job["steps"]:
            written = str(step.get("if", "success()"))
            wanted = expressions.condition(written, self.contexts, status)
            if wanted and (expressions.asks_for_the_status(written) or self.ended.result == "success"):
                self._step(step)
        outputs = expressions.filled(self.job.get("outputs", {}), self.contexts)
        self.ended.outputs = {name: expressions.as_text(value) for name, value in outputs.items()}
        return self.ended

    def _step(self, step: dict[str, Any]) -> None:
        if "run" in step:
            self._run(step)
            return
        given = expressions.filled(step.get("with", {}), self.contexts)
        action = step["uses"].partition("@")[0]
        STAND_INS[action](self, given)

    def _run(self, step: dict[str, Any]) -> None:
        said = self.temporary / "output"
        said.write_text("")
        written = {**self.workflow.definition.get("env", {}), **self.job.get("env", {}), **step.get("env", {})}
        added = {name: expressions.as_text(value) for name, value in expressions.filled(written, self.contexts).items()}
        command = expressions.filled(step["run"], self.contexts)
        environment = {**self.environment, **added, "GITHUB_OUTPUT": str(said)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        self.ended.said += f"$ {command}\n{done.stdout}\n"
        self.runner.executed.add((self.workflow.name, self.name, step["run"]))
        pairs = (line.partition("=") for line in said.read_text().splitlines())
        outputs = {name: value for name, _, value in pairs}
        if "id" in step:
            self.contexts["steps"][step["id"]] = {"outputs": outputs}
        if done.returncode:
            self.ended.said += f"exit code {done.returncode}\n"
            self.ended.result = "failure"

    def _bare_environment(self) -> dict[str, str]:
        programs = [str(self.runner.folder / "bin"), str(Path(sys.base_prefix) / "bin"), os.environ["PATH"]]
        github = self.workflow.github
        return {
            **{name: value for name, value in os.environ.items() if name.upper().startswith(PASSED)},
            "PATH": os.pathsep.join(programs),
            "AWS_ENDPOINT_URL": self.runner.aws["AWS_ENDPOINT_URL"],
            "GITHUB_API_URL": self.runner.api,
            "GITHUB_REPOSITORY": str(github["repository"]),
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary.md"),
            "RUNNER_TEMP": str(self.temporary),
            "CI": "true",
        }

    def fail(self, reason: str) -> None:
        """End a step of the job as failed."""
        self.ended.said += f"{reason}\n"
        self.ended.result = "failure"

    def subject(self) -> str:
        """The claim `sub` of the token that GitHub would sign for this job."""
        environment = expressions.filled(self.job.get("environment", ""), self.contexts)
        github = self.contexts["github"]
        if environment:
            return f"repo:{github['repository']}:environment:{environment}"
        claim = "pull_request" if github["event_name"] == "pull_request" else f"ref:{github['ref']}"
        return f"repo:{github['repository']}:{claim}"

    def artifacts(self) -> Path:
        """Where the artefacts of the run are."""
        return self.workflow.place / "artifacts"


def _checkout(steps: _Steps, given: dict[str, Any]) -> None:
    subprocess.run(["git", "clone", "--quiet", str(steps.runner.source), str(steps.folder)], check=True)
    if given.get("ref"):
        subprocess.run(["git", "-C", str(steps.folder), "checkout", "--quiet", given["ref"]], check=True)
    for name in INSTALLED:
        if (REPOSITORY / name).exists():
            (steps.folder / name).symlink_to(REPOSITORY / name)


def _upload(steps: _Steps, given: dict[str, Any]) -> None:
    source = steps.folder / given["path"]
    if not source.exists():
        if given.get("if-no-files-found") == "error":
            steps.fail(f"there is no {source}")
        return
    target = steps.artifacts() / given["name"]
    if target.exists() and given.get("overwrite"):
        shutil.rmtree(target)
    if target.exists():
        steps.fail(f"the artefact {given['name']} is there already")
        return
    shutil.copytree(source, target)


def _download(steps: _Steps, given: dict[str, Any]) -> None:
    target = steps.folder / given["path"]
    if "name" in given:
        if not (steps.artifacts() / given["name"]).is_dir():
            steps.fail(f"there is no artefact {given['name']}")
            return
        shutil.copytree(steps.artifacts() / given["name"], target, dirs_exist_ok=True)
        return
    for found in sorted(steps.artifacts().iterdir()):
        if fnmatch.fnmatchcase(found.name, given["pattern"]):
            shutil.copytree(found, target if given.get("merge-multiple") else target / found.name, dirs_exist_ok=True)


def _credentials(steps: _Steps, given: dict[str, Any]) -> None:
    assert (steps.job.get("permissions") or {}).get("id-token") == "write", "the run could not get a token"
    asked = Assumption(
        given["role-to-assume"],
        given["role-session-name"],
        given["allowed-account-ids"],
        given["aws-region"],
        steps.subject(),
    )
    steps.environment |= {
        **steps.runner.credentials(asked),
        "AWS_REGION": asked.region,
        "AWS_DEFAULT_REGION": asked.region,
    }


def _attest(steps: _Steps, given: dict[str, Any]) -> None:
    steps.runner.attested += sorted(path.name for path in steps.folder.glob(given["subject-path"]))


def _nothing(_steps: _Steps, _given: dict[str, Any]) -> None:
    """Programs that this machine has."""


STAND_INS: Mapping[str, Callable[[_Steps, dict[str, Any]], None]] = {
    "actions/checkout": _checkout,
    "actions/setup-python": _nothing,
    "hashicorp/setup-terraform": _nothing,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "actions/attest-build-provenance": _attest,
    "aws-actions/configure-aws-credentials": _credentials,
}


def _needed(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _suffix(cell: Mapping[str, Any]) -> str:
    return f" {next(iter(cell.values()))}" if cell else ""
