"""docs/architecture.svg, from the imports of the code.

The boxes are the steps of a stair. An import leaves its box to the right and comes down on the box that it names. So
lines cross one another at right angles only, and never a box or a text. One that would have to go up is red.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from xml.sax.saxutils import escape

from bench.structure.graph import CORE, GROUND, ROOF, Box, Graph, package_graph

FILE = "docs/architecture.svg"

__all__ = ["FILE", "package_graph", "svg"]

_ROW, _BOX = 66, 52
_WIDE = 236
"""Of a box. Its right end is its column, on which lines come down; the rest reaches to the left."""
_LANE = 9
_LEFT, _TOP, _MARGIN = 84, 142, 18
_HEADER, _FOOTER = 34, 26
"""Of the frame around the core: above its boxes, with its name, and below them."""
_LETTERS = 41
"""Of a box's small text, in a line."""
_COLOURS = ("#0072B2", "#8A4FA3", "#00785A", "#B06000", "#4D5B9E", "#007F8C", "#6B5B2E")
_RED = "#D00000"
_INK, _DIM, _PAPER = "#1A1A1A", "#555555", "#FFFFFF"
_BANDS = ("#F3F5F8", "#E7EBF1")
_FONT = "font-family='DejaVu Sans, Verdana, Helvetica, Arial, sans-serif'"


class _Place:
    """Where a box lies."""

    def __init__(self, box: Box, top: int, right: int, colour: str) -> None:
        self.box, self.colour = box, colour
        self.right, self.left = right, right - _WIDE
        self.top, self.bottom = top, top + _BOX


