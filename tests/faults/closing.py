"""The closing checks that all cases share: nothing lost, nothing doubled, every reason said, and again is no change."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lake.contract.model import Contract
from lake.core.counts import Counts
from lake.records import json_lines
from tests.place import MESSAGES, READINGS, Place

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a refresh of the sensor readings made of some raw objects."""

    place: Place
    objects: dict[str, bytes]
    counts: Counts
    curated: dict[str, list[Row]]
    quarantined: dict[str, list[Row]]
    closed: dict[str, Row]

    def check(self, key: str, curated: list[int], quarantined: dict[int, list[str]], superseded: int) -> None:
        """Assert what became of every record of one object, by lines."""
        found = Counter(row["source_line"] for row in self.curated.get(key, []))
        assert found == Counter(curated)
        reasons = {row["source_line"]: sorted(row["reasons"]) for row in self.quarantined.get(key, [])}
        assert reasons == {line: sorted(expected) for line, expected in quarantined.items()}
        assert len(self.quarantined.get(key, [])) == len(quarantined), "a record is quarantined twice"
        counts = self.closed[key]
        said = tuple(counts[name] for name in ("new", "quarantined", "duplicate", "received"))
        sums = (len(curated), len(quarantined), superseded)
        assert said == (*sums, sum(sums)), "the ledger closed the object with other counts"
        assert counts["reasons"] == Counter(reason for listed in quarantined.values() for reason in listed)
        records = list(json_lines.read(self.objects[key], key, MESSAGES.stored))
        assert len(records) == len(curated) + len(quarantined) + superseded, "records are lost or doubled"


def refreshed(place: Place, objects: dict[str, bytes]) -> Outcome:
    """Put the objects into raw and refresh the sensor readings."""
    for key, body in objects.items():
        place.aws.client("s3").put_object(Bucket=place.bucket, Key=key, Body=body)
    counts = place.run_readings()
    curated, quarantined = (by_object(place, dataset) for dataset in (READINGS, READINGS.quarantine()))
    return Outcome(place, objects, counts, curated, quarantined, _closed(place))


def _closed(place: Place) -> dict[str, Row]:
    """What the ledger keeps of each raw object of the readings, by key."""
    pages = place.aws.client("dynamodb").get_paginator("scan").paginate(TableName=place.bucket)
    plain = TypeDeserializer().deserialize
    items = [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]
    return {item["key"]: item for item in items if item["sk"].startswith("object#")}


def by_object(place: Place, dataset: Contract) -> dict[str, list[Row]]:
    """The rows of a dataset by the raw object that they are from."""
    found: dict[str, list[Row]] = {}
    for row in place.rows(dataset):
        found.setdefault(row["source_object"], []).append(row)
    return found


def etags(place: Place, *datasets: Contract) -> dict[str, str]:
    """Key and ETag of every object of these datasets."""
    return {
        entry.key: entry.etag for one in datasets for entry in place.lake.storage.list(place.lake.locations[one.name])
    }
