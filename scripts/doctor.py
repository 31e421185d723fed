"""Say what an environment is missing, before the first apply and after it: one sentence for each thing.

Each sentence says what, where, and what to type. Ends with 1 when something is a problem: `make apply` would fail, or
alarms would reach nobody. A warning or what cannot be read changes nothing about that.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lake.environment import deployment
from scripts import roots, values
from scripts.terraform import CACHE, Terraform, TerraformError, account_for

# Lambda keeps so many invocations unreserved, or all of a lower quota.
UNRESERVED = 100
# Names that RFC 2606 reserves: no mail arrives there.
NOBODY = ("example.com", "example.org", "example.net", "example", "test", "invalid", "localhost")
QUOTA = (
    "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
    "--desired-value 1000"
)


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``state`` is ok, warning, problem or unknown."""

    check: str
    state: str
    sentence: str


@dataclass(frozen=True)
class Patient:
    """The environment that is looked at, with the account of the credentials and a maker of clients of its region."""

    environment: str
    account: str
    client: Callable[..., Any]

    @property
    def values(self) -> str:
        """The file of the platform's values."""
        return values.file(self.environment)


def account(patient: Patient) -> Iterator[Finding]:
    """Check whether the credentials are those of the account that is meant."""
    try:
        found = account_for(patient.environment)
    except TerraformError as error:
        yield Finding("account", "problem", str(error))
        return
    if roots.expected_account(patient.environment):
        yield Finding("account", "ok", f"the credentials are of account {found}, as {patient.values} says.")
    else:
        yield Finding(
            "account", "warning",
            f"the credentials are of account {found}, and nothing says whether that is meant: "
            f'write account_id = "{found}" into {patient.values}.',
        )  # fmt: skip


def region(patient: Patient) -> Iterator[Finding]:
    """Check whether commands look where Terraform deploys."""
    meant, used = values.region(patient.environment), boto3.Session().region_name
    if used == meant:
        yield Finding("region", "ok", f"the region is {meant}.")
    else:
        yield Finding(
            "region", "problem",
            f"commands look into {used or 'no region'}, but {patient.environment} belongs into {meant} "
            f"({patient.values}): export AWS_REGION={meant}.",
        )  # fmt: skip


def concurrency(patient: Patient) -> Iterator[Finding]:
    """Check whether Lambda's quota holds what is reserved."""
    limits = patient.client("lambda").get_account_settings()["AccountLimit"]
    quota = int(limits["ConcurrentExecutions"])
    reserved = values.reserved_concurrency(patient.environment)
    total, room = sum(reserved.values()), max(0, quota - UNRESERVED)
    if total > room:
        yield Finding(
            "concurrency", "problem",
            f"Lambda's quota of {quota} simultaneous invocations has room to reserve {room}, but "
            f"{' and '.join(reserved)} reserve {total}: take reserved_concurrency out, or ask for more: {QUOTA}",
        )  # fmt: skip
    elif not room:
        yield Finding(
            "concurrency", "warning",
            f"Lambda's quota is {quota} simultaneous invocations for the whole account, so none can be reserved: leave "
            f"reserved_concurrency out of {patient.values}, or ask for more: {QUOTA}",
        )  # fmt: skip
    else:
        yield Finding("concurrency", "ok", f"Lambda's quota of {quota} has room to reserve {room}; reserved: {total}.")


def buckets(patient: Patient) -> Iterator[Finding]:
    """Check whether the names of buckets are free, or already ours."""
    state = roots.backend(patient.account)["bucket"]
    for name in (state, *values.buckets(patient.environment, patient.account)):
        remedy = (
            "choose another project: export LAKE_PROJECT=…"
            if name == state
            else f'choose another beginning: bucket_prefix = "…" in {patient.values}'
        )
        yield _bucket(patient.client("s3"), name, remedy)


def _bucket(s3: Any, name: str, remedy: str) -> Finding:
    if len(name) > 63:
        return Finding(
            "buckets", "problem", f"{name} has {len(name)} characters, a bucket's name 63 at most: {remedy}."
        )
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return Finding("buckets", "ok", f"{name} is free.")
        if status == 403:
            return Finding("buckets", "problem", f"{name} belongs to another account, or you may not see it: {remedy}.")
        if status == 301:
            return Finding("buckets", "problem", f"{name} is in another region: {remedy}.")
        raise
    return Finding("buckets", "ok", f"{name} is there, and yours.")


