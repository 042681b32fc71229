"""What is proved in C to save a walk in Python: a proof never says more than the walk does."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reactive_config._core.bounds import MAX_DEPTH, find_fault, too_deep
from reactive_config._formats import common, json_, yaml_guard
from reactive_config._formats.common import encoded, surely_sound
from reactive_config._formats.registry import parse
from reactive_config.errors import ParseError

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.sampled_from(["null", 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.dictionaries(st.integers() | st.none() | st.text(max_size=1), inner, max_size=2)
    ),
)


def nested(levels: int, *, table: bool) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": value} if table else [value]
    return value


@given(TREES)
@pytest.mark.slow
def test_what_is_surely_sound_has_no_fault(value):
    assume(surely_sound(value))
    assert find_fault(value) is None


def test_the_usual_tree_is_surely_sound():
    """The proof would be of no use if it seldom held."""
    dates = [dt.date(2020, 1, 1), dt.time(1, 2), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]
    assert surely_sound({"a": [1, 2.5, "x", True, {"b": 2**64 - 1}], "when": dates})
    assert not surely_sound({"a": float("nan")})


@pytest.mark.parametrize("table", [True, False])
def test_the_proof_of_depth_is_exact(table):
    """One level more than is allowed is no proof, whatever orjson itself allows."""
    assert surely_sound(nested(MAX_DEPTH, table=table))
    assert encoded(nested(MAX_DEPTH + 1, table=table)) is None


@pytest.mark.parametrize("padding", [0, 64 << 10])
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_the_deepest_document_is_read_and_one_deeper_is_refused(suffix, padding):
    """In a short and in a long one, which are proved in different ways."""
    root = {"p": "x" * padding, "a": nested(MAX_DEPTH - 1, table=False)}
    assert parse(json.dumps(root).encode(), suffix) == root
    with pytest.raises(ParseError, match="nested at most 128 deep"):
        parse(json.dumps({**root, "a": nested(MAX_DEPTH, table=False)}).encode(), suffix)


def test_another_orjson_with_another_limit_is_not_trusted(monkeypatch):
    """All is walked then, and the verdict is the same."""
    monkeypatch.setattr(common, "_EXACT", False)
    assert not surely_sound({})
    deep = json.dumps({"p": "x" * (64 << 10), "a": nested(MAX_DEPTH, table=False)}).encode()
    with pytest.raises(ParseError, match="nested at most 128 deep"):
        parse(deep, ".json")
    assert parse(b'{"p": 1}' + b" " * (64 << 10), ".json") == {"p": 1}


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "\\u0061", ":", "\\u003a"]), st.integers(-(2**66), 2**66))))
def test_compact_json_is_read_as_the_standard_library_does_or_refused(pairs):
    """Written as programs do, without a space: a key twice and an integer too large are found there too."""
    text = "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}"
    names = [name.replace("\\u0061", "a").replace("\\u003a", ":") for name, _ in pairs]
    sound = len(set(names)) == len(names) and all(-(2**63) <= value < 2**64 for _, value in pairs)
    if sound:
        assert parse(text.encode(), ".json") == json.loads(text)
    else:
        with pytest.raises(ParseError):
            parse(text.encode(), ".json")


@given(st.text(alphabet="%<!*&a \n\r\x85\u2028[{,:?-", max_size=12))
def test_what_yaml_must_be_guarded_against_has_one_of_the_marks(text):
    if yaml_guard._SUSPICIOUS.search(text):
        assert yaml_guard.suspicious(text)


def test_surely_shallow_is_never_said_of_what_is_too_deep():
    for levels in (MAX_DEPTH, MAX_DEPTH + 1):
        text = "[" * levels + "]" * levels
        value, _ = json_._loads(text)
        assert json_._surely_shallow(text) is not too_deep(value)
