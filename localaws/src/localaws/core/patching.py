"""Change MiniStack: replace its private functions in the running process.

A proxy in front would not do: MiniStack's services call each other as Python functions, which a proxy never sees.
A name that is missing stops the start.
"""

import sys
from collections.abc import Callable
from typing import Any

MINISTACK_VERSION = "1.5.33"


class PatchTargetMissing(RuntimeError):
    """A private name of MiniStack that localaws replaces is not there."""


def replace(owner: Any, name: str, replacement: Any) -> None:
    """Put `replacement` in the place of `owner.name` (of a module or class), in every MiniStack module that imported
    it by name, and in every table of handlers that holds it."""
    if not hasattr(owner, name):
        raise PatchTargetMissing(f"MiniStack has no {owner.__name__}.{name}; localaws needs {MINISTACK_VERSION}")
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    if not callable(original):
        return
    for module in [m for n, m in list(sys.modules.items()) if n.startswith("ministack.") and m is not None]:
        tables = [value for value in vars(module).values() if type(value) is dict]
        for table in (vars(module), *tables):
            for key in [key for key, value in table.items() if value is original]:
                table[key] = replacement


def wrap(owner: Any, name: str, function: Callable[..., Any]) -> None:
    """Replace `owner.name` by `function`, which gets the original before the arguments of the call."""
    original = getattr(owner, name, None)
    replace(owner, name, lambda *arguments, **named: function(original, *arguments, **named))


def edit(owner: Any, name: str, edits: dict[str, str]) -> None:
    """Replace passages of the text `owner.name`; each key must be in it exactly once."""
    text = getattr(owner, name, "")
    for old, new in edits.items():
        if text.count(old) != 1:
            raise PatchTargetMissing(f"MiniStack's {name} has no single {old.strip()!r}")
        text = text.replace(old, new)
    replace(owner, name, text)
