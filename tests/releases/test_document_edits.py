"""Changes are written where things stand, and the environment then says exactly what was wanted."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._core.delta import Bare
from reactive_config._core.trees import ABSENT
from reactive_config._formats.writing import write_document
from reactive_config._releases import document_edits
from reactive_config._releases.contents import EMPTY
from reactive_config._releases.document_edits import UnwritableContent, keep_bare, plan_edits, says
from reactive_config._releases.path_changes import value_at
from reactive_config._releases.path_edits import edits_at

NAMES = st.sampled_from(["a", "b", "c", "d.json", "ä"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, 1.5]),
    st.sampled_from(["", "x", "1", "true", "null", "{", ' "', "[1]", "line\n", "\n", "1.10"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
KEYS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
RAW = st.one_of(
    TREES.map(orjson.dumps),
    st.sampled_from([b"1", b"1.10", b"true", b"null", b"x", b"", b"text\n", b"{", b'{"a": 1, "a": 2}']),
    st.dictionaries(NAMES, TREES, max_size=3).map(orjson.dumps),
)


def contents_of(documents):
    return EMPTY.edited(documents)


@settings(deadline=None)  # a busy machine is no fault
@given(st.dictionaries(KEYS, RAW, max_size=6), st.dictionaries(NAMES, TREES | st.just(ABSENT), max_size=3))
def test_the_environment_says_what_was_wanted(documents, wanted):
    contents = contents_of(documents)
    try:
        edits = plan_edits(contents, wanted)
    except UnwritableContent:
        # A name that would be taken for a format cannot stand in a key; everything else can be written.
        assert any("d.json" in repr(part) for part in (documents, wanted))
        return
    after = contents.edited(edits).tree
    for name, tree in wanted.items():
        assert says(after.get(name, ABSENT), tree) if tree is not ABSENT else name not in after
    for name, tree in contents.tree.items():
        if name not in wanted:
            assert after[name] == tree
    assert all((document := contents.get(key)) is None or document.raw != raw for key, raw in edits.items())
    assert plan_edits(contents.edited(edits), wanted) == {}


@settings(deadline=None)
@given(st.dictionaries(KEYS, RAW, max_size=6))
def test_what_is_wanted_already_changes_nothing(documents):
    contents = contents_of(documents)
    assert plan_edits(contents, contents.tree) == {}


@pytest.mark.parametrize(
    ("documents", "wanted", "edits"),
    [
        ({}, {"pool": {"size": 1}}, {"pool": b'{"size":1}'}),
        ({}, {"debug": True}, {"debug.json": b"true"}),
        ({}, {"name": "shop"}, {"name": b'"shop"'}),
        ({}, {"nothing": None}, {"nothing.json": b"null"}),
        ({"pool": b'{"size": 1}'}, {"pool": {"size": 2}}, {"pool": b'{"size":2}'}),
        ({"pool/size": b"1"}, {"pool": {"size": 2}}, {"pool/size": b"2"}),
        ({"pool/size": b"1"}, {"pool": {"size": "big"}}, {"pool/size": b"big"}),
        ({"pool/size": b"1"}, {"pool": {"size": None}}, {"pool/size": None, "pool/size.json": b"null"}),
        ({"pool/size": b"1"}, {"pool": {"size": 1}}, {}),
        ({"pool/size": b"1"}, {"pool": {"size": "1"}}, {}),
        ({"pool": b'{"size": 1}', "pool/size": b"2"}, {"pool": {"size": 3}}, {"pool/size": b"3"}),
        ({"pool": b'{"size": 1}', "pool/size": b"2"}, {"pool": {}}, {"pool": b"{}", "pool/size": None}),
        ({"pool/size": b"1"}, {"pool": {"size": 1, "min": 0}}, {"pool": b'{"min":0}'}),
        ({"pool.yaml": b"size: 1\n"}, {"pool": {"size": 2}}, {"pool.yaml": b"size: 2\n"}),
        ({"pool.toml": b"size = 1\n"}, {"pool": {"size": 2}}, {"pool.toml": b"size = 2\n"}),
        ({"pool": b"{broken"}, {"pool": {"size": 1}}, {"pool": b'{"size":1}'}),
        (
            {"pool": b'{"size": 1}', "pool.yaml": b"size: 2\n"},
            {"pool": {"size": 3}},
            {"pool": b'{"size":3}', "pool.yaml": None},
        ),
        (
            {"pool": b'{"size": 1}', "pool/size": b"2"},
            {"pool": 5},
            {"pool": None, "pool/size": None, "pool.json": b"5"},
        ),
    ],
)
def test_a_change_is_written_where_things_stand(documents, wanted, edits):
    assert plan_edits(contents_of(documents), wanted) == edits


@pytest.mark.parametrize("name", ["", "_secret", "a/b", "a//b", "/"])
def test_a_name_that_no_key_can_have_is_refused(name):
    with pytest.raises(UnwritableContent):
        plan_edits(EMPTY, {name: 1})


def test_a_bare_value_says_what_its_text_may_mean():
    assert says(Bare("1"), 1)
    assert says(Bare("1"), "1")
    assert not says(Bare("1.10"), 1.1)
    assert says(Bare("true"), True)
    assert not says(Bare("null"), None)
    assert keep_bare({"a": Bare("1")}, {"a": 1, "b": 2}) == {"a": Bare("1"), "b": 2}


def test_a_document_with_many_changes_is_written_once(monkeypatch):
    written = []
    before = EMPTY.edited({"many.json": b'{"a": 1, "b": {"c": 2, "d": 3}, "e": 4}', "many/f.json": b'{"g": 5, "h": 6}'})
    wanted = {"a": 10, "b": {"c": 20, "d": 30}, "new": 1, "f": {"g": 50}}
    monkeypatch.setattr(document_edits, "write_document", lambda *args: written.append(1) or write_document(*args))
    edits = plan_edits(before, {"many": wanted})
    assert (edits.keys(), len(written)) == ({"many.json", "many/f.json"}, 2)
    assert before.edited(edits).tree == {"many": wanted}


def test_names_stay_in_the_order_that_they_had():
    before = EMPTY.edited({"many": b'{"b":1,"t":{"z":1,"y":2},"a":1}'})
    edits = plan_edits(before, {"many": {"new": 0, "a": 2, "t": {"x": 0, "y": 2, "z": 1}, "b": 1}})
    assert edits == {"many": b'{"b":1,"t":{"z":1,"y":2,"x":0},"a":2,"new":0}'}


MALFORMED = {"queue/broken": b'{"x":', "queue/odd": b"\xff", "queue/list.yaml": b"- [", "queue/p": b'{"level":1}'}


@pytest.mark.parametrize(
    ("path", "value", "edits"),
    [
        (("queue", "p", "level"), 2, {"queue/p": b'{"level":2}'}),
        (("queue", "new"), 1, {"queue": b'{"new":1}'}),
        (("queue",), {"p": {"level": 3}}, {"queue/p": b'{"level":3}'}),
        (("other",), 1, {"other.json": b"1"}),
        (("queue", "broken"), 1, {"queue/broken": None, "queue": b'{"broken":1}'}),
        (("queue", "broken"), ABSENT, {"queue/broken": None}),
        (("queue", "p"), ABSENT, {"queue/p": None, "queue": b"{}"}),
        (("queue",), ABSENT, dict.fromkeys(MALFORMED)),
        ((), {"other": 1}, {"queue/p": None, "other.json": b"1"}),
        ((), {"queue": {"p": {"level": 1}}}, {}),
        ((), ABSENT, dict.fromkeys(MALFORMED)),
    ],
)
def test_what_nobody_can_read_stays_unless_it_is_named(path, value, edits):
    contents = contents_of(MALFORMED)
    assert edits_at(contents, path, value) == edits
    if path and value is not ABSENT:
        assert value_at(contents.edited(edits), path) == value


@pytest.mark.parametrize("documents", [{"a": b'{"x":'}, {"a": b"1", "a.json": b"2"}, {"a": b'{"x":', "a/b": b"1"}])
def test_below_what_nobody_can_read_nothing_is_written(documents):
    contents = contents_of(documents)
    with pytest.raises(UnwritableContent, match="a: what stands here cannot be read"):
        edits_at(contents, ("a", "b"), 2)
    edits = edits_at(contents, ("a",), {"b": 2})
    assert says(contents.edited(edits).tree, {"a": {"b": 2}})
    assert contents.edited(edits_at(contents, ("a",), ABSENT)).count == 0
