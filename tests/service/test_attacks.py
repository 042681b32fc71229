"""What is tried and refused: each with a 4xx that names the place, and nothing is written."""

from __future__ import annotations

import asyncio
import json
import socket

import httpx
import pytest

from reactive_config._service.serving import check_address, listening

from .conftest import ANY, CONFIG, MERGE, NEW, PATCH, client_of, problem

pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]

JSON = {"Content-Type": "application/json"}

RELEASES = "/v1/shop/production/releases"

COPIES = [{"op": "copy", "from": "/x", "path": f"/x{n}"} for n in range(30)]

DEEPER = [
    {"op": "move", "from": "/d", "path": "/e"},
    {"op": "add", "path": "/d", "value": {}},
    {"op": "move", "from": "/e", "path": "/d/x"},
]


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"a": 1,}', b"{'a': 1}", b'{"a": 1} x', b'{"a": 1, "a": 2}', b'{"a": NaN}',
        b'{"a": Infinity}', b'{"a": 1e999}', b'{"a": 36893488147419103232}', b"\xff\xfe{}", b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[" * 200 + b"]" * 200, b"[" * 100_000, b'{"a":' * 150 + b"1" + b"}" * 150, b'"' + b"x" * 100, b"nul",
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
async def test_a_body_that_is_no_document(shop, body):
    before = (await shop.get(CONFIG)).headers["etag"]
    for headers in (JSON, MERGE, PATCH):
        method = "PUT" if headers is JSON else "PATCH"
        answer = await shop.request(method, CONFIG, content=body, headers={**ANY, **headers})
        assert 400 <= answer.status_code < 500
        problem(answer)
    assert (await shop.get(CONFIG)).headers["etag"] == before


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/%2e%2e", "/%2E%2e/x", "//", "/a//b", "/pool/", "/%00", "/a%0ab", "/%ff", "/%c0%af", "/%zz", "/%",
        "/a%2", "/.", "/%2e", "/pool/../debug", "/" + "a/" * 200 + "a", "/" + "a" * 5000, "/\u202e".encode().hex(),
        "/%e2%80%ae", "/%ed%a0%80", "/_hidden", "/pool%2F..%2Fx",
    ],
)  # fmt: skip
async def test_a_path_that_no_configuration_has(service, shop, path):
    before = (await shop.get(CONFIG)).headers["etag"]
    for method in ("GET", "PUT", "DELETE"):
        answer = await raw_request(service, shop, method, CONFIG + path)
        assert 400 <= answer.status_code < 500, answer.text
    assert (await shop.get(CONFIG)).headers["etag"] == before


async def raw_request(service, client, method, path):
    """A request whose path is not tidied up by the client."""
    received = {}

    async def receive():
        return {"type": "http.request", "body": b"1"}

    async def send(message):
        received.setdefault("status", message.get("status"))
        received["body"] = received.get("body", b"") + message.get("body", b"")

    condition = (b"if-match" if method == "DELETE" else b"if-none-match", b'"none"' if method == "GET" else b"*")
    headers = [(b"authorization", client.headers["authorization"].encode()), condition]
    raw = path.encode()
    from urllib.parse import unquote

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": raw, "query_string": b"", "headers": headers, "server": ("service", 80),
    }  # fmt: skip
    await service.app(scope, receive, send)
    return httpx.Response(received["status"], content=received["body"])


@pytest.mark.parametrize(
    "where",
    ["/v1/shop%2Fproduction/config", "/v1/shop/production%2Fconfig/x/config", "/v1/%73hop/production/config",
     "/v1/SHOP/production/config", "/v1/_control/heads/config", "/v1/shop/../config", "/v1//production/config",
     "/v1/shop/-/config", "/v1/sh op/production/config", "/v1/" + "a" * 64 + "/b/config"],
)  # fmt: skip
async def test_a_namespace_that_is_none(service, shop, where):
    for method in ("GET", "PUT"):
        answer = await raw_request(service, shop, method, where)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "copy", "from": "", "path": f"/a{n}"} for n in range(40)],
        [{"op": "add", "path": "/x", "value": "y" * 100_000}, *COPIES],
        [{"op": "add", "path": "/d", "value": {}}, *DEEPER * 130],
        [{"op": "test", "path": "/debug", "value": False}] * 1001,
        [1], ["x"], [None], [[]], [{}], [{"op": "add"}], [{"op": "add", "path": 5, "value": 1}], {"op": "add"}, "x", 5,
        None,
        [{"op": "add", "path": "no-slash", "value": 1}], [{"op": "remove", "path": "/never"}],
        [{"op": "replace", "path": "", "value": [1]}], [{"op": "add", "path": "", "value": 1}],
    ],
)  # fmt: skip
async def test_a_patch_that_explodes_or_is_none(shop, operations):
    before = (await shop.get(CONFIG)).headers["etag"]
    answer = await shop.patch(CONFIG, json=operations, headers={**ANY, **PATCH})
    assert 400 <= answer.status_code < 500, answer.text
    problem(answer)
    assert (await shop.get(CONFIG)).headers["etag"] == before


