"""Data contracts (Open Data Contract Standard): read, checked, compared, written as pages."""
