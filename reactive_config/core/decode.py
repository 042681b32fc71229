"""Typed, incremental decoding: the next effective tree becomes the next value of the user's type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reactive_config.core.leaf import Fault, changed_values
from reactive_config.core.paths import Path
from reactive_config.core.plans import Changes, Part, Plan


def changes_of(paths: Iterable[Path]) -> Changes:
    """Paths as the nested names that `Plan.decode` takes."""
    root: dict[str, Any] = {}
    for path in paths:
        if not path:
            return None
        node: Any = root
        for name in path[:-1]:
            node = node.setdefault(name, {})
            if node is None:  # a shorter path already says that all of this may have changed
                break
        else:
            node[path[-1]] = None
    return root


def decode(plan: Plan, tree: Any, old: Part | None, paths: Iterable[Path]) -> tuple[Part | None, list[Fault]]:
    """Decode the next tree.

    Args:
        plan: Of the configuration's type.
        tree: The effective tree.
        old: The part in force; None before the first.
        paths: Where the tree differs from the one that `old` was made of.

    Returns:
        The part and no faults, or None and at least one.
    """
    found: list[Fault] = []
    part = plan.decode(tree, old, None if old is None else changes_of(paths), (), found)
    return (None, found) if found else (part, found)


def changed_paths(old: Part | None, new: Part, changes: Changes, path: Path = ()) -> list[Path]:
    """The shortest paths whose decoded values differ; looks only where the tree changed."""
    if old is new or (old is not None and old.value is new.value):
        return []
    if old is None:
        return [path]
    if not old.inner or not new.inner:
        return changed_values(old.value, new.value, path)
    found: list[Path] = []
    for name in {**old.inner, **new.inner} if changes is None else changes:
        before, after = old.inner.get(name), new.inner.get(name)
        if before is None or after is None:
            found += [(*path, name)] if before is not after else []
        else:
            found += changed_paths(before, after, changes.get(name) if changes else None, (*path, name))
    return found or [path]
