"""The middleware in front of MiniStack: administration, the list of services, loopback counting as TLS.

AWS: speaks TLS only, and has no administration to speak of. MiniStack: answers browsers of any origin, lets anyone
reset it, and counts loopback HTTP as plain, so that a policy that demands TLS denies everything. Added: no cross-origin
headers; its administration is closed; loopback is TLS unless the request says `X-Forwarded-Proto: http`.
"""

import asyncio
import json
import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localaws.core import admission, api_faults, calls, clock, simulators, snapshot, taken_buckets
from localaws.core.patching import MINISTACK_VERSION
from localaws.services import cloudtrail, sns
from localaws.services.awslambda import functions
from localaws.services.firehose import streams
from localaws.services.glue import job_runs
from localaws.services.iam import web_identity

# Doors of MiniStack that need no signature: reset, configuration, stored mails and messages.
CLOSED_PATHS = ("/_ministack", "/_localstack", "/_aws", "/health")


def in_front_of(application: Any) -> Any:
    """The ASGI application that decides what reaches MiniStack's."""

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
        elif scope["path"].startswith("/_localaws/"):
            request = (scope["method"], scope["path"].removeprefix("/_localaws/"))
            await _answer(send, *await _administer(request, receive))
        elif scope["path"].startswith(CLOSED_PATHS):
            await _answer(send, 501, {"message": f"{scope['path']} of MiniStack is closed in localaws"})
        else:
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
            query = urllib.parse.parse_qs(scope["query_string"].decode(), keep_blank_values=True)
            service, body = admission.signed_service(headers, query), b""
            if service != "s3":  # whose bodies can be large, and say nothing about the action
                body = await _read(receive)
                receive = _again(body, receive)
            send = _as_clients_like_it(headers, send)
            answer = admission.refusal(scope, headers, query, service, body)
            answer = answer or taken_buckets.refusal(scope, headers, service)
            if answer is None and api_faults.concern(service):
                body = await _read(receive)
                receive = _again(body, receive)
                answer = await api_faults.answer(scope, headers, query, service, body)
            if answer is not None:
                status, content_type, content = answer
                await _send(send, status, content_type, b"" if scope["method"] == "HEAD" else content)
                return
            if "x-forwarded-proto" not in headers:
                scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
            send = cloudtrail.heard(cloudtrail.Request(scope, headers, query, service, body), send)
            await application(scope, receive, send)

    return gate


def _as_clients_like_it(headers: dict[str, str], send: Any) -> Any:
    # Go's SDK closes the body when the answer begins, and takes its own late last read for a broken connection.
    wait = 0.005 if "aws-sdk-go-v2" in headers.get("user-agent", "") else 0

    async def send_filtered(message: Any) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(wait)
            kept = [(n, v) for n, v in message.get("headers", []) if not n.lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_filtered


def _health() -> dict[str, Any]:
    here = {"pid": os.getpid(), "ministack": MINISTACK_VERSION, "simulators": simulators.addresses()}
    return {"status": "ready", **here}


def _idle() -> dict[str, Any]:
    """Return the work that runs or waits. Firehose records that only wait for their buffer do not count."""
    runs, invocations = job_runs.running(), functions.unfinished()
    waiting = {"glue_runs": runs, "invocations": invocations, "firehose_records": streams.undelivered()}
    return {"idle": not runs and not invocations, **waiting}


ANSWERS: dict[str, Callable[[], dict[str, Any]]] = {
    "health": _health,
    "clock": lambda: {"now": clock.now().isoformat()},
    "mail": lambda: {"messages": sns.mailbox},
    "idle": _idle,
    "calls": lambda: {"calls": calls.made()},
    "services": lambda: {"services": admission.ADMITTED},
}


async def _administer(request: tuple[str, str], receive: Any) -> tuple[int, Any]:
    match request:
        case ("GET", path) if path in ANSWERS:
            return 200, ANSWERS[path]()
        case ("POST", "clock"):
            await asyncio.to_thread(clock.advance, int(json.loads(await _read(receive))["advance_seconds"]))
            return 200, ANSWERS["clock"]()
        case ("POST", "flush"):
            return 200, {"undelivered": await asyncio.to_thread(streams.flush)}
        case ("POST", "issuers"):
            return _trust(json.loads(await _read(receive)))
        case ("POST", "snapshot"):
            return await _save(Path(json.loads(await _read(receive))["folder"]))
        case (method, "faults"):
            return await _steer_faults(method, receive, api_faults.replace_all, api_faults.in_force)
    method, (kind, _, rest) = request[0], request[1].partition("/")
    if kind == "simulators" and rest.endswith("/faults"):
        return await _steer_simulator(rest.removesuffix("/faults"), method, receive)
    return 404, {"message": f"localaws has no {request[0]} /_localaws/{request[1]}"}


def _trust(asked: dict[str, Any]) -> tuple[int, Any]:
    try:
        web_identity.trust(asked["issuer"], asked["keys"])
    except ValueError as error:
        return 400, {"reason": str(error)}
    return 200, {"issuer": asked["issuer"]}


async def _save(folder: Path) -> tuple[int, Any]:
    if not _idle()["idle"]:
        return 409, {"reason": "something still runs, which cannot be kept"}
    try:
        await asyncio.to_thread(snapshot.save, folder)
    except (snapshot.NotKept, OSError) as error:
        return 409, {"reason": str(error)}
    return 200, {"folder": str(folder)}


async def _steer_simulator(name: str, method: str, receive: Any) -> tuple[int, Any]:
    try:
        simulator = simulators.named(name)
    except ValueError as error:
        return 400, {"reason": str(error)}
    return await _steer_faults(method, receive, simulator.set_faults, simulator.faults)


async def _steer_faults(
    method: str,
    receive: Any,
    replace_all: Callable[[list[dict[str, Any]]], None],
    in_force: Callable[[], list[dict[str, Any]]],
) -> tuple[int, Any]:
    if method == "POST":
        try:
            replace_all(json.loads(await _read(receive)))
        except (TypeError, ValueError) as error:
            return 400, {"reason": str(error)}
    return 200, in_force()


async def _read(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Any) -> Any:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return waiting.pop() if waiting else await receive()

    return receive_again


async def _answer(send: Any, status: int, content: Any) -> None:
    await _send(send, status, "application/json", json.dumps(content).encode())


async def _send(send: Any, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
