"""One localaws for a test session: a process of its own on a free port, with its state in a temporary folder."""

import sys
from pathlib import Path

from localaws.client import LocalAws, running
from localaws.services.glue import spark

__all__ = ["REPOSITORY", "LocalAws", "running", "spark_variables"]

REPOSITORY = Path(__file__).parents[1]


def spark_variables(folder: Path, endpoint: str, region: str) -> dict[str, str]:
    """Return the environment of a Spark with the settings of a local Glue job, which are written into ``folder``."""
    spark.write_configuration(folder, endpoint, region, "")
    return {**spark.environment(folder), "PYSPARK_PYTHON": sys.executable}
