"""Typed, incremental decoding: the next effective tree becomes the next value of the user's type."""

from __future__ import annotations

from typing import Any

from reactive_config._core.decoding.basic_plans import TablePlan
from reactive_config._core.decoding.equality import changed_values, unchanged
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.decoding.map_plans import OptionalPlan, UntypedPlan
from reactive_config._core.decoding.plans import MISSING, NOTHING, DecodedPart, DecodePlan
from reactive_config._core.decoding.record_plans import FlatPlan
from reactive_config._core.paths import Path
from reactive_config._core.trees import Changes


def decode(
    plan: DecodePlan, tree: Any, old: DecodedPart | None, changes: Changes
) -> tuple[DecodedPart | None, list[Fault]]:
    """Decode the next tree.

    Args:
        plan: Of the configuration's type.
        tree: The effective tree.
        old: The part in force; None before the first.
        changes: Where the tree may differ from the one that `old` was made of.

    Returns:
        The part and no faults, or None and at least one.
    """
    if old is not None and tree is old.tree:
        return old, []
    found: list[Fault] = []
    before = MISSING if old is None else old if old.kept is not NOTHING else old.value
    decoded = plan.decode(tree, before, changes, (), found)
    if found:
        return None, found
    return (decoded if type(decoded) is DecodedPart else DecodedPart(tree, decoded, NOTHING, NOTHING)), []


def keeps_identity(plan: DecodePlan, path: Path) -> bool:
    """Whether what stands at a path stays the same object while it is equal.

    Not inside what is decoded as one value, nor inside what code of a type's own made of its fields.
    """
    for name in path:
        inner = plan.inner if isinstance(plan, OptionalPlan) else plan
        if isinstance(inner, UntypedPlan):
            return True
        if not isinstance(inner, TablePlan) or isinstance(inner, FlatPlan) or inner.own_code:
            return False
        below = inner.plan_of(name)
        if below is None:
            return False
        plan = below
    return True


def changed_paths(old: DecodedPart | None, new: DecodedPart, changes: Changes) -> list[Path]:
    """The shortest paths whose decoded values differ; looks only where the tree changed."""
    if old is None:
        return [()]
    found: list[Path] = []
    if old.value is not new.value:
        _compare(old, new, changes, (), found)
    return found


def _compare(old: DecodedPart, new: DecodedPart, changes: Changes, path: Path, found: list[Path]) -> None:
    if old.kept is NOTHING or new.kept is NOTHING or new.own_code:
        found += changed_values(old.value, new.value, path)
        return
    before = len(found)
    for name in {**old.kept, **new.kept} if changes is None else changes:
        one, other = old.kept.get(name, MISSING), new.kept.get(name, MISSING)
        if one is other:
            continue
        here = (*path, name)
        if one is MISSING or other is MISSING:
            found.append(here)
        elif name in old.inner and name in new.inner:
            _compare(old.inner[name], new.inner[name], None if changes is None else changes[name], here, found)
        else:
            found += changed_values(one, other, here)
    if len(found) == before and not unchanged(old.value, new.value):
        found.append(path)
