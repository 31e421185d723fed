"""One localaws for a test session: a process of its own on a free port, with its state in a temporary folder."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class LocalAws:
    """A running localaws. ``environment`` is what its clients need, as its administrator."""

    home: Path
    port: int
    environment: dict[str, str]

    @property
    def endpoint(self) -> str:
        """The address of all services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def session(self) -> Any:
        """A boto3 session of the administrator; ``client`` makes clients that know the endpoint."""
        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_REGION"],
        )

    def client(self, service: str) -> Any:
        """A boto3 client of the administrator."""
        return self.session.client(service, endpoint_url=self.endpoint)

    def advance(self, seconds: int) -> None:
        """Move the clock; returns when what became due has been done."""
        self._request("clock", {"advance_seconds": seconds})

    def mail(self) -> list[dict[str, Any]]:
        """The e-mails that were sent, oldest first."""
        return list(self._request("mail")["messages"])

    def process_environment(self) -> dict[str, str]:
        """The environment of a command that works with this localaws."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **self.environment, "LOCALAWS_HOME": str(self.home), "LOCALAWS_PORT": str(self.port)}

    def _request(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.endpoint}/_localaws/{path}", data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return dict(json.load(answer))


@contextmanager
def running(home: Path) -> Iterator[LocalAws]:
    """Start a localaws, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "LOCALAWS_HOME": str(home), "LOCALAWS_PORT": str(port)}
    command = [sys.executable, "-m", "localaws"]
    subprocess.run([*command, "up"], check=True, cwd=REPOSITORY, env=environment)
    try:
        yield LocalAws(home, port, json.loads((home / "credentials.json").read_text()))
    finally:
        subprocess.run([*command, "down"], check=True, cwd=REPOSITORY, env=environment)
