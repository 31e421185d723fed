"""Expressions of GitHub's workflows, as far as ours use them: operators, contexts, and a few functions."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|[!().,\[\]]))"
)
_INSERTED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS = re.compile(r"\b(?:always|success|failure|cancelled)\(")


class NotKnown(Exception):
    """An expression has something that this evaluator does not know; the message says what."""


def asks_for_the_status(expression: str) -> bool:
    """Whether a condition asks how earlier jobs or steps ended; any other one means `success() &&` it."""
    return bool(_STATUS.search(expression))


def condition(text: Any, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> bool:
    """The value of an `if:`, with or without its braces."""
    inner = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(text).strip(), flags=re.DOTALL)
    return truthy(evaluate(inner, contexts, functions))


def filled(value: Any, contexts: Mapping[str, Any]) -> Any:
    """A value of a workflow with the expressions in it evaluated; lists and mappings too."""
    if isinstance(value, Mapping):
        return {name: filled(part, contexts) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, contexts) for part in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\$\{\{((?:(?!\}\}).)*)\}\}", value, re.DOTALL)
    if whole:
        return evaluate(whole[1], contexts)
    return _INSERTED.sub(lambda found: as_text(evaluate(found[1], contexts)), value)


def evaluate(
    expression: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None
) -> Any:
    """The value of an expression without its braces; raises NotKnown."""
    parser = _Parser(_tokens(expression), contexts, {**_FUNCTIONS, **(functions or {})})
    value = parser.either()
    if parser.left:
        raise NotKnown(f"{expression!r}: {parser.left[0]}")
    return value


def truthy(value: Any) -> bool:
    """What GitHub takes for true."""
    return value not in (None, False, 0, "")


def as_text(value: Any) -> str:
    """How GitHub writes a value into a text."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    return json.dumps(value) if isinstance(value, Mapping | list) else str(value)


def _equal(left: Any, right: Any) -> bool:
    # Nothing and the empty text are both the number 0.
    if type(left) is type(right):
        return bool(left.lower() == right.lower()) if isinstance(left, str) else bool(left == right)
    empty = ("", None, False, 0)
    return (left in empty and right in empty) or str(left) == str(right)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "fromJSON": lambda text: json.loads(text),
    "toJSON": lambda value: json.dumps(value),
    "format": lambda pattern, *values: pattern.format(*map(as_text, values)),
    "contains": lambda where, what: what in where,
}


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, position, text = [], 0, expression.strip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise NotKnown(f"{expression!r} at {text[position:]!r}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


class _Parser:
    def __init__(
        self, tokens: list[tuple[str, str]], contexts: Mapping[str, Any], functions: Mapping[str, Any]
    ) -> None:
        self.left = tokens
        self._contexts = contexts
        self._functions = functions

    def either(self) -> Any:
        value = self._both()
        while self._takes("||"):
            other = self._both()
            value = value if truthy(value) else other
        return value

    def _both(self) -> Any:
        value = self._comparison()
        while self._takes("&&"):
            other = self._comparison()
            value = other if truthy(value) else value
        return value

    def _comparison(self) -> Any:
        value = self._one()
        if self._takes("=="):
            return _equal(value, self._one())
        if self._takes("!="):
            return not _equal(value, self._one())
        return value

    def _one(self) -> Any:
        if self._takes("!"):
            return not truthy(self._one())
        if self._takes("("):
            value = self.either()
            self._expect(")")
            return value
        kind, text = self.left.pop(0) if self.left else ("end", "")
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind == "name":
            return self._named(text)
        raise NotKnown(text or "the expression ends too early")

    def _named(self, name: str) -> Any:
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        if self._takes("("):
            return self._part(self._called(name))
        if name not in self._contexts:
            raise NotKnown(f"the context {name}")
        return self._part(self._contexts[name])

    def _called(self, name: str) -> Any:
        values = []
        while not self._takes(")"):
            values.append(self.either())
            self._takes(",")
        if name not in self._functions:
            raise NotKnown(f"the function {name}")
        return self._functions[name](*values)

    def _part(self, value: Any) -> Any:
        while self._takes("."):
            _, name = self.left.pop(0)
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _takes(self, sign: str) -> bool:
        if self.left and self.left[0] == ("sign", sign):
            self.left.pop(0)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise NotKnown(f"{sign} is missing")
