"""The JVM of the measured Sparks."""

from pathlib import Path

from localaws.services.glue import spark
from tests.local_aws import spark_variables


def variables(folder: Path, endpoint: str, region: str) -> dict[str, str]:
    """Return the environment of a local Glue job's Spark, its archive of classes too; ``folder`` gets the settings."""
    return {**spark_variables(folder, endpoint, region), **spark.environment(folder)}
