"""Tables whose partition files are Parquet objects with fixed keys, each replaced as a whole."""
