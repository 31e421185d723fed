"""The server process: MiniStack with our services in it, on one port of loopback or of a private address.

MiniStack by itself listens on all interfaces and keeps its files in the shared temporary folder. Here: one address,
all files in the state folder. It reads its environment when it is imported, and the services import it: therefore they
are imported here last.
"""

import asyncio
import importlib
import importlib.metadata
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

from localaws.core import clock, settings
from localaws.core.patching import MINISTACK_VERSION, PatchTargetMissing

# In this order the clock calls them: what is due starts first, alarms look last.
SERVICES = """
    core.identity core.calls services.iam.resources services.iam.passing services.iam.web_identity
    services.kms.rights services.kms.s3_objects
    services.cloudwatch.metrics services.cloudwatch.embedded_metrics core.simulators
    services.eventbridge.schedules services.eventbridge.rules services.cloudtrail
    services.awslambda.functions services.awslambda.concurrency services.awslambda.platform_logs services.kms.guards
    services.firehose.streams services.sns services.glue.job_runs services.athena.queries services.sqs services.budgets
    services.cloudwatch.alarms services.cloudwatch.dashboards services.cloudwatch.filter_patterns
""".split()  # noqa: SIM905 - a list of one word a line says no more

# After the services: what they put around CloudWatch's actions is to be the outermost layer.
FIXES = [
    f"ministack_fixes.{name}"
    for name in ("iam", "sts", "s3", "awslambda", "cloudwatch", "glue", "firehose", "secretsmanager", "logs")
]


class CannotStart(RuntimeError):
    """Why localaws does not start, in one sentence for its user."""


def run(snapshot: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT, from the state in the folder `snapshot` when it is given."""
    found = importlib.metadata.version("ministack")
    if found != MINISTACK_VERSION:
        raise CannotStart(
            f"localaws replaces private functions of MiniStack {MINISTACK_VERSION}; installed is {found}."
        )
    try:
        settings.host()
    except settings.HostRefused as error:
        raise CannotStart(str(error)) from error
    _check_port()
    _prepare_environment()
    clock.start()
    application = _install_services(snapshot)
    clock.start_ticking()
    asyncio.run(_serve(application))


def _check_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host(), settings.port()))
        except OSError as error:
            raise CannotStart(
                f"Port {settings.port()} is taken by another program ({error.strerror}); set LOCALAWS_PORT."
            ) from error


def _prepare_environment() -> None:
    """An inherited key would be root, an inherited endpoint would win inside functions: none of them may stay."""
    home, port = settings.home(), settings.port()
    temporary = home / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)  # MiniStack leaves the folders of functions behind
    temporary.mkdir(parents=True)
    for name in [n for n in os.environ if n.startswith(("AWS_", "MINISTACK_", "LAMBDA_"))]:
        del os.environ[name]
    os.environ |= {
        "LOCALAWS_HOME": str(home),
        "LOCALAWS_PORT": str(port),
        "TMPDIR": str(temporary),
        "BIND_HOST": settings.host(),
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": settings.ACCOUNT,
        "MINISTACK_REGION": settings.REGION,
        "AUTH": "true",
        "S3_DATA_DIR": str(home / "s3"),
        "STATE_DIR": str(home / "state"),
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "ATHENA_ENGINE": "duckdb",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": os.environ.get("LOCALAWS_LOG_LEVEL", "WARNING"),
        # SDKs must find no other identity than the one they are given.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _install_services(snapshot: Path | None) -> Any:
    import ministack.app

    from localaws.core import admission, identity
    from localaws.core import snapshot as snapshots
    from localaws.server import middleware

    try:
        for module in (*SERVICES, *FIXES):
            importlib.import_module(f"localaws.{module}").install()
    except PatchTargetMissing as error:
        raise CannotStart(str(error)) from error
    for service in admission.ADMITTED:  # MiniStack imports a service at its first request
        importlib.import_module(f"ministack.services.{ministack.app.SERVICE_REGISTRY[service]['module']}")
    snapshots.remember_start()
    if snapshot is None:
        identity.create_administrator()
    else:
        _restore(snapshot)
    return middleware.in_front_of(ministack.app.app)


def _restore(folder: Path) -> None:
    from localaws.core import identity, snapshot

    try:
        snapshot.restore(folder)
    except FileNotFoundError as error:
        raise CannotStart(f"{folder} holds no snapshot") from error
    identity.write_credentials()


async def _serve(application: Any) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"{settings.host()}:{settings.port()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    await serve(application, config, shutdown_trigger=stop.wait)
