"""Scenario 5: Athena answers nothing."""

from typing import Any

from botocore.exceptions import ClientError

from drills import faults
from drills.drill import Drill, DrillFailed, require
from drills.lake import Lake

SECTION, TABLE = "athena-no-data", "curated_weather"


def rows(lake: Lake) -> int:
    """Rows of curated_weather."""
    return int(lake.query("SELECT count(*) FROM curated_weather")[0][0] or 0)


def partitions_dropped(lake: Lake) -> int:
    """Somebody dropped the partitions of curated_weather."""
    before = rows(lake)
    _drop_partitions(lake)
    return before


def never_run(lake: Lake) -> int:
    """curated_weather as it is before the first run: no objects, no partitions, nothing in the ledger."""
    before = rows(lake)
    faults.hide(lake, "curated/weather/")
    _drop_partitions(lake)
    _forget(lake)
    return before


def wrong_workgroup(lake: Lake) -> str:
    """An analyst asks in the workgroup `primary`; what Athena says."""
    try:
        lake.client("athena").start_query_execution(QueryString="SELECT 1", WorkGroup="primary")
    except ClientError as error:
        return str(error)
    raise DrillFailed("the workgroup primary has answered")


def no_rows(lake: Lake, before: int) -> str:
    """What the analyst sees."""
    require(rows(lake) == 0, f"curated_weather still has {rows(lake)} rows")
    return f"0 rows instead of {before}"


def back(lake: Lake, before: Any) -> str:
    """All rows are there again."""
    require(rows(lake) >= before, f"curated_weather has {rows(lake)} rows, it had {before}")
    return f"curated_weather has {rows(lake)} rows, it had {before}"


def answers(lake: Lake, _found: Any) -> str:
    """The analytics workgroup answers."""
    return f"{rows(lake)} rows in {lake.names['workgroup']}"


def _drop_partitions(lake: Lake) -> None:
    glue, names = lake.client("glue"), {"DatabaseName": lake.names["database"], "TableName": TABLE}
    pages = glue.get_paginator("get_partitions").paginate(**names)
    values = [partition["Values"] for page in pages for partition in page["Partitions"]]
    for value in values:
        glue.delete_partition(**names, PartitionValues=value)


def _forget(lake: Lake) -> None:
    """Take the dataset's items out of the ledger."""
    dynamodb, table = lake.client("dynamodb"), lake.names["ledger"]
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"dataset#{TABLE}"}},
        ProjectionExpression="pk, sk",
    )
    for item in [item for page in pages for item in page["Items"]]:
        dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})


DRILLS = (
    Drill(
        "5a", SECTION, "partitions are not registered", partitions_dropped, ("confirm", "repair", "verify"), back,
        noticed=no_rows,
    ),
    Drill(
        "5b", SECTION, "the transform has not run", never_run, ("confirm", "run", "verify"), back, noticed=no_rows
    ),
    Drill(
        "5c", SECTION, "the query ran in the wrong workgroup", wrong_workgroup, ("workgroup", "ask"), answers,
        noticed=lambda _lake, said: said,
    ),
)  # fmt: skip
