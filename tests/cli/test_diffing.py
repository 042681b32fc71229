"""What differs, and what of it may be shown. No source, no loop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config import Secret
from reactive_config._cli.redacted import ValueChange, changes, show
from reactive_config._core.decoding.bare_values import duration
from reactive_config._core.redaction import spot_of
from reactive_config._core.trees import ABSENT
from reactive_config._core.types.wording import duration_text


class Inner(msgspec.Struct, frozen=True):
    dsn: Secret[str]
    size: int = 1


class Outer(msgspec.Struct, frozen=True, rename="kebab"):
    inner_part: Inner
    many: list[Inner] = []
    more: Inner | None = None
    free: Any = None
    every: timedelta = timedelta(seconds=90)


@dataclass(frozen=True)
class Plain:
    token: Secret[str]
    name: str = "x"


class Model(pydantic.BaseModel):
    password: pydantic.SecretStr
    port: int = 1


def _diff(old: Any, new: Any, kind: Any = dict) -> list[ValueChange]:
    return list(changes(spot_of(old, kind), spot_of(new, kind)))


def test_equal_configurations_do_not_differ() -> None:
    assert _diff({"a": {"b": 1}}, {"a": {"b": 1}}) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 2}, [ValueChange(("a",), 1, 2)]),
        ({"a": 1}, {"a": True}, [ValueChange(("a",), 1, True)]),
        ({"a": 1}, {}, [ValueChange(("a",), 1, ABSENT)]),
        ({}, {"a": {"b": 1, "c": {}}}, [ValueChange(("a", "b"), ABSENT, 1), ValueChange(("a", "c"), ABSENT, {})]),
        ({"a": [1]}, {"a": [1, 2]}, [ValueChange(("a",), [1], [1, 2])]),
        ({"a": None}, {"a": 1}, [ValueChange(("a",), None, 1)]),
        ({"a": 5}, {"a": {"b": 1}}, [ValueChange(("a", "b"), ABSENT, 1), ValueChange(("a",), 5, ABSENT)]),
    ],
)
def test_every_value_that_differs_is_named_once(old: Any, new: Any, expected: list[ValueChange]) -> None:
    assert _diff(old, new) == expected


def test_a_changed_secret_is_a_change_that_shows_nothing() -> None:
    old, new = Outer(Inner(Secret("CANARY1"))), Outer(Inner(Secret("CANARY2")))
    assert _diff(old, new, Outer) == [ValueChange(("inner-part", "dsn"), "***", "***")]
    assert _diff({"password": "CANARY1"}, {"password": "CANARY2"}) == [ValueChange(("password",), "***", "***")]


def test_a_record_that_appears_is_shown_by_its_parts() -> None:
    old, new = Outer(Inner(Secret("x"))), Outer(Inner(Secret("x")), more=Inner(Secret("CANARY")))
    expected = [ValueChange(("more", "dsn"), ABSENT, "***"), ValueChange(("more", "size"), ABSENT, 1)]
    assert _diff(old, new, Outer) == expected
    assert _diff(new, old, Outer) == [change._replace(before=change.after, after=ABSENT) for change in expected]


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(_TREES, _TREES)
def test_there_is_a_change_exactly_where_trees_differ(old: Any, new: Any) -> None:
    found = list(changes(spot_of({"x": old}, dict), spot_of({"x": new}, dict)))
    assert bool(found) == (repr(_sorted(old)) != repr(_sorted(new)))
    assert len({change.path for change in found}) == len(found)


def _sorted(tree: Any) -> Any:
    return {name: _sorted(tree[name]) for name in sorted(tree)} if isinstance(tree, dict) else tree


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Outer(Inner(Secret("C"))), Outer, {"inner-part": {"dsn": "***", "size": 1}, "every": "1m30s"}),
        (Outer(Inner(Secret("C")), many=[Inner(Secret("C"), 2)]), Outer, {"many": [{"dsn": "***", "size": 2}]}),
        (Outer(Inner(Secret("C")), free={"api_key": "C", "a": 1}), Outer, {"free": {"api_key": "***", "a": 1}}),
        (Plain(Secret("C")), Plain, {"token": "***", "name": "x"}),
        (Model(password=pydantic.SecretStr("C")), Model, {"password": "***", "port": 1}),
        ({"secrets": {"a": "C", "b": ["C"]}}, dict, {"secrets": {"a": "***", "b": ["***"]}}),
        ({"users": [{"password": "C", "name": "n"}]}, dict, {"users": [{"password": "***", "name": "n"}]}),
        ({"a": [{"password": "C"}]}, dict[str, list[dict[str, Any]]], {"a": [{"password": "***"}]}),
        ({"token_count": 5}, dict[str, int], {"token_count": 5}),
        ({"password": None}, dict, {"password": None}),
    ],
)
def test_what_is_shown_hides_by_type_and_by_name(value: Any, kind: Any, expected: dict[str, Any]) -> None:
    shown = show(spot_of(value, kind))
    assert {name: shown[name] for name in expected} == expected
    assert '"C"' not in str(shown).replace("'", '"')


@given(st.timedeltas(timedelta(days=-1000), timedelta(days=1000)))  # beyond some years reading adds up floats
def test_a_shown_duration_reads_back_as_the_same(value: timedelta) -> None:
    assert duration(duration_text(value)) == value
