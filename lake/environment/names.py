"""The names of the deployed parts as variables of a shell, so that a command can say ``$BUCKET``."""

import re
import shlex

from lake.environment.deployment import Platform

# Variable => what the platform's parameter calls it.
_OF_PLATFORM = {
    "PROJECT": "project",
    "ACCOUNT": "account_id",
    "REGION": "region",
    "BUCKET": "lake_bucket",
    "RESULTS": "results_bucket",
    "LOGS": "logs_bucket",
    "CODE": "code_bucket",
    "DATABASE": "database",
    "WORKGROUP": "workgroup",
    "LEDGER": "ledger",
    "SECRET": "pseudonym_key",
    "REPAIR_ROLE": "repair_role",
    "TOPIC": "alerts",
    "DEAD_LETTERS": "dead_letters",
    "KEY_ALIAS": "key_alias",
    "PRIVACY_KEY_ALIAS": "privacy_alias",
    "KEY_ROLE": "key_role",
    "ANALYST_ROLE": "analyst_role",
    "ANALYSTS_WORKGROUP": "analysts_workgroup",
    "WATCH": "watch",
    "DASHBOARD": "dashboard",
}
_KINDS = ("functions", "streams", "jobs", "operations")


def variables(platform: Platform) -> dict[str, str]:
    """Return variable => name: those of the platform, then ``<PIPELINE>_<PART>`` for each part of each pipeline."""
    found = {name: str(platform.names[key]) for name, key in _OF_PLATFORM.items()}
    for pipeline, registered in platform.pipelines.items():
        parts = {short: name for kind in _KINDS for short, name in registered.get(kind, {}).items()}
        found |= {variable(pipeline, short): name for short, name in parts.items()}
    return found


def commands(platform: Platform) -> str:
    """Return the commands with which a shell sets the variables."""
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in variables(platform).items())


def variable(pipeline: str, short: str) -> str:
    """Return the variable that has the name of a pipeline's part."""
    return re.sub(r"\W", "_", f"{pipeline}_{short}").upper()
