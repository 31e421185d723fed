"""Erase everything that is stored about one data subject."""