class _Stair:
    """The layout: one row and one column for each box."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = {box.name: number for number, box in enumerate(graph.boxes)}
        self.places: dict[str, _Place] = {}
        self.floors: dict[int, tuple[int, int]] = {}
        self._up = set(graph.upwards())
        core = [box for box in graph.boxes if box.in_core]
        right, y = _LEFT + _WIDE - 4 * _LANE, _TOP
        for number, box in enumerate(graph.boxes):
            arrivals = len(self.sources(box.name))
            if box is core[0]:  # here the lines to the core as a whole come down
                y += _HEADER
                arrivals += len(self.sources(CORE)) + 1
            begin = self.floors.get(box.floor, (y, y))[0]
            right += max(4, arrivals + 1) * _LANE
            self.places[box.name] = _Place(box, y + (_ROW - _BOX) // 2, right, _COLOURS[number % len(_COLOURS)])
            y += _ROW
            if box is core[-1]:
                y, right = y + _FOOTER, right + 2 * _LANE
            self.floors[box.floor] = (begin, y)
        inside = [self.places[box.name] for box in core]
        self.first = inside[0]
        self.frame = (
            min(place.left for place in inside) - 12,
            self.first.top - _HEADER + 4,
            max(place.right for place in inside) + 12,
            inside[-1].bottom + 14,
        )
        self.width, self.height = right + _MARGIN + 12, y + _MARGIN

    def sources(self, name: str) -> list[str]:
        """Who imports a box from above: the lowest box first, so that its line comes down leftmost."""
        found = [s for s, t in self.graph.imports if t == name and (s, t) not in self._up]
        return sorted(found, key=lambda source: -self.order[source])

    def targets(self, name: str) -> list[str]:
        """What a box imports: the nearest first."""
        found = [t for s, t in self.graph.imports if s == name and (s, t) not in self._up]
        return sorted(found, key=self._row)

    def _row(self, name: str) -> int:
        return min(n for box, n in self.order.items() if box == name or (name == CORE and box.startswith(CORE)))


def svg(graph: Graph) -> str:
    """The drawing; the same bytes for the same imports."""
    stair = _Stair(graph)
    size = stair.width, stair.height
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {size[0]} {size[1]}' {_size(*size)} {_FONT}>",
        "<!-- written by `python -m bench structure drawing`; do not edit -->",
        f"<rect {_size(*size)} fill='{_PAPER}'/>",
        *_bands(stair),
        *_frame(stair),
        *_downs(stair),
        *(line for place in stair.places.values() for line in _box(place)),
        *_ups(stair),
        *_title(stair),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _size(width: float, height: float) -> str:
    return f"width='{width:g}' height='{height:g}'"


def _text(x: float, y: float, size: int, text: str, colour: str = _INK, more: str = "") -> str:
    return f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{colour}'{more}>{escape(text)}</text>"


def _title(stair: _Stair) -> Iterator[str]:
    yield _text(_MARGIN, 32, 19, "The rooms of reactive_config, and who imports whom", more=" font-weight='bold'")
    many = max(stair.graph.imports.values())
    red = "Red lines go upwards, which must not be." if stair.graph.upwards() else "No line goes up."
    doors = ", ".join(stair.graph.doors)
    text = f"""
        A line leaves a room to the right and comes down on the room that it imports; the thicker, the more imports
        (1 to {many}). {red} A room imports rooms on floors below it, and on its own floor only what is made for that:
        _core and _printable. Public modules are doors: {doors}. They only name what rooms define, so they are not
        drawn; an import through a door counts as one of the room.
        """
    lines = textwrap.wrap(" ".join(text.split()), stair.width // 7)
    for number, line in enumerate(lines):
        yield _text(_MARGIN, 56 + 18 * number, 12, line, _DIM)


def _bands(stair: _Stair) -> Iterator[str]:
    for number, (floor, (top, bottom)) in enumerate(sorted(stair.floors.items(), reverse=True)):
        band = _BANDS[number % 2]
        yield f"<rect x='0' y='{top}' width='{stair.width}' height='{bottom - top}' fill='{band}'/>"
        yield _text(_MARGIN, top + 24, 13, f"floor {floor}", _DIM, " font-weight='bold'")


def _frame(stair: _Stair) -> Iterator[str]:
    left, top, right, bottom = stair.frame
    yield (
        f"<rect x='{left}' y='{top}' width='{right - left}' height='{bottom - top}' rx='8' "
        f"fill='#FFFBEF' stroke='{_INK}' stroke-width='1.6'/>"
    )
    yield _text(left + 12, top + 20, 15, CORE, more=" font-weight='bold'")


def _box(place: _Place) -> Iterator[str]:
    name = place.box.name
    yield (
        f"<rect x='{place.left}' y='{place.top}' width='{_WIDE}' height='{_BOX}' rx='5' "
        f"fill='{_PAPER}' stroke='{place.colour}' stroke-width='2'/>"
    )
    label = {GROUND: "its own files, below", ROOF: "its own files, above"}.get(name, name).removeprefix(f"{CORE}/")
    yield _text(place.left + 9, place.top + 17, 13, label, place.colour, " font-weight='bold'")
    lines = textwrap.wrap(place.box.text, _LETTERS, max_lines=2, placeholder=" …")
    for number, line in enumerate(lines):
        yield _text(place.left + 9, place.top + 31 + 13 * number, 10, line, _DIM)


def _thickness(count: int) -> float:
    return round(1 + 0.75 * math.log2(count), 2)


def _downs(stair: _Stair) -> Iterator[str]:
    """The lines of imports, each with its own lane to the right and its own lane down."""
    for name, place in stair.places.items():
        targets = stair.targets(name)
        for number, target in enumerate(targets):
            # The nearest target leaves lowest: the lines of one box do not cross one another.
            y = place.bottom - (number + 1) * _BOX / (len(targets) + 1)
            x, end = _arrival(stair, target, stair.sources(target).index(name))
            yield _line(place, target, stair.graph.imports[name, target], x, y, end)


def _arrival(stair: _Stair, target: str, lane: int) -> tuple[float, float]:
    """Where a line comes down on a box, or on the frame of the core."""
    if target == CORE:
        return stair.first.right - (len(stair.sources(CORE)) - lane) * _LANE, stair.frame[1]
    place = stair.places[target]
    width = (len(stair.sources(target)) - 1) * _LANE
    return place.right - _LANE - width + lane * _LANE, place.top


def _line(place: _Place, target: str, count: int, x: float, y: float, end: float) -> str:
    thick = _thickness(count)
    head = 4 + thick
    return (
        f"<g fill='none' stroke='{place.colour}' stroke-width='{thick}'>"
        f"<title>{escape(place.box.name)} imports {escape(target)}: {count}</title>"
        f"<path d='M{place.right} {y:g}H{x - 6:g}q6 0 6 6V{end - head:g}'/>"
        f"<path d='M{x - head / 2:g} {end - head:g}h{head:g}L{x:g} {end:g}z' fill='{place.colour}' stroke='none'/></g>"
    )


def _ups(stair: _Stair) -> Iterator[str]:
    """What must not be: from the left end of a box up to the room above, over everything."""
    for source, target in stair.graph.upwards():
        place, above = stair.places[source], stair.places.get(target)
        x = above.left + 30 if above else stair.frame[0] + 30
        end = above.bottom if above else stair.frame[3]
        y = place.top + _BOX / 2
        yield (
            f"<g fill='none' stroke='{_RED}' stroke-width='4'><title>{escape(source)} imports {escape(target)}: "
            f"upwards</title><path d='M{place.left} {y:g}H{x:g}V{end + 10}'/>"
            f"<path d='M{x - 7:g} {end + 10}h14l-7 -10z' fill='{_RED}' stroke='none'/></g>"
        )
