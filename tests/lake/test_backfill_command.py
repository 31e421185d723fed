"""``lake backfill`` as somebody types it, with the job's work done in this process."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from lake.cli import application, backfill
from lake.environment import cost
from lake.environment.athena import Answer
from tests.place import Place, line

DAYS = ("--from", "2026-11-01", "--to", "2026-11-30")


def lake(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(application.application, ["backfill", *words, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr


def test_a_backfill_is_planned_compared_done_and_undone(commanded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "ask", lambda *_: Answer("", ("n",), (("2",),), 0, 0))
    commanded.put("a.json", line(1, 5.0), line(2, 6.0), line(1, 7.0, day=9))
    commanded.run()
    (raw,) = commanded.lake.storage.list(commanded.lake.locations["raw_weather"])
    files = list(commanded.lake.storage.list(commanded.lake.locations["curated_weather"]))
    (planned,) = lake("plan", "curated_weather", *DAYS, "--days", "10")[1]
    assert {**planned, "estimated minutes": 0, "estimated USD": ""} == {
        "window": "2026-11-01 to 2026-11-30", "runs": 3, "partition files now": 2, "objects to read": 1,
        "bytes to read": raw.size, "their bytes": sum(file.size for file in files), "rows now": 2,
        "estimated minutes": 0, "estimated USD": "",
        "bytes to scan": 3 * raw.size + sum(file.size for file in files),
    }  # fmt: skip
    assert planned["estimated minutes"] >= 1
    least = 3 * 2 / 60 * cost.price("glue_dpu_hour").usd
    assert float(planned["estimated USD"]) >= round(least, 2), "a minute of three workers of two DPU at least"
    commanded.aws.client("s3").delete_object(Bucket=commanded.bucket, Key=files[0].key)
    (seen,) = lake("run", "curated_weather", *DAYS)[1]
    assert [seen[name] for name in ("run", "equal", "changed", "missing", "added")] == ["preview", 2, 0, 0, 1]
    (done,) = lake("run", "curated_weather", *DAYS, "--yes")[1]
    assert (done["new"], done["duplicate"], done["partition files"], len(commanded.temperatures())) == (1, 2, 1, 3)
    (undone,) = lake("undo", "curated_weather", done["run"], "--yes")[1]
    assert (undone["kind"], undone["partition files"], len(commanded.temperatures())) == ("undo", 1, 2)
    code, said = lake("run", "curated_weather", "--from", "2026-11-02", "--to", "2026-11-01")
    assert (code, "before it begins" in said) == (2, True)
