"""The weather API as a server that does what a case says, down to the connection."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CITY = {"name": "Paris", "latitude": 48.8566, "longitude": 2.3522, "key": "paris"}
_CHUNK = b" " * 65536
_ENDLESS_CHUNKS = 16 * 1024


def sound(changed: dict[str, Any] | None = None) -> dict[str, Any]:
    """Two hours of weather, with other values where a case says so."""
    body: dict[str, Any] = {
        "latitude": 48.86,
        "longitude": 2.36,
        "utc_offset_seconds": 0,
        "hourly_units": {
            "temperature_2m": "°C", "relative_humidity_2m": "%", "wind_speed_10m": "km/h", "precipitation": "mm",
        },
        "hourly": {
            "time": ["2026-11-20T00:00", "2026-11-20T01:00"], "temperature_2m": [6.5, 7.0],
            "relative_humidity_2m": [97, 96], "wind_speed_10m": [9.0, 9.5], "precipitation": [0.0, 0.1],
        },
    }  # fmt: skip
    for name, value in (changed or {}).items():
        body[name] = {**body[name], **value} if isinstance(value, dict) else value
    return body


class Api:
    """Answers each request with the next step of its script; the last one stays."""

    def __init__(self, script: list[Any]) -> None:
        self.script = list(script)
        self.requests = 0

    def next(self) -> dict[str, Any]:
        """The step of one request."""
        self.requests += 1
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return {} if step == "good" else step


@contextmanager
def serving(api: Api, context: Any = None) -> Iterator[str]:
    """Serve on a free port of this machine; with an SSL context by HTTPS. Yields the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            with suppress(BrokenPipeError, ConnectionResetError):
                _answer(self, api.next())

        def log_message(self, format: str, *arguments: Any) -> None:
            """Silent."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield str(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what the cases are about."""


def _answer(handler: BaseHTTPRequestHandler, step: dict[str, Any]) -> None:
    if step.get("drop") == "at once":
        return
    text = step.get("body", "" if "status" in step else json.dumps(sound(step.get("changed"))))
    body = gzip.compress(bytes(64 * 1024 * 1024)) if step.get("bomb") else text.encode()
    length = len(_CHUNK) * _ENDLESS_CHUNKS if step.get("endless") else len(body)
    encoding = {"Content-Encoding": "gzip"} if step.get("bomb") else {}
    handler.send_response_only(step.get("status", 200))
    framing = {"Transfer-Encoding": "chunked"} if step.get("chunked") else {"Content-Length": str(length)}
    headers = {"Content-Type": "application/json; charset=utf-8", "Connection": "close", **framing, **encoding}
    for name, value in {**headers, **step.get("headers", {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    for piece in _pieces(step, body):
        handler.wfile.write(piece)


def _pieces(step: dict[str, Any], body: bytes) -> Iterator[bytes]:
    if step.get("endless"):
        yield from (_CHUNK for _ in range(_ENDLESS_CHUNKS))
    elif step.get("drip"):
        for byte in body:
            yield bytes([byte])
            time.sleep(step["drip"])
    elif step.get("chunked"):
        whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        yield whole[: len(whole) // 2] if step.get("drop") else whole
    else:
        yield body[: len(body) // 2] if step.get("drop") == "half way" else body
