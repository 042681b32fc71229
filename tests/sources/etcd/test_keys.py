"""What keys mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._sources.etcd.key_layout import Ignored, KeyLayout, KeyMount, KeyTables, Misplaced


@pytest.mark.parametrize(
    ("key", "mount"),
    [
        ("/shop/debug", KeyMount(0, ("debug",))),
        ("/shop/database/pool/max", KeyMount(0, ("database", "pool", "max"))),
        ("/shop/database.json", KeyMount(0, ("database",), ".json")),
        ("/shop/a.b/c.yaml", KeyMount(0, ("a.b", "c"), ".yaml")),
        ("/shop/a.json/c", KeyMount(0, ("a.json", "c"))),
        ("/shop/notes.txt", KeyMount(0, ("notes.txt",))),
        ("/shop/database/_private", KeyMount(0, ("database", "_private"))),
    ],
)
def test_a_key_is_a_path_and_its_suffix_a_format(key, mount):
    assert KeyLayout(prefix="/shop/").meaning(key.encode()) == mount


@pytest.mark.parametrize("key", ["/shop/", "/shop//a", "/shop/a/", "/shop/a//b", "/shop/.json", "/shop/a/.yaml"])
def test_an_empty_segment_is_a_mistake(key):
    assert isinstance(KeyLayout(prefix="/shop/").meaning(key.encode()), Misplaced)


@pytest.mark.parametrize("key", ["/shop/_releases/7", "/shop/_rollout", "/shop/_schema.json"])
def test_the_control_area_is_left_out_without_a_word(key):
    assert KeyLayout(prefix="/shop/").meaning(key.encode()) == Ignored()


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        ("/shop/common/debug", KeyMount(0, ("debug",))),
        ("/shop/production/a/b.json", KeyMount(1, ("a", "b"), ".json")),
        ("/shop/production", KeyMount(1, ())),
        ("/shop/common.toml", KeyMount(0, (), ".toml")),
        ("/shop/staging/debug", Ignored("under no layer")),
        ("/shop/_releases/7", Ignored()),
        ("/shop/production/_rollout", Ignored()),
        ("/shop/production/a/_b", KeyMount(1, ("a", "_b"))),
    ],
)
def test_layers_are_names_under_the_prefix(key, meaning):
    assert KeyLayout(prefix="/shop/", layers=["common", "production"]).meaning(key.encode()) == meaning


def test_one_key_is_the_whole_document():
    assert KeyLayout(key="/app/config").meaning(b"/app/config") == KeyMount(0, ())
    assert KeyLayout(key="/app/config.yaml").meaning(b"/app/config.yaml") == KeyMount(0, (), ".yaml")


def test_a_key_that_is_not_utf_8_is_left_out_and_said():
    assert KeyLayout(prefix="/shop/").meaning(b"/shop/\xff") == Ignored("not UTF-8")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"prefix": "/a/", "key": "/a"},
        {"prefix": "/a"},
        {"key": ""},
        {"key": "/a", "layers": ["b"]},
        {"prefix": "/a/", "layers": ["b", "b"]},
        {"prefix": "/a/", "layers": ["_b"]},
        {"prefix": "/a/", "layers": ["b/c"]},
        {"prefix": "/a/", "layers": [""]},
    ],
)
def test_contradictions_are_refused(arguments):
    with pytest.raises(ValueError, match=r"key|prefix|layer"):
        KeyLayout(**arguments)


SEGMENTS = st.sampled_from(
    ["common", "production", "other", "a", "_a", "", "a.json", ".yaml", "b.toml.json", "common.yml"]
)


@given(
    st.lists(st.lists(SEGMENTS, min_size=1, max_size=4), max_size=20), st.booleans(), st.sampled_from(["", "/shop/"])
)
def test_looked_up_by_table_a_key_means_the_same(keys, layered, prefix):
    every = KeyLayout(prefix=prefix, layers=["common", "production"] if layered else ())
    tables = KeyTables(every)
    for names in keys:
        key = prefix + "/".join(names)
        assert tables.meaning(key) == every.meaning(key.encode())
    one = KeyTables(KeyLayout(key="/app/config.yaml"))
    assert one.meaning("/app/config.yaml") == KeyMount(0, (), ".yaml")
