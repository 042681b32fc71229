"""For random types: incremental decoding equals decoding the whole, also as shown, and older snapshots never change."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import changed_paths, decode
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.decoding.plans import DecodedPart
from reactive_config._core.redaction import show, spot_of
from reactive_config._core.trees import difference
from tests.properties.random_types import Kind, barely, edited, kinds, picture, with_typos


def follow(kind: Any, trees: list[Any]) -> int:
    """Decode one tree after the other, each from the last accepted one; returns how many were accepted."""
    plan = compile_plan(kind)
    tree: Any = {}
    old: DecodedPart | None = None
    older: list[tuple[Any, Any]] = []
    for new in trees:
        changes = difference(tree, new)
        part, faults = decode(plan, new, old, changes)
        fresh, fresh_faults = decode(plan, new, None, None)
        assert (part is None) == (fresh is None), (faults, fresh_faults)
        assert all(picture(value) == was for value, was in older)
        if part is None or fresh is None:
            assert {fault[:2] for fault in faults} == {fault[:2] for fault in fresh_faults}
            continue
        assert picture(part.value) == picture(fresh.value)
        assert part.unknown == fresh.unknown
        assert show(spot_of(part.value, kind)) == show(spot_of(fresh.value, kind))
        if old is not None:
            assert bool(changed_paths(old, part, changes)) == (old.value is not part.value)
            assert (old.value is part.value) == unchanged(old.value, part.value)
            assert set(changed_paths(old, part, changes)) == set(changed_paths(old, part, None))
        older.append((part.value, picture(part.value)))
        old, tree = part, new
    return len(older)


def root_of(fields: list[Kind]) -> Kind:
    names = [f"f{at}" for at in range(len(fields))]
    kind = msgspec.defstruct("Root", [(name, field.type) for name, field in zip(names, fields, strict=True)])
    return Kind(kind, lambda random: {n: f.trees(random) for n, f in zip(names, fields, strict=True)})


seeds = st.integers(0, 2**32 - 1).map(Random)


def check(fields: list[Kind], random: Random, *, bare: bool) -> None:
    root = fields[0] if random.random() < 0.3 else root_of(fields)
    tree = root.trees(random)
    trees = [tree]
    for _ in range(8):
        tree = edited(tree, root.trees(random), random)
        trees.append(tree)
    if random.random() < 0.5:
        trees = [with_typos(tree, random) if random.random() < 0.7 else tree for tree in trees]
    if bare:
        trees = [barely(tree, random) if random.random() < 0.7 else tree for tree in trees]
    follow(root.type, [tree for tree in trees if type(tree) is dict])


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("examples", [40, pytest.param(2000, marks=[pytest.mark.storm, pytest.mark.timeout(600)])])
def test_incremental_equals_whole_and_older_snapshots_stay(examples, bare):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(kinds(), min_size=1, max_size=3), seeds)
    def run(fields: list[Kind], random: Random) -> None:
        check(fields, random, bare=bare)

    run()


def test_the_random_types_are_ones_that_are_served():
    """A property over types that are refused would show nothing."""
    served = 0

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(kinds(), seeds)
    def run(kind: Kind, random: Random) -> None:
        nonlocal served
        trees = [{"f0": kind.trees(random)} for _ in range(4)]
        served += follow(root_of([kind]).type, trees) > 0

    run()
    assert served > 20
