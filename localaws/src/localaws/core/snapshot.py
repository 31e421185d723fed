"""The whole state of a server, kept in a folder, and taken up again by a new process.

AWS: has no such thing. MiniStack: writes what some of its services choose to say as JSON. Added: what the modules of
all services hold is compared with what they held at the start; what has changed is kept. A service needs to do nothing
for it. Not kept: what belongs to a process, such as warm functions and clients.
"""

import importlib
import io
import pickle
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

from localaws.core import clock

STATE = "state.pickle"
PACKAGES = ("ministack.services.", "localaws.")
SCOPED = (AccountScopedDict, AccountRegionScopedDict)
CONTAINERS = (dict, list, set, deque, *SCOPED)
DATA = (*CONTAINERS, str, bytes, int, float, tuple, type(None))
# The clock continues by itself, see `clock.resume`.
NOT_KEPT = {("localaws.core.clock", "_offset"), ("localaws.core.clock", "_step"), (__name__, "_at_start")}
UNPICKLABLE = (pickle.PicklingError, TypeError, AttributeError)

# A variable: its module and its name.
Place = tuple[str, str]
_at_start: dict[Place, bytes] = {}


class NotKept(RuntimeError):
    """Why the state cannot be saved, in one sentence."""


def remember_start() -> None:
    """Take note of what the modules hold before the first request. Called once, when all of them are installed."""
    variables = dict(_variables())
    _at_start.update({place: _mark(value, variables) for place, value in variables.items()})


def save(folder: Path) -> None:
    """Keep all that has changed since the start in the folder, which exists. Raises NotKept when that cannot be."""
    with clock.standing_still():
        variables = dict(_variables())
        changed = {place: value for place, value in variables.items() if _has_changed(place, value, variables)}
        try:
            kept = {place: _pickled(_contents(value), variables) for place, value in changed.items()}
        except UNPICKLABLE as error:
            raise NotKept(f"what a service holds cannot be kept: {error}") from error
        content = pickle.dumps((clock.now(), kept))
    (folder / STATE).write_bytes(content)


def restore(folder: Path) -> None:
    """Take up what `save` kept; the clock goes on from there. Called after `remember_start`, before any request."""
    moment, kept = pickle.loads((folder / STATE).read_bytes())  # noqa: S301 - written by `save` for this user
    for (module, name), content in kept.items():
        _put(importlib.import_module(module), name, _Reader(io.BytesIO(content)).load())
    clock.resume(moment)


class _Writer(pickle.Pickler):
    """Writes a variable's container inside another value as the name of that variable."""

    def __init__(self, file: io.BytesIO, variables: Mapping[Place, Any]) -> None:
        super().__init__(file)
        self._places = {id(value): place for place, value in variables.items() if isinstance(value, CONTAINERS)}

    def persistent_id(self, value: Any) -> Place | None:
        return self._places.get(id(value))


class _Reader(pickle.Unpickler):
    def persistent_load(self, place: Place) -> Any:
        return getattr(importlib.import_module(place[0]), place[1])


def _variables() -> Iterator[tuple[Place, Any]]:
    for module_name, module in sorted(sys.modules.items()):
        if module is None or not module_name.startswith(PACKAGES):
            continue
        for name, value in sorted(vars(module).items()):
            place = (module_name, name)
            if isinstance(value, DATA) and not name.startswith("__") and place not in NOT_KEPT:
                yield place, value


def _has_changed(place: Place, value: Any, variables: Mapping[Place, Any]) -> bool:
    if place in _at_start:
        return _mark(value, variables) != _at_start[place]
    # Of a module that was imported since: its stores, which begin empty. The rest are its constants.
    return isinstance(value, SCOPED) and bool(value._data)


def _mark(value: Any, variables: Mapping[Place, Any]) -> bytes:
    """Return a fingerprint that differs when the value has changed."""
    try:
        return _pickled(_contents(value), variables)
    except UNPICKLABLE:  # a table of functions
        return repr([id(entry) for entry in _contents(value)]).encode()


def _contents(value: Any) -> Any:
    if isinstance(value, SCOPED):
        value = value._data
    if isinstance(value, dict):
        return [part for entry in value.items() for part in entry]
    return list(value) if isinstance(value, CONTAINERS) else value


def _pickled(value: Any, variables: Mapping[Place, Any]) -> bytes:
    file = io.BytesIO()
    _Writer(file, variables).dump(value)
    return file.getvalue()


def _put(module: Any, name: str, contents: Any) -> None:
    """Give a variable its value. A container stays the same object: other modules may have imported it by its name."""
    present = getattr(module, name)
    if isinstance(present, SCOPED):
        present = present._data
    if not isinstance(present, CONTAINERS):
        setattr(module, name, contents)
        return
    present.clear()
    if isinstance(present, dict):
        contents = zip(contents[::2], contents[1::2], strict=True)
    (present.update if isinstance(present, dict | set) else present.extend)(contents)
