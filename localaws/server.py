"""The server process: MiniStack with our planes in it, on one loopback port.

MiniStack by itself listens on all interfaces, answers browsers of any origin, lets anyone reset it, and keeps its
files in the shared temporary folder. Here: loopback only, no cross-origin headers, its administration closed, all
files in the state folder.
"""

import asyncio
import importlib.metadata
import json
import logging
import os
import shutil
import signal
import socket
from typing import Any

from localaws import clock, firehose, functions, glue_jobs, notifications, open_meteo, services, settings
from localaws.patching import MINISTACK_VERSION, PatchTargetMissing

# In this order the clock calls them: what is due starts first, alarms look last.
PLANES = (
    "authentication",
    "encryption",
    "metrics",
    "open_meteo",
    "schedules",
    "functions",
    "firehose",
    "notifications",
    "read_back",
    "glue_jobs",
    "athena",
    "alarms",
)

# Doors of MiniStack that need no signature: reset, configuration, stored mails and messages.
CLOSED_PATHS = ("/_ministack", "/_localstack", "/_aws", "/health")

_logger = logging.getLogger("localaws.server")


class CannotStart(RuntimeError):
    """Why localaws does not start, in one sentence for its user."""


def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    _check_version()
    _check_port()
    _prepare_environment()
    clock.start()
    application = _install_planes()
    _create_administrator()
    clock.start_ticking()
    asyncio.run(_serve(application))


def _check_version() -> None:
    found = importlib.metadata.version("ministack")
    if found != MINISTACK_VERSION:
        raise CannotStart(
            f"localaws replaces private functions of MiniStack {MINISTACK_VERSION}; installed is {found}."
        )


def _check_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.port()))
        except OSError as error:
            raise CannotStart(
                f"Port {settings.port()} is taken by another program ({error.strerror}); set LOCALAWS_PORT."
            ) from error


def _prepare_environment() -> None:
    """An inherited key would be root, an inherited endpoint would win inside functions: none of them may stay."""
    home, port = settings.home(), settings.port()
    temporary = home / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)  # MiniStack leaves the folders of functions behind
    temporary.mkdir(parents=True)
    for name in [n for n in os.environ if n.startswith(("AWS_", "MINISTACK_", "LAMBDA_"))]:
        del os.environ[name]
    os.environ |= {
        "LOCALAWS_HOME": str(home),
        "LOCALAWS_PORT": str(port),
        "TMPDIR": str(temporary),
        "BIND_HOST": settings.HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": settings.ACCOUNT,
        "MINISTACK_REGION": settings.REGION,
        "AUTH": "true",
        "S3_DATA_DIR": str(home / "s3"),
        "STATE_DIR": str(home / "state"),
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "ATHENA_ENGINE": "duckdb",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "1",
        "LOG_LEVEL": os.environ.get("LOCALAWS_LOG_LEVEL", "WARNING"),
        # SDKs must find no other identity than the one they are given.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _install_planes() -> Any:
    import ministack.app

    try:
        for plane in PLANES:
            importlib.import_module(f"localaws.{plane}").install()
    except PatchTargetMissing as error:
        raise CannotStart(str(error)) from error
    return _gate(ministack.app.app)


def _create_administrator() -> None:
    from localaws import authentication

    authentication.create_administrator()


async def _serve(application: Any) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"{settings.HOST}:{settings.port()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    await serve(application, config, shutdown_trigger=stop.wait)


def _gate(application: Any) -> Any:
    """What stands in front of MiniStack: our own administration, and loopback counting as TLS."""

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
        elif scope["path"].startswith("/_localaws/"):
            await _administer(scope, receive, send)
        elif scope["path"].startswith(CLOSED_PATHS):
            await _answer(send, 501, {"message": f"{scope['path']} of MiniStack is closed in localaws"})
        else:
            refusal, receive = await services.examine(scope, receive)
            if refusal:
                await _send(send, *refusal)
            else:
                scope["headers"] = _with_tls(scope["headers"])
                await application(scope, receive, _without_cross_origin_headers(_patiently(scope, send)))

    return gate


def _patiently(scope: Any, send: Any) -> Any:
    """Go's SDK closes the body when the answer begins, and takes its own late last read for a broken connection."""
    if not any(name == b"user-agent" and b"aws-sdk-go-v2" in value for name, value in scope["headers"]):
        return send

    async def send_later(message: Any) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(0.005)
        await send(message)

    return send_later


def _with_tls(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    if any(name.lower() == b"x-forwarded-proto" for name, _ in headers):
        return headers
    return [*headers, (b"x-forwarded-proto", b"https")]


def _without_cross_origin_headers(send: Any) -> Any:
    async def send_filtered(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [(n, v) for n, v in message.get("headers", []) if not n.lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_filtered


async def _administer(scope: Any, receive: Any, send: Any) -> None:
    request = (scope["method"], scope["path"].removeprefix("/_localaws/"))
    if request == ("GET", "health"):
        here = {"pid": os.getpid(), "ministack": MINISTACK_VERSION, "open_meteo": open_meteo.url()}
        await _answer(send, 200, {"status": "ready", **here})
    elif request == ("GET", "clock"):
        await _answer(send, 200, {"now": clock.now().isoformat()})
    elif request == ("POST", "clock"):
        seconds = json.loads(await services.read_body(receive))["advance_seconds"]
        await asyncio.to_thread(clock.advance, int(seconds))
        await _answer(send, 200, {"now": clock.now().isoformat()})
    elif request == ("POST", "flush"):
        await _answer(send, 200, {"undelivered": await asyncio.to_thread(firehose.flush)})
    elif request == ("GET", "mail"):
        await _answer(send, 200, {"messages": notifications.messages()})
    elif request == ("GET", "idle"):
        await _answer(send, 200, _unfinished_work())
    elif request == ("GET", "services"):
        await _answer(send, 200, {"services": services.listing()})
    else:
        await _answer(send, 404, {"message": f"localaws has no {request[0]} /_localaws/{request[1]}"})


def _unfinished_work() -> dict[str, Any]:
    """What still runs or waits; Firehose records that only wait for their buffer do not count."""
    runs, invocations = glue_jobs.running(), functions.unfinished()
    waiting = {"glue_runs": runs, "invocations": invocations, "firehose_records": firehose.undelivered()}
    return {"idle": not runs and not invocations, **waiting}


async def _answer(send: Any, status: int, content: dict[str, Any]) -> None:
    await _send(send, status, "application/json", json.dumps(content).encode())


async def _send(send: Any, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
