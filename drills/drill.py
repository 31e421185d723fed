"""A drill: a fault, how it is noticed, which blocks of the runbook mend it, and what proves that it is mended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drills.lake import Lake


class DrillFailed(Exception):
    """A step did not go as the runbook says; the message names the step and shows its output."""


@dataclass(frozen=True)
class Drill:
    """One cause of the runbook, made and mended.

    ``inject`` breaks something and returns what the later steps need to know. Within ``notice_seconds`` (simulated)
    each of ``alarms`` arrives by mail; a cause without one has ``noticed``, which returns what one saw and raises
    DrillFailed when there was nothing to see, or ``in_first_block``. ``blocks`` are run from the runbook, each as it
    stands there; before a block of ``waits``, or before the ``proof``, so many simulated seconds pass. ``reads`` says
    what the reader copies from what the first block prints: variable => pattern with one group. Blocks of ``refused``
    end with an error, and that is the point of them. With ``plans_nothing`` the last block is a plan, and must find
    nothing to do in any root. One that is ``unheard`` lets nobody get mail, so those before it are waited for first.
    ``proof`` returns a sentence with the data that shows that all is well, and raises DrillFailed when it is not.
    ``pipeline`` is set by the catalogue: the folder of the drill.
    """

    id: str
    section: str
    title: str
    inject: Callable[[Lake], Any]
    blocks: tuple[str, ...]
    proof: Callable[[Lake, Any], str]
    alarms: tuple[str, ...] = ()
    noticed: Callable[[Lake, Any], str] | None = None
    notice_seconds: int = 600
    waits: Mapping[str, int] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    variables: Callable[[Lake, Any], dict[str, str]] = lambda _lake, _found: {}
    cleanup: Callable[[Lake, Any], None] = lambda _lake, _found: None
    fresh_account: bool = False
    plans_nothing: bool = False
    unheard: bool = False
    pipeline: str = ""

    def names(self) -> list[str]:
        """The blocks with the section before their step."""
        return [block if "." in block else f"{self.section}.{block}" for block in self.blocks]


def in_first_block(_lake: Lake, _found: Any) -> str:
    """For ``noticed``: one sees it in the first block, where the runner asks for the sign of the cause anyway."""
    return ""


def require(condition: bool, sentence: str) -> None:
    """Raise DrillFailed with the sentence when the condition does not hold."""
    if not condition:
        raise DrillFailed(sentence)
