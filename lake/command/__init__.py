"""The ``lake`` command."""
