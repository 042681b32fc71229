"""Tokens that expire, are forgotten, or hang: asked for anew as often as needed, and never in a storm."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config._core.status import SourceState
from reactive_config._etcd.auth import Credentials
from reactive_config._sources.etcd.session_loop import Backoff
from reactive_config._testing.etcd_server import etcd_server, running_etcd
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

USER = {"username": "app", "password": "app-password"}


@pytest.fixture(scope="module")
def forgetful(binary):
    """A server whose tokens live for one second; `app` may read /app/ only."""
    with running_etcd(binary, auth={"app": ("app-password", ["/app/"])}, flags=["--auth-token-ttl", "1"]) as server:
        yield server


@pytest.fixture
def asked(monkeypatch):
    """The users for whom etcd was asked for a token, but for the test's own root."""
    users = []
    real = Credentials._authenticate

    async def counted(self, *args):
        users.extend([self.username] if self.username != "root" else [])
        return await real(self, *args)

    monkeypatch.setattr(Credentials, "_authenticate", counted)
    return users


async def test_an_expired_token_is_replaced_without_a_gap(forgetful, follow, synced, values, asked):
    """The watch survives the expiry; a heartbeat finds it, asks once, and nobody notices."""
    await forgetful.put("/app/a", "1")
    async with follow(forgetful.endpoint, prefix="/app/", keepalive=6.0, **USER) as feed:
        await feed.wait(synced)
        async with asyncio.timeout(8):
            while len(asked) < 2:
                await asyncio.sleep(0.02)
        revision = await forgetful.put("/app/a", "2")
        await feed.wait(lambda feed: feed.revision >= revision)
        assert values(feed) == {"/app/a": "<2>"}
        assert [state for state, _ in feed.states] == [SourceState.SYNCED]
        assert len(asked) == 2


async def test_a_restart_costs_one_token_at_most(forgetful, follow, synced, asked):
    """None while the server replays from its log whom it has given one; one where that has expired meanwhile."""
    async with follow(forgetful.endpoint, prefix="/app/", **USER) as feed:
        await feed.wait(synced)
        forgetful.kill()
        await feed.wait(lambda feed: feed.states[-1][0] is SourceState.STALE)
        await forgetful.start()
        await feed.wait(synced)
        assert len(asked) <= 2
        assert feed.counters["relists"] == 0


async def test_a_forbidden_prefix_is_tried_again_and_again_with_one_token(forgetful, follow, asked, monkeypatch):
    monkeypatch.setattr(Backoff, "pause", lambda self: 0.01)
    async with follow(forgetful.endpoint, prefix="/other/", **USER) as feed:
        await feed.wait(lambda feed: len(feed.states) == 20)
        reason = f"{forgetful.endpoint}: user 'app' has no permission to read keys below /other/"
        assert set(feed.states) == {(SourceState.FAILED, reason)}
        assert len(asked) == 1


async def test_a_prefix_that_is_granted_later_is_followed_from_then_on(forgetful, follow, synced, asked):
    async with follow(forgetful.endpoint, prefix="/later/", **USER) as feed:
        await feed.wait(lambda feed: feed.states)
        assert feed.states[-1][0] is SourceState.FAILED
        forgetful.ctl("role", "grant-permission", "app", "--prefix=true", "read", "/later/")
        await feed.wait(synced, timeout=6)
        assert len(asked) <= 3  # its token may have expired between two tries


@pytest.mark.parametrize("kind", ["older", pytest.param("wiped", marks=pytest.mark.storm)])
async def test_a_token_that_a_restored_etcd_cannot_know_is_replaced(
    binary, follow, synced, values, asked, kind, tmp_path
):
    """It holds an index of the lost history, for which every call would wait. One login serves all sources here.

    Beside a link without latency etcd's own end of such a call, "invalid token", may come before the client's.
    """
    async with etcd_server(binary) as server, tcp_proxy(server.endpoint) as proxy:
        proxy.latency = 0.02
        server.users["app"] = ("app-password", ["/app/"])
        await server.put("/app/a", "old")
        await asyncio.to_thread(server.enable_auth)
        await asyncio.to_thread(server.save, tmp_path / "snapshot")
        for number in range(50):
            await server.put("/other", str(number))
        options = {"prefix": "/app/", "keepalive": 2.0, **USER}
        async with follow(proxy.endpoint, **options) as feed, follow(proxy.endpoint, **options) as other:
            for each in (feed, other):
                await each.wait(synced)
            server.kill()
            if kind == "older":
                server.restore(tmp_path / "snapshot")
            else:
                server.wipe()
                server.login = None
            await server.start()
            if kind == "wiped":
                await server.put("/app/a", "old")
            for each in (feed, other):
                await each.wait(lambda each: each.counters["restores"] and synced(each), timeout=30)
                assert values(each) == {"/app/a": "<old>"}
            assert len(asked) == 2
