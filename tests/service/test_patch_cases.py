"""The published cases of both kinds of patch: RFC 7396's examples, and the test suite of JSON Patch (RFC 6902).

Each is asked of the function, and over HTTP of a document below a name.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from reactive_config._core.trees import same
from reactive_config._releases.patches import PatchRefused, merged, patched

from .conftest import ANY, CONFIG, MERGE, NEW, PATCH, problem

pytest.importorskip("jsonpatch")
pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]

APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
"""The examples of RFC 7396, appendix A: target, patch, result."""

TABLES = [case for case in APPENDIX_A if type(case[0]) is type(case[2]) is dict]
"""Those whose target and result can be a whole environment."""

TWICE = {"duplicate ops", "A.13 Invalid JSON Patch Document"}
"""Disabled cases whose operation has a member twice, which nothing that has read JSON can see."""


DATA = Path(__file__).with_name("data") / "json_patch"

SUITE = [
    case
    for file in ("spec_tests.json", "tests.json")
    for case in json.loads((DATA / file).read_text())
    if case.get("comment") not in TWICE
]


async def put(client, path, target):
    answer = await client.put(path, json=target, headers=NEW)
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize(("target", "patch", "result"), APPENDIX_A)
def test_a_merge_patch(target, patch, result):
    before = copy.deepcopy(target)
    assert same(merged(target, patch), result)
    assert same(target, before)


async def test_merge_patches_below_a_name(client):
    for index, (target, patch, result) in enumerate(APPENDIX_A):
        await put(client, f"/v1/shop/e{index}/config", {"x": target})
        path = f"/v1/shop/e{index}/config/x"
        answer = await client.patch(path, content=json.dumps(patch), headers={**ANY, **MERGE})
        assert answer.status_code == 200, (target, patch)
        assert same((await client.get(path)).json(), result), (target, patch)


async def test_merge_patches_of_an_environment(client):
    for index, (target, patch, result) in enumerate(TABLES):
        path = f"/v1/shop/e{index}/config"
        await put(client, path, target)
        answer = await client.patch(path, content=json.dumps(patch), headers={**ANY, **MERGE})
        assert answer.status_code == 200, (target, patch)
        assert same((await client.get(path)).json(), result), (target, patch)


@pytest.mark.parametrize("case", SUITE, ids=lambda case: case.get("comment"))
def test_a_json_patch(case):
    document, operations = case["doc"], case["patch"]
    before = copy.deepcopy(document)
    if "error" in case:
        with pytest.raises(PatchRefused):
            patched(document, operations)
    else:
        assert same(patched(document, operations), case.get("expected", before))
    assert same(document, before)


async def test_json_patches_below_a_name(shop):
    """Where a case wants an error, it is a 422 and what was there stays."""
    for index, case in enumerate(SUITE):
        path = f"{CONFIG}/x{index}"
        await put(shop, path, case["doc"])
        answer = await shop.patch(path, content=json.dumps(case["patch"]), headers={**ANY, **PATCH})
        if "error" in case:
            assert problem(answer) == (422, "patch-does-not-apply"), case
        else:
            assert answer.status_code == 200, case
        assert same((await shop.get(path)).json(), case.get("expected", case["doc"])), case


@pytest.mark.parametrize(
    "operations",
    [
        '[{"op": "add", "path": "/baz", "value": "qux", "op": "move", "from": "/foo"}]',
        '[{"op": "add", "path": "/baz", "value": "qux", "op": "remove"}]',
    ],
    ids=sorted(TWICE),
)
async def test_a_json_patch_with_a_member_twice_is_not_read(shop, operations):
    await put(shop, f"{CONFIG}/x", {"foo": "bar"})
    answer = await shop.patch(f"{CONFIG}/x", content=operations, headers={**ANY, **PATCH})
    assert problem(answer) == (400, "unreadable-body")
