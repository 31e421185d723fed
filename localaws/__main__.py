"""`python -m localaws …`: start, stop and steer AWS on this machine."""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from localaws import settings

START_SECONDS = 30
STOP_SECONDS = 15
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main() -> int:
    """Run one command; 0 when it did what was asked."""
    parser = argparse.ArgumentParser(prog="python -m localaws", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "status", "env", "flush", "run"):
        commands.add_parser(name)
    commands.add_parser("advance").add_argument("duration", help="for example 90s, 15m, 2h, 1d")
    commands.add_parser("mail").add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        return _run(arguments)
    except (RuntimeError, ValueError) as error:
        print(f"localaws: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "up":
            return up()
        case "down":
            return down()
        case "status":
            return status()
        case "env":
            return env()
        case "run":
            from localaws import server

            server.run()
            return 0
        case "flush":
            return flush()
        case "advance":
            return advance(arguments.duration)
        case _:
            return mail(arguments.json)


def up() -> int:
    """Start the server detached from this terminal, unless it runs, and wait until it answers."""
    running = _health()
    if running and running["pid"] == _pid():
        print(f"localaws is up at {settings.endpoint()}")
        return 0
    settings.home().mkdir(parents=True, exist_ok=True)
    with _log_file().open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localaws", "run"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "LOCALAWS_HOME": str(settings.home()), "LOCALAWS_PORT": str(settings.port())},
        )
    _pid_file().write_text(str(process.pid), encoding="ascii")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (answer := _health()) and answer["pid"] == process.pid:
            print(f"localaws is up at {settings.endpoint()}")
            return 0
        time.sleep(0.1)
    _stop(process.pid)
    tail = "\n".join(_log_file().read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    raise RuntimeError(f"did not start; the end of {_log_file()}:\n{tail}")


def down() -> int:
    """Stop the server and forget all that it held."""
    pid = _pid()
    if pid is None or not _is_ours(pid):
        print("localaws is not running")
    else:
        _stop(pid)
        print("localaws is down")
    _pid_file().unlink(missing_ok=True)
    return 0


def status() -> int:
    """Say whether the server runs; 0 when it does."""
    answer = _health()
    if answer and answer["pid"] == _pid():
        print(f"localaws is up at {settings.endpoint()} (process {answer['pid']}, clock {_get('clock')['now']})")
        return 0
    print("localaws is not running")
    return 1


def env() -> int:
    """Print shell commands that make every AWS client use this localaws as its administrator."""
    from localaws import authentication

    if _health() is None:
        raise RuntimeError("is not running; start it with `python -m localaws up`")
    print("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE")
    for name, value in authentication.credentials().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def advance(duration: str) -> int:
    """Move the clock of localaws forward; returns when what became due has been done."""
    found = re.fullmatch(r"(\d+)([smhd])", duration)
    if found is None:
        raise ValueError(f"{duration!r} is not a duration like 90s, 15m, 2h or 1d")
    answer = _post("clock", {"advance_seconds": int(found[1]) * UNITS[found[2]]})
    print(f"it is {answer['now']} in localaws")
    return 0


def flush() -> int:
    """Deliver what the streams have buffered, without letting time pass; 1 when some of it could not be delivered."""
    undelivered = _post("flush", {})["undelivered"]
    print(f"{undelivered} records could not be delivered" if undelivered else "all records are delivered")
    return 1 if undelivered else 0


def mail(as_json: bool) -> int:
    """Show the e-mails that SNS would have sent, oldest first."""
    messages = _get("mail")["messages"]
    if as_json:
        print(json.dumps(messages, indent=2))
    for message in [] if as_json else messages:
        print(f"{message['time']}  to {message['to']}\nSubject: {message['subject']}\n\n{message['body']}\n")
    return 0


def _health() -> dict[str, Any] | None:
    try:
        return _get("health")
    except RuntimeError:
        return None


def _get(path: str) -> dict[str, Any]:
    return _request(path, None)


def _post(path: str, content: dict[str, Any]) -> dict[str, Any]:
    return _request(path, json.dumps(content).encode())


def _request(path: str, body: bytes | None) -> dict[str, Any]:
    address = f"{settings.endpoint()}/_localaws/{path}"
    # No proxy: an http_proxy of the environment does not lead to this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, body) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, ConnectionError, ValueError) as error:
        raise RuntimeError(f"no localaws answers at {settings.endpoint()}: {error}") from error


def _pid() -> int | None:
    try:
        return int(_pid_file().read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _is_ours(pid: int) -> bool:
    """A pid file can outlive its process, and the number can belong to another program by now."""
    ps = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "localaws run" in ps.stdout


def _stop(pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline and _is_ours(pid):
            time.sleep(0.1)
        if _is_ours(pid):
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _pid_file() -> Path:
    return settings.home() / "localaws.pid"


def _log_file() -> Path:
    return settings.home() / "localaws.log"


if __name__ == "__main__":
    sys.exit(main())
