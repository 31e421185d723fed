"""No sensor id in clear outside raw: one is planted there, and then everything else is searched."""

# ruff: noqa: S608 - what stands in the statements are constants of the tests

import base64
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.e2e.test_deploy import STATE_BUCKET
from tests.pipelines.weather_iot.first_day import PLANTED

pytestmark = pytest.mark.after_first_day
Text = tuple[str, str]


def forms(sensor: str) -> list[str]:
    """What would give a sensor away: its id, also in other clothes, and hashes that anybody can compute."""
    encoded = sensor.encode()
    hashes = [hashlib.new(name, encoded).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")]
    return [sensor, base64.b64encode(encoded).decode().rstrip("=")[:-1], encoded.hex(), *hashes]


def found(texts: Iterable[Text], sensors: Iterable[str]) -> set[Text]:
    """Place and sensor of every hit."""
    wanted = {form: sensor for sensor in sensors for form in forms(sensor)}
    return {(place, wanted[form]) for place, text in texts for form in wanted if form in text}


def objects(deployed: Deployed, bucket: str) -> Iterator[Text]:
    """Key, metadata and content of every version of every object; Parquet as bytes and as rows."""
    s3 = deployed.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in page.get("Versions", []):
            named = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
            stored = s3.get_object(**named)
            body: bytes = stored["Body"].read()
            yield version["Key"], version["Key"] + str(stored["Metadata"]) + _text(version["Key"], body)


def _text(key: str, body: bytes) -> str:
    unpacked = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    rows = pq.read_table(io.BytesIO(body)).to_pylist() if key.endswith(".parquet") else []
    return unpacked.decode("utf-8", "replace") + str(rows)


def logs(deployed: Deployed) -> Iterator[Text]:
    """Every log event."""
    client = deployed.client("logs")
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            events = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            yield from ((group["logGroupName"], event["message"]) for part in events for event in part["events"])


def items(deployed: Deployed) -> Iterator[Text]:
    """Every item of every table of DynamoDB."""
    client = deployed.client("dynamodb")
    for table in client.list_tables()["TableNames"]:
        for page in client.get_paginator("scan").paginate(TableName=table):
            yield from ((table, json.dumps(item)) for item in page["Items"])


def plan(deployed: Deployed, file: Path) -> Iterator[Text]:
    """Every part of a plan that was saved, with the state and what was planned in it."""
    planned = deployed.terraform("plan", TF_CLI_ARGS_plan=f"-out={file}")
    assert planned.returncode in (0, 2), planned.stderr
    with zipfile.ZipFile(file) as parts:
        yield from ((f"plan/{name}", parts.read(name).decode("utf-8", "replace")) for name in parts.namelist())


@pytest.fixture(scope="module")
def everything(deployed: Deployed, transformed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[Text]:
    """Place and text of all that the platform keeps or has said; objects of the lake by key."""
    deployed.query("SELECT * FROM curated_sensor_readings")  # so that its result is among them
    buckets = [bucket["Name"] for bucket in deployed.client("s3").list_buckets()["Buckets"]]
    ours = [name for name in buckets if name.startswith("aws-datalake-platform-")]
    assert {deployed.bucket, STATE_BUCKET, deployed.names["results_bucket"]} < set(ours)
    texts = [text for bucket in ours for text in objects(deployed, bucket)]
    texts += [*logs(deployed), *items(deployed), *plan(deployed, tmp_path_factory.mktemp("plan") / "saved")]
    texts += [("mail", json.dumps(mail)) for mail in deployed.mail()]
    return texts + [("terraform", said) for said in deployed.said]


@pytest.fixture(scope="module")
def sensors(deployed: Deployed, planted: str, messages: list[str]) -> set[str]:
    """The planted id and those of the stream."""
    return {planted, *(record["sensor_id"] for key in messages for record in deployed.records(key))}


def test_the_search_finds_what_is_there(
    deployed: Deployed, everything: list[Text], sensors: set[str], planted: str, messages: list[str]
) -> None:
    assert len(sensors) == 16
    in_raw = found(everything, sensors)
    assert (PLANTED, planted) in in_raw
    assert {sensor for place, sensor in in_raw if place == messages[0]} == sensors - {planted}
    places = {place.split("/")[0] for place, _ in everything}
    assert {"curated", "quarantine", "ops", "staging", "query-results", "dev", "mail", "terraform", "plan"} < places
    ((token,),) = deployed.query(
        f"SELECT sensor_id_hash FROM curated_sensor_readings WHERE source_object = '{PLANTED}'"
    )
    curated = {place for place, text in everything if place.startswith("curated/") and str(token) in text}
    assert curated == {"curated/sensor-readings/date=2025-06-01/h13.parquet"}


def test_no_sensor_id_is_outside_raw(everything: list[Text], sensors: set[str]) -> None:
    outside = [(place, text) for place, text in everything if not place.startswith("raw/")]
    assert len(outside) > 150
    assert found(outside, sensors) == set()


def test_no_key_is_anywhere_but_in_the_secret(deployed: Deployed, everything: list[Text], canary: str) -> None:
    keys = [version["key"] for version in json.loads(deployed.pseudonym_key())["versions"]]
    assert canary in keys
    assert found(everything, keys) == set()
