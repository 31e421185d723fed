import importlib.metadata
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from localaws.client import running
from localaws.core import patching, settings
from localaws.server import process
from localaws.services.cloudwatch import alarms
from localaws.testing import LocalAws, command


def test_up_again_is_no_harm_and_status_says_so(aws: LocalAws) -> None:
    again = command("up", aws.process_environment())
    assert (again.returncode, again.stderr) == (0, "")
    assert command("status", aws.process_environment()).stdout.startswith(f"localaws is up at {aws.endpoint}")


def test_the_keys_are_for_their_owner_only(aws: LocalAws) -> None:
    assert stat.S_IMODE((aws.home / "credentials.json").stat().st_mode) == 0o600


def test_env_leads_other_programs_here(aws: LocalAws) -> None:
    lines = command("env", aws.process_environment()).stdout.splitlines()
    assert f"export AWS_ENDPOINT_URL={aws.endpoint}" in lines
    assert f"export AWS_ACCESS_KEY_ID={aws.environment['AWS_ACCESS_KEY_ID']}" in lines


def test_the_clock_is_advanced_by_command(aws: LocalAws) -> None:
    done = command("advance 2m", aws.process_environment())
    assert done.stdout.startswith("it is 20")
    wrong = command("advance soon", aws.process_environment())
    assert (wrong.returncode, wrong.stderr) == (1, "localaws: 'soon' is not a duration like 90s, 15m, 2h or 1d\n")


def test_only_this_machine_is_answered(aws: LocalAws) -> None:
    others = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with pytest.raises(OSError), socket.create_connection((str(address), aws.port), timeout=1):
            pass


def test_all_that_is_written_is_in_the_state_folder(aws: LocalAws) -> None:
    opened = {str(link.readlink()) for link in Path(f"/proc/{pid(aws)}/fd").iterdir() if link.is_symlink()}
    files = {path for path in opened if path.startswith("/") and not path.startswith(("/dev", "/proc", sys.prefix))}
    assert [path for path in files if not path.startswith(str(aws.home)) and os.access(path, os.W_OK)] == []


def pid(aws: LocalAws) -> int:
    return int((aws.home / "localaws.pid").read_text())


@pytest.mark.component
def test_down_stops_it_however_narrow_the_terminal_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    with running(tmp_path) as aws:
        socket.create_connection(("127.0.0.1", aws.port), timeout=1).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", aws.port), timeout=1)


def test_a_taken_port_is_said_in_one_sentence(aws: LocalAws, tmp_path: Path) -> None:
    environment = {**aws.process_environment(), "LOCALAWS_HOME": str(tmp_path)}
    failed = command("up", environment)
    assert failed.returncode == 1
    assert f"Port {aws.port} is taken by another program" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_another_version_of_ministack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "1.5.34")
    with pytest.raises(process.CannotStart, match=r"installed is 1\.5\.34"):
        process.run()


def test_a_missing_patch_target_is_refused() -> None:
    with pytest.raises(patching.PatchTargetMissing, match="no_such_name"):
        patching.replace(alarms, "no_such_name", lambda original: original)


def test_a_simulator_that_nobody_registered_is_said_in_one_sentence(aws: LocalAws) -> None:
    failed = command("faults nobody []", aws.process_environment())
    assert (failed.returncode, failed.stderr.count("\n"), "there is no simulator 'nobody'" in failed.stderr) == (
        1,
        1,
        True,
    )


def test_a_server_that_does_not_run_is_said_in_one_sentence(aws: LocalAws, tmp_path: Path) -> None:
    environment = {**aws.process_environment(), "LOCALAWS_HOME": str(tmp_path), "LOCALAWS_PORT": "1"}
    for words in ("advance 1m", "mail", "env", "flush"):
        failed = command(words, environment)
        assert (failed.returncode, failed.stderr.count("\n"), failed.stderr[:10]) == (1, 1, "localaws: ")


@pytest.mark.parametrize(
    ("version", "is_wrapped"), [("2.9.19", True), ("1.28.9", True), ("1.45.11", True), ("2.13.0", False)]
)
def test_an_aws_command_that_ignores_the_endpoint_is_led_here(
    aws: LocalAws, tmp_path: Path, version: str, is_wrapped: bool
) -> None:
    old = tmp_path / "aws"
    old.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "aws-cli/{version} Python/3.11" || echo "called with $*"\n'
    )
    old.chmod(0o755)
    environment = {**aws.process_environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = command("env", environment).stdout
    shell = ["bash", "-c", f"{said}\naws s3 ls"]
    called = subprocess.run(shell, env=environment, capture_output=True, text=True, check=True).stdout
    assert called == (f"called with --endpoint-url {aws.endpoint} s3 ls\n" if is_wrapped else "called with s3 ls\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "172.31.0.5", "192.168.0.9"])
def test_an_address_of_this_machine_or_a_private_network_is_listened_on(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("LOCALAWS_HOST", host)
    monkeypatch.setenv("LOCALAWS_PORT", "4821")
    assert settings.endpoint() == f"http://{host}:4821"


@pytest.mark.parametrize("host", ["0.0.0.0", "8.8.8.8", "172.32.0.1", "100.64.0.1", "169.254.169.254", "224.0.0.1"])  # noqa: S104 - refused
def test_an_address_that_others_reach_is_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("LOCALAWS_HOST", host)
    with pytest.raises(process.CannotStart, match=f"LOCALAWS_HOST is {host}; only a loopback or private"):
        process.run()


def test_a_host_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_HOST", "no such host")
    with pytest.raises(settings.HostRefused, match="no address and no known name"):
        settings.endpoint()


def test_a_refused_host_is_said_in_one_sentence(tmp_path: Path) -> None:
    refused = command("up", {**os.environ, "LOCALAWS_HOME": str(tmp_path), "LOCALAWS_HOST": "0.0.0.0"})  # noqa: S104 - refused
    assert (refused.returncode, refused.stderr.count("\n"), refused.stderr[:10]) == (1, 1, "localaws: ")
    assert "Traceback" not in refused.stderr


@pytest.mark.component
def test_another_host_than_loopback_serves_there_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_HOST", "127.0.0.2")
    with running(tmp_path) as aws:
        assert aws.endpoint == f"http://127.0.0.2:{aws.port}"
        assert aws.client("sts").get_caller_identity()["Account"] == settings.ACCOUNT
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", aws.port), timeout=1):
            pass
