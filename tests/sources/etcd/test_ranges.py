"""Unusual ranges and surroundings: prefixes of \\xff, the empty prefix, names that are no text, a proxy variable."""

from __future__ import annotations

import pytest

from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.reading import read_all
from reactive_config._etcd.watching import open_watch

pytestmark = pytest.mark.etcd


@pytest.mark.parametrize("prefix", [b"\xff", b"\xff\xff", b"a\xff", b""])
async def test_a_range_of_any_bytes_is_listed_and_watched_without_its_neighbours(server, prefix):
    inside = [prefix + b"\x01", prefix + b"k", prefix + b"\xff\xff"]
    outside = [key for key in (b"a", b"b", b"\xfe") if not key.startswith(prefix)]
    async with server.connect() as link:
        await server.txn(dict.fromkeys([*inside, *outside], "1"))
        listing = await read_all(link, prefix_range(prefix), page=2)
        found = {item.key for item in listing.items}
        assert found >= set(inside)
        assert all(key.startswith(prefix) for key in found)
        async with open_watch(link, prefix_range(prefix), listing.sight.revision + 1) as watch:
            await server.delete(*inside, *outside)
            assert {change.key for change in (await watch.read()).changes} == {*inside}


async def test_the_empty_prefix_is_all_of_etcd(own, follow, synced, values):
    await own.txn({"debug": "true", "pool/size": "5", "_releases/1": "x", "/shop/a": "1", b"\xff": "1"})
    async with follow(own.endpoint, prefix="") as feed:
        await feed.wait(synced)
        told = {"debug": "<true>", "pool/size": "<5>", "/shop/a": "expected a key without empty segments"}
        assert values(feed) == told
        assert feed.said == ("1 key is left out, not UTF-8: \\xff",)
        revision = await own.delete("pool/size")
        await feed.wait(lambda feed: feed.revision >= revision and "pool/size" not in feed.entries)


async def test_what_is_not_utf_8_may_come_and_go_later_too(server, prefix, follow, synced, values):
    name = prefix.encode()
    await server.put(f"{prefix}\N{REPLACEMENT CHARACTER}", "1")  # what the other key looks like once it is decoded
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        await server.txn({name + b"\xff": "1", name + b"value": b"\xff", name + b"good": "1"})
        await feed.wait(lambda feed: feed.said == (f"1 key is left out, not UTF-8: {prefix}\\xff",))
        assert values(feed)[f"{prefix}value"] == "expected UTF-8 text"
        revision = await server.delete(name + b"\xff", name + b"value")
        await feed.wait(lambda feed: feed.revision >= revision and feed.said == ())
        assert values(feed) == {f"{prefix}\N{REPLACEMENT CHARACTER}": "<1>", f"{prefix}good": "<1>"}


async def test_http_proxy_is_not_obeyed(server, prefix, follow, synced, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with follow(server.endpoint.replace("127.0.0.1", "localhost"), prefix=prefix) as feed:
        await feed.wait(synced)
        assert [state.value for state, _ in feed.states] == ["synced"]
