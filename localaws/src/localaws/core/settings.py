"""Settings: the folder and the port that a user may give, and what never varies."""

import json
import os
from pathlib import Path

REGION = "us-east-1"
ACCOUNT = "000000000000"
HOST = "127.0.0.1"


def home() -> Path:
    """The state folder: everything localaws writes is in it."""
    return Path(os.environ.get("LOCALAWS_HOME", ".cache/localaws")).absolute()


def port() -> int:
    """The TCP port of the one endpoint of all services."""
    return int(os.environ.get("LOCALAWS_PORT", "4566"))


def endpoint() -> str:
    """Return the AWS_ENDPOINT_URL for clients."""
    return f"http://{HOST}:{port()}"


def place() -> dict[str, str]:
    """The part of a client's environment that says where AWS is."""
    return {"AWS_ENDPOINT_URL": endpoint(), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}


def credentials() -> dict[str, str]:
    """The administrator's environment, as the running server has written it."""
    return dict(json.loads((home() / "credentials.json").read_text(encoding="utf-8")))
