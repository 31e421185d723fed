"""Make the bucket and the lock table that hold Terraform's state; run again, it repairs what differs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import roots

DAYS_OF_OLD_STATES = 365
DAYS_OF_UNFINISHED_UPLOADS = 7


def tls_only(bucket: str) -> str:
    """Bucket policy that denies every request without TLS."""
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create_bucket(s3: Any, bucket: str, region: str) -> bool:
    """True when the bucket is new. A bucket of somebody else is an error: names are shared with the whole world."""
    # us-east-1 is the region without a name: S3 refuses it as a location.
    location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.head_bucket(Bucket=bucket)
        return False
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    s3.create_bucket(Bucket=bucket, **location)
    s3.get_waiter("bucket_exists").wait(Bucket=bucket)
    return True


def protect_bucket(s3: Any, bucket: str) -> None:
    """Versions, encryption, no public access, TLS only; old versions go after a year, unfinished uploads after a week.

    Not a KMS key of our own: no state holds a secret, and whoever plans would need the right to use it.
    """
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [by_default]})
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    s3.put_bucket_policy(Bucket=bucket, Policy=tls_only(bucket))
    old_versions = {
        "ID": "old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": DAYS_OF_OLD_STATES},
    }
    unfinished_uploads = {
        "ID": "unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": DAYS_OF_UNFINISHED_UPLOADS},
    }
    rules = {"Rules": [old_versions, unfinished_uploads]}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)


def create_lock_table(dynamodb: Any, table: str) -> bool:
    """True when the table is new."""
    try:
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except dynamodb.exceptions.ResourceInUseException:
        return False
    dynamodb.get_waiter("table_exists").wait(TableName=table)
    return True


def protect_lock_table(dynamodb: Any, table: str) -> None:
    """Nobody deletes it by mistake, and what it held within 35 days can be had back."""
    if not dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
        dynamodb.get_waiter("table_exists").wait(TableName=table)
    back = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=back)


def bootstrap(backend: dict[str, str]) -> None:
    """Make or repair both, and say which of the two it was."""
    bucket, table, region = backend["bucket"], backend["dynamodb_table"], backend["region"]
    s3 = boto3.client("s3", region_name=region)
    new_bucket = create_bucket(s3, bucket, region)
    protect_bucket(s3, bucket)
    print(f"state bucket  {bucket}  {'created' if new_bucket else 'was there'}")
    dynamodb = boto3.client("dynamodb", region_name=region)
    new_table = create_lock_table(dynamodb, table)
    protect_lock_table(dynamodb, table)
    print(f"lock table    {table}  {'created' if new_table else 'was there'}")


def main() -> int:
    """Command line; 0 when both exist as they should."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        bootstrap(roots.backend(roots.caller_account()))
    except (BotoCoreError, ClientError) as error:
        print(f"bootstrap failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
