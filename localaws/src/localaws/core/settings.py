"""Settings: the folder and the port that a user may give, and what never varies."""

import ipaddress
import json
import os
import socket
from pathlib import Path

REGION = "us-east-1"
ACCOUNT = "000000000000"
LOOPBACK = "127.0.0.1"
# Addresses that no other network can reach, by RFC 1918 and 1122. Every key that localaws gives away may do everything.
PRIVATE = [
    ipaddress.ip_network(network) for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]


class HostRefused(ValueError):
    """LOCALAWS_HOST is no address of a private network; the message says so in one sentence."""


def host() -> str:
    """The address of the endpoint: loopback, or $LOCALAWS_HOST where containers of one network use it.

    A name stays a name. Raises HostRefused unless it is, or stands for, one private or loopback IPv4 address.
    """
    given = os.environ.get("LOCALAWS_HOST") or LOOPBACK
    try:
        found = {ipaddress.ip_address(entry[4][0]) for entry in socket.getaddrinfo(given, None, socket.AF_INET)}
    except OSError as error:
        raise HostRefused(f"LOCALAWS_HOST is {given}, which is no address and no known name") from error
    if not all(any(address in network for network in PRIVATE) for address in found):
        raise HostRefused(f"LOCALAWS_HOST is {given}; only a loopback or private IPv4 address is listened on")
    return given


def home() -> Path:
    """The state folder: everything localaws writes is in it."""
    return Path(os.environ.get("LOCALAWS_HOME", ".cache/localaws")).absolute()


def port() -> int:
    """The TCP port of the one endpoint of all services."""
    return int(os.environ.get("LOCALAWS_PORT", "4566"))


def endpoint() -> str:
    """Return the AWS_ENDPOINT_URL for clients."""
    return f"http://{host()}:{port()}"


def place() -> dict[str, str]:
    """The part of a client's environment that says where AWS is."""
    return {"AWS_ENDPOINT_URL": endpoint(), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}


def credentials() -> dict[str, str]:
    """The administrator's environment, as the running server has written it."""
    return dict(json.loads((home() / "credentials.json").read_text(encoding="utf-8")))
