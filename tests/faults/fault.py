"""The catalogue of faults: what can go wrong, what must come of it, and what proves that it does."""

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "catalogue"
KINDS = {"input": ("I", 65), "upstream": ("A", 21), "aws": ("W", 40), "process": ("P", 15)}
HOW = {"payload", "HTTP stub", "AWS API fault", "process", "clock", "static check", "drill", "none"}


@dataclass(frozen=True)
class Fault:
    """One entry.

    ``how`` it is made; ``outcome`` is what must come of it. ``proof`` names tests (``file::function``) and drills
    (``drill <id>``). Where there is none of it, ``not_applicable`` or ``missing`` says why. ``script`` is what the
    tests of its kind need to make it.
    """

    id: str
    fault: str
    how: str
    outcome: str
    proof: tuple[str, ...] = ()
    not_applicable: str | None = None
    missing: str | None = None
    script: dict[str, Any] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests among the proofs."""
        return tuple(proof for proof in self.proof if "::" in proof)

    @property
    def drills(self) -> tuple[str, ...]:
        """The ids of the drills among the proofs."""
        return tuple(proof.removeprefix("drill ") for proof in self.proof if proof.startswith("drill "))


@cache
def load(kind: str) -> tuple[Fault, ...]:
    """The faults of one kind, by id."""
    entries = yaml.safe_load((FOLDER / f"{kind}.yaml").read_text(encoding="utf-8"))
    return tuple(_fault(number, dict(entry)) for number, entry in sorted(entries.items()))


def everything() -> tuple[Fault, ...]:
    """All faults."""
    return tuple(fault for kind in KINDS for fault in load(kind))


def _fault(number: str, entry: dict[str, Any]) -> Fault:
    proof = tuple(entry.pop("proof", ()))
    named = {name: entry.pop(name, None) for name in ("not_applicable", "missing")}
    words = {name: entry.pop(name) for name in ("fault", "how", "outcome")}
    return Fault(number, proof=proof, script=entry, **words, **named)


@cache
def functions_in(file: str) -> set[str]:
    """The names of the test functions of a file of the repository."""
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
