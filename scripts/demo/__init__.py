"""The demo: the whole lake on this machine."""
