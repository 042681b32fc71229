"""Reading and changing an environment over HTTP."""

from __future__ import annotations

import asyncio
import json

import pytest

from reactive_config._releases.contents import TopLevel
from reactive_config._service import views
from reactive_config._service.serving import open_service

from .conftest import ANY, CONFIG, MERGE, NEW, PATCH, client_of, problem

pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]


async def test_what_is_put_is_read(client):
    assert problem(await client.get(CONFIG)) == (404, "no-such-environment")
    created = await client.put(CONFIG, json={"pool": {"size": 1}}, headers=NEW)
    assert (created.status_code, created.headers["location"]) == (201, CONFIG)
    answer = await client.get(CONFIG)
    assert answer.json() == {"pool": {"size": 1}}
    assert answer.headers["etag"] == created.headers["etag"]
    assert answer.headers["revision"] == created.headers["revision"] == str(created.json()["release"]["revision"])
    assert (await client.head(CONFIG)).headers["etag"] == answer.headers["etag"]
    assert (await client.get(f"{CONFIG}/pool/size")).json() == 1


async def test_a_write_wants_to_know_what_was_read(shop):
    assert problem(await shop.put(f"{CONFIG}/debug", json=True)) == (428, "precondition-required")
    read = await shop.get(f"{CONFIG}/debug")
    seen = {"If-Match": read.headers["etag"]}
    written = await shop.put(f"{CONFIG}/debug", json=True, headers=seen)
    assert written.status_code == 200
    late = await shop.put(f"{CONFIG}/debug", json=False, headers=seen)
    assert problem(late) == (412, "changed-meanwhile")
    assert late.json()["current"]["value"] is True
    assert late.json()["current"]["etag"] == written.headers["etag"]
    assert problem(await shop.put(CONFIG, json={}, headers=NEW)) == (412, "changed-meanwhile")
    assert problem(await shop.put(f"{CONFIG}/debug", json=1, headers=NEW)) == (412, "changed-meanwhile")
    assert (await shop.put(f"{CONFIG}/new", json=1, headers=NEW)).status_code == 200
    assert problem(await shop.put(f"{CONFIG}/other", json=1, headers=ANY)) == (412, "changed-meanwhile")


async def test_a_tag_is_about_what_its_path_covers(shop):
    pool, debug = [(await shop.get(f"{CONFIG}/{name}")).headers["etag"] for name in ("pool", "debug")]
    size = (await shop.get(f"{CONFIG}/pool/size")).headers["etag"]
    await shop.put(f"{CONFIG}/pool/min", json=5, headers=ANY)
    assert (await shop.get(f"{CONFIG}/debug")).headers["etag"] == debug
    assert (await shop.get(f"{CONFIG}/pool/size")).headers["etag"] == size
    assert (await shop.get(f"{CONFIG}/pool")).headers["etag"] != pool


async def test_a_tag_names_the_format_and_a_write_does_not_care(shop):
    tags = {(await shop.get(CONFIG, params={"format": kind})).headers["etag"] for kind in ("json", "yaml", "toml")}
    assert len(tags) == 3
    yaml = next(tag for tag in tags if tag.endswith('.yaml"'))
    assert (await shop.get(CONFIG, headers={"If-None-Match": yaml})).status_code == 200
    assert (await shop.get(CONFIG, params={"format": "yaml"}, headers={"If-None-Match": yaml})).status_code == 304
    assert (await shop.put(CONFIG, json={"a": 1}, headers={"If-Match": f'"other", {yaml}'})).status_code == 200


@pytest.mark.parametrize("path", ["", "/pool"])
async def test_a_304_is_answered_from_the_tag_alone(shop, path, tmp_path, monkeypatch):
    """By a service that has just read the store: it renders nothing, and does not make the trees of the contents."""
    effective = {"view": "effective"}
    tag = (await shop.get(CONFIG + path, params=effective)).headers["ETag"]
    token = shop.headers["Authorization"].removeprefix("Bearer ")

    def made(*_):
        raise AssertionError("something was made for an answer without a body")

    async with open_service(f"sqlite:{tmp_path}/releases.db") as other, client_of(other, token) as client:
        with monkeypatch.context() as patched:
            patched.setattr(views, "rendered", made)
            patched.setattr(TopLevel, "tree", property(made))
            answer = await client.get(CONFIG + path, params=effective, headers={"If-None-Match": tag})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
            assert (await client.get(CONFIG + path, params=effective)).status_code == 500
        assert (await client.get(CONFIG + path, params=effective)).status_code == 200


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("application/yaml", "application/yaml"),
        ("application/toml;q=0.5, application/yaml;q=0.6", "application/yaml"),
        ("application/*, application/json;q=0", "application/yaml"),
        ("text/plain", "text/plain; charset=utf-8"),
    ],
)
async def test_the_format_is_what_is_accepted(shop, accept, media):
    assert (await shop.get(CONFIG, headers={"Accept": accept})).headers["content-type"] == media


