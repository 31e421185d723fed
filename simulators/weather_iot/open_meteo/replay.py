"""Open-Meteo's forecast API, replayed over HTTP: a simulator of localaws (see localaws.core.simulators).

recordings/SOURCE.md says which answers are recorded and whose they are; answers.py chooses the answer to a request.
"""

import functools
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from simulators.weather_iot.open_meteo.answers import BadRequest, answer

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass
class Fault:
    """A fault of requests, instead of or before the recorded answer.

    `times` requests are hit (0 is without end) whose path has `match` in it, such as `latitude=-37.8`.
    First `delay_seconds` pass. With a `status` the answer is that, with `headers` and `body`; without one it is the
    recording. `close_mid_body` sends half of it and closes the connection; `close` closes it before a byte is sent.
    `hits` counts, from the moment that a request came in.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    delay_seconds: float = 0
    close_mid_body: bool = False
    close: bool = False
    times: int = 1
    match: str = ""
    hits: int = field(default=0, init=False)


def _days_later() -> int:
    """Return the number of days that the clock is ahead, rounded.

    What the machine needs for a simulated day counts neither: who asks every 24 hours gets new weather each time.
    """
    return round(_advanced() / timedelta(days=1))


# The functions that ask Open-Meteo have this in their name.
FUNCTION = "batch-ingest"

_advanced: Callable[[], timedelta] = timedelta
_faults: list[Fault] = []
_lock = threading.Lock()
_server: ThreadingHTTPServer | None = None


def environment(function: Mapping[str, Any]) -> dict[str, str]:
    """OPEN_METEO_URL for the functions that ask the API, nothing for others."""
    return {"OPEN_METEO_URL": url()} if FUNCTION in function.get("FunctionName", "") else {}


def faults() -> list[dict[str, Any]]:
    """The faults that are left, each with its number of `hits`."""
    with _lock:
        return [asdict(fault) for fault in _faults]


def set_faults(faults: list[dict[str, Any]]) -> None:
    """Replace all faults; an unknown word raises TypeError."""
    with _lock:
        _faults[:] = [Fault(**fault) for fault in faults]


def _hit(path: str) -> Fault:
    """The first fault for this request, one hit more; one that does nothing when there is none."""
    with _lock:
        fault = next((f for f in _faults if f.match in path), None)
        if fault is None:
            return Fault()
        fault.hits += 1
        if fault.hits == fault.times:
            _faults.remove(fault)
        return fault


def start(advanced: Callable[[], timedelta], recordings: Path = RECORDINGS) -> str:
    """Serve the recordings of a folder on a free port of this machine until `stop`; returns the base URL.

    `advanced` tells how far the clock is ahead of the machine's.
    """
    global _advanced, _server
    _advanced = advanced
    read = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(recordings.glob("*.json"))]
    _server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, read))
    _server.daemon_threads = True
    threading.Thread(target=_server.serve_forever, name="open-meteo", daemon=True).start()
    return url()


def stop() -> None:
    """Stop to serve."""
    if _server is not None:
        _server.shutdown()
        _server.server_close()


def url() -> str:
    """Return the address of the replay."""
    if _server is None:
        raise RuntimeError("the replay of Open-Meteo has not been started")
    return f"http://127.0.0.1:{_server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, recordings: list[dict[str, Any]], *arguments: Any) -> None:
        self._recordings = recordings
        super().__init__(*arguments)

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        fault = _hit(self.path)
        time.sleep(fault.delay_seconds)
        if fault.close:
            self.close_connection = True
            return
        status, body = self._forecast(address) if fault.status is None else (fault.status, "")
        self._send(status, fault.body if fault.body is not None else body, fault)

    def log_message(self, *_arguments: Any) -> None:
        """The functions that ask keep logs of their own."""

    def _forecast(self, address: urllib.parse.SplitResult) -> tuple[int, str]:
        if address.path != "/v1/forecast":
            return 404, _error("Not Found")
        given = urllib.parse.parse_qs(address.query)
        parameters = {name: ",".join(values) for name, values in given.items()}
        try:
            return 200, json.dumps(answer(self._recordings, parameters, _days_later()), ensure_ascii=False)
        except BadRequest as error:
            return 400, _error(str(error))

    def _send(self, status: int, text: str, fault: Fault | None = None) -> None:
        body, more = text.encode(), fault.headers if fault else {}
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault and fault.close_mid_body:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)


def _error(reason: str) -> str:
    return json.dumps({"error": True, "reason": reason})
