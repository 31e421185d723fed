"""A peer: Polars in one process. ``python -m tests.bench.plain_polars INPUT OUTPUT``."""

import gzip
import json
import sys
from pathlib import Path

import polars as pl

SCHEMA = {
    "sensor_id": pl.String, "city": pl.String, "timestamp": pl.String, "temperature_c": pl.Float64,
    "humidity_pct": pl.Float64, "aqi": pl.Int32, "battery_level": pl.Float64,
}  # fmt: skip


def main(source: str, target: str) -> None:
    """Read, filter, remove duplicates, hash and write; then say what was written."""
    parts = [
        pl.read_ndjson(gzip.decompress(path.read_bytes()), schema=SCHEMA) for path in sorted(Path(source).glob("*"))
    ]
    score = pl.when(pl.col("battery_level") >= 50).then(pl.lit("PASS")).when(pl.col("battery_level") >= 20)
    rows = (
        pl.concat(parts)
        .with_columns(pl.col("timestamp").str.to_datetime(time_unit="us", time_zone="UTC"))
        .filter(
            pl.col("sensor_id").is_not_null()
            & pl.col("temperature_c").is_between(-50, 60)
            & pl.col("humidity_pct").is_between(0, 100)
            & pl.col("aqi").is_between(0, 500)
        )
        .unique(["sensor_id", "timestamp"])
        .with_columns(
            # Polars has no cryptographic hash; this one is cheaper than SHA-256.
            pl.col("sensor_id").hash().alias("sensor_id"),
            score.then(pl.lit("WARN")).otherwise(pl.lit("FAIL")).alias("quality_score"),
            pl.col("timestamp").dt.date().alias("date"),
        )
    )
    for (day,), part in rows.partition_by("date", as_dict=True).items():
        folder = Path(target) / f"date={day}"
        folder.mkdir(parents=True)
        part.write_parquet(folder / "part.parquet", compression="zstd")
    print("mark end", flush=True)
    written = pl.read_parquet(f"{target}/*/*.parquet").select((pl.col("temperature_c") * 100).round().cast(pl.Int64))
    values = written["temperature_c"]
    found = [len(values), values.sum(), values.min(), values.max()]
    print("result", json.dumps({"found": found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
