"""Equality of decoded values and of trees against a plain model: a canonical form that is equal by `==`."""

from __future__ import annotations

import copy
import dataclasses
import struct
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reactive_config import Secret
from reactive_config._core.decoding.equality import changed_values, unchanged
from reactive_config._core.trees import difference, same


class Pair(NamedTuple):
    a: Any
    b: Any


class Struct(msgspec.Struct, frozen=True):
    a: Any
    b: Any


@dataclasses.dataclass(frozen=True)
class Data:
    a: Any
    b: Any


ZONES = [None, UTC, timezone(timedelta(hours=1))]
moments = st.sampled_from(
    [datetime(2020, 1, 1, 12 + h, tzinfo=zone) for h in (0, 1) for zone in ZONES]
    + [time(12 + h, tzinfo=zone) for h in (0, 1) for zone in ZONES]
)
scalars = st.sampled_from([None, True, False, 0, 1, 0.0, -0.0, 1.0, "", "1"]) | moments
deeper = scalars | st.sampled_from([Decimal(1), Decimal("1.0"), Decimal("-0"), Decimal(0), b"", b"1", 0j, 1 + 0j])
keys = st.sampled_from(["a", "b"]) | st.sampled_from(
    [0, 0.0, -0.0, 1, True, Decimal("1.0"), (1,), (True,), frozenset({1})]
)


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.frozensets(keys, max_size=3),
        st.sets(keys, max_size=3),
        *[st.builds(kind, inner, inner) for kind in (Pair, Struct, Data)],
        inner.map(Secret),
    )


values = st.recursive(deeper, around, max_leaves=6)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def alike(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Two trees of one shape, most of whose leaves are the same."""
    return st.recursive(
        leaves.map(lambda leaf: (leaf, leaf)) | st.tuples(leaves, leaves),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda pairs: ([a for a, _ in pairs], [b for _, b in pairs]))
            | st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(
                lambda pairs: ({n: a for n, (a, _) in pairs.items()}, {n: b for n, (_, b) in pairs.items()})
            )
        ),
        max_leaves=6,
    )


def model(value: Any) -> Any:
    """Equal by `==` for values that are equal in value and type."""
    kind = type(value)
    if kind is float:
        return kind, struct.pack("d", value)
    if kind is complex:
        return kind, model(value.real), model(value.imag)
    if kind is Decimal:
        return kind, str(value)
    if kind in (datetime, time):
        return kind, value.isoformat()
    if kind is Secret:
        return kind, model(value.reveal())
    if kind is dict:
        return kind, frozenset((model(key), model(inner)) for key, inner in value.items())
    if kind in (set, frozenset):
        return kind, frozenset(map(model, value))
    if kind in (list, tuple, Pair):
        return kind, tuple(map(model, value))
    if kind in (Struct, Data):
        return kind, model(value.a), model(value.b)
    return kind, value


@given(st.tuples(values, values) | alike(deeper))
def test_values_are_unchanged_if_the_model_says_so(pair):
    one, other = pair
    expected = model(one) == model(other)
    assert unchanged(one, other) is unchanged(other, one) is expected
    assert (changed_values(one, other, ()) == []) is expected


@given(values)
def test_a_copy_is_unchanged(value):
    again = copy.deepcopy(value) if "Secret" not in repr(value) else value
    assert unchanged(value, again)
    assert changed_values({"x": value}, {"x": again}, ()) == []


@given(st.tuples(trees, trees) | alike(scalars))
def test_trees_are_the_same_if_the_model_says_so(pair):
    one, other = pair
    for left, right in ((one, other), ({"x": one, "y": 1}, {"y": 1, "x": other}), ([one, one], [one, other])):
        expected = model(left) == model(right)
        assert same(left, right) is same(right, left) is expected
        assert (difference(left, right) == {}) is expected
