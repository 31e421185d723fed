"""The protocol of a run: lock, prepare, publish, commit. It knows no engine and never imports Spark."""
