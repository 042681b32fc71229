"""Releases, differences, blame and restore over HTTP."""

from __future__ import annotations

import pytest

from .conftest import ANY, CONFIG, NEW, problem

pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]

RELEASES = "/v1/shop/production/releases"


async def test_the_history_is_told_page_by_page(shop):
    for number in range(5):
        await shop.put(f"{CONFIG}/debug", json=number, headers=ANY, params={"message": f"to {number}"})
    page = (await shop.get(RELEASES, params={"limit": 4})).json()
    assert [release["number"] for release in page["releases"]] == [6, 5, 4, 3]
    assert page["releases"][0] | {"time": "", "hash": "", "parent": "", "saw": 0, "revision": 0} == {
        "number": 6, "author": "admin", "identity": "admin", "message": "to 4", "keys": 1,
        "time": "", "hash": "", "parent": "", "saw": 0, "revision": 0,
    }  # fmt: skip
    rest = (await shop.get(page["next"])).json()
    assert ([release["number"] for release in rest["releases"]], rest["next"]) == ([2, 1], None)


async def test_a_release_tells_what_it_changed(shop):
    await shop.put(f"{CONFIG}/pool/size", json=7, headers=ANY)
    answer = (await shop.get(f"{RELEASES}/2")).json()
    assert answer["changes"] == [{"path": ["pool", "size"], "before": 1, "after": 7}]
    first = (await shop.get(f"{RELEASES}/1")).json()
    assert {tuple(change["path"]) for change in first["changes"]} == {("pool",), ("debug",), ("names",)}
    for number in ("3", "0", "x", "-1", "1" * 30):
        assert problem(await shop.get(f"{RELEASES}/{number}")) == (404, "no-such-release")


async def test_what_differs_between_releases(shop):
    await shop.put(f"{CONFIG}/debug", json=True, headers=ANY)
    await shop.delete(f"{CONFIG}/names", headers=ANY)
    change = {"path": ["names"], "before": ["a"]}
    assert (await shop.get(f"{RELEASES}/2/diff")).json() == {"from": 2, "to": None, "changes": [change]}
    turned = {"path": ["debug"], "before": True, "after": False}
    answer = await shop.get(f"{RELEASES}/3/diff", params={"to": 1})
    assert answer.json()["changes"] == [turned, {"path": ["names"], "after": ["a"]}]


async def test_who_set_a_value(shop):
    await shop.put(f"{CONFIG}/pool/size", json=7, headers=ANY)
    blame = "/v1/shop/production/blame"
    assert (await shop.get(f"{blame}/pool/size")).json()["release"]["number"] == 2
    assert (await shop.get(f"{blame}/pool/min")).json()["release"]["number"] == 1
    assert problem(await shop.get(f"{blame}/never")) == (404, "no-such-path")


async def test_restore(shop):
    await shop.put(CONFIG, json={"other": 1}, headers=ANY)
    answer = await shop.post(f"{RELEASES}/1/restore", params={"message": "back"})
    assert (answer.json()["release"]["kind"], answer.json()["release"]["restores"]) == ("restore", 1)
    assert (await shop.get(CONFIG)).json() == {"pool": {"size": 1, "min": 0}, "debug": False, "names": ["a"]}
    nothing = await shop.post(f"{RELEASES}/1/restore")
    assert nothing.json()["release"] is None
    moved = await shop.post(f"{RELEASES}/2/restore", headers={"If-Match": '"other"'})
    assert problem(moved) == (412, "changed-meanwhile")
    assert problem(await shop.post(f"{RELEASES}/9/restore")) == (404, "no-such-release")


async def test_several_paths_in_one_release(shop):
    body = {"set": {"/pool/size": 5, "/new/deep": [1]}, "delete": ["/debug"]}
    answer = await shop.post(RELEASES, json=body, headers={"If-Match": (await shop.get(CONFIG)).headers["etag"]})
    assert answer.json()["release"]["number"] == 2
    assert (await shop.get(CONFIG)).json() == {"pool": {"size": 5, "min": 0}, "names": ["a"], "new": {"deep": [1]}}
    assert problem(await shop.post(RELEASES, json=body, headers={"If-Match": '"old"'})) == (412, "changed-meanwhile")
    for wrong in ([], {}, {"set": {"a": 1}}, {"set": {"/a": 1}, "delete": ["/a"]}, {"delete": "/a"}, {"other": 1}):
        assert problem(await shop.post(RELEASES, json=wrong)) == (422, "bad-body")
    assert problem(await shop.post(RELEASES, json={"delete": ["/never"]})) == (404, "no-such-path")
    assert problem(await shop.post("/v1/shop/other/releases", json=body)) == (404, "no-such-environment")
    created = await shop.post("/v1/shop/other/releases", json={"set": {"/a": 1}}, headers=NEW)
    assert created.status_code == 201
    assert (await shop.get("/v1/-/namespaces")).json() == {
        "namespaces": [{"name": "shop", "environments": ["other", "production"]}]
    }
