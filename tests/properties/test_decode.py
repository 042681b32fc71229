"""Incremental decoding against decoding the whole, and both against msgspec."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import changed_paths, decode
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.decoding.plans import DecodedPart
from reactive_config._core.delta import Bare
from reactive_config._core.trees import difference


class Inner(msgspec.Struct, frozen=True):
    a: Annotated[int, Meta(ge=0)] = 1
    b: float = 0.5


@dataclasses.dataclass
class Plain:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.a == 2:
            raise ValueError("two")
        self.a = self.a + 1  # an instance is not a source of its own fields


class Root(msgspec.Struct, forbid_unknown_fields=True):
    a: Inner = Inner()
    b: dict[str, Inner] = {}
    c: Plain | None = None
    d: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.a.a == len(self.b) == 2:
            raise ValueError("two of them")


class WithBare(msgspec.Struct):
    a: int | None = None
    b: dict[str, timedelta | None] = {}
    c: Inner | None = None
    d: list[float] = []


names = st.sampled_from(["a", "b", "c", "d"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 2), st.sampled_from([0.0, 1.0]), st.sampled_from(["x", "1"])
)
values = st.recursive(
    scalars, lambda i: st.one_of(st.lists(i, max_size=2), st.dictionaries(names, i, max_size=3)), max_leaves=5
)
inners = st.fixed_dictionaries({}, optional={"a": st.integers(-1, 2), "b": st.sampled_from([0.0, 1.0, 1])})
roots = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(inners, values),
        "b": st.one_of(st.dictionaries(names, inners, max_size=3), values),
        "c": st.one_of(st.fixed_dictionaries({"a": st.integers(0, 3)}), st.none(), values),
        "d": st.dictionaries(names, values, max_size=3),
        "e": values,
    },
)
bare = st.sampled_from(["null", "1", "30s", "1.5", "", "[1, 2]", '{"a": 3}', "x"]).map(Bare)
bares = st.dictionaries(names, st.one_of(bare, st.dictionaries(names, bare, max_size=3)), max_size=4)


def follow(kind: Any, trees: list[dict[str, Any]]) -> None:
    """Decode one tree after the other from the last accepted one, comparing each with the whole."""
    plan = compile_plan(kind)
    tree: dict[str, Any] = {}
    old: DecodedPart | None = None
    for new in trees:
        changes = difference(tree, new)
        part, faults = decode(plan, new, old, changes)
        fresh, fresh_faults = decode(plan, new, None, None)
        assert (part is None) == (fresh is None), (faults, fresh_faults)
        if part is None or fresh is None:
            assert {f[:2] for f in faults} == {f[:2] for f in fresh_faults}
            continue
        assert unchanged(part.value, fresh.value)
        assert part.unknown == fresh.unknown
        check_changed(old, part, changed_paths(old, part, changes))
        old, tree = part, new


def check_changed(old: DecodedPart | None, part: DecodedPart, changed: list[tuple[str, ...]]) -> None:
    if old is not None:
        assert bool(changed) == (old.value is not part.value)
        assert (old.value is part.value) == unchanged(old.value, part.value)
        assert set(changed) == set(changed_paths(old, part, None))


@settings(max_examples=300, deadline=None)
@given(st.lists(roots, min_size=2, max_size=5))
@pytest.mark.slow
def test_incremental_decoding_equals_decoding_the_whole(trees):
    follow(Root, trees)


@settings(max_examples=200, deadline=None)
@given(st.lists(bares, min_size=2, max_size=4))
def test_bare_values_decode_the_same_incrementally(trees):
    follow(WithBare, trees)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(names, values), min_size=2, max_size=4))
def test_untyped_configurations_decode_the_same_incrementally(trees):
    follow(dict, trees)


@settings(max_examples=300, deadline=None)
@given(roots)
@pytest.mark.slow
def test_the_verdict_and_the_value_are_those_of_msgspec(tree):
    part, _ = decode(compile_plan(Root), tree, None, None)
    try:
        expected = msgspec.convert(tree, Root)
    except msgspec.ValidationError:
        assert part is None
    else:
        assert part is not None
        assert unchanged(part.value, expected)


def test_every_fault_is_found_not_only_the_first():
    tree = {"a": {"a": -1, "b": "x"}, "b": {"k": {"a": "y"}}, "e": 1}
    _, faults = decode(compile_plan(Root), tree, None, None)
    assert {f.path for f in faults} == {("a", "a"), ("a", "b"), ("b", "k", "a"), ("e",)}


def test_unchanged_parts_keep_their_identity():
    plan = compile_plan(Root)
    first, _ = decode(plan, old := {"a": {"a": 1}, "b": {"x": {"a": 1}, "y": {"a": 1}}}, None, None)
    tree = {**old, "b": {**old["b"], "x": {"a": 2}}}
    second, _ = decode(plan, tree, first, {"b": {"x": {"a": None}}})
    assert first is not None
    assert second is not None
    assert second.value.a is first.value.a
    assert second.value.b["y"] is first.value.b["y"]
    assert second.value.b["x"] == Inner(a=2)


@pytest.mark.parametrize(
    ("before", "after"), [({"a": {"b": 1.0}}, {"a": {"b": 1}}), ({"c": {"a": 5}}, {"c": {"a": 5, "zz": 1}})]
)
def test_what_decodes_to_the_same_changes_nothing(before, after):
    """10 for 10.0 where the type says float, or a name that the type ignores."""
    plan = compile_plan(Root)
    first, _ = decode(plan, before, None, None)
    second, _ = decode(plan, after, first, difference(before, after))
    assert first is not None
    assert second is not None
    assert second.value is first.value
