"""Code of a type's own may change what it is given: no older snapshot, and nothing that is kept, changes with it."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import attrs
import msgspec
import pydantic
import pytest

from reactive_config import Memory, Secret, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.runtime.live import listen
from reactive_config._core.trees import difference


class Leaf(msgspec.Struct):
    """Can be changed in place."""

    n: int = 0
    tags: list[str] = []


class Fixed(msgspec.Struct, frozen=True):
    """Cannot be changed in place."""

    n: int = 0
    pair: tuple[int, str] = (0, "")


class Holding(msgspec.Struct, frozen=True):
    """Frozen, but what it holds is not."""

    names: dict[str, int] = {}


@dataclasses.dataclass
class Plain:
    leaf: Leaf


@attrs.define
class Attrs:
    n: int


class Parent(msgspec.Struct, frozen=True):
    other: int = 0
    leaf: Leaf = msgspec.field(default_factory=Leaf)
    table: dict[str, Leaf] = {}
    items: list[int] = []
    plain: Plain | None = None
    holding: Holding = Holding()
    attrs: list[Attrs] = []
    fixed: Fixed = Fixed()
    free: Any = None

    def __post_init__(self) -> None:
        self.leaf.n += 1
        self.leaf.tags.append("seen")
        for leaf in self.table.values():
            leaf.n += 1
        self.table["made"] = Leaf(99)
        self.items.append(self.other)
        if self.plain is not None:
            self.plain.leaf.n += 1
        self.holding.names["seen"] = self.other
        for one in self.attrs:
            one.n += 1
        if isinstance(self.free, dict):
            self.free.clear()


@dataclasses.dataclass
class Grandparent:
    parent: Parent
    other: int = 0

    def __post_init__(self) -> None:
        self.parent.table["more"] = Leaf(self.other)


class Root(msgspec.Struct):
    """Has no code of its own."""

    parent: Parent = Parent()
    grand: Grandparent | None = None
    beside: dict[str, Leaf] = {}


FULL = {
    "other": 1,
    "leaf": {"n": 1},
    "table": {"a": {"n": 1}},
    "items": [1],
    "plain": {"leaf": {"n": 1}},
    "holding": {"names": {"x": 1}},
    "attrs": [{"n": 1}],
    "fixed": {"n": 1},
    "free": {"x": {"y": 1}},
}

EDITS = [
    {"parent": {**FULL, "other": 2}},
    {"parent": {**FULL, "table": {"a": {"n": 5}}}},
    {"parent": {**FULL, "leaf": {"n": 5}}},
    {"parent": {"other": 3}},
    {"parent": {}},
    {"parent": {**FULL, "free": [{"x": 1}]}},
    {"parent": FULL, "grand": {"parent": FULL, "other": 1}},
    {"parent": FULL, "grand": {"parent": FULL, "other": 2}},
    {"parent": FULL, "grand": {"parent": {**FULL, "other": 7}, "other": 2}},
]


def test_a_parent_that_changes_its_children_is_the_same_as_decoded_as_a_whole():
    plan, tree, old, older = compile_plan(Root), {"parent": FULL}, None, []
    old, _ = decode(plan, tree, None, None)
    for new in EDITS:
        part, faults = decode(plan, new, old, difference(tree, new))
        assert part is not None, faults
        whole, _ = decode(plan, new, None, None)
        assert whole is not None
        assert part.value == whole.value
        older.append((part.value, copy.deepcopy(msgspec.to_builtins(part.value))))
        assert all(msgspec.to_builtins(value) == was for value, was in older)
        old, tree = part, new


def test_only_what_can_be_changed_is_copied_and_only_under_types_with_code():
    plan = compile_plan(Root)
    tree = {"parent": FULL, "beside": {"a": {"n": 1}, "b": {"n": 1}}}
    first, _ = decode(plan, tree, None, None)
    new = {"parent": {**FULL, "other": 2}, "beside": {"a": {"n": 1}, "b": {"n": 2}}}
    second, _ = decode(plan, new, first, difference(tree, new))
    assert first is not None
    assert second is not None
    before, after = first.value, second.value
    assert after.parent.fixed is before.parent.fixed
    assert after.parent.leaf is not before.parent.leaf
    assert after.beside["a"] is before.beside["a"]


async def test_changed_and_selectors_compare_what_was_built():
    memory = Memory({"parent": {**FULL, "other": 2}})
    async with open_config(Root, memory) as config:
        table, leaf = config.select("parent.table"), config.select("parent.leaf")
        seen, woken = table.current, []
        listen(leaf, lambda live: woken.append(live.current))
        await memory.patch({"parent": {"fixed": {"n": 9}}})
        assert config.snapshot.changed == {"parent.fixed.n"}
        assert table.current is seen
        assert woken == []
        await memory.patch({"parent": {"leaf": {"n": 9}}})
        assert config.snapshot.changed == {"parent.leaf.n"}
        assert [one.n for one in woken] == [10]


class Total(msgspec.Struct):
    low: int = 0
    high: int = 0
    total: int = 0
    log: dict[str, str] = {}

    def __post_init__(self) -> None:
        self.total = max(self.low, self.high)
        self.low = 0


async def test_a_field_that_code_sets_changes_when_its_value_does():
    memory = Memory({"t": {"low": 1, "high": 5}})
    async with open_config(dict[str, Total], memory) as config:
        before = config.current
        await memory.patch({"t": {"low": 2}})
        assert config.current is before  # built, it is what it was
        await memory.patch({"t": {"low": 7}})
        assert config.snapshot.changed == {"t.total"}
        assert config.current["t"].total == 7


async def test_what_a_program_does_to_a_published_table_under_code_stays_there():
    memory = Memory({"parent": FULL})
    async with open_config(Root, memory) as config:
        config.current.parent.table["mine"] = Leaf(1)
        config.current.parent.items.clear()
        await memory.patch({"parent": {"other": 5}})
        assert set(config.current.parent.table) == {"a", "made"}
        assert config.current.parent.items == [1, 5]


def test_a_secret_under_a_type_with_code_stays_one():
    class Keeper(msgspec.Struct):
        names: list[Secret[str]] = []
        n: int = 0

        def __post_init__(self) -> None:
            self.names.append(Secret("more"))

    plan = compile_plan(dict[str, Keeper])
    first, _ = decode(plan, {"k": {"names": ["x"]}}, None, None)
    second, _ = decode(plan, {"k": {"names": ["x"], "n": 1}}, first, {"k": {"n": None}})
    assert first is not None
    assert second is not None
    assert first.value["k"].names == second.value["k"].names == [Secret("x"), Secret("more")]


class Nested(msgspec.Struct):
    child: Nested | None = None
    items: list[int] = []

    def __post_init__(self) -> None:
        self.items.append(1)


@pytest.mark.timeout(10)
def test_types_with_code_that_nest_cost_no_more_than_the_square_of_their_depth():
    tree: dict[str, Any] = {}
    for _ in range(60):
        tree = {"child": tree}
    part, _ = decode(compile_plan(Nested), tree, None, None)
    assert part is not None
    depth, value = 0, part.value
    while value is not None:
        assert value.items == [1]
        depth, value = depth + 1, value.child
    assert depth == 61


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    items: list[int] = []


async def test_a_selector_into_one_value_is_woken_only_by_another_value():
    memory = Memory({"m": {"items": [1], "more": 1}})
    async with open_config(dict[str, Open], memory) as config:
        items = config.select("m.items")
        woken: list[Any] = []
        listen(items, woken.append)
        await memory.patch({"m": {"more": 2}})  # the model is made anew, and with it an equal list
        assert config.snapshot.changed == {"m"}
        assert woken == []
        await memory.patch({"m": {"items": [2]}})
        assert woken == [items]
