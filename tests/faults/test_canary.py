"""A planted identifier and a planted key, searched in all that a run of the job leaves or says."""

import base64
import gzip
import hashlib
import hmac
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from lake.pseudonyms import keys
from localaws.services.glue import spark as local_spark
from tests.faults import payloads
from tests.faults.fault import REPOSITORY
from tests.local_aws import LocalAws
from tests.place import MESSAGES, READINGS, SOURCE, Place, lake_of_its_own, line

SENSOR, KEY = "canary-7f3a9c51e2", "canarykey5b1e77d0c94f42"
SECRET = json.dumps({"versions": [{"version": 1, "valid_from": "1970-01-01T00:00:00Z", "key": KEY}]})
Text = tuple[str, str]


@dataclass(frozen=True)
class Left:
    """What a run left: texts by sink, and where it ran."""

    place: Place
    texts: list[Text]
    said: str

    def sinks(self) -> set[str]:
        return {sink.split("/")[0] for sink, _ in self.texts}

    def hits(self, wanted: list[str]) -> set[str]:
        """The sinks that hold any of these."""
        return {sink for sink, text in self.texts if any(form in text for form in wanted)}


def forms(value: str) -> list[str]:
    """A value and what it looks like in other clothes, with hashes that anybody can compute."""
    encoded = value.encode()
    hashes = [hashlib.new(name, encoded).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")]
    whole = 3 * (len(encoded) // 3)
    return [value, base64.b64encode(encoded[:whole]).decode(), encoded.hex(), *hashes]


@pytest.fixture(scope="module")
def left(aws: LocalAws, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """One run of the job itself: one dataset is published, the other one fails with an error about its records."""
    with lake_of_its_own(aws, spark) as place:
        good, bad = payloads.message("x", 1, sensor_id=SENSOR), payloads.message("x", 2, sensor_id=SENSOR, aqi="high")
        lines = [*map(json.dumps, (good, bad, {**bad, "aqi": 999})), f'{{"sensor_id": "{SENSOR}", ']
        body = "\n".join(lines).encode()
        aws.client("s3").put_object(Bucket=place.bucket, Key=f"{payloads.FOLDER}canary.json", Body=body)
        place.put("bad.json", *(line(hour, 999.0, city=SENSOR) for hour in range(12)))
        place.put("broken.json", f'{{"city": "{SENSOR}"')
        events = tmp_path_factory.mktemp("canary")
        done = _job(place, events)
        said = done.stdout + done.stderr
        texts = [("stdout", done.stdout), ("driver and executor log", done.stderr), *_events(events), *_kept(place)]
        yield Left(place, texts, said)


def _job(place: Place, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The script of the job, with Spark's event log and log level INFO."""
    conf = f"spark.eventLog.enabled=true --conf spark.eventLog.dir=file://{folder} --conf spark.log.level=INFO"
    local_spark.write_configuration(folder, place.aws.endpoint, place.aws.environment["AWS_REGION"], conf)
    secret = place.aws.client("secretsmanager").create_secret(Name=f"{place.bucket}-canary", SecretString=SECRET)["ARN"]
    uris = {name: location.uri for name, location in place.lake.locations.items()}
    reads = {name: uri for name, uri in uris.items() if name in (SOURCE.name, MESSAGES.name)}
    given = {
        "--reads": json.dumps(reads),
        "--writes": json.dumps({name: uri for name, uri in uris.items() if name not in reads}),
        "--staging": place.lake.staging.uri,
        "--manifests": place.lake.manifests.uri,
        "--database": place.bucket,
        "--ledger": place.bucket,
        "--pseudonym_key": secret,
        "--environment": place.bucket,
        "--metrics_namespace": "test-lake",
        "--time_limit_minutes": "30",
        "--code_version": "1",
    }
    java = {**local_spark.environment(folder), "PYSPARK_PYTHON": sys.executable}
    command = [
        sys.executable,
        "-m",
        "glue_jobs.weather_iot.transform",
        *(word for pair in given.items() for word in pair),
    ]
    environment = {**place.aws.process_environment(), **java}
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY, env=environment)


def _events(folder: Path) -> Iterator[Text]:
    """Spark's own account: every plan of every stage, every setting, every task."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name.startswith(("local-", "events_"))]
    yield from (("event log", path.read_text(encoding="utf-8", errors="replace")) for path in files)


def _kept(place: Place) -> Iterator[Text]:
    """Objects as bytes and as rows, items of the ledger, names and dimensions of metrics."""
    s3, dynamodb, cloudwatch = (place.aws.client(name) for name in ("s3", "dynamodb", "cloudwatch"))
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket):
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=place.bucket, Key=entry["Key"])["Body"].read()
            rows = pq.read_table(io.BytesIO(body)).to_pylist() if entry["Key"].endswith(".parquet") else []
            unpacked = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
            yield entry["Key"], f"{entry['Key']} {unpacked.decode('utf-8', 'replace')} {rows}"
    for page in dynamodb.get_paginator("scan").paginate(TableName=place.bucket):
        yield from (("ledger", json.dumps(item)) for item in page["Items"])
    for page in cloudwatch.get_paginator("list_metrics").paginate():
        yield "metrics", json.dumps(page["Metrics"])


def test_the_search_finds_what_is_there(left: Left) -> None:
    sinks = {
        "stdout",
        "driver and executor log",
        "event log",
        "ledger",
        "metrics",
        "raw",
        "curated",
        "quarantine",
        "staging",
        "ops",
    }
    assert left.sinks() == sinks
    raw = {"bad.json", "broken.json", "canary.json"}
    assert {sink.rpartition("/")[2] for sink in left.hits(forms(SENSOR))} >= raw
    plans = "".join(text for sink, text in left.texts if sink == "event log")
    assert plans.count("SparkListenerSQLExecutionStart") > 3
    assert "SparkListenerTaskEnd" in plans
    (version,) = keys.key_versions(SECRET)
    assert left.hits([keys.token(version, READINGS.name, "sensor_id", SENSOR)]) >= {
        "curated/sensor-readings/date=2026-11-20/h00.parquet"
    }
    assert "JobFailed" in left.said
    assert "ToleranceExceeded" in left.said
    assert [len(left.place.rows(dataset)) for dataset in (READINGS, READINGS.quarantine())] == [1, 3]


def test_the_planted_identifier_is_in_raw_alone(left: Left) -> None:
    assert {sink for sink in left.hits(forms(SENSOR)) if not sink.startswith("raw/")} == set()


def test_the_planted_key_is_nowhere(left: Left) -> None:
    (version,) = keys.key_versions(SECRET)
    subkeys = [keys.subkey(version.key, info) for info in (f"{READINGS.name}/sensor_id/1", f"{READINGS.name}/seal/1")]
    # HMAC's two pads of a subkey are as good as the subkey; Spark shows bytes as hexadecimal digits in capitals.
    secrets = [bytes(byte ^ pad for byte in subkey) for subkey in subkeys for pad in (0, 0x36, 0x5C)]
    derived = [form for one in secrets for form in (one.hex(), one.hex().upper(), base64.b64encode(one).decode())]
    assert left.hits([*forms(KEY), *derived]) == set()


_NO_KEY = keys.subkey(b"", f"{READINGS.name}/sensor_id/1")
GUESSES: dict[str, Callable[[bytes], bytes]] = {
    "SHA-256": lambda text: hashlib.sha256(text).digest(),
    "MD5": lambda text: hashlib.md5(text, usedforsecurity=False).digest(),
    "HMAC without a key": lambda text: hmac.digest(b"", text, "sha256"),
    "HMAC under the name of the column": lambda text: hmac.digest(b"sensor_id", text, "sha256"),
    "HMAC under a subkey of no key": lambda text: hmac.digest(_NO_KEY, text, "sha256"),
}


def test_a_million_identifiers_without_the_key_match_no_token_and_with_it_each_its_own() -> None:
    (version,) = keys.key_versions(SECRET)
    sought = {
        bytes.fromhex(keys.token(version, READINGS.name, "sensor_id", f"sensor-{number:06d}").partition(":")[2])
        for number in (0, 271_828, 999_999)
    }
    subkey = keys.subkey(version.key, f"{READINGS.name}/sensor_id/1")
    found = dict.fromkeys([*GUESSES, "the key"], 0)
    for number in range(1_000_000):
        text = b"sensor-%06d" % number
        found["the key"] += hmac.digest(subkey, text, "sha256") in sought
        for name, guess in GUESSES.items():
            found[name] += guess(text) in sought
    assert found == {**dict.fromkeys(GUESSES, 0), "the key": 3}


def test_the_planted_key_does_not_show_when_a_version_of_it_is_printed() -> None:
    (version,) = keys.key_versions(SECRET)
    assert version.valid_from == datetime(1970, 1, 1, tzinfo=UTC)
    assert KEY not in f"{version!r} {version}"