async def test_without_a_token_nothing_is_told(service, client):
    async with client_of(service, "rc_wrong") as other:
        for path in (CONFIG, "/metrics", "/v1/-/namespaces", "/nothing", f"{CONFIG}/../x"):
            answer = await other.get(path)
            assert problem(answer) == (401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/healthz", "/readyz", "/openapi.json"):
            assert (await other.get(path)).status_code == 200
    token = client.headers["authorization"].removeprefix("Bearer ")
    for header in (
        "",
        "Bearer",
        "Bearer ",
        token,
        f"Basic {token}",
        f"Bearer {token}x",
        f"Bearer {token[:-1]}",
        "Bearer \xff",
    ):
        answer = await client.get(CONFIG, headers={"Authorization": header.encode("latin-1")})
        assert problem(answer) == (401, "unauthorized")
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://service") as other:
        for sent in (headers, [("Authorization", "Bearer rc_" + "x" * 100_000)]):
            assert problem(await other.get(CONFIG, headers=sent)) == (401, "unauthorized")


async def test_a_body_that_never_ends_is_given_up(shop, monkeypatch):
    monkeypatch.setattr("reactive_config._service.request_parts.BODY_SECONDS", 0.05)
    ended = asyncio.Event()

    async def slow():
        yield b'{"a": '
        await ended.wait()

    answer = await shop.put(f"{CONFIG}/debug", content=slow(), headers={**ANY, **JSON})
    assert problem(answer) == (408, "too-slow")
    assert (await shop.get(f"{CONFIG}/debug")).json() is False


async def test_requests_without_a_token_are_counted_and_told_of_now_and_then(service, client, caplog):
    async with client_of(service, "rc_wrong") as other:
        for _ in range(5):
            await other.get(CONFIG)
    told = [record.getMessage() for record in caplog.records if "without a token" in record.getMessage()]
    assert told == ["refused 1 requests without a token of this service, the last from 127.0.0.1"]
    assert 'route="refused",status="401"} 5.0' in (await client.get("/metrics")).text


async def test_no_stranger_makes_the_metrics_grow(service, client):
    async def series():
        return len((await client.get("/metrics")).text.splitlines())

    async with client_of(service, "rc_wrong") as other:
        await other.get(CONFIG)
        await series()  # which is a series of its own from now on
        before = await series()
        for number in range(50):
            assert (await other.request(f"X{number}", f"{CONFIG}/{number}")).status_code == 401
    assert await series() == before
    for number in range(50):  # nor anybody else
        await client.request(f"X{number}", f"{CONFIG}/{number}")
    assert await series() == before


async def test_a_token_that_is_revoked_opens_nothing_more(service, client):
    from datetime import UTC, datetime

    token = await service.tokens.create("ci", datetime.now(UTC))
    async with client_of(service, token) as other:
        assert (await other.get("/v1/-/namespaces")).status_code == 200
        await service.tokens.revoke("ci")
        assert (await other.get("/v1/-/namespaces")).status_code == 401
    assert [record.name for record in service.tokens.list()] == ["admin"]
    assert token not in repr(service.releases.replica.tokens)


@pytest.mark.parametrize("headers", [{"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 256}, {"If-None-Match": '"x"'}])
async def test_a_header_that_is_none(shop, headers):
    for answer in (
        await shop.put(f"{CONFIG}/debug", json=1, headers={**ANY, **headers}),
        await shop.post("/v1/shop/production/releases", json={"set": {"/debug": 1}}, headers={**ANY, **headers}),
        await shop.post("/v1/shop/production/releases/1/restore", headers={**ANY, **headers}),
    ):
        assert answer.status_code == 400
        problem(answer)


async def test_the_largest_number_of_a_query_is_the_one_that_is_told(shop, monkeypatch):
    monkeypatch.setattr("reactive_config._service.config_endpoints.MIN_REVISION_WAIT", 0)
    answer = await shop.get(CONFIG, params={"min_revision": 10**18})
    assert f"{10**18 - 1:,}" in answer.json()["detail"]
    answer = await shop.get(CONFIG, params={"min_revision": 10**18 - 1})
    assert problem(answer) == (503, "not-there-yet")


async def test_what_is_not_there_matches_no_tag_and_cannot_be_deleted(client):
    for headers in (NEW, ANY, {**NEW, **ANY}):
        answer = await client.delete(CONFIG, headers=headers)
        assert answer.status_code in (404, 412), answer.text
    both = {**NEW, **ANY}
    assert problem(await client.put(CONFIG, json={}, headers=both)) == (412, "changed-meanwhile")
    answer = await client.post("/v1/shop/production/releases", json={"set": {"/a": 1}}, headers=both)
    assert problem(answer) == (412, "changed-meanwhile")
    assert (await client.get("/v1/-/namespaces")).json() == {"namespaces": []}


@pytest.mark.parametrize(
    "query",
    ["min_revision=x", "min_revision=-1", "min_revision=" + "9" * 400, "view=other", "view=", "format=xml", "format=",
     "format=json&format=yaml", "unknown=1", "min_revision=1e3", "min_revision=\u0661"],
)  # fmt: skip
async def test_a_query_that_is_none(shop, query):
    answer = await shop.get(f"{CONFIG}?{query}")
    assert problem(answer) == (400, "bad-query")


async def test_a_body_that_is_too_large_is_answered(shop):
    for body in (b'"' + b"x" * (3 << 20) + b'"', b"{" + b" " * (3 << 20) + b"}"):
        answer = await shop.put(f"{CONFIG}/big", content=body, headers={**NEW, **JSON})
        assert problem(answer) == (413, "too-large")
    answer = await shop.put(f"{CONFIG}/big", content=b'"' + b"x" * 1_500_000 + b'"', headers={**NEW, **JSON})
    assert problem(answer) == (413, "too-large")
    answer = await shop.put(CONFIG, json={f"n{n}": n for n in range(200)}, headers=ANY)
    assert problem(answer) == (413, "too-large")
    assert (await shop.get(CONFIG)).json()["debug"] is False


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"debug": {"a\0b": 1}}, "debug"), ({"\x1b": 1}, ""), ({"pool": {"a": {"\u202e": 1}}}, "pool.a."),
    ],
)  # fmt: skip
async def test_a_name_that_is_not_printed(shop, body, place):
    """A person could not see what they change, and no path leads there."""
    raw = json.dumps(body)
    for method, headers in (("PATCH", MERGE), ("PUT", JSON)):
        answer = await shop.request(method, CONFIG, content=raw, headers=headers | ANY, params={"force": "a test"})
        assert problem(answer) == (422, "cannot-be-written")
        assert answer.json()["path"].startswith(place)
    assert (await shop.get(CONFIG)).headers["revision"] == "2"


