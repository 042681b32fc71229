"""Where a tree may differ from the one before it: names, nested as the tree is.

What every step hands to the next one (documents, layers, decoding), so that a thousand changes in one table
walk to that table once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reactive_config.core.paths import Path
from reactive_config.core.trees import ABSENT, same, same_encoding

Changes = dict[str, Any] | None
"""By name, what may differ below it; None stands for all of it, an empty dict for nothing."""


def add(changes: Changes, path: Path, inner: Changes = None) -> Changes:
    """Add what may differ at a path.

    Args:
        changes: What is known so far; written to.
        path: Where the addition stands.
        inner: What may differ there; kept, and perhaps written to.

    Returns:
        `changes`, or None where it now stands for everything.
    """
    if not path or changes is None:
        return union(changes, inner)
    node = changes
    for name in path[:-1]:
        node = node.setdefault(name, {})
        if node is None:  # a shorter path already says that all of this may have changed
            return changes
    name = path[-1]
    node[name] = union(node[name], inner) if name in node else inner
    return changes


def union(left: Changes, right: Changes) -> Changes:
    """What may differ by either; may write to `left`, and share the rest with both."""
    if left is None or right is None:
        return None
    if not left:
        return right
    for name, inner in right.items():
        left[name] = union(left[name], inner) if name in left else inner
    return left


def difference(old: Any, new: Any) -> Changes:
    """Where two trees differ; descends only where both are tables."""
    if old is new:
        return {}
    if type(old) is not dict or type(new) is not dict:
        return {} if same(old, new) else None
    found: dict[str, Any] = {}
    equal = []
    for name, value in new.items():
        before = old.get(name, ABSENT)
        if before is value:
            continue
        if before == value:
            equal.append(name)
        elif (inner := difference(before, value)) != {}:
            found[name] = inner
    # What is equal is nearly always the same, and for all of it together that is shown in two calls.
    if equal and not same_encoding([old[name] for name in equal], [new[name] for name in equal]):
        found |= {name: inner for name in equal if (inner := _difference_of_equals(old[name], new[name])) != {}}
    for name in old:
        if name not in new:
            found[name] = None
    return found


def _difference_of_equals(old: Any, new: Any) -> Changes:
    return {} if same(old, new) else difference(old, new)


def paths_of(changes: Changes, path: Path = ()) -> Iterator[Path]:
    """The shortest paths at which something may differ."""
    if changes is None:
        yield path
    else:
        for name, inner in changes.items():
            yield from paths_of(inner, (*path, name))
