"""Fetch the S3A connector that local Spark jobs need, once: 282 MB into .cache/spark-jars (or $LOCALAWS_SPARK_JARS).
Then put the classes that Spark loads into an archive beside it, once for each Java and set of jars.

Spark's own resolver fetches it from Maven Central; every file is then compared with the checksum below.
The resolver also asks one optional repository, which need not exist for us; what it prints goes to resolve.log.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from localaws.services.glue import spark, spark_archive

PACKAGE = "org.apache.hadoop:hadoop-aws:3.3.4"
SHA256 = {
    "com.amazonaws_aws-java-sdk-bundle-1.12.262.jar": (
        "873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5"
    ),
    "org.apache.hadoop_hadoop-aws-3.3.4.jar": ("53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a"),
    "org.wildfly.openssl_wildfly-openssl-1.0.7.Final.jar": (
        "9f7058778978ec2ad90c7224401a4b0013d93e0dd3fa0f72b25244ffa3507ca8"
    ),
}


def main() -> int:
    """0 when the folder is complete, also when it was before. The archive only saves time: its lack is no failure."""
    folder = spark.jars_folder()
    if not (folder / "complete").exists() and not _fetched(folder):
        return 1
    print(f"Spark's S3 connector is in {folder}.")
    if not spark.class_archive().exists():
        print("Archiving the classes of Spark (once, half a minute) ...", flush=True)
        try:
            spark_archive.build()
        except spark_archive.NotBuilt as reason:
            print(f"Spark will start more slowly: {reason}", file=sys.stderr)
    (folder / "archive-tried").touch()
    return 0


def _fetched(folder: Path) -> bool:
    print(f"Fetching Spark's S3 connector (282 MB, once) into {folder} ...", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if not _resolve(Path(scratch), folder / "resolve.log"):
            return False
        for name, expected in SHA256.items():
            if not _keep(Path(scratch) / "jars" / name, folder / name, expected):
                return False
    (folder / "complete").write_text(PACKAGE + "\n", encoding="ascii")
    return True


def _resolve(scratch: Path, log: Path) -> bool:
    import pyspark

    empty = scratch / "empty.py"
    empty.write_text("", encoding="ascii")
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    command: list[str | Path] = [
        submit,
        "--master",
        "local[1]",
        "--packages",
        PACKAGE,
        "--conf",
        f"spark.jars.ivy={scratch}",
        empty,
    ]
    environment = {**os.environ, "JAVA_HOME": str(spark.java_home()), "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode != 0:
        print(f"{PACKAGE} could not be fetched; see {log}.", file=sys.stderr)
    return done.returncode == 0


def _keep(source: Path, target: Path, expected: str) -> bool:
    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        print(f"{source.name} has the checksum {found}, not {expected}: it is not kept.", file=sys.stderr)
        return False
    shutil.move(source, target)
    return True


if __name__ == "__main__":
    sys.exit(main())
