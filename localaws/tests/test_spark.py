"""How Spark is started on this machine: its archive of classes, and that its lack changes nothing."""

import os
from pathlib import Path

import pytest

from localaws.services.glue import spark


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(spark.JARS_ENVIRONMENT, str(tmp_path))
    (tmp_path / "connector.jar").write_bytes(b"x")
    return tmp_path


def test_an_archive_fits_one_java_and_one_set_of_jars(jars: Path) -> None:
    first = spark.class_archive()
    assert first == spark.class_archive()
    os.utime(jars / "connector.jar", (0, 0))
    second = spark.class_archive()
    (jars / "another.jar").write_bytes(b"x")
    assert len({first, second, spark.class_archive()}) == 3


def test_an_archive_is_used_when_it_is_there(jars: Path, tmp_path: Path) -> None:
    assert "SPARK_SUBMIT_OPTS" not in spark.environment(tmp_path)
    spark.class_archive().write_bytes(b"x")
    assert spark.environment(tmp_path)["SPARK_SUBMIT_OPTS"] == f"-XX:SharedArchiveFile={spark.class_archive()}"


def test_no_folder_of_a_run_is_on_the_class_path(jars: Path, tmp_path: Path) -> None:
    given = spark.environment(tmp_path / "a run")
    assert not Path(given["SPARK_CONF_DIR"]).exists()
    assert given["PYSPARK_SUBMIT_ARGS"] == f"--properties-file '{tmp_path}/a run/spark-defaults.conf' pyspark-shell"
