"""Start, stop and steer AWS on this machine: `python -m localaws …`, and the same as `lake local …`."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from localaws.core import settings

START_SECONDS = 300
STOP_SECONDS = 15
# The release of the AWS CLI's version 2 that began to honour AWS_ENDPOINT_URL. Version 1 does not to this day for SQS.
FIRST_MINOR_WITH_ENDPOINT = 13
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

application = typer.Typer(
    help="AWS on this machine: start and stop it, its clock, its mailbox, faults of its API and of the world outside.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


Snapshot = Annotated[Path | None, typer.Option("--from", help="A folder that `snapshot` has written: start from it.")]


@application.callback()
def _check_host() -> None:
    try:
        settings.host()
    except settings.HostRefused as error:
        _fail(str(error))


@application.command(hidden=True)
def run(snapshot: Snapshot = None) -> None:
    """Serve in this process until it is stopped."""
    from localaws.server import process as server

    try:
        server.run(snapshot)
    except server.CannotStart as error:
        _fail(str(error))


@application.command()
def up(snapshot: Snapshot = None) -> None:
    """Start the server detached from this terminal, unless it runs, and wait until it answers."""
    if not _is_up(_pid()):
        settings.home().mkdir(parents=True, exist_ok=True)
        origin = ["--from", str(snapshot.absolute())] if snapshot else []
        with _log_file().open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "localaws", "run", *origin],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "LOCALAWS_HOME": str(settings.home()), "LOCALAWS_PORT": str(settings.port())},
            )
        _pid_file().write_text(str(process.pid), encoding="ascii")
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(process.pid):
            if time.monotonic() > deadline or process.poll() is not None:
                _stop(process.pid)
                tail = "\n".join(_log_file().read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
                _fail(f"did not start; the end of {_log_file()}:\n{tail}")
            time.sleep(0.1)
    print(f"localaws is up at {settings.endpoint()}")


@application.command()
def down() -> None:
    """Stop the server and forget all that it held."""
    pid = _pid()
    if pid is None or not _is_ours(pid):
        print("localaws is not running")
    else:
        _stop(pid)
        print("localaws is down")
    _pid_file().unlink(missing_ok=True)


@application.command()
def status() -> None:
    """Say whether it runs, where, and what time it is there; 1 when it does not."""
    pid = _pid()
    if not _is_up(pid):
        print("localaws is not running")
        raise typer.Exit(1)
    print(f"localaws is up at {settings.endpoint()} (process {pid}, clock {_ask('clock')['now']})")


@application.command()
def env() -> None:
    """Print shell commands that make every AWS client use this localaws as its administrator."""
    if not _is_up(_pid()):
        _fail("is not running; start it with `make up`")
    print("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE")
    for name, value in settings.credentials().items():
        print(f"export {name}={shlex.quote(value)}")
    if _ignores_endpoint(shutil.which("aws")):
        print('aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }')


@application.command()
def advance(duration: Annotated[str, typer.Argument(help="For example 90s, 15m, 2h, 1d.")]) -> None:
    """Move the clock; schedules, buffers and alarms that become due are done before this returns."""
    found = re.fullmatch(r"(\d+)([smhd])", duration)
    if found is None:
        _fail(f"{duration!r} is not a duration like 90s, 15m, 2h or 1d")
    answer = _ask("clock", {"advance_seconds": int(found[1]) * UNITS[found[2]]})
    print(f"it is {answer['now']} in localaws")


@application.command()
def flush() -> None:
    """Deliver what the streams have buffered, without letting time pass; 1 when some of it could not be delivered."""
    undelivered = _ask("flush", {})["undelivered"]
    print(f"{undelivered} records could not be delivered" if undelivered else "all records are delivered")
    raise typer.Exit(1 if undelivered else 0)


@application.command("snapshot")
def take_snapshot(folder: Annotated[Path, typer.Argument(help="Where; it is made when it is not there.")]) -> None:
    """Keep all that it holds in a folder, keys and secrets too; `up --from` starts another one from there."""
    _ask("health")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        _loaded(f"{settings.endpoint()}/_localaws/snapshot", json.dumps({"folder": str(folder.absolute())}).encode())
    except urllib.error.HTTPError as error:
        _fail(f"no snapshot could be taken: {json.load(error)['reason']}")
    print(f"the state is kept in {folder}")


@application.command()
def mail(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The e-mails that SNS would have sent, oldest first."""
    messages = _ask("mail")["messages"]
    if as_json:
        print(json.dumps(messages, indent=2))
    for message in [] if as_json else messages:
        print(f"{message['time']}  to {message['to']}\nSubject: {message['subject']}\n\n{message['body']}\n")


