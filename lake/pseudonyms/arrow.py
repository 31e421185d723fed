"""Tokens of the values of Arrow arrays, each different value of one key version once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from lake.pseudonyms.keys import KeyVersion, token_under


def tokens(values: Any, at: Any, versions: Sequence[KeyVersion]) -> Any:
    """Return the tokens of text ``values``, under the key version in force at the event times ``at``, as a dictionary.

    ``values`` and ``at`` are columns of the same length; the key of each version is that of the column
    (``keys.column_key``). A null stays null; so does a value at whose event time no version is in force.
    """
    found = values.combine_chunks().dictionary_encode()
    codes = compute.fill_null(found.indices, -1).to_numpy().astype(np.int64)
    # One number for each pair of value and version; a later version of the list goes before an earlier one.
    words, of_row = len(found.dictionary), in_force(at, versions)
    pairs = np.where((codes >= 0) & (of_row >= 0), of_row * words + codes, -1)
    different, places = np.unique(pairs, return_inverse=True)
    texts = found.dictionary.to_pylist()
    made = [
        None
        if pair < 0
        else token_under(versions[pair // words].key, versions[pair // words].version, texts[pair % words])
        for pair in different.tolist()
    ]
    return pa.array(made, pa.string()).dictionary_encode().take(pa.array(places.reshape(-1)))


def in_force(at: Any, versions: Sequence[KeyVersion]) -> Any:
    """Return for each event time the place of its version in the list, -1 for none."""
    found = np.full(len(at), -1, dtype=np.int64)
    moments = at.cast(pa.timestamp("us", "UTC"))
    for place, version in enumerate(versions):
        since, until = (pa.scalar(when, moments.type) for when in (version.valid_from, version.valid_until))
        is_so = compute.and_(compute.greater_equal(moments, since), compute.less(moments, until))
        found[compute.fill_null(is_so, False).to_numpy(zero_copy_only=False)] = place
    return found
