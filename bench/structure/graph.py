"""Who imports whom, by box: a room, or a folder of the core. Read from the code."""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bench.structure.files import floors, trees

CORE = "_core"
GROUND = "_core: files below"
ROOF = "_core: files above"
"""The core's own files: those that need no folder of it, and those that do."""

_ROOT = "reactive_config"


class Box(msgspec.Struct, frozen=True):
    """One box of the drawing.

    Attributes:
        name: Of a room, of a folder as `_core/types`, or `GROUND` or `ROOF`.
        floor: The room's.
        text: Its one job: the first sentence of its docstring, or names of files.
    """

    name: str
    floor: int
    text: str

    @property
    def in_core(self) -> bool:
        return self.name.startswith(CORE)


class Graph(msgspec.Struct, frozen=True):
    """The package.

    Attributes:
        boxes: Whoever imports comes before what it imports, as far as that is possible.
        imports: How many import statements of the first box name the second one. Outside of the core, the core is one.
        doors: Public modules. They only name what rooms define, so an import of a door is one of these rooms.
    """

    boxes: tuple[Box, ...]
    imports: Mapping[tuple[str, str], int]
    doors: tuple[str, ...]

    def upwards(self) -> list[tuple[str, str]]:
        """Imports against the order of the boxes."""
        order = {box.name: number for number, box in enumerate(self.boxes)}
        order[CORE] = min(number for name, number in order.items() if name.startswith(CORE))
        return [
            (source, target)
            for source, target in self.imports
            if order[target] < order[source] and not (target == CORE and source.startswith(CORE))
        ]


def module_name(file: Path) -> str:
    """`reactive_config._core.paths` of `_core/paths.py`."""
    parts = file.with_suffix("").parts
    return ".".join((_ROOT, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each import of the package's own: the module, and the name that is taken from it (empty if none)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == _ROOT:
            for alias in node.names:
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == _ROOT:
                    yield alias.name, ""


class Reader:
    """Looks at all files once."""

    def __init__(self) -> None:
        self._files = {module_name(file): file for file in trees()}
        self._floors = {room: floor for room, floor in floors().items() if self._exists(room)}
        self._own = [m for m in self._files if m.startswith(f"{_ROOT}.{CORE}.") and m.count(".") == 2]
        self._folders = {m.split(".")[2] for m in self._files if m.startswith(f"{_ROOT}.{CORE}.") and m.count(".") > 2}
        self._own = [m for m in self._own if m.split(".")[2] not in self._folders]
        self._above = self._files_above()

    def _exists(self, room: str) -> bool:
        return f"{_ROOT}.{room}" in self._files

    def _room(self, module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    def targets(self, tree: ast.Module) -> set[str]:
        """The modules that a file imports; through a door, those that define what it names."""
        return {self._defining(module, name) for module, name in imported(tree)}

    def _defining(self, module: str, name: str) -> str:
        if f"{module}.{name}" in self._files:  # a module, taken from its folder
            module, name = f"{module}.{name}", ""
        if self._room(module) in self._floors or not name:
            return module
        for inner, found in imported(trees()[self._files[module]]):
            if found == name:
                return self._defining(inner, found)
        return module

    def _files_above(self) -> set[str]:
        """Files of the core itself that need a folder of it, directly or through one another."""
        needs = {module: self.targets(trees()[self._files[module]]) for module in self._own}
        folders = tuple(f"{_ROOT}.{CORE}.{folder}" for folder in self._folders)
        above: set[str] = set()
        while True:
            more = {m for m, found in needs.items() if found & above or any(t.startswith(folders) for t in found)}
            if more <= above:
                return above
            above |= more

    def box_of(self, module: str) -> str:
        """The box in which a module lies; empty for doors."""
        room = self._room(module)
        if room not in self._floors:
            return ""
        if room != CORE:
            return room
        parts = module.split(".")
        if len(parts) > 2 and parts[2] in self._folders:
            return f"{CORE}/{parts[2]}"
        return ROOF if module in self._above else GROUND

    def imports(self) -> dict[tuple[str, str], int]:
        """Imports between boxes."""
        counts: collections.Counter[tuple[str, str]] = collections.Counter()
        for module, file in self._files.items():
            source = self.box_of(module)
            for target in self.targets(trees()[file]):
                box = self.box_of(target)
                if not source.startswith(CORE) and box.startswith(CORE):
                    box = CORE
                if source and box and source != box:
                    counts[source, box] += 1
        return dict(sorted(counts.items()))

    def boxes(self) -> list[Box]:
        """In no order."""
        names = {self.box_of(module) for module in self._files} - {""}
        return [Box(name, self._floors[name.partition("/")[0].partition(":")[0]], self._text(name)) for name in names]

    def _text(self, name: str) -> str:
        if name in (GROUND, ROOF):
            return ", ".join(sorted(m.split(".")[2] for m in self._own if (m in self._above) == (name == ROOF)))
        text = ast.get_docstring(trees()[self._files[f"{_ROOT}.{name.replace('/', '.')}"]]) or ""
        first = text.partition("\n\n")[0].replace("\n", " ")
        job = first.partition(": ")[2] if first.startswith("Floor ") else first
        return (
            (job if job.startswith("etcd") else job[:1].upper() + job[1:])
            .partition(". ")[0]
            .rstrip(".")
            .replace("`", "")
        )

    def doors(self) -> list[str]:
        """Public modules below the package that are no room themselves."""
        names = [m.removeprefix(f"{_ROOT}.") for m in self._files if m != _ROOT and self._room(m) not in self._floors]
        return sorted(names)


def package_graph() -> Graph:
    """The package as it is."""
    reader = Reader()
    imports = reader.imports()
    return Graph(tuple(_ordered(reader.boxes(), imports)), imports, tuple(reader.doors()))


def _ordered(boxes: list[Box], imports: Mapping[tuple[str, str], int]) -> list[Box]:
    """High floors first; on one floor whoever imports first, and the boxes of the core beside one another."""
    ordered: list[Box] = []
    for floor in sorted({box.floor for box in boxes}, reverse=True):
        here = sorted((box for box in boxes if box.floor == floor), key=lambda box: box.name)
        for group in ([b for b in here if not b.in_core], [b for b in here if b.in_core]):
            ordered += _importers_first(group, imports)
    return ordered


def _importers_first(boxes: list[Box], imports: Mapping[tuple[str, str], int]) -> list[Box]:
    rest, ordered = list(boxes), []
    while rest:
        free = [box for box in rest if not any((other.name, box.name) in imports for other in rest)]
        chosen = min(free or rest, key=lambda box: (_weight(box, imports), box.name))
        rest.remove(chosen)
        ordered.append(chosen)
    return ordered


def _weight(box: Box, imports: Mapping[tuple[str, str], int]) -> int:
    """How much others need it: what is needed most lies lowest."""
    return sum(count for (_, target), count in imports.items() if target == box.name)
