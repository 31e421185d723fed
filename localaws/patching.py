"""How localaws changes MiniStack: named functions are replaced in the running process, and a missing name stops the
start.

A proxy in front would not do: MiniStack's services call each other as Python functions, which a proxy never sees.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

MINISTACK_VERSION = "1.5.33"

Wrapper = Callable[[Any], Any]


class PatchTargetMissing(RuntimeError):
    """A private name of MiniStack that a plane replaces is not there."""


def replace(module: ModuleType, name: str, wrapper: Wrapper) -> None:
    """Put `wrapper(original)` in the place of `module.name`, in every MiniStack module that imported it by name,
    and in every table of handlers that holds it."""
    if not hasattr(module, name):
        raise PatchTargetMissing(
            f"MiniStack has no {module.__name__}.{name}; localaws needs MiniStack {MINISTACK_VERSION}"
        )
    original = getattr(module, name)
    replacement = wrapper(original)
    setattr(module, name, replacement)
    for other in [m for n, m in list(sys.modules.items()) if n.startswith("ministack.") and m is not None]:
        _replace_copies(vars(other), original, replacement)


def _replace_copies(namespace: dict[str, Any], original: Any, replacement: Any) -> None:
    if not callable(original):
        return
    for key, value in list(namespace.items()):
        if value is original:
            namespace[key] = replacement
        elif type(value) is dict:
            for entry in [k for k, v in value.items() if v is original]:
                value[entry] = replacement
