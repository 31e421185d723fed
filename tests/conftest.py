"""What all tests share: one Spark session. The session's localaws (`aws`) is a fixture of `localaws.pytest_plugin`."""

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.local_aws import LocalAws, spark_variables

if TYPE_CHECKING:  # a unit test does not wait for Spark to be imported
    from pyspark.sql import SparkSession

    from tests.place import Place


@pytest.fixture(autouse=True)
def _levels_of_loggers() -> Iterator[None]:
    """A job that a test makes in this process sets the level of its loggers; the next test has the one of before."""
    logger = logging.getLogger("lake")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def spark(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """One session for all tests of frames, with the settings of a local Glue job; it acts as the administrator."""
    from pyspark.sql import SparkSession

    added = spark_variables(tmp_path_factory.mktemp("spark"), aws.endpoint, aws.environment["AWS_REGION"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**aws.environment, **added}.items():
            patch.setenv(name, value)
        session = SparkSession.builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
        yield session
        session.stop()
    os.environ.pop("SPARK_CONF_DIR", None)


@pytest.fixture
def place(aws: LocalAws, spark: "SparkSession") -> Iterator["Place"]:
    """A lake of its own for one test."""
    from tests.place import lake_of_its_own

    with lake_of_its_own(aws, spark) as lake:
        yield lake
