"""Write a judgement as Markdown, for one comment of a pull request or the summary of a workflow run."""

from collections.abc import Iterator

from lake.environment import plan_cost
from scripts.plan_review import rights
from scripts.plan_review.judgement import Judgement, OfRoot

# A comment holds 65,536 characters; two environments share one.
_LONGEST_LIST = 60


def write(judgement: Judgement) -> str:
    """The judgement in Markdown: verdict first, then each root."""
    return "\n".join([*_head(judgement), *(line for root in judgement.roots for line in _root(root)), ""])


def _head(judgement: Judgement) -> Iterator[str]:
    yield f"## {judgement.environment}: {_verdict(judgement)}"
    yield ""
    for root, reason in judgement.waiting.items():
        yield f"- `{root}` could not be planned yet: {reason}"
    yield f"- Cost: {judgement.usd_a_month:+.2f} USD a month at the base load"
    if judgement.digest:
        yield f"- Digest of the plans: `{judgement.digest}`"
    yield ""


def _verdict(judgement: Judgement) -> str:
    if judgement.refused:
        return "refused"
    return "nothing against it" if judgement.changes else "no changes"


def _root(root: OfRoot) -> Iterator[str]:
    numbers = ", ".join(f"{number} {kind}" for kind, number in sorted(root.numbers.items())) or "no changes"
    yield f"### {root.root}: {numbers}"
    yield ""
    if root.refused:
        yield "**Refused.** It would lose or loosen:"
        yield ""
        yield from _cut([f"- `{danger.address}`: {danger.what}" for danger in root.refused])
        yield ""
        yield f"{_missing(root)}"
        yield ""
    elif root.dangers:
        yield "Both switches agree that it may lose or loosen:"
        yield ""
        yield from _cut([f"- `{danger.address}`: {danger.what}" for danger in root.dangers])
        yield ""
    if root.changed:
        yield from _folded("Resources", [f"- {kind}: `{address}`" for address, kind in root.changed.items()])
    if root.rights:
        yield from _folded("Rights", [line for change in root.rights for line in _rights(change)])
    yield from _cost(root)


def _missing(root: OfRoot) -> str:
    switches = root.switches
    needed = [] if switches.allowed else ["`allow_destroy = true` in its tfvars"]
    if switches.allowed and not switches.applied and any(danger.deletes for danger in root.refused):
        needed.append("`allow_destroy = true` to be applied first")
    if not switches.confirmed:
        needed.append("the environment's name in CONFIRM")
    return f"If that is meant, it takes {' and '.join(needed)}."


def _rights(change: rights.Change) -> Iterator[str]:
    yield f"- `{change.address}`{f' ({change.whose})' if change.whose else ''}"
    if change.unknown:
        yield "  - known only while it is applied"
    yield from (f"  - gained: {right.text}" for right in change.gained)
    yield from (f"  - lost: {right.text}" for right in change.lost)


def _cost(root: OfRoot) -> Iterator[str]:
    yield f"Cost: {root.cost.summary}"
    yield ""
    if root.cost.changes:
        lines = [f"- {change.difference:+.2f} USD a month: `{change.address}`" for change in root.cost.changes]
        yield from _folded("Cost, resource by resource", [*lines, "", *plan_cost.assumptions()])


def _folded(title: str, lines: list[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from _cut(lines)
    yield ""
    yield "</details>"
    yield ""


def _cut(lines: list[str]) -> Iterator[str]:
    yield from lines[:_LONGEST_LIST]
    if len(lines) > _LONGEST_LIST:
        yield f"- … and {len(lines) - _LONGEST_LIST} lines more; `judge --json` prints them all"
