"""Faults of the AWS API, on request.

AWS: fails in ways that nobody can order. MiniStack: does not. Added: a list of faults; a request that one of them is
for is not executed, and gets the error it names, in the format of its service, or no answer at all.
"""

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any

from localaws.core import admission, api_model

UNANSWERED = ("ServiceUnavailable", "localaws let a hanging request go when its faults were replaced")


@dataclass
class Fault:
    """A fault of requests for an operation of a service ("*": any) that have `match` in their path or body.

    `times` requests are hit (0 is without end). The answer has `status`, `code` and `message`; with `hang` there is
    none until the faults are replaced. `hits` counts.
    """

    service: str
    action: str
    status: int = 0
    code: str = ""
    message: str = ""
    times: int = 1
    match: str = ""
    hang: bool = False
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        by_client = {client: signed for signed, client in api_model.CLIENT_NAMES.items()}
        self.service = by_client.get(self.service, self.service)
        if self.service not in admission.ADMITTED:
            raise ValueError(f"there is no service {self.service!r}; there are {', '.join(admission.ADMITTED)}")
        if self.action != "*" and self.action not in api_model.names(self.service):
            raise ValueError(f"{self.service} has no action {self.action!r}")
        if not self.hang and not (400 <= self.status <= 599 and self.code):
            raise ValueError("a fault needs a status from 400 to 599 and a code, or hang")

    def is_for(self, service: str, action: str, texts: tuple[bytes, ...]) -> bool:
        """Return True if the fault hits a request."""
        is_meant = self.service == service and self.action in ("*", action)
        return is_meant and any(self.match.encode() in text for text in texts)


_faults: list[Fault] = []
_replaced = asyncio.Event()


def replace_all(faults: list[dict[str, Any]]) -> None:
    """Put these in the place of all faults, and let go of what hangs. Raises TypeError or ValueError for what is no
    fault, and then changes nothing."""
    global _replaced
    made = [Fault(**fault) for fault in faults]
    _faults[:] = made
    _replaced.set()
    _replaced = asyncio.Event()


def in_force() -> list[dict[str, Any]]:
    """The faults that are left, each with its number of `hits`."""
    return [asdict(fault) for fault in _faults]


def concern(service: str) -> bool:
    """Return True if there is a fault for the service."""
    return any(fault.service == service for fault in _faults)


async def answer(
    scope: Any, headers: dict[str, str], query: dict[str, list[str]], service: str, body: bytes
) -> admission.Refusal | None:
    """The faulty answer to a request; None when no fault is for it."""
    action = api_model.asked_for(service, scope, headers, query, body)
    texts = (scope["path"].encode(), scope["query_string"], body)
    fault = next((fault for fault in _faults if fault.is_for(service, action, texts)), None)
    if fault is None:
        return None
    fault.hits += 1
    if fault.times and fault.hits >= fault.times:
        _faults.remove(fault)
    if not fault.hang:
        return admission.error(service, headers, body, fault.status, fault.code, fault.message)
    await _replaced.wait()
    return admission.error(service, headers, body, 503, *UNANSWERED)
