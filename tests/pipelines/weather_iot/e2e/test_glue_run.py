"""What runs in AWS's Glue image, run once without it: with Glue's packages, the deployed code and no package index."""

import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from localaws.services.glue import spark
from tests.local_aws import REPOSITORY
from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.first_day import MOMENT

PIP = f"{REPOSITORY}/.cache/uv/bin/python -m pip"


def glue_run(deployed: Deployed, folder: Path, job: str) -> subprocess.CompletedProcess[str]:
    """scripts.glue_run as the container calls it; pip, Spark and the S3 connector are this machine's."""
    spark.write_configuration(folder, deployed.endpoint, deployed.environment["AWS_REGION"], "")
    submit = f"{REPOSITORY}/.venv/bin/spark-submit --properties-file {folder}/spark-defaults.conf"
    python = str(spark.glue_python())
    path = [str(REPOSITORY), f"{REPOSITORY}/localaws/src", str(spark.brought_along(folder / "spark-python"))]
    environment = {
        **deployed.process_environment(),
        **{name: value for name, value in spark.environment(folder).items() if name != "PYSPARK_SUBMIT_ARGS"},
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path),
        "PYSPARK_PYTHON": python,
    }
    command = [python, "-m", "scripts.glue_run", job, "--results", str(folder / "results")]
    command += ["--pip", PIP, "--submit", submit]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def landed(deployed: Deployed) -> Deployed:
    """The lake with raw data of both kinds."""
    assert not deployed.invoke("batch_ingest", {}).error
    assert not deployed.invoke("stream_generate", {"time": MOMENT}).error
    assert deployed.flush() == 0
    return deployed


def test_the_deployed_job_runs_and_its_tables_are_checked(landed: Deployed, tmp_path: Path) -> None:
    done = glue_run(landed, tmp_path, "transform")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    suite = ET.parse(tmp_path / "results/transform.xml").getroot()  # noqa: S314 - our own
    assert (suite.get("failures"), int(suite.get("tests", "0")) >= 5) == ("0", True)
    assert landed.query("SELECT count(DISTINCT sensor_id_hash) FROM curated_sensor_readings") == [("15",)]


def test_a_script_that_fails_is_a_failure_in_the_results(landed: Deployed, tmp_path: Path) -> None:
    landed.break_aws({"service": "dynamodb", "action": "*", "status": 400, "code": "ValidationException"})
    try:
        done = glue_run(landed, tmp_path, "transform")
    finally:
        landed.break_aws()
    assert done.returncode == 1
    failures = {case.get("name") for case in ET.parse(tmp_path / "results/transform.xml").iter("testcase") if len(case)}  # noqa: S314 - our own
    assert "the script ends well" in failures
    assert "every dataset has a run" in failures
