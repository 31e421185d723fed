"""The shared Python of the lake: contracts, validation, pseudonyms, tables, runs, the ``lake`` command."""
