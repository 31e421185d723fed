"""Bytes of raw objects become typed records, each valid or with the reasons why not."""
