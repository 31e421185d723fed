"""An account in which something has our names: what is ours is taken, all of it, and what is not stays where it is."""

import subprocess
from collections.abc import Iterator

import pytest

from drills.lake import Lake
from drills.sets import fresh_account
from lake.environment.deployment import PROJECT
from scripts import roots
from tests.pipelines.deployment import build

pytestmark = pytest.mark.e2e
ACCOUNT = "000000000000"
OURS = {"project": PROJECT, "environment": "dev", "managed-by": "terraform"}
BUCKET = f"{PROJECT}-{ACCOUNT}-us-east-1-dev-datalake"
LOG_GROUP = f"/aws/lambda/{PROJECT}-watch-dev"
ROLE = f"{PROJECT}-watch-dev"
NOTHING_DONE = "nothing was adopted and nothing applied"


@pytest.fixture(scope="module")
def account() -> Iterator[Lake]:
    """An account with the place of the state; a bucket, a log group and a role have names of ours."""
    build()
    with fresh_account() as lake:
        assert lake.command("bash", "terraform/bootstrap.sh").returncode == 0
        s3, iam = lake.client("s3"), lake.client("iam")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags({**OURS, "project": "another"})})
        lake.client("logs").create_log_group(logGroupName=LOG_GROUP)
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument='{"Statement": []}', Tags=tags(OURS))
        yield lake


def tags(named: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in named.items()]


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said about each root; make has built the packages before."""
    named = tuple(f"{root}: " for root in (roots.PLATFORM, *roots.pipelines()))
    return [line for line in done.stdout.splitlines() if line.startswith(named)]


def states(lake: Lake) -> list[str]:
    return list(lake.objects("dev/", roots.backend(ACCOUNT)["bucket"]))


def test_what_is_not_ours_is_named_and_nothing_is_taken(account: Lake) -> None:
    # What is left over in the environment is no word of anybody.
    for words in ((), ("YES=1", f"OURS={BUCKET} {LOG_GROUP}")):
        done = account.command("make", "-s", "adopt", "PIPELINE=platform", *words, YES="1", OURS=LOG_GROUP)
        assert done.returncode != 0
        said = lines(done)
        refused = [line for line in said if " refuse " in line]
        assert [line.partition(";")[0] for line in refused] == [
            f"platform: refuse  aws_s3_bucket {BUCKET}: belongs to project another"
        ]
        assert len([line for line in said if line.startswith(f"platform: adopt   aws_iam_role {ROLE}: ")]) == 1
        log_group = [line.split()[1] for line in said if f"aws_cloudwatch_log_group {LOG_GROUP}: " in line]
        assert log_group == ["adopt" if words else "ask"]
        assert NOTHING_DONE in done.stderr
    assert states(account) == []
    assert account.client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"][0]["Value"] == "another"


def test_what_is_ours_is_taken_with_the_first_apply(account: Lake) -> None:
    account.client("s3").delete_bucket(Bucket=BUCKET)
    done = account.command("make", "-s", "adopt", "YES=1", f"OURS={LOG_GROUP}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "Apply complete! Resources: 2 imported, " in done.stdout
    assert account.terraform("plan").returncode == 0


def things(lake: Lake) -> dict[str, int]:
    """How many there are of what AWS would have twice when it were made anew."""
    queries = [lake.client("athena").list_named_queries(WorkGroup=f"{PROJECT}-{name}-dev")["NamedQueryIds"]
               for name in ("analytics", "analysts")]  # fmt: skip
    return {"keys": len(lake.client("kms").list_keys()["Keys"]), "queries": sum(map(len, queries))}


def test_when_all_states_are_lost_everything_is_found_again(account: Lake) -> None:
    bucket, table = roots.backend(ACCOUNT)["bucket"], roots.backend(ACCOUNT)["dynamodb_table"]
    dynamodb, before = account.client("dynamodb"), things(account)
    lost = states(account)
    assert len(lost) == 1 + len(roots.pipelines())
    for key in lost:
        account.client("s3").delete_object(Bucket=bucket, Key=key)
        dynamodb.delete_item(TableName=table, Key={"LockID": {"S": f"{bucket}/{key}-md5"}})
    done = account.command("make", "-s", "adopt", "YES=1")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "orphan" not in done.stdout
    assert account.terraform("plan").returncode == 0
    assert things(account) == before


def test_where_every_state_has_everything_there_is_nothing_to_adopt(account: Lake) -> None:
    done = account.command("make", "-s", "adopt")
    assert done.returncode == 0, done.stderr
    assert lines(done) == [f"{root}: nothing to adopt" for root in (roots.PLATFORM, *roots.pipelines())]
