"""Mends of plain bugs of MiniStack, one module a service; each says what would make it superfluous."""
