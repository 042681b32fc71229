"""Faults in what decodes as one value are found in work that grows with its size, not with its depth too."""

from __future__ import annotations

from typing import Any, TypedDict

import attrs
import msgspec
import pytest

from reactive_config._core.decoding import fault_search as faults_module
from reactive_config._core.decoding.fault_search import faults


class Table(TypedDict, total=False):
    v: int
    k: Table | None
    d: dict[str, Table]
    rows: list[dict[str, int]]


class Union(msgspec.Struct):
    v: int = 0
    k: Union | int | None = None
    d: dict[str, Union] = {}
    rows: list[dict[str, int]] = []


@attrs.define
class Attrs:
    v: int = 0
    k: Attrs | None = None
    d: dict[str, Attrs] = attrs.field(factory=dict)
    rows: list[dict[str, int]] = attrs.field(factory=list)


ROWS = 3_000
LEVELS = 32


def rows_decoded(monkeypatch: pytest.MonkeyPatch, kind: Any, tree: Any) -> tuple[list[Any], int]:
    """The faults, and how many decoded trees held the rows at the bottom."""
    decode, seen = faults_module.decode_leaf, []

    def counting(value: Any, kind: Any, hook: Any) -> Any:
        seen.append("'rows'" in repr(value))
        return decode(value, kind, hook)

    monkeypatch.setattr(faults_module, "decode_leaf", counting)
    return faults(tree, kind, ()), sum(seen)


def nested(name: str, wrong: dict[str, Any]) -> Any:
    tree: Any = {"v": "bad", "rows": [{"a": number} for number in range(ROWS)]}
    for _ in range(LEVELS):
        tree = {**wrong, "k": tree} if name == "k" else {**wrong, "d": {"x": tree}}
    return tree


@pytest.mark.parametrize("kind", [Table, Union])
def test_one_wrong_value_below_many_levels_is_gone_to_directly(monkeypatch, kind):
    found, decoded = rows_decoded(monkeypatch, kind, nested("k", {"v": 1}))
    assert [fault[:] for fault in found] == [((*"k" * LEVELS, "v"), "", "int", "'bad'")]
    assert decoded == 1


@pytest.mark.parametrize("kind", [Table, Union, Attrs])
@pytest.mark.parametrize("name", ["k", "d"])
def test_what_has_a_fault_at_every_level_is_decoded_a_few_times(monkeypatch, kind, name):
    found, decoded = rows_decoded(monkeypatch, kind, nested(name, {"v": "x"}))
    assert found[0].path == ("v",)
    assert len(found) > 4
    assert decoded <= 10


def test_a_name_with_a_dot_is_not_taken_for_two():
    kind = msgspec.defstruct("Dotted", [("a", Table, None), ("b", Table, None)], rename={"b": "a.k"})
    tree = {"a": {"k": {"v": 1}}, "a.k": {"v": "x"}}
    assert [fault.path for fault in faults([tree, tree], list[kind], ("l",))] == [("l",), ("l",)]
    assert [fault.inside for fault in faults([tree], list[kind], ("l",))] == ["[0].a.k.v"]


def test_every_fault_in_an_optional_list_is_told():
    told = [(fault.inside, fault.expected, fault.got) for fault in faults(["x", 1, "y"], list[int] | None, ("l",))]
    assert told == [("[0]", "int", "'x'"), ("[2]", "int", "'y'")]
