"""Scenario 7, who asks for what they may not have, and who weakens what protects the lake."""

import json
from typing import Any

from botocore.exceptions import ClientError

from drills.drill import Drill, DrillFailed, require
from drills.lake import Lake

READ, CHANGED = "pseudonym-key-read", "protection-changed"


def asked(lake: Lake) -> None:
    """An administrator asks for the pseudonym key, and is denied."""
    try:
        lake.client("secretsmanager").get_secret_value(SecretId=lake.names["pseudonym_key"])
    except ClientError as error:
        require("AccessDenied" in str(error), f"the answer was {error}")
        return
    raise DrillFailed("an administrator has read the pseudonym key")


def let_in(lake: Lake) -> None:
    """Somebody removes the policy that names the readers, and asks. The key's own policy denies it still."""
    lake.client("secretsmanager").delete_resource_policy(SecretId=lake.names["pseudonym_key"])
    asked(lake)


def closed(lake: Lake, _found: Any) -> str:
    """The secret has the policy that names its readers; who is none of them was told of by mail."""
    client = lake.client("secretsmanager")
    policy = client.get_resource_policy(SecretId=lake.names["pseudonym_key"]).get("ResourcePolicy", "")
    require("NamedReadersOnly" in policy, f"the policy of the secret is {policy or 'missing'}")
    told = [mail for mail in lake.mail() if '"call": "GetSecretValue of secretsmanager.amazonaws.com"' in mail["body"]]
    require(bool(told), "no mail says who asked")
    who = json.JSONDecoder().raw_decode(told[-1]["body"])[0]["who"]  # the mail says below how to unsubscribe
    return f"only the readers are let in; the mail names {who}"


def without_tls(lake: Lake) -> None:
    """Somebody takes the rule that demands TLS out of the policy of the lake's bucket."""
    s3 = lake.client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=lake.bucket)["Policy"])
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Sid"] != "TlsOnly"]
    s3.put_bucket_policy(Bucket=lake.bucket, Policy=json.dumps(policy))


def with_tls(lake: Lake, _found: Any) -> str:
    """The policy demands TLS again."""
    policy = json.loads(lake.client("s3").get_bucket_policy(Bucket=lake.bucket)["Policy"])
    sids = {statement["Sid"] for statement in policy["Statement"]}
    require("TlsOnly" in sids, f"the policy of {lake.bucket} has {sorted(sids)}")
    return f"the policy of {lake.bucket} demands TLS"


DRILLS = (
    Drill("7m", READ, "somebody asks for the pseudonym key", asked, ("confirm", "verify"), closed, alarms=(READ,)),
    Drill(
        "7n", READ, "the policy of the pseudonym key was removed", let_in, ("confirm", "apply", "verify"), closed,
        alarms=(READ, CHANGED),
    ),
    Drill(
        "7o", CHANGED, "somebody edited the policy of a bucket", without_tls, ("confirm", "apply", "verify"), with_tls,
        alarms=(CHANGED,),
    ),
)  # fmt: skip
