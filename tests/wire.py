"""The wire between a run and AWS: it counts the calls that change something, breaks one of them, or stops at each."""

from collections.abc import Callable
from enum import Enum
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, HTTPClientError

from tests.local_aws import LocalAws

_READING = ("Get", "Head", "List", "Query", "Scan", "Describe")


class Died(BaseException):
    """The process is gone: nothing catches this, and nothing that it would still do reaches AWS."""


class Fault(Enum):
    """What happens to one call."""

    DIES_BEFORE = "the process dies before the call"
    DIES_AFTER = "the process dies after the call"
    REPLY_LOST = "it is done, its reply is lost, and the SDK repeats it"
    REPLY_LOST_FOR_GOOD = "it is done, its reply is lost, and the caller gets an error"
    UNREACHABLE = "it is not done, and the caller gets an error"


class Wire:
    """Every call of one process goes through here. ``calls`` are the operations that change something, in order.

    ``fault`` hits the call with the index ``at``; ``pause`` is called before each.
    """

    def __init__(self, fault: Fault | None = None, at: int = -1, pause: Callable[[str], None] | None = None) -> None:
        self.calls: list[str] = []
        self._fault, self._at, self._pause = fault, at, pause
        self._is_dead = False

    @property
    def has_hit(self) -> bool:
        """Whether the run came as far as the call that the fault is for."""
        return 0 <= self._at < len(self.calls)

    def through(self, operation: str, send: Callable[[], Any]) -> Any:
        """Send one request, or do what the fault says. ``operation`` is AWS's name, e.g. ``PutObject``."""
        if self._is_dead:
            raise Died
        if operation.startswith(_READING):
            return send()
        if self._pause:
            self._pause(operation)
        self.calls.append(operation)
        if self._fault is None or len(self.calls) - 1 != self._at:
            return send()
        return self._broken(self._fault, send)

    def _broken(self, fault: Fault, send: Callable[[], Any]) -> Any:
        if fault not in (Fault.DIES_BEFORE, Fault.UNREACHABLE):
            send()
        if fault in (Fault.DIES_BEFORE, Fault.DIES_AFTER):
            self._is_dead = True
            raise Died
        if fault is Fault.REPLY_LOST:
            raise ConnectionClosedError(endpoint_url="wire")
        # One that the SDK does not repeat.
        raise HTTPClientError(error=fault.value)


class OneClientEach(LocalAws):
    """A localaws that makes one client for each service: making one takes longer than fifty calls."""

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str, config: Config | None = None) -> Any:
        if config:
            return super().client(service, config)
        if service not in self._clients:
            self._clients[service] = super().client(service)
        return self._clients[service]


class Wired:
    """boto3 clients whose calls go through the wire that is set."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.wire = Wire()
        self.clients = {name: client(name) for name in ("s3", "dynamodb", "glue", "cloudwatch")}
        for made in self.clients.values():
            made.meta.events.register("before-send", self._sender(made))

    def _sender(self, client: Any) -> Callable[..., Any]:
        def send(request: Any, event_name: str, **_more: Any) -> Any:
            operation = event_name.rsplit(".", 1)[-1]
            return self.wire.through(operation, lambda: client._endpoint.http_session.send(request))

        return send