async def test_what_a_format_cannot_say_is_refused_with_its_place(shop):
    assert problem(await shop.get(CONFIG, headers={"Accept": "image/png"})) == (406, "not-acceptable")
    await shop.put(f"{CONFIG}/nothing", json={"here": None}, headers=NEW)
    answer = await shop.get(CONFIG, params={"format": "toml"})
    assert problem(answer) == (406, "not-in-this-format")
    assert answer.json()["path"] == "nothing.here"
    assert (await shop.get(CONFIG, params={"format": "json"})).json()["nothing"] == {"here": None}


async def test_one_tag_names_the_same_bytes_whatever_the_order_of_writes(service, client, tmp_path):
    body = {"b": {"y": 1, "x": [{"d": 1, "c": 2}]}, "a": 1}
    await client.put(CONFIG, json=body, headers=NEW)
    other = "/v1/shop/staging/config"
    await client.put(other, json={"a": 1}, headers=NEW)
    await client.put(other + "/b", json={"y": 1, "x": [{"d": 1, "c": 2}]}, headers=NEW)
    one, two = await client.get(CONFIG), await client.get(other)
    assert one.headers["etag"] == two.headers["etag"]
    assert one.content == two.content == b'{"a":1,"b":{"x":[{"c":2,"d":1}],"y":1}}'


async def test_merge_patch_and_json_patch(shop):
    answer = await shop.patch(CONFIG, content=json.dumps({"pool": {"min": None, "max": 9}}), headers={**ANY, **MERGE})
    assert [change["path"] for change in answer.json()["changes"]] == [["pool", "max"], ["pool", "min"]]
    assert (await shop.get(f"{CONFIG}/pool")).json() == {"size": 1, "max": 9}
    operations = [{"op": "test", "path": "/size", "value": 1}, {"op": "move", "from": "/size", "path": "/old"}]
    answer = await shop.patch(f"{CONFIG}/pool", content=json.dumps(operations), headers={**ANY, **PATCH})
    assert (await shop.get(f"{CONFIG}/pool")).json() == {"old": 1, "max": 9}
    refused = await shop.patch(f"{CONFIG}/pool", content=json.dumps(operations), headers={**ANY, **PATCH})
    assert problem(refused) == (422, "patch-does-not-apply")
    assert refused.json()["operation"] == 0
    for path in ("/never", "/pool/never"):
        answer = await shop.patch(CONFIG + path, content="{}", headers={**ANY, **MERGE})
        assert answer.status_code in (404, 412)


async def test_delete(shop):
    assert (await shop.delete(f"{CONFIG}/pool/min", headers=ANY)).status_code == 200
    assert (await shop.get(CONFIG)).json() == {"pool": {"size": 1}, "debug": False, "names": ["a"]}
    assert problem(await shop.delete(f"{CONFIG}/pool/min", headers=ANY)) == (412, "changed-meanwhile")
    assert (await shop.delete(CONFIG, headers=ANY)).status_code == 200
    answer = await shop.get(CONFIG)
    assert (answer.status_code, answer.json()) == (200, {})


async def test_a_dry_run_tells_and_writes_nothing(shop):
    before = await shop.get(CONFIG)
    answer = await shop.put(CONFIG, json={"pool": 5}, headers=ANY, params={"dry_run": "true"})
    assert answer.json()["release"] is None
    assert {tuple(change["path"]) for change in answer.json()["changes"]} == {("pool",), ("debug",), ("names",)}
    assert (await shop.get(CONFIG)).headers["etag"] == before.headers["etag"]
    assert problem(await shop.put(CONFIG, json={}, headers=ANY, params={"dryrun": "true"})) == (400, "bad-query")


async def test_a_dry_run_tells_why_the_change_would_be_refused(shop):
    await shop.put(f"{CONFIG}/many", json={f"n{n}": n for n in range(50)}, headers=NEW)
    answer = await shop.delete(f"{CONFIG}/many", headers=ANY, params={"dry_run": "true"})
    assert answer.status_code == 200
    (violation,) = answer.json()["violations"]
    assert violation == {"kind": "needs-force", "detail": "it removes 50 of 54 values"}
    assert answer.json()["changes"][0]["path"] == ["many"]
    forced = await shop.delete(f"{CONFIG}/many", headers=ANY, params={"dry_run": "true", "force": "yes"})
    assert forced.json()["violations"] == []
    many = {"set": {f"/n{n}": n for n in range(200)} | {"/odd": {"a\0": 1}}}
    answer = await shop.post("/v1/shop/production/releases", json=many, params={"dry_run": "true"})
    assert [one["kind"] for one in answer.json()["violations"]] == ["too-large", "cannot-be-written"]
    assert "violations" not in (await shop.put(f"{CONFIG}/debug", json=True, headers=ANY)).json()


