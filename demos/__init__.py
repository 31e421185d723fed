"""The demos of the pipelines, a module for each: what `make demo` lets a pipeline do, and what it asks its tables."""
