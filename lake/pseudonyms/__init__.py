"""Keys, tokens and encrypted records. ``spark`` is the only module here that needs Spark."""
