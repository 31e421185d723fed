"""Lay out the steps of the flow: left to right on a wide screen, top to bottom on a narrow one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lake.report.model import Flow, Node

COLUMNS = ("function", "stream", "raw", "job", "curated", "derived", "query")
# Quarantine stands below the dataset that rejected the records.
_COLUMN = {"quarantine": "curated"}
_HEAD, _LINE = 48, 15


@dataclass(frozen=True)
class Box:
    """A step with its place, in pixels."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    first: bool
    last: bool

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Picture:
    """The flow as SVG draws it; ``paths`` are the ``d`` of the arrows."""

    name: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True)
class _Cell:
    """The steps of a column that overlap, and the place of one among them.

    Together they span the lanes from ``first`` to ``last``.
    """

    number: int
    of: int
    first: int
    last: int


def wide(flow: Flow) -> Picture:
    """Columns from left to right, one band for each lane."""
    width, gap, between = 172.0, 27.0, 12.0
    cells, lanes, tall, columns = _cells(flow), _lanes(flow), _height(flow.nodes), _columns(flow)
    band = max(cell.of for cell in cells.values()) * (tall + between) + between
    boxes = {}
    for node in flow.nodes:
        cell, column = cells[node.name], columns.index(_column(node))
        centre = (cell.first + cell.last + 1) / 2 * band
        top = centre - (cell.of * (tall + between) - between) / 2 + cell.number * (tall + between)
        first, last = cell.number == 0, cell.number == cell.of - 1
        boxes[node.name] = Box(node, 1 + column * (width + gap), top, width, tall, first, last)
    paths = tuple(_across(boxes[start], boxes[end]) for start, end in flow.edges)
    return Picture("wide", len(columns) * (width + gap) - gap + 2, lanes * band, tuple(boxes.values()), paths)


def narrow(flow: Flow) -> Picture:
    """Rows from top to bottom, one column for each lane, with a gutter on both sides for what passes by."""
    lane, gutter, gap = 164.0, 8.0, 22.0
    cells, y = _cells(flow), 1.0
    tops: dict[tuple[str, int], float] = {}
    for row in COLUMNS:
        nodes = [node for node in flow.nodes if _column(node) == row]
        for number in range(max((cells[node.name].of for node in nodes), default=0)):
            tops[row, number] = y
            y += _height(nodes) + gap
    boxes = {}
    for node in flow.nodes:
        cell, row = cells[node.name], _column(node)
        x, span = min(node.lanes) * lane + gutter, (max(node.lanes) - min(node.lanes) + 1) * lane - 2 * gutter
        tall = _height([other for other in flow.nodes if _column(other) == row])
        box = Box(node, x, tops[row, cell.number], span, tall, cell.number == 0, cell.number == cell.of - 1)
        boxes[node.name] = box
    paths = tuple(_down(boxes[start], boxes[end], gutter) for start, end in flow.edges)
    return Picture("narrow", _lanes(flow) * lane, y - gap + 1, tuple(boxes.values()), paths)


def _height(nodes: Sequence[Node]) -> int:
    """All boxes are as high as the one that says most."""
    return _HEAD + _LINE * max(len(node.lines) for node in nodes)


def _cells(flow: Flow) -> dict[str, _Cell]:
    cells = {}
    for column in COLUMNS:
        for stack in _stacks([node for node in flow.nodes if _column(node) == column]):
            first, last = min(min(node.lanes) for node in stack), max(max(node.lanes) for node in stack)
            for number, node in enumerate(stack):
                cells[node.name] = _Cell(number, len(stack), first, last)
    return cells


def _stacks(nodes: Sequence[Node]) -> list[list[Node]]:
    """The steps of one column, those together whose lanes overlap; in a stack as the flow has them."""
    stacks: list[list[Node]] = []
    end = -1
    for node in sorted(nodes, key=lambda node: min(node.lanes)):
        if min(node.lanes) > end:
            stacks.append([])
        stacks[-1].append(node)
        end = max(end, *node.lanes)
    return [sorted(stack, key=nodes.index) for stack in stacks]


def _column(node: Node) -> str:
    return _COLUMN.get(node.kind, node.kind)


def _columns(flow: Flow) -> list[str]:
    """The columns in which something stands: not every lake has derived datasets, or streams."""
    there = {_column(node) for node in flow.nodes}
    return [column for column in COLUMNS if column in there]


def _lanes(flow: Flow) -> int:
    return 1 + max(lane for node in flow.nodes for lane in node.lanes)


def _across(start: Box, end: Box) -> str:
    x1, y1, x2, y2 = start.x + start.width, start.middle[1], end.x - 4, end.middle[1]
    bend = (end.x - start.x - start.width) / 2
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def _down(start: Box, end: Box, gutter: float) -> str:
    return "".join(_steps(start, end, gutter))


def _steps(start: Box, end: Box, gutter: float) -> Iterator[str]:
    """Straight down where nothing is between; else past it, in the gutter."""
    column = start if start.width <= end.width else end
    bottom, x = start.y + start.height, column.middle[0]
    if not end.first:
        yield f"M{end.x + gutter:g} {bottom:g}v8H{end.x - gutter / 2:g}V{end.middle[1]:g}H{end.x - 4:g}"
        return
    if start.last:
        yield f"M{x:g} {bottom:g}V{end.y - 4:g}"
        return
    right = start.x + start.width
    within = x if end.width <= start.width else min(right, end.x + end.width) - 2 * gutter
    yield f"M{right:g} {start.middle[1]:g}h{gutter / 2:g}V{end.y - 11:g}H{within:g}V{end.y - 4:g}"
