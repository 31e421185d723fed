"""The raw objects that a dataset was made from, with the moments at which they arrived."""

from dataclasses import replace

from lake.contract import Contract
from lake.run import Lake
from lake.storage import StoredObject


def closed(lake: Lake, target: Contract, source: Contract) -> tuple[StoredObject, ...]:
    """Every version of a raw object that a committed run has processed, once; ``modified`` is when it arrived."""
    known = lake.ledger.objects(target.name).closed
    versions = lake.storage.versions(lake.locations[source.name])
    found = {(entry.key, entry.etag): entry for entry in versions if (entry.key, entry.etag) in known}
    return tuple(replace(entry, modified=known[identity] or entry.modified) for identity, entry in found.items())
