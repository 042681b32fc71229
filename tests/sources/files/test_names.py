"""Flat names to a tree."""

from __future__ import annotations

import itertools

import pytest

from reactive_config._core.delta import Bare
from reactive_config._core.lookup import Shape
from reactive_config._core.paths import Path
from reactive_config._sources.nested_names import nest
from reactive_config.errors import ParseError


def text(_: Path) -> Shape:
    return "value"


def lower(path: Path) -> Path:
    return tuple(name.lower() for name in path)


def test_names_nest() -> None:
    flat = {"A__B": Bare("1"), "A__C__D": Bare("2"), "E_F": Bare("3")}
    assert nest(flat, lower, text) == {"a": {"b": Bare("1"), "c": {"d": Bare("2")}}, "e_f": Bare("3")}


@pytest.mark.parametrize("order", list(itertools.permutations(["A", "A__B", "X"])))
def test_a_value_and_a_table_are_refused_in_any_order(order: tuple[str, ...]) -> None:
    """Both names are told, their values are not."""
    with pytest.raises(ParseError, match=r"both, from A.* and A") as raised:
        nest({name: Bare("hunter2") for name in order}, lower, text)
    assert "hunter2" not in str(raised.value)


def test_two_names_for_one_path_are_refused() -> None:
    with pytest.raises(ParseError, match="A__B and a__b"):
        nest({"A__B": Bare("1"), "a__b": Bare("2")}, lower, text)


@pytest.mark.parametrize("name", ["__A", "A__", "A____B", ""])
def test_an_empty_part_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match="an empty part"):
        nest({name: Bare("1")}, lower, text)
