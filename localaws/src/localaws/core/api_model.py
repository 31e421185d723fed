"""Find the API operation of a request, by AWS's own description of its services (botocore's models).

AWS: routes by the same description. MiniStack: by rules of its own, service by service, in the words of IAM, where for
example GetObject and HeadObject are one. Added: the names that clients and documentation use.
"""

import functools
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any

import botocore.session

# Where a service signs its requests by another name than its clients have.
CLIENT_NAMES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}


@dataclass(frozen=True)
class Route:
    """The route of a REST operation: path, and what the query string and the headers must have."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: frozenset[tuple[str, str | None]]
    headers: frozenset[str]

    def fits(self, method: str, path: str, headers: dict[str, str], query: dict[str, list[str]]) -> bool:
        """Return True if a request has this form; of several that fit, the one that demands most is meant."""
        has_query = all(name in query and (value is None or value in query[name]) for name, value in self.query)
        return (
            method == self.method and bool(self.path.fullmatch(path)) and has_query and self.headers <= headers.keys()
        )


@functools.cache
def names(service: str) -> frozenset[str]:
    """The operations of a service, given by the name that it signs with."""
    return frozenset(_model(service).operation_names)


def asked_for(service: str, scope: Any, headers: dict[str, str], query: dict[str, list[str]], body: bytes) -> str:
    """The operation that a request to the service asks for; empty when it is none."""
    if "/operation/" in scope["path"]:  # smithy's RPC protocols
        return str(scope["path"].rsplit("/", 1)[-1])
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if not _model(service).protocol.startswith("rest"):
        given = urllib.parse.parse_qs(body.decode(errors="replace")) | query
        return given.get("Action", [""])[0]
    fitting = [route for route in _routes(service) if route.fits(scope["method"], scope["path"], headers, query)]
    return max(fitting, key=_demands).operation if fitting else ""


def _demands(route: Route) -> tuple[int, int]:
    return len(route.query) + len(route.headers), len(route.path.pattern)


@functools.cache
def _model(service: str) -> Any:
    return _session().get_service_model(CLIENT_NAMES.get(service, service))


@functools.cache
def _session() -> Any:
    return botocore.session.Session()


@functools.cache
def _routes(service: str) -> tuple[Route, ...]:
    model = _model(service)
    return tuple(_route(model.operation_model(name)) for name in model.operation_names)


def _route(operation: Any) -> Route:
    path, _, static = operation.http["requestUri"].partition("?")
    shape = operation.input_shape
    members = {name: shape.members[name].serialization for name in shape.required_members} if shape else {}
    query: set[tuple[str, str | None]] = set()
    query |= {(place["name"], None) for place in members.values() if place.get("location") == "querystring"}
    query |= {(name, value or None) for name, value in urllib.parse.parse_qsl(static, keep_blank_values=True)}
    headers = {place["name"].lower() for place in members.values() if place.get("location") == "header"}
    # In a path {Key+} takes slashes, {Bucket} does not.
    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda found: ".+" if found[2] else "[^/]+", re.escape(path))
    return Route(
        operation.name, operation.http["method"], re.compile(f"{pattern}/?"), frozenset(query), frozenset(headers)
    )
