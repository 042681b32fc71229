"""Incremental layers against a plain model that merges everything anew at every step."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reactive_config._core.delta import Entry
from reactive_config._core.layers import Layer, Stack
from reactive_config._core.trees import ABSENT, Changes, get, paths_of, same, union

pytestmark = pytest.mark.slow

names = st.sampled_from(["a", "b", "c"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(0, 2), st.sampled_from([0.0, 1.0]), st.lists(st.integers(0, 1), max_size=2)
)
trees = st.recursive(scalars, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6)
tables = st.dictionaries(names, trees, max_size=3)
ids = st.sampled_from(["1", "2", "3", "4", "5"])
paths = st.lists(names, max_size=3).map(tuple)


def merged(low: Any, high: Any) -> Any:
    """The table of DESIGN's merging rules, in its own words."""
    if isinstance(low, dict) and isinstance(high, dict):
        return {
            k: merged(low[k], high[k]) if k in low and k in high else (high if k in high else low)[k]
            for k in {**low, **high}
        }
    return high


def whole(layer: Layer) -> dict[str, Any]:
    tree: Any = {}
    for _, entry in sorted(layer.entries.items(), key=lambda item: (len(item[1].path), item[0])):
        document = entry.value
        for name in reversed(entry.path):
            document = {name: document}
        tree = merged(tree, document)
    return tree


class LayersAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = Stack([Layer("low"), Layer("middle"), Layer("high")])

    def touch(self, changes: list[tuple[int, str, Entry | None]]) -> None:
        before = self.stack.tree
        for number, entry_id, entry in changes:
            self.stack.layers[number].put(entry_id, entry)
        changed = self.stack.refold(self.refold_layers())
        self.check_identity(before, self.stack.tree, list(paths_of(changed)), ())

    def refold_layers(self) -> Changes:
        return functools.reduce(union, [layer.refold() for layer in self.stack.layers])

    def check_identity(self, before: Any, after: Any, changed: list, path: tuple[str, ...]) -> None:
        """A subtree is another object only if some path at, above or under it was reported as changed."""
        concerned = any(c[: len(path)] == path[: len(c)] for c in changed)
        assert concerned or before is after
        if before is not after and isinstance(before, dict) and isinstance(after, dict):
            for name in before.keys() & after.keys():
                self.check_identity(before[name], after[name], changed, (*path, name))

    @rule(number=st.integers(0, 2), entry_id=ids, path=paths, value=trees, table=tables)
    def put(self, number: int, entry_id: str, path: tuple[str, ...], value: Any, table: dict[str, Any]) -> None:
        self.touch([(number, entry_id, Entry(path, value if path else table, 1))])

    @rule(number=st.integers(0, 2), entry_id=ids)
    def delete(self, number: int, entry_id: str) -> None:
        self.touch([(number, entry_id, None)])

    @rule(changes=st.lists(st.tuples(st.integers(0, 2), ids, paths, st.one_of(st.none(), tables)), max_size=6))
    def batch(self, changes: list) -> None:
        self.touch([(n, i, None if t is None else Entry(p, t, 1)) for n, i, p, t in changes])

    @rule(number=st.integers(0, 2), entry_id=ids, path=paths, value=trees, table=tables)
    def put_and_take_back(self, number: int, entry_id: str, path: tuple[str, ...], value: Any, table: dict) -> None:
        """What a refused trial does: the mounts go back by putting, the trees by reference."""
        layer = self.stack.layers[number]
        before, old = (self.stack.tree, layer.tree), layer.entries.get(entry_id)
        self.touch([(number, entry_id, Entry(path, value if path else table, 1))])
        layer.put(entry_id, old)
        self.stack.tree = before[0]
        layer.restore(before[1])

    @invariant()
    def equals_the_model(self) -> None:
        tree: Any = {}
        for layer in self.stack.layers:
            assert same(layer.tree, whole(layer))
            tree = merged(tree, whole(layer))
        assert same(self.stack.tree, tree)

    @invariant()
    def explains_only_what_is_there(self) -> None:
        for layer in self.stack.layers:
            for path in [("a",), ("a", "b"), ()]:
                for entry_id, entry in layer.entries_at(path):
                    assert layer.entries[entry_id] is entry
                    deeper = entry.path[: len(path)] == path
                    assert deeper or get(entry.value, path[len(entry.path) :]) is not ABSENT


class LayersFoldedAsAWhole(LayersAgainstModel):
    """The same, where everything is taken for touched."""

    def refold_layers(self) -> Changes:
        for layer in self.stack.layers:
            layer.touched = None
        super().refold_layers()
        return None


TestLayersAgainstModel = LayersAgainstModel.TestCase
TestLayersAgainstModel.settings = settings(max_examples=75, stateful_step_count=25, deadline=None)

TestLayersFoldedAsAWhole = LayersFoldedAsAWhole.TestCase
TestLayersFoldedAsAWhole.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)


@pytest.mark.storm
@pytest.mark.timeout(900)
class TestManyLayersAgainstModel(LayersAgainstModel.TestCase):
    settings = settings(max_examples=500, stateful_step_count=25, deadline=None)
