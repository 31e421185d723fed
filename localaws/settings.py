"""Where this localaws keeps its files and answers: the two settings a user may give, and the three facts that never
vary.
"""

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
    """What clients get as AWS_ENDPOINT_URL."""
    return f"http://{HOST}:{port()}"
