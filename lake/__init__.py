"""The shared Python of the lake: contracts, rules, pseudonyms, units, ledger, publishing and the ``lake`` command."""
