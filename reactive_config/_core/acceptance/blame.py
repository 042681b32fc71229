"""Who is responsible for what does not fit.

The verdict on a path depends on a part of the tree only: its **region**. That is the path itself, or the
nearest type around it that has validation of its own. A unit that alone touches a failing path is
responsible; if none touches it (a model's own code may name any place), the one that alone touches the region. If
there are several, they are suspects, and which of them it was has to be tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, get_args

from reactive_config._core.acceptance.trial import Trial, UnitKey
from reactive_config._core.decoding.basic_plans import LeafPlan
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.decoding.map_plans import MapPlan, OptionalPlan
from reactive_config._core.decoding.plans import DecodePlan
from reactive_config._core.decoding.record_plans import RecordPlan
from reactive_config._core.lookup import inner_type, plain_type
from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT, Changes, same
from reactive_config._core.types import bare_type, fields_of, is_pydantics, is_union, mapping_types, own_code


class Blame(NamedTuple):
    """What a trial's faults say about its units.

    Attributes:
        guilty: Unit to its faults.
        likely: Units that alone touch a failing path, while others touch its region: they may fit alone.
        suspects: Units of which at least one is responsible, in the trial's order; empty if nobody stands out.
    """

    guilty: dict[UnitKey, list[Fault]]
    likely: list[UnitKey]
    suspects: list[UnitKey]


def blame(trial: Trial, plan: DecodePlan) -> Blame:
    """Find out who is responsible, without another decode."""
    touching = _Touching(trial.steps())
    guilty: dict[UnitKey, list[Fault]] = {}
    likely: dict[UnitKey, None] = {}
    suspects: Iterable[UnitKey] = ()
    for fault in trial.faults:
        around = region(plan, fault.path)
        for paths in _places(fault.path, around, trial.changes):
            found = touching.few(paths)
            if len(found) > 1:
                suspects = suspects or set(touching.at(paths))
            elif found and around != fault.path and len(touching.few([around])) > 1:
                likely[found[0]] = None
            elif found:
                guilty.setdefault(found[0], []).append(fault)
            if found:
                break
    return Blame(
        guilty,
        [key for key in likely if key not in guilty],
        [key for key in trial.units if key in suspects] if suspects else [],
    )


def _places(path: Path, around: Path, changes: Changes) -> Iterator[list[Path]]:
    """Where to look for those who are responsible for a fault, the best place first."""
    yield [path]
    yield list(_overlapping(changes, path, ()))  # something is missing: who made or unmade the table around it?
    yield [around]


def _overlapping(changes: Changes, path: Path, at: Path) -> Iterator[Path]:
    """The shortest paths at which something differs, as far as they are at, above or under a path."""
    if changes is None:
        yield at
    elif len(at) < len(path):
        if path[len(at)] in changes:
            yield from _overlapping(changes[path[len(at)]], path, path[: len(at) + 1])
    elif changes:
        yield path


class _BlameNode:
    """A path, and what units did there.

    Attributes:
        steps: Unit, old and new document of each entry that is mounted here.
        below: By name.
    """

    __slots__ = ("below", "steps")

    def __init__(self) -> None:
        self.steps: list[tuple[UnitKey, Any, Any]] = []
        self.below: dict[str, _BlameNode] = {}


class _Touching:
    """Which units changed what stands at, above or under a path."""

    def __init__(self, steps: Iterable[tuple[UnitKey, Path, Any, Any]]) -> None:
        self._root = _BlameNode()
        for key, path, old, new in steps:
            node = self._root
            for name in path:
                child = node.below.get(name)
                if child is None:
                    child = node.below[name] = _BlameNode()
                node = child
            node.steps.append((key, old, new))

    def at(self, paths: Iterable[Path]) -> Iterator[UnitKey]:
        """The units that touch one of the paths; one may come several times."""
        for path in paths:
            yield from self._at(path)

    def few(self, paths: Iterable[Path]) -> list[UnitKey]:
        """Two of them, or the only one; enough to know whether there are several."""
        found: list[UnitKey] = []
        for key in self.at(paths):
            if key not in found:
                found.append(key)
                if len(found) == 2:
                    break
        return found

    def _at(self, path: Path) -> Iterator[UnitKey]:
        node: _BlameNode | None = self._root
        for depth in range(len(path) + 1):
            assert node is not None
            for key, old, new in node.steps:
                if _differs(path[depth:], old, new):
                    yield key
            if depth == len(path):
                break
            node = node.below.get(path[depth])
            if node is None:
                return
        waiting = list(node.below.values()) if node is not None else []
        while waiting:
            node = waiting.pop()
            for key, _, _ in node.steps:
                yield key
            waiting += node.below.values()


def _differs(path: Path, old: Any, new: Any) -> bool:
    """Whether two documents differ at a path, or above it.

    Looks only along the path: a document may be large, and a rejection must not cost its size.
    """
    for name in path:
        if not all(tree is ABSENT or type(tree) is dict for tree in (old, new)):
            break
        old, new = (ABSENT if tree is ABSENT else tree.get(name, ABSENT) for tree in (old, new))
    return not same(old, new)


def region(plan: DecodePlan | None, path: Path, *, outermost: bool = False) -> Path:
    """The path of the subtree on which the verdict on a path depends.

    Args:
        plan: Of the configuration's type.
        path: Of the configuration.
        outermost: Return the largest subtree whose verdict depends on the path instead.
    """
    found = path
    for depth, name in enumerate(path):
        if isinstance(plan, OptionalPlan):
            plan = plan.inner
        if isinstance(plan, RecordPlan):
            if validates(plan.kind):
                found = path[:depth]  # it is built after its fields were found good: the nearest one decides
                if outermost:
                    return found
            plan = plan.plans.get(name)
        elif isinstance(plan, MapPlan):
            plan = plan.values
        elif isinstance(plan, LeafPlan):
            return _region_in_leaf(plan.kind, path, depth) or found
        else:
            break
    return found


def _region_in_leaf(kind: Any, path: Path, depth: int) -> Path | None:
    """A leaf is decoded by others, which may look at all of it first: there the outermost type decides."""
    for name, at in zip(path[depth:], range(depth, len(path)), strict=True):
        if validates(kind):
            return path[:at]
        kind = inner_type(kind, name)
    return None


def validates(kind: Any) -> bool:
    """Whether a type may refuse a table although every single field of it fits."""
    plain = bare_type(plain_type(kind))
    if is_union(plain):  # which member is meant depends on the whole of it
        return any(fields_of(bare_type(t)) is not None or mapping_types(t) is not None for t in get_args(plain))
    return is_pydantics(plain) or own_code(plain)
