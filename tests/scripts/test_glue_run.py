"""What runs a deployed job as Glue would, and the compose file in which AWS's image does."""

import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lake.environment.deployment import Platform
from scripts import glue_docker, glue_run
from scripts.job import JobError
from tests.local_aws import REPOSITORY

COMPOSE = REPOSITORY / "docker/glue/compose.yaml"
OFFLINE = "--no-index --no-deps"


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text()))


def platform(installer: str) -> Platform:
    """A platform with one job whose wheel is installed with these options."""
    job = {
        "Command": {"ScriptLocation": "s3://code/jobs/t.py"},
        "DefaultArguments": {"--python-modules-installer-option": installer, "--writes": '{"over": "s3://x"}'},
        "NonOverridableArguments": {
            "--additional-python-modules": "s3://code/lake.whl",
            "--writes": '{"curated_b": "s3://b", "curated_a": "s3://a"}',
        },
    }
    glue = SimpleNamespace(get_job=lambda JobName: {"Job": job})  # noqa: ARG005, N803 - as boto3 has it
    session = SimpleNamespace(client=lambda _service: glue)
    return Platform("dev", {}, session, {"p": {"jobs": {"t": "p-t-dev"}}})


def test_a_job_is_what_glue_has_and_what_nobody_overrides_wins() -> None:
    job = glue_run.deployed(platform(OFFLINE), "p", "t")
    assert (job.name, job.script, job.wheels) == ("p-t-dev", "s3://code/jobs/t.py", ["s3://code/lake.whl"])
    assert job.tables == ["curated_a", "curated_b"]


@pytest.mark.parametrize("installer", ["", "--no-deps", "--no-index"])
def test_a_job_that_would_ask_a_package_index_is_refused(installer: str) -> None:
    with pytest.raises(JobError, match="p-t-dev would ask a package index"):
        glue_run.deployed(platform(installer), "p", "t")


def test_a_job_that_is_not_deployed_is_an_error_that_says_what_to_type() -> None:
    with pytest.raises(JobError, match="make apply PIPELINE=p"):
        glue_run.deployed(platform(OFFLINE), "p", "another")


def test_a_reason_is_a_failure_in_the_results(tmp_path: Path) -> None:
    glue_run.junit("glue.t", {"good": "", "bad": "is <empty>"}).write(tmp_path / "t.xml")
    suite = ET.parse(tmp_path / "t.xml").getroot()  # noqa: S314 - written here
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert {case.get("name"): case[0].get("message") for case in suite if len(case)} == {"bad": "is <empty>"}


def test_spark_is_led_to_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localaws:4821")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    settings = dict(line.split("=", 1) for line in glue_run.spark_settings())
    s3a = {name.removeprefix("spark.hadoop.fs.s3a."): value for name, value in settings.items()}
    assert s3a["endpoint"] == "http://localaws:4821"
    assert (s3a["path.style.access"], s3a["connection.ssl.enabled"]) == ("true", "false")
    assert settings["spark.hadoop.fs.s3.impl"] == "org.apache.hadoop.fs.s3a.S3AFileSystem"


def test_nothing_in_docker_reaches_the_internet_but_what_fetches_packages(compose: dict[str, Any]) -> None:
    assert compose["networks"] == {"alone": {"internal": True}, "index": {}}
    networks = {name: service["networks"] for name, service in compose["services"].items()}
    assert networks == {"packages": ["index"], "localaws": ["alone"], "glue": ["alone"], "tests": ["alone"]}


def test_nobody_outside_docker_reaches_a_service_and_none_has_more_rights(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert not {"ports", "expose", "privileged", "cap_add", "network_mode", "pid"} & service.keys(), name


def test_the_checkout_is_mounted_for_reading(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service["volumes"]]
    checkouts = [mount for mount in mounts if mount.startswith("../..:")]
    assert len(checkouts) == 3
    assert [mount for mount in checkouts if not mount.endswith(":ro")] == []
    writable = {mount.split(":")[0] for mount in mounts if not mount.endswith(":ro")}
    assert writable == {"packages", "home", "../../build/glue/results"}


def test_glue_waits_for_a_localaws_that_answers(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["glue"]["depends_on"] == {"localaws": {"condition": "service_healthy"}}
    place = services["localaws"]["environment"]
    endpoint = f"http://{place['LOCALAWS_HOST']}:{place['LOCALAWS_PORT']}"
    assert services["glue"]["environment"]["AWS_ENDPOINT_URL"] == endpoint
    assert place.items() <= services["glue"]["environment"].items()
    (probe,) = (word for word in services["localaws"]["healthcheck"]["test"] if "urlopen" in word)
    assert f"{endpoint}/_localaws/health" in probe
    compile(probe, "healthcheck", "exec")


def test_the_image_has_a_version_and_can_be_given_by_digest(compose: dict[str, Any]) -> None:
    images = {compose["services"][name]["image"] for name in ("glue", "tests")}
    assert images == {"${GLUE_IMAGE:-public.ecr.aws/glue/aws-glue-libs:5.1.0}"}


def test_files_that_docker_mounts_are_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for mount in service["volumes"]:
            place = mount.split(":")[0]
            if place.startswith(".") and "build/" not in place:
                assert (COMPOSE.parent / place).resolve().is_dir()


def test_shell_commands_of_docker_are_clean(compose: dict[str, Any]) -> None:
    shellcheck = shutil.which("shellcheck") or str(REPOSITORY / ".venv-checks/bin/shellcheck")
    scripts = [
        service["command"][-1] for service in compose["services"].values() if "-euc" in service.get("command", ())
    ]
    assert len(scripts) == 1
    for script in scripts:
        done = subprocess.run([shellcheck, "-s", "sh", "-"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout
        assert {word for word in shlex.split(script) if re.search(r"requirements/\S+\.txt", word)}


@pytest.mark.parametrize(("action", "service", "module"), [("test", "tests", "glue_test"), ("run", "glue", "glue_run")])
def test_what_is_run_in_docker_is_there(compose: dict[str, Any], action: str, service: str, module: str) -> None:
    words = glue_docker.words(action, "transform", ["--x"])
    assert words[: words.index("-m")] == ["run", "--rm", "--entrypoint", "python3", service]
    assert service in compose["services"]
    assert (REPOSITORY / f"scripts/{module}.py").exists()
    assert "--x" in words
    mounts = {mount.split(":")[1] for mount in compose["services"][service]["volumes"]}
    assert "/results" in mounts


def test_without_the_plugin_it_says_so_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        called.append(command[-1])
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(glue_docker, "PLACE", tmp_path)
    monkeypatch.setattr("scripts.glue_docker.subprocess.run", run)
    monkeypatch.setattr("sys.argv", ["glue_docker", "test"])
    assert glue_docker.main() == 1
    assert called == ["version"]
    assert "has no plugin compose" in capsys.readouterr().err