async def test_the_effective_view_has_common_below(shop):
    effective = {"view": "effective"}
    alone = await shop.get(CONFIG, params=effective)
    assert alone.json() == (await shop.get(CONFIG)).json()
    await shop.put("/v1/shop/common/config", json={"pool": {"size": 5, "idle": 3}, "region": "eu"}, headers=NEW)
    answer = await shop.get(CONFIG, params=effective)
    assert answer.json() == {"pool": {"size": 1, "idle": 3, "min": 0}, "region": "eu", "debug": False, "names": ["a"]}
    assert answer.headers["etag"] != alone.headers["etag"]
    assert (await shop.get(f"{CONFIG}/pool/idle", params=effective)).json() == 3
    refused = await shop.put(CONFIG, json={}, headers=ANY, params=effective)
    assert problem(refused) == (405, "read-only-view")
    assert refused.headers["allow"] == "GET, HEAD"


async def test_a_single_value_above_hides_what_common_says_below(shop):
    await shop.put("/v1/shop/common/config", json={"debug": {"level": 1}}, headers=NEW)
    assert (await shop.get(f"{CONFIG}/debug", params={"view": "effective"})).json() is False
    answer = await shop.get(f"{CONFIG}/debug/level", params={"view": "effective"})
    assert problem(answer) == (404, "no-such-path")


async def test_nothing_older_than_min_revision_is_answered(shop, monkeypatch):
    monkeypatch.setattr("reactive_config._service.config_endpoints.MIN_REVISION_WAIT", 0.2)
    revision = int((await shop.get(CONFIG)).headers["revision"])
    assert (await shop.get(CONFIG, params={"min_revision": revision})).status_code == 200
    answer = await shop.get(CONFIG, params={"min_revision": revision + 1})
    assert problem(answer) == (503, "not-there-yet")
    assert answer.headers["retry-after"] == "1"
    monkeypatch.setattr("reactive_config._service.config_endpoints.MIN_REVISION_WAIT", 5)
    waiting = asyncio.create_task(shop.get(CONFIG, params={"min_revision": revision + 1}))
    await shop.put(f"{CONFIG}/debug", json=True, headers=ANY)
    assert (await waiting).json()["debug"] is True


async def test_a_request_is_repeated_without_another_release(shop):
    headers = {**ANY, "Idempotency-Key": "one"}
    first = await shop.put(f"{CONFIG}/debug", json=True, headers=headers)
    await shop.put(f"{CONFIG}/debug", json=False, headers=ANY)
    again = await shop.put(f"{CONFIG}/debug", json=True, headers={"If-Match": '"old"', "Idempotency-Key": "one"})
    assert again.json()["release"] == first.json()["release"]
    assert again.json()["repeated"] is True
    other = await shop.put(f"{CONFIG}/debug", json="x", headers=headers)
    assert problem(other) == (422, "key-used-for-another-request")


async def test_much_at_once_needs_a_reason(shop):
    await shop.put(f"{CONFIG}/many", json={str(n): n for n in range(100)}, headers=NEW)
    refused = await shop.delete(f"{CONFIG}/many", headers=ANY)
    assert problem(refused) == (409, "needs-force")
    assert "removes 100 of 104 values" in refused.json()["detail"]
    answer = await shop.delete(f"{CONFIG}/many", headers=ANY, params={"force": "they moved"})
    assert answer.json()["release"]["forced"] == "they moved"


async def test_a_name_may_have_a_slash_if_it_is_encoded(shop):
    await shop.put(f"{CONFIG}/routes", json={"/api": {"a/b": 1}}, headers=NEW)
    assert (await shop.get(f"{CONFIG}/routes/%2Fapi/a%2Fb")).json() == 1
    await shop.put(f"{CONFIG}/routes/%2Fapi/a%2Fb", json=2, headers=ANY)
    assert (await shop.get(f"{CONFIG}/routes")).json() == {"/api": {"a/b": 2}}
    assert problem(await shop.put(f"{CONFIG}/a%2Fb", json=1, headers=NEW)) == (422, "cannot-be-written")
