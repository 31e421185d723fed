"""A peer: DuckDB in one process. ``python -m tests.bench.plain_duckdb INPUT OUTPUT``."""

import json
import sys

import duckdb

WRITE = """
COPY (
  SELECT DISTINCT ON (sensor_id, timestamp) * REPLACE (sha256(sensor_id) AS sensor_id),
    CASE WHEN battery_level >= 50 THEN 'PASS' WHEN battery_level >= 20 THEN 'WARN' ELSE 'FAIL' END AS quality_score,
    timestamp::DATE AS date
  FROM read_json('{source}/*.gz', format = 'newline_delimited', columns = {{
    sensor_id: 'VARCHAR', city: 'VARCHAR', timestamp: 'TIMESTAMP', temperature_c: 'DOUBLE',
    humidity_pct: 'DOUBLE', aqi: 'INTEGER', battery_level: 'DOUBLE'}})
  WHERE sensor_id IS NOT NULL AND temperature_c BETWEEN -50 AND 60 AND humidity_pct BETWEEN 0 AND 100
    AND aqi BETWEEN 0 AND 500
) TO '{target}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date))
"""
READ = """
SELECT count(*), sum(t)::BIGINT, min(t), max(t)
FROM (SELECT round(temperature_c * 100)::BIGINT AS t FROM '{target}/*/*.parquet')
"""


def main(source: str, target: str) -> None:
    """Read, filter, remove duplicates, hash and write; then say what was written."""
    duckdb.execute(WRITE.format(source=source, target=target))
    print("mark end", flush=True)
    row = duckdb.execute(READ.format(target=target)).fetchone()
    print("result", json.dumps({"found": list(row or [])}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
