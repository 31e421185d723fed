"""What an error says in one line, wherever in its text that stands."""

import pytest

from lake.core.errors import LakeError, summary_line

TASK = """An error occurred while calling o328.count.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 1 times, most recent
 failure: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "frames.py", line 47, in _body
    return Storage(boto3.client("s3")).read(bucket, key)
botocore.errorfactory.NoSuchKey: An error occurred (NoSuchKey): The specified key does not exist.

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "frames.py", line 49, in _body
    raise RawObjectUnreadable(key)
{raised}

\tat org.apache.spark.api.python.BasePythonRunner.handle(PythonRunner.scala:572)
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raw_weather: no raw data\nmore", "raw_weather: no raw data"),
        (
            TASK.format(raised="lake.core.errors.RawObjectUnreadable: s3://lake/a: gone"),
            "RawObjectUnreadable: s3://lake/a: gone",
        ),
        (TASK.format(raised="botocore.exceptions.ClientError: denied"), "ClientError: denied"),
        (TASK.format(raised="ValueError: could not convert 'sensor-1'"), "ValueError in a task of Spark"),
        (TASK.format(raised="OSError: [Errno 28] No space left"), "OSError: [Errno 28] No space left"),
        (TASK.format(raised="MemoryError"), "MemoryError in a task of Spark"),
        (
            "An error occurred while calling o1.count.\n: java.lang.OutOfMemoryError: space\n\tat x",
            "java.lang.OutOfMemoryError: space",
        ),
        ("", ""),
    ],
)
def test_an_error_is_one_line_and_quotes_no_record(text: str, said: str) -> None:
    assert summary_line(LakeError(text)) == said
