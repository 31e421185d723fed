"""Faults of the weather API: batch_ingest against a server that does what the case says, and S3 in memory."""

import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import moto
import pytest
import tenacity
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.faults.fault import load
from tests.faults.weather_api import CITY, Api, serving
from tests.lambdas import invocation
from tests.lambdas.conftest import function

__all__ = ["function"]

pytestmark = pytest.mark.component
BUCKET = "lake"
CASES = {(fault.id, name): case for fault in load("upstream") for name, case in fault.script.get("cases", {}).items()}


class Ingest:
    """Invocations of the handler whose pauses are counted instead of slept."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.pauses: list[float] = []
        self.s3 = boto3.client("s3")

    def __call__(self, seconds: float) -> dict[str, Any]:
        remaining = (self.module.RESERVE_SECONDS + seconds) * 1000
        return dict(self.module.handler({}, invocation.context(remaining)))

    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """Key => records of every object."""
        keys = [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        bodies = {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
        return {key: [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()}


@pytest.fixture
def ingest(function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingest]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("WRITES", json.dumps({"raw_weather": f"s3://{BUCKET}/raw/weather/"}))
    for name, value in {"CITIES": json.dumps([CITY]), "ENVIRONMENT": "test", "FORECAST_DAYS": "1"}.items():
        monkeypatch.setenv(name, value)
    with moto.mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        made = Ingest(function("batch_ingest"))
        # Not time.sleep itself: threads of other tests sleep too.
        monkeypatch.setattr(sys.modules["open_meteo"], "Retrying", partial(tenacity.Retrying, sleep=made.pauses.append))
        yield made


@pytest.mark.parametrize(("number", "name"), CASES)
def test_a_fault_of_the_api_stores_only_what_is_sound(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: str, name: str
) -> None:
    case, api = CASES[number, name], Api(CASES[number, name].get("answers", ["good"]))
    with serving(api) as port:
        monkeypatch.setenv("OPEN_METEO_URL", case.get("address", f"http://127.0.0.1:{port}"))
        started = time.monotonic()
        check_invocation(ingest, case, caplog)
        assert time.monotonic() - started < case.get("at_most_seconds", 60)
        assert api.requests == case.get("requests", api.requests)
    assert [int(pause) for pause in ingest.pauses] == case.get("pauses", [int(pause) for pause in ingest.pauses])
    check_convergence(ingest, monkeypatch)


def check_invocation(ingest: Ingest, case: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    if not case["stored"]:
        with pytest.raises(ingest.module.IngestFailed) as failed:
            ingest(case.get("seconds", 60))
        assert json.loads(str(failed.value))["cities_failed"] == 1
        (said,) = [vars(record) for record in caplog.records if record.message == "city failed"]
        assert case["reason"] in said["reason"]
        assert ingest.stored() == {}
        return
    assert ingest(case.get("seconds", 60))["cities_failed"] == 0
    records = [record for _, of_day in sorted(ingest.stored().items()) for record in of_day]
    missing = [vars(record)["hours"] for record in caplog.records if record.message == "hours missing"]
    assert missing == [24 - len(records)]
    for column, values in case.get("values", {}).items():
        assert [record[column] for record in records] == values


def check_convergence(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fault gone the sound answer is stored once, whatever there was before, and again is no change."""
    with serving(Api(["good"])) as port:
        monkeypatch.setenv("OPEN_METEO_URL", f"http://127.0.0.1:{port}")
        assert ingest(60)["total_records"] == 2
        before = ingest.stored()
        hours = [(record["timestamp"], record["temperature_c"]) for record in before[max(before)]]
        assert hours == [("2026-11-20T00:00", 6.5), ("2026-11-20T01:00", 7.0)]
        ingest(60)
        assert ingest.stored() == before


def certificate(folder: Path, host: str, days: int) -> ssl.SSLContext:
    """A server's context with a certificate that ends in so many days, for an address; it lies in the folder."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "certificate.pem").write_bytes(made.public_bytes(encoding))
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


CERTIFICATES = {
    "right": ("127.0.0.1", 30, True, None),
    "of nobody's authority": ("127.0.0.1", 30, False, "certificate verify failed"),
    "expired": ("127.0.0.1", -1, True, "certificate has expired"),
    "of another host": ("127.0.0.2", 30, True, "IP address mismatch"),
}


@pytest.mark.parametrize("which", CERTIFICATES)
def test_a13_a_certificate_that_is_not_right_is_refused(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, which: str
) -> None:
    host, days, is_trusted, reason = CERTIFICATES[which]
    api, context = Api(["good"]), certificate(tmp_path, host, days)
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    with serving(api, context) as port:
        monkeypatch.setenv("OPEN_METEO_URL", f"https://127.0.0.1:{port}")
        check_invocation(ingest, {"stored": reason is None, "reason": reason}, caplog)
    assert api.requests == (1 if reason is None else 0)
    check_convergence(ingest, monkeypatch)
