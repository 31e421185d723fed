"""A rejected record in a deployed lake: who may look into it, and what a replay by the real job says."""

import json
import subprocess

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.first_day import BY_HAND

pytestmark = pytest.mark.after_first_day
RECORD = f"{BY_HAND}:2"


@pytest.fixture(scope="module")
def role(deployed: Deployed, transformed: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who has assumed the role of repair."""
    assumed = deployed.client("sts").assume_role(RoleArn=deployed.names["repair_role"], RoleSessionName="somebody")
    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    names["SessionToken"] = "AWS_SESSION_TOKEN"
    return {variable: assumed["Credentials"][name] for name, variable in names.items()}


def lake(deployed: Deployed, role: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return deployed.command(".venv/bin/lake", *words, **role)


def test_who_repairs_decrypts_a_record_and_has_it_validated_again_but_asks_athena_nothing(
    deployed: Deployed, role: dict[str, str]
) -> None:
    shown = lake(deployed, role, "quarantine", "show", "curated_weather", RECORD, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(json.loads(shown.stdout)[0]["payload"])["temperature_c"] == 999
    before = deployed.etags("quarantine/"), deployed.runs("curated_weather")
    replayed = lake(deployed, role, "quarantine", "replay", "curated_weather", "--record", RECORD, "--json")
    assert replayed.returncode == 0, replayed.stderr
    (row,) = json.loads(replayed.stdout)
    assert (row["run"], row["received"], row["quarantined"], row["partition files"]) == ("preview", 1, 1, 0)
    assert (deployed.etags("quarantine/"), deployed.runs("curated_weather")) == before
    asked = lake(deployed, role, "query", "SELECT 1")
    assert (asked.returncode, "not authorized to perform: athena:StartQueryExecution" in asked.stderr) == (1, True)


def test_who_has_opened_a_record_cannot_change_what_is_said_of_it(deployed: Deployed, role: dict[str, str]) -> None:
    shown = lake(deployed, role, "quarantine", "show", "curated_weather", RECORD, "--json")
    assert shown.returncode == 0, shown.stderr
    before = deployed.objects("ops/audits/curated_weather/")
    said = [json.loads(deployed.read(key)) for key in before]
    assert {(audit["action"], audit["record"]) for audit in said} == {("decrypted", RECORD)}
    key = next(iter(before))
    keys = (role["AWS_ACCESS_KEY_ID"], role["AWS_SECRET_ACCESS_KEY"], role["AWS_SESSION_TOKEN"])
    session = boto3.Session(*keys, region_name=deployed.names["region"])
    named = {"Bucket": deployed.bucket, "Key": key}
    refused = r"AccessDenied|PreconditionFailed"
    for s3 in (session.client("s3", endpoint_url=deployed.endpoint), deployed.client("s3")):
        for options in ({}, {"IfNoneMatch": "*"}, {"IfMatch": before[key]["ETag"]}):
            with pytest.raises(ClientError, match=refused):
                s3.put_object(**named, Body=b"{}", **options)
        for change in (s3.delete_object, s3.create_multipart_upload):
            with pytest.raises(ClientError, match=refused):
                change(**named)
    assert deployed.objects("ops/audits/curated_weather/") == before


def test_who_repairs_puts_corrections_into_raw_and_nothing_else(deployed: Deployed, role: dict[str, str]) -> None:
    for key in (BY_HAND, "curated/weather/date=2025-06-01/day.parquet"):
        denied = deployed.command(
            ".venv/bin/python", "-c",
            f"import boto3; boto3.client('s3').put_object(Bucket='{deployed.bucket}', Key='{key}', Body=b'')", **role,
        )  # fmt: skip
        assert denied.returncode == 1
        assert "AccessDenied" in denied.stderr


def test_who_repairs_starts_the_deployed_code_whatever_the_run_asks_for(
    deployed: Deployed, role: dict[str, str]
) -> None:
    deployed.put("glue-temp/weather_iot/other.py", "print('OTHER CODE')")
    other = f"s3://{deployed.bucket}/glue-temp/weather_iot/other.py"
    asked = {"--scriptLocation": other, "--extra-py-files": other, "--writes": "{}", "--ledger": "another"}
    repairs = deployed.part("operations", "repairs")
    started = deployed.command(
        ".venv/bin/python", "-c",
        f"import boto3; print(boto3.client('glue').start_job_run(JobName={repairs!r}, "
        f"Arguments={asked!r})['JobRunId'])", **role,
    )  # fmt: skip
    run = deployed.ended(started.stdout.strip(), repairs)
    assert run["JobRunState"] == "SUCCEEDED", started.stderr + str(run)
    assert "OTHER CODE" not in deployed.job_log(run["Id"])
    assert "curated_weather" in deployed.job_log(run["Id"]), "the run wrote what the job writes"
