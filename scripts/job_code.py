"""Put what the jobs of a pipeline run into the code bucket, before Terraform lets a job point to it.

Terraform does not do that: it would take the old code away with the change, so that nothing were left to go back to.
"""

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scripts.roots import REPOSITORY

BUILT = REPOSITORY / "build/artifacts"


def upload(s3: Any, bucket: str, pipeline: str, artifacts: Path = BUILT) -> list[str]:
    """Add the built scripts and wheels of ``pipeline``; the keys that were written.

    A key has the digest of its content in it: what is there already is left alone, unless somebody has changed it.
    """
    files = sorted(file for file in (artifacts / "jobs" / pipeline).rglob("*") if file.is_file())
    keys = {file.relative_to(artifacts).as_posix(): file for file in files}
    written = [key for key, file in keys.items() if not _holds(s3, bucket, key, file)]
    for key in written:
        s3.put_object(Bucket=bucket, Key=key, Body=keys[key].read_bytes())
    return written


def _holds(s3: Any, bucket: str, key: str, file: Path) -> bool:
    try:
        found: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return False
        raise
    return found == file.read_bytes()
