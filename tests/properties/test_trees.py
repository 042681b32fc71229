"""What is the same, and where two trees differ, against the plainest way to say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._core.delta import Bare
from reactive_config._core.trees import ABSENT, difference, get, paths_of, same

pytestmark = pytest.mark.slow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

names = st.sampled_from(["a", "b", "c", "text", "\ud800"])
scalars = st.sampled_from(
    [0, 1, True, False, 0.0, -0.0, 1.0, 2**53, float(2**53), 2**70, float(2**70), None, "1", "", "\ud800", Bare("1"),
     Bare(""), NOON, NOON.astimezone(timezone(timedelta(hours=1))), NOON.isoformat(), NOON.date()]
)  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.dictionaries(names, inner, max_size=3), st.lists(inner, max_size=2)),
    max_leaves=8,
)


def alike(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(alike(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(alike(one, other) for one, other in zip(left, right, strict=True))
    return bool(left == right)


def reordered(tree: Any) -> Any:
    """An equal tree of other objects, with its names the other way round."""
    if isinstance(tree, dict):
        return {name: reordered(value) for name, value in reversed(tree.items())}
    return [reordered(item) for item in tree] if isinstance(tree, list) else tree


@given(trees, trees)
@settings(max_examples=200, deadline=None)
def test_same_is_equality_with_the_types_of_scalars(left, right):
    assert same(left, right) == alike(left, right)
    assert same(left, reordered(left))


@given(st.dictionaries(names, trees, max_size=3), st.dictionaries(names, trees, max_size=3))
@settings(max_examples=200, deadline=None)
def test_outside_of_the_paths_that_differ_two_trees_are_the_same(old, new):
    found = list(paths_of(difference(old, new)))
    assert (found == []) == alike(old, new)
    for path in found:
        before, after = get(old, path), get(new, path)
        assert before is ABSENT or after is ABSENT or not alike(before, after)