def lake_formation(patient: Patient) -> Iterator[Finding]:
    """Check whether IAM alone decides who reads tables."""
    settings = patient.client("lakeformation").get_data_lake_settings()["DataLakeSettings"]
    by_iam = [
        entry["Principal"]["DataLakePrincipalIdentifier"] for entry in settings["CreateDatabaseDefaultPermissions"]
    ]
    if "IAM_ALLOWED_PRINCIPALS" in by_iam:
        yield Finding("lake formation", "ok", "IAM decides who reads new databases.")
    else:
        yield Finding(
            "lake formation", "problem",
            "Lake Formation governs new databases in this account, so jobs and queries would be refused: in its "
            "console, Data catalog settings, tick 'Use only IAM access control' for new databases and for new tables.",
        )  # fmt: skip


def terraform(patient: Patient) -> Iterator[Finding]:
    """Check whether Terraform is new enough, and finds its provider."""
    runner = Terraform(patient.environment, roots.PLATFORM, os.environ)
    runner.environment["TF_DATA_DIR"] = str((CACHE / "terraform-doctor").resolve())
    runner.initialise("-backend=false")
    yield Finding("terraform", "ok", "Terraform is new enough and has its provider.")


def alert_email(patient: Patient) -> Iterator[Finding]:
    """Check whether somebody reads the mail of alarms."""
    address = values.alert_email(patient.environment)
    if not address:
        yield Finding(
            "alert email", "problem",
            f'nobody would receive alarms: write alert_email = "…" into {patient.values}, or export ALERT_EMAIL=….',
        )  # fmt: skip
    elif is_nobody(address):
        state = "warning" if patient.environment == "dev" else "problem"
        yield Finding(
            "alert email", state,
            f"alarms go to {address}, which nobody reads: write alert_email = \"…\" into {patient.values}, or export "
            "ALERT_EMAIL=….",
        )  # fmt: skip
    else:
        yield Finding("alert email", "ok", f"alarms go to {address}.")


def is_nobody(address: str) -> bool:
    """True for an address in a domain that is reserved for examples."""
    domain = address.rpartition("@")[2].lower()
    return any(domain == name or domain.endswith(f".{name}") for name in NOBODY)


def subscription(patient: Patient) -> Iterator[Finding]:
    """Check whether somebody has confirmed that alarms may be mailed."""
    try:
        topic = deployment.load(patient.environment).names["alerts"]
    except deployment.NotDeployed:
        yield Finding("subscription", "unknown", "whether alarms reach somebody can be seen after the first apply.")
        return
    confirmed = int(patient.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"])
    if confirmed:
        yield Finding("subscription", "ok", f"{confirmed} confirmed: alarms reach somebody.")
    else:
        yield Finding(
            "subscription", "problem",
            f"no address has confirmed that it wants the alarms of {topic}: click the link in AWS's mail, or have it "
            f"sent again: make apply ENV={patient.environment}.",
        )  # fmt: skip


CHECKS: tuple[tuple[str, Callable[[Patient], Iterator[Finding]]], ...] = (
    ("account", account),
    ("region", region),
    ("concurrency", concurrency),
    ("buckets", buckets),
    ("lake formation", lake_formation),
    ("terraform", terraform),
    ("alert email", alert_email),
    ("subscription", subscription),
)


def examine(patient: Patient) -> list[Finding]:
    """All findings; what cannot be read is unknown, and keeps no other check from its turn."""
    return [finding for name, check in CHECKS for finding in _carefully(name, check, patient)]


def _carefully(name: str, check: Callable[[Patient], Iterator[Finding]], patient: Patient) -> list[Finding]:
    try:
        return list(check(patient))
    except TerraformError as error:
        return [Finding(name, "problem", str(error).replace("\n", " "))]
    except (BotoCoreError, ClientError) as error:
        return [Finding(name, "unknown", f"cannot be read: {error}")]


def main() -> int:
    """Command line; 0 when nothing is a problem, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", choices=roots.environments(), default="dev", help="environment (default: dev)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    try:
        account_id = roots.caller_account()
    except (BotoCoreError, ClientError) as error:
        findings = [Finding("account", "problem", f"the credentials are good for nothing: {error}; log in again.")]
    else:
        clients = boto3.Session(region_name=values.region(given.env)).client
        findings = examine(Patient(given.env, account_id, clients))
    if given.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.state:<8} {finding.check}: {finding.sentence}")
    return 1 if any(finding.state == "problem" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