@application.command()
def faults(
    simulator: Annotated[str, typer.Argument(help="The name of a simulator; see `simulators`.")],
    faults: Annotated[str, typer.Argument(help='JSON, for example [{"status": 503, "times": 3}].')] = "",
) -> None:
    """Make a simulator fail. [] resets it; without faults the command shows those in force.

    Which words a fault may have is up to the simulator.
    """
    _ask("health")
    _steer_faults(f"{settings.endpoint()}/_localaws/simulators/{simulator}/faults", faults)


@application.command()
def simulators() -> None:
    """Print the name and the address of each simulator of a service outside AWS."""
    for name, address in _ask("health")["simulators"].items():
        print(f"{name}  {address}")


@application.command("api-faults")
def api_faults(
    faults: Annotated[
        str,
        typer.Argument(
            help='JSON, for example [{"service": "s3", "action": "PutObject", "status": 503, "code": "SlowDown"}].'
        ),
    ] = "",
) -> None:
    """Make the AWS API fail. [] makes it whole again; without an argument, what is in force is shown.

    A fault has a service and an action ("*": any), a status and a code or hang (no answer until the faults are
    replaced), and may have message, times (0: without end) and match (in the path or the body).
    """
    _ask("health")
    _steer_faults(f"{settings.endpoint()}/_localaws/faults", faults)


def _steer_faults(address: str, faults: str) -> None:
    try:
        print(json.dumps(_loaded(address, faults.encode() or None), indent=2))
    except urllib.error.HTTPError as error:
        _fail(f"these faults are not understood: {json.load(error)['reason']}")
    except (urllib.error.URLError, ConnectionError, ValueError) as error:
        _fail(f"these faults are not understood: {error}")


def _ignores_endpoint(aws: str | None) -> bool:
    """An AWS CLI older than AWS_ENDPOINT_URL would take our keys to AWS itself; distributions still have such."""
    if aws is None:
        return False
    said = subprocess.run([aws, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"aws-cli/(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) < (2, FIRST_MINOR_WITH_ENDPOINT)


def _ask(path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        return _request(path, content)
    except RuntimeError as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    print(f"localaws: {sentence}", file=sys.stderr)
    raise typer.Exit(1)


def _request(path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    body = None if content is None else json.dumps(content).encode()
    try:
        return dict(_loaded(f"{settings.endpoint()}/_localaws/{path}", body))
    except (urllib.error.URLError, ConnectionError, ValueError) as error:
        raise RuntimeError(f"no localaws answers at {settings.endpoint()}: {error}") from error


def _loaded(address: str, body: bytes | None) -> Any:
    # No proxy: an http_proxy of the environment does not lead to this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, body) as answer:
        return json.load(answer)


def _is_up(pid: int | None) -> bool:
    try:
        return bool(_request("health")["pid"] == pid)
    except RuntimeError:
        return False


def _pid() -> int | None:
    try:
        return int(_pid_file().read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _is_ours(pid: int) -> bool:
    """A pid file can outlive its process, and the number can belong to another program by now."""
    # -ww: a line may be cut at COLUMNS, and the path of Python be longer than that.
    ps = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
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
