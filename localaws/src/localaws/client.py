"""A running localaws, as programs on this machine use it: AWS clients, its clock, its mailbox, the faults it plays."""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localaws.core import settings

# Sessions of boto3 are for one thread at a time, their clients are not.
_MAKING_CLIENTS = threading.Lock()


@dataclass(frozen=True)
class LocalAws:
    """A running localaws. ``home`` is its folder, ``environment`` what its clients need, as its administrator."""

    home: Path
    port: int
    environment: dict[str, str]

    @staticmethod
    def here() -> "LocalAws":
        """The one that LOCALAWS_HOME and LOCALAWS_PORT name; raises OSError when none has been started there."""
        return LocalAws(settings.home(), settings.port(), settings.credentials())

    @property
    def endpoint(self) -> str:
        """The address of all services."""
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def session(self) -> Any:
        """A boto3 session of the administrator; ``client`` makes clients that know the endpoint."""
        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_REGION"],
        )

    @cached_property
    def _shared_session(self) -> Any:
        """One for all clients: reading the descriptions of services takes five times as long as making a client."""
        return self.session

    def client(self, service: str, config: Config | None = None) -> Any:
        """A boto3 client of the administrator."""
        with _MAKING_CLIENTS:
            return self._shared_session.client(service, endpoint_url=self.endpoint, config=config)

    @property
    def now(self) -> datetime:
        """Return the time of the local AWS's clock."""
        return datetime.fromisoformat(self.ask("clock")["now"])

    def advance(self, seconds: int) -> None:
        """Move the clock; returns when what became due has been done."""
        self.ask("clock", {"advance_seconds": seconds})

    def advance_to_minute(self, minute: int) -> None:
        """Let time pass until the clock shows that minute of an hour."""
        now = self.now
        wait = timedelta(minutes=(minute - now.minute) % 60 or 60) - timedelta(seconds=now.second)
        self.advance(int(wait.total_seconds()) + 1)

    def flush(self) -> int:
        """Deliver what the streams hold, without letting time pass; how many records could not be delivered."""
        return int(self.ask("flush", {})["undelivered"])

    def mail(self) -> list[dict[str, Any]]:
        """The e-mails that were sent, oldest first."""
        return list(self.ask("mail")["messages"])

    def calls(self, caller: str) -> dict[str, int]:
        """IAM action => how often it was called, by callers whose ARN contains ``caller``; refused calls count too."""
        made: dict[str, int] = {}
        for (action, _), times in self.calls_on(caller).items():
            made[action] = made.get(action, 0) + times
        return made

    def calls_on(self, caller: str) -> dict[tuple[str, str], int]:
        """(IAM action, ARN of the resource) => how often, as `calls`; of an object in S3 its first folder counts."""
        made: dict[tuple[str, str], int] = {}
        for call in self.ask("calls")["calls"]:
            if caller in call["caller"]:
                what = (call["action"], call["resource"])
                made[what] = made.get(what, 0) + int(call["times"])
        return made

    def trust_issuer(self, issuer: str, keys: dict[str, Any]) -> None:
        """Take these (a JWKS) for the public keys with which the tokens of an issuer of web identities are checked."""
        self.ask("issuers", {"issuer": issuer, "keys": keys})

    def simulator(self, name: str) -> str:
        """The base URL of a simulator of a service outside AWS."""
        return str(self.ask("health")["simulators"][name])

    def break_simulator(self, name: str, *faults: dict[str, Any]) -> None:
        """Replace the faults of a simulator; without any it is reset."""
        if len(self.ask(f"simulators/{name}/faults", list(faults))) != len(faults):
            raise ValueError(f"the simulator {name} did not take these faults: {faults}")

    def simulator_faults(self, name: str) -> list[dict[str, Any]]:
        """The faults of a simulator that are left, each with its number of ``hits``."""
        return list(self.ask(f"simulators/{name}/faults"))

    def ask_simulator(self, name: str, path: str) -> dict[str, Any]:
        """The JSON object that a simulator answers to a GET of the path."""
        with self._opened(f"{self.simulator(name)}{path}", None) as answer:
            return dict(json.load(answer))

    def break_aws(self, *faults: dict[str, Any]) -> None:
        """Replace the faults of the AWS API; without any it is whole again. See `lake local api-faults`."""
        self.ask("faults", list(faults))

    def faults(self) -> list[dict[str, Any]]:
        """The faults of the AWS API that are in force, each with its ``hits``."""
        return list(self.ask("faults"))

    def save(self, folder: Path) -> None:
        """Keep all that it holds in a folder, from which `running` can start another one. Nothing may be running."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ask("snapshot", {"folder": str(folder.absolute())})

    def process_environment(self) -> dict[str, str]:
        """The environment of a command that works with this localaws."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **self.environment, "LOCALAWS_HOME": str(self.home), "LOCALAWS_PORT": str(self.port)}

    def ask(self, path: str, body: Any = None) -> Any:
        """The answer of localaws' own administration."""
        with self._opened(f"{self.endpoint}/_localaws/{path}", body) as answer:
            return json.load(answer)

    def _opened(self, address: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"content-type": "application/json"})  # noqa: S310 - http only
        # No proxy: an http_proxy of the environment does not lead to this machine's loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(request, timeout=3600)


@contextmanager
def running(home: Path, snapshot: Path | None = None) -> Iterator[LocalAws]:
    """A localaws of one's own on a free port, stopped at the end; with all that `LocalAws.save` kept in `snapshot`."""
    with socket.socket() as probe:
        probe.bind((settings.host(), 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "LOCALAWS_HOME": str(home), "LOCALAWS_PORT": str(port)}
    # Tests in another environment, such as that of Glue's packages, say which Python has localaws.
    command = [os.environ.get("LOCALAWS_PYTHON", sys.executable), "-P", "-m", "localaws"]
    # Its words are for terminals; who starts one from a program gets them when it fails.
    origin = ["--from", str(snapshot)] if snapshot else []
    subprocess.run([*command, "up", *origin], check=True, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield LocalAws(home, port, json.loads((home / "credentials.json").read_text(encoding="utf-8")))
    finally:
        subprocess.run([*command, "down"], check=True, env=environment, stdout=subprocess.DEVNULL)
