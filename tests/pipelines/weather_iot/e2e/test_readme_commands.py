"""The commands of the README, as it prints them, in a shell of somebody who has just read it."""

import json
import re
import shlex
import shutil
import warnings
from string import Template
from typing import Any

import pytest

from lake.environment import names
from lake.environment.deployment import Platform
from tests.local_aws import REPOSITORY
from tests.pipelines.deployment import Deployed
from tests.terraform.test_alarms import ALARMS

pytestmark = pytest.mark.after_first_day


def block() -> list[str]:
    """The commands of the README's second block."""
    text: str = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands: str = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)[1]
    return commands.strip().splitlines()


def with_boto3(deployed: Deployed, line: str) -> dict[str, Any]:
    """Do what one line for the AWS CLI does."""
    _, service, operation, *words = shlex.split(line)
    options = [word for word in words if word.startswith("--")]
    given = {re.sub(r"-+(\w)", lambda m: m[1].upper(), name): words[words.index(name) + 1] for name in options}
    answer: dict[str, Any] = getattr(deployed.client(service), operation.replace("-", "_"))(**given)
    return {name: value for name, value in answer.items() if name in ("StatusCode", "FunctionError", "JobRunId")}


@pytest.fixture(scope="module")
def output(deployed: Deployed, transformed: dict[str, Any]) -> str:
    """What the block prints. Without the AWS CLI on this machine, boto3 makes its calls."""
    # The reader's lake has had a run without a broken record after the one with those of the tests.
    deployed.invoke("stream_generate", {"time": "2025-06-01T12:05:00+00:00"})
    deployed.flush()
    assert deployed.run_job()["JobRunState"] == "SUCCEEDED"
    deployed.wait_until_alarms_are_over()
    lines = block()
    said = ""
    if shutil.which("aws") is None:
        warnings.warn("there is no aws on the PATH: boto3 made the calls of the README's aws lines", stacklevel=1)
        named = names.variables(Platform("dev", deployed.names, None, deployed.pipelines))
        calls = [Template(line).substitute(named) for line in lines if line.startswith("aws ")]
        said = "".join(json.dumps(with_boto3(deployed, line)) for line in calls)
        lines = [line for line in lines if not line.startswith("aws ")]
    done = deployed.command("bash", "-euo", "pipefail", "-c", "\n".join(lines))
    assert done.returncode == 0, done.stdout + done.stderr
    return said + done.stdout


def test_the_block_is_the_one_that_is_meant() -> None:
    assert [line.split(" --")[0].split(' "')[0] for line in block()] == [
        "eval", "eval", "aws lambda invoke", "aws glue start-job-run", "lake query", "lake status",
    ]  # fmt: skip


def test_the_function_answers_and_the_job_runs_to_its_end(deployed: Deployed, output: str) -> None:
    assert '"StatusCode": 200' in output
    assert "FunctionError" not in output
    (run_id,) = re.findall(r'"JobRunId": "(\w+)"', output)
    run = deployed.ended(run_id)
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    assert "curated_weather: no new object of raw_weather" in deployed.job_log(run_id)


def test_lake_query_prints_the_rows(output: str) -> None:
    lines = output.splitlines()
    start = lines.index("city\thours")
    rows = dict(line.split("\t") for line in lines[start + 1 :] if line.count("\t") == 1)
    expected = {"Adelaide": "72", "Brasília": "168", "Kathmandu": "168", "Melbourne": "168", "Paris": "168"}
    assert expected.items() <= rows.items()


def test_lake_status_prints_datasets_and_alarms(output: str) -> None:
    assert re.search(r"^curated_weather\t\d+\t[\d,]+\t[\d :-]+\tCOMMITTED\t.*\tfresh\t", output, re.MULTILINE)
    alarms = dict(re.findall(r"^aws-datalake-platform-(\S+)-dev\t(\w+)\t", output, re.MULTILINE))
    assert alarms == dict.fromkeys(ALARMS, "OK")
