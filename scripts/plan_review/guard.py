"""Find in a plan what would delete or replace things that hold data or keys, or loosen what protects them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.plan_review import rights

# A catalog table that is replaced loses its partitions; whether one may go, the contract of its dataset decides.
_BOTH = frozenset({"deleted", "replaced"})
HOLDS: Mapping[str, frozenset[str]] = {
    "aws_athena_workgroup": _BOTH,
    "aws_dynamodb_table": _BOTH,
    "aws_glue_catalog_database": _BOTH,
    "aws_glue_catalog_table": frozenset({"replaced"}),
    "aws_iam_openid_connect_provider": _BOTH,
    "aws_kinesis_firehose_delivery_stream": _BOTH,
    "aws_kms_key": _BOTH,
    "aws_s3_bucket": _BOTH,
    "aws_secretsmanager_secret": _BOTH,
    "aws_secretsmanager_secret_version": _BOTH,
}
# Their loss loosens what they protect.
PROTECTS = frozenset(
    {
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_secretsmanager_secret_policy",
    }
)
GUARDED_POLICIES = frozenset({"aws_kms_key", "aws_s3_bucket_policy", "aws_secretsmanager_secret_policy"})


def _off(before: Any, after: Any) -> bool:
    return bool(before) and not after


def _on(before: Any, after: Any) -> bool:
    return bool(after) and not before


def _shorter(before: Any, after: Any) -> bool:
    return before is not None and after is not None and bool(after < before)


def _leaves_enabled(before: Any, after: Any) -> bool:
    return bool(before == "Enabled" != after)


_Loosens = Callable[[Any, Any], bool]
# Type of resource => path of an attribute => when a change of it is looser.
PROTECTIONS: Mapping[str, Mapping[str, _Loosens]] = {
    "aws_athena_workgroup": {"force_destroy": _on},
    "aws_dynamodb_table": {
        "deletion_protection_enabled": _off,
        "point_in_time_recovery.enabled": _off,
        "server_side_encryption.enabled": _off,
    },
    "aws_kms_key": {"deletion_window_in_days": _shorter, "enable_key_rotation": _off, "is_enabled": _off},
    "aws_s3_bucket": {"force_destroy": _on, "object_lock_enabled": _off},
    "aws_s3_bucket_public_access_block": dict.fromkeys(
        ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), _off
    ),
    "aws_s3_bucket_versioning": {"versioning_configuration.status": _leaves_enabled},
    "aws_secretsmanager_secret": {"recovery_window_in_days": _shorter},
}


@dataclass(frozen=True)
class Danger:
    """A loss in a plan: one thing and its fate. ``deletes`` is False when it only loosens what protects it."""

    address: str
    what: str
    deletes: bool


@dataclass(frozen=True)
class Switches:
    """The two switches, which live in different places, and whether the first was in force before this plan."""

    allowed: bool
    applied: bool
    confirmed: bool

    def permit(self, danger: Danger) -> bool:
        """Return True if both agree. Before anything is deleted the first must have been applied, as for `destroy`."""
        return self.allowed and self.confirmed and (self.applied or not danger.deletes)


def switches(plan: Mapping[str, Any], environment: str, confirm: str) -> Switches:
    """Read the first switch from the plan of a root; ``confirm`` is the second one, the environment's name."""
    given = plan.get("variables", {}).get("allow_destroy", {}).get("value")
    outputs = plan.get("prior_state", {}).get("values", {}).get("outputs", {})
    applied = outputs.get("allow_destroy", {}).get("value")
    # A value of a file is a boolean in the plan, one of the command line is text.
    return Switches(given in (True, "true"), applied in (True, "true"), confirm == environment)


def dangers(plan: Mapping[str, Any]) -> list[Danger]:
    """Everything that a plan would delete, replace or loosen, by address."""
    found = [danger for entry in plan.get("resource_changes", ()) for danger in _of(entry)]
    return sorted(found, key=lambda danger: (danger.address, danger.what))


def _of(entry: Mapping[str, Any]) -> Iterator[Danger]:
    actions = set(entry["change"]["actions"])
    if "delete" in actions or "forget" in actions:
        yield from _lost(entry, "replaced" if "create" in actions else "deleted")
    elif "update" in actions:
        yield from _loosened(entry)
        yield from _opened(entry)


def _lost(entry: Mapping[str, Any], how: str) -> Iterator[Danger]:
    kind, address = entry["type"], entry["address"]
    if how in HOLDS.get(kind, ()):
        yield Danger(address, f"{kind} would be {how}", deletes=True)
    elif kind in PROTECTS and how == "deleted":
        yield Danger(address, f"{kind} would be deleted, and with it what it protects from", deletes=False)
    elif kind in PROTECTS:
        yield from _loosened(entry)
        yield from _opened(entry)


def _loosened(entry: Mapping[str, Any]) -> Iterator[Danger]:
    change = entry["change"]
    for path, loosens in PROTECTIONS.get(entry["type"], {}).items():
        before, after = (_value(change.get(side), path) for side in ("before", "after"))
        if loosens(before, after) and not _value(change.get("after_unknown"), path):
            yield Danger(entry["address"], f"{path} would go from {before} to {after}", deletes=False)


def _opened(entry: Mapping[str, Any]) -> Iterator[Danger]:
    if entry["type"] not in GUARDED_POLICIES:
        return
    for change in rights.changes({"resource_changes": [entry]}):
        if change.unknown:
            yield Danger(entry["address"], "its policy is known only while it is applied", deletes=False)
        elif change.loosens:
            more = [right.text for right in change.gained if right.effect == "Allow"]
            gone = [f"no longer: {right.text}" for right in change.lost if right.effect == "Deny"]
            yield Danger(entry["address"], f"its policy would be looser: {'; '.join([*more, *gone])}", deletes=False)


def _value(values: Any, path: str) -> Any:
    """The value at a path; a block that stands once is a list of one."""
    for name in path.split("."):
        if isinstance(values, list):
            values = values[0] if values else None
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