@pytest.mark.parametrize("path", ["debug/b", "names/0", "pool/size/deep/er"])
async def test_a_path_below_what_is_no_table(shop, path):
    answer = await shop.put(f"{CONFIG}/{path}", json=1, headers=NEW)
    assert problem(answer) == (422, "cannot-be-written")
    assert "expected a table, because a path goes on below it" in answer.json()["detail"]
    assert problem(await shop.post(RELEASES, json={"set": {f"/{path}": 1}})) == (422, "cannot-be-written")
    assert problem(await shop.post(RELEASES, json={"delete": [f"/{path}"]})) == (404, "no-such-path")


async def test_another_media_type(shop):
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", "", "json"):
        answer = await shop.put(CONFIG, content=b"{}", headers={**ANY, "Content-Type": media})
        assert problem(answer) == (415, "unsupported-media-type")
    answer = await shop.put(
        CONFIG, content=b"a: 1\n", headers={**ANY, "Content-Type": "application/yaml; charset=utf-8"}
    )
    assert answer.status_code == 200
    assert (await shop.get(CONFIG)).json() == {"a": 1}


async def test_another_method(shop):
    answer = await shop.post(CONFIG, json={})
    assert problem(answer) == (405, "method-not-allowed")
    assert "PUT" in answer.headers["allow"]


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:80", "10.0.0.1:80", "[::]:80", "example.com:80", "nothing", ":80", "127.0.0.1:x", "127.0.0.1:99999"],
)
def test_an_address_that_others_reach_is_refused(address):
    with pytest.raises(ValueError, match="--listen"):
        check_address(address, insecure=False)


def test_an_address_may_be_open_if_somebody_says_so():
    assert check_address("0.0.0.0:80", insecure=True) == ("0.0.0.0", 80)
    assert check_address("[::1]:80", insecure=False) == ("::1", 80)
    assert check_address("localhost:80", insecure=False) == ("localhost", 80)


def test_an_answer_waits_for_no_acknowledgement():
    """Nagle's algorithm would hold the second packet of each answer, which is 40 ms."""
    with (
        listening("127.0.0.1", 0) as taken,
        socket.create_connection(taken.getsockname()),
        taken.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
