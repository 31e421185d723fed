"""`make job`: the script of the working tree with the arguments of the deployed job."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lake.environment.deployment import Platform
from scripts import job

DEPLOYED = {"jobs": {"transform": "project-transform-dev"}, "operations": {"erase": "project-erase-dev"}}


def platform() -> Platform:
    """A platform whose Glue knows every job by its name."""

    def get_job(JobName: str) -> dict[str, object]:  # noqa: N803 - boto3 spells it so
        return {"Job": {"DefaultArguments": {"--ledger": JobName, "--environment": "dev"}}}

    session = SimpleNamespace(client=lambda _service: SimpleNamespace(get_job=get_job))
    return Platform("dev", {}, session, {"weather_iot": DEPLOYED})


def test_a_job_is_found_by_the_name_of_its_script() -> None:
    assert job.script("erase", None) == job.JOBS / "weather_iot/erase.py"


def test_a_job_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(job.JobError, match=r"no job is called tranform.*transform of weather_iot"):
        job.script("tranform", None)
    with pytest.raises(job.JobError, match="no job is called transform"):
        job.script("transform", "another_pipeline")


def test_without_a_name_it_is_the_only_job_or_the_answer_says_which_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders/load.py").touch()
    monkeypatch.setattr(job, "JOBS", tmp_path)
    assert job.script(None, None) == tmp_path / "orders/load.py"
    (tmp_path / "orders/erase.py").touch()
    with pytest.raises(job.JobError, match="which job; there are erase of orders, load of orders; say JOB="):
        job.script(None, None)


@pytest.mark.parametrize(("short", "name"), [("transform", "project-transform-dev"), ("erase", "project-erase-dev")])
def test_it_gets_the_arguments_of_the_deployed_job(short: str, name: str) -> None:
    assert job.deployed_arguments(platform(), "weather_iot", short) == ["--ledger", name, "--environment", "dev"]


def test_a_job_that_is_not_deployed_is_an_error_that_says_what_to_type() -> None:
    with pytest.raises(job.JobError, match="make apply PIPELINE=weather_iot"):
        job.deployed_arguments(platform(), "weather_iot", "another")


def test_the_script_is_loaded_without_being_run() -> None:
    assert callable(job.loaded(job.script("transform", "weather_iot")).main)


class Secrets:
    """Secrets Manager as one who may read only what is named; ``made`` are the secrets that are there."""

    def __init__(self, readable: tuple[str, ...] = ()) -> None:
        self.readable = readable
        self.made: dict[str, str] = {}

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3 spells it so
        if SecretId not in self.readable:
            raise PermissionError(SecretId)
        return {"SecretString": "the key"}

    def create_secret(self, Name: str, SecretString: str) -> dict[str, str]:  # noqa: N803 - as boto3 has it
        self.made[Name] = SecretString
        return {"ARN": Name}

    def delete_secret(self, SecretId: str, ForceDeleteWithoutRecovery: bool) -> None:  # noqa: N803 - as boto3 has it
        assert ForceDeleteWithoutRecovery
        del self.made[SecretId]


def test_the_job_reads_a_copy_of_the_pseudonym_key_that_is_gone_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    administrator, keeper = Secrets(), Secrets(readable=("key",))
    seen = Platform("dev", {"pseudonym_key": "key"}, SimpleNamespace(client=lambda _service: keeper))
    monkeypatch.setattr("scripts.job.deployment.load_as", lambda _environment, role: {"key_role": seen}[role])
    monkeypatch.setattr("scripts.job.boto3.client", lambda _service: administrator)
    with pytest.raises(RuntimeError), job.copied_key("dev", ["--pseudonym_key", "arn"]) as arguments:
        assert administrator.made == {arguments[-1]: "the key"}
        raise RuntimeError
    assert (administrator.made, arguments[:3]) == ({}, ["--pseudonym_key", "arn", "--pseudonym_key"])
    with job.copied_key("dev", ["--ledger", "x"]) as without:
        assert (without, administrator.made) == (["--ledger", "x"], {})
