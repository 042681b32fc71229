"""Merge patches and JSON Patch, with what implementations get wrong. The published cases are in `tests/service/`."""

from __future__ import annotations

import copy

import pytest

from reactive_config._core.delta import Bare
from reactive_config._core.trees import ABSENT, same
from reactive_config._releases.client_views import shown
from reactive_config._releases.patches import MOST_OPERATIONS, PatchRefused, merged, patched

pytest.importorskip("jsonpatch")


COPY = {"op": "copy", "from": "/a", "path": "/b"}


def test_a_merge_patch_of_nothing():
    assert merged(ABSENT, {"a": None, "b": {"c": None}}) == {"b": {}}


@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({"a": 1}, [], {"a": 1}),
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"l": ["x", "z"]}, [{"op": "add", "path": "/l/1", "value": "y"}], {"l": ["x", "y", "z"]}),
        ({"l": []}, [{"op": "add", "path": "/l/-", "value": [1]}], {"l": [[1]]}),
        ({"l": [1]}, [{"op": "add", "path": "/l/1", "value": 2}], {"l": [1, 2]}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/b"}], {"a": 1}),
        ({"l": [1, 2, 3]}, [{"op": "remove", "path": "/l/1"}], {"l": [1, 3]}),
        ({"a": None}, [{"op": "replace", "path": "/a", "value": 0}], {"a": 0}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"l": [1, 2, 3]}, [{"op": "move", "from": "/l/0", "path": "/l/2"}], {"l": [2, 3, 1]}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": {"x": [1]}}, [{"op": "test", "path": "/a", "value": {"x": [1]}}], {"a": {"x": [1]}}),
        ({"": 1}, [{"op": "test", "path": "/", "value": 1}], {"": 1}),
        ({"a/b": 1, "m~n": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}], {}),
        ({"~1": 5}, [{"op": "test", "path": "/~01", "value": 5}], {"~1": 5}),
        ({"0": 1}, [{"op": "replace", "path": "/0", "value": 2}], {"0": 2}),
        ({"1e0": 1}, [{"op": "test", "path": "/1e0", "value": 1}], {"1e0": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1, "more": True}], {"a": 1}),
        ({"a": [1]}, [COPY, {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
    ],
)  # fmt: skip
def test_json_patches(document, operations, result):
    before = copy.deepcopy(document)
    assert same(patched(document, operations), result)
    assert same(document, before)


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "test", "path": "/n", "value": True}],  # 1 is not true
        [{"op": "test", "path": "/n", "value": "1"}],
        [{"op": "test", "path": "/l", "value": [2, 1]}],
        [{"op": "test", "path": "/l/00", "value": 1}],  # an index has no leading zero
        [{"op": "test", "path": "/l/1e0", "value": 2}],
        [{"op": "test", "path": "/never", "value": None}],
        [{"op": "add", "path": "/l/3", "value": 1}],
        [{"op": "add", "path": "/l/-1", "value": 1}],
        [{"op": "add", "path": "/l/x", "value": 1}],
        [{"op": "add", "path": "/never/x", "value": 1}],
        [{"op": "remove", "path": "/never"}],
        [{"op": "remove", "path": "/l/-"}],
        [{"op": "replace", "path": "/never", "value": 1}],
        [{"op": "move", "from": "/never", "path": "/x"}],
        [{"op": "move", "from": "/t", "path": "/t/x"}],  # into itself
        [{"op": "copy", "from": "/l/9", "path": "/x"}],
    ],
)
def test_a_json_patch_that_does_not_fit_changes_nothing(operations):
    document = {"n": 1, "l": [1, 2], "t": {"x": 1}}
    before = copy.deepcopy(document)
    with pytest.raises(PatchRefused) as caught:
        patched(document, [{"op": "add", "path": "/first", "value": 1}, *operations])
    assert caught.value.index == 1
    assert caught.value.missing
    assert same(document, before)


@pytest.mark.parametrize(
    "operations",
    [
        None,
        {},
        "x",
        [1],
        [None],
        [{}],
        [{"op": "add", "path": "/x"}],
        [{"op": "test", "path": "/n"}],
        [{"op": "copy", "path": "/x"}],
        [{"op": "move", "path": "/x"}],
        [{"path": "/x", "value": 1}],
        [{"op": "spam", "path": "/n", "value": 1}],
        [{"op": ["add"], "path": "/x", "value": 1}],
        [{"op": "add", "path": None, "value": 1}],
        [{"op": "test", "path": "/n", "value": 1}] * (MOST_OPERATIONS + 1),
    ],
)
def test_what_is_no_json_patch(operations):
    with pytest.raises(PatchRefused):
        patched({"n": 1}, operations)


def test_a_patch_sees_bare_values_as_texts():
    assert shown({"a": Bare("1"), "b": [Bare("x"), 2]}) == {"a": "1", "b": ["x", 2]}
