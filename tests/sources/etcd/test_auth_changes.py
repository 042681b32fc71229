"""Authentication that is turned on and off, and users that change, under a source that runs."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config._core.status import SourceState
from reactive_config._etcd import auth
from reactive_config._etcd.auth import Credentials
from reactive_config._testing.etcd_server import etcd_server

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]

USER = {"username": "app", "password": "app-password", "keepalive": 2.0}


@pytest.fixture
async def open_server(binary):
    """Authentication is off; `enable_auth` turns it on with `app`, who may read /app/."""
    async with etcd_server(binary) as server:
        server.users["app"] = ("app-password", ["/app/"])
        yield server


def failed(feed):
    return feed.states[-1][0] is SourceState.FAILED


async def beat(feed, server):
    """Return once a heartbeat has been answered: it takes the revision that a foreign key has raised."""
    revision = await server.put("/other/x", "1")
    await feed.wait(lambda feed: feed.revision >= revision)


async def test_authentication_that_is_turned_on_and_off_is_followed_without_a_gap(open_server, follow, synced, values):
    server = open_server
    await server.put("/app/a", "1")
    async with follow(server.endpoint, prefix="/app/", **USER) as feed:
        await feed.wait(synced)
        for change in (server.enable_auth, lambda: server.ctl("auth", "disable"), lambda: server.ctl("auth", "enable")):
            await asyncio.to_thread(change)
            await beat(feed, server)
            revision = await server.put("/app/a", str(len(feed.deltas)))
            await feed.wait(lambda feed: feed.revision >= revision)  # noqa: B023
        assert [state for state, _ in feed.states] == [SourceState.SYNCED]


async def test_a_login_that_takes_long_is_stale_until_it_is_done_and_the_watch_goes_on(
    open_server, follow, synced, monkeypatch
):
    server = open_server
    await asyncio.to_thread(server.enable_auth)
    monkeypatch.setattr(auth, "LONG", 0.05)
    real, checked = Credentials._authenticate, asyncio.Event()

    async def slow(self, *args):
        if self.username == "app":
            await checked.wait()
        return await real(self, *args)

    async with follow(server.endpoint, prefix="/app/", **USER) as feed:
        await feed.wait(synced)
        monkeypatch.setattr(Credentials, "_authenticate", slow)
        # Setting a password, even to the same, ends every token of its user.
        server.ctl("user", "passwd", "app", "--interactive=false", stdin="app-password\n")
        await feed.wait(lambda feed: not synced(feed))
        state, reason = feed.states[-1]
        assert state is SourceState.STALE
        assert reason.startswith(f"{server.endpoint}: etcd has been checking the password of user 'app' for")
        revision = await server.put("/app/a", "2")
        await feed.wait(lambda feed: feed.revision >= revision)
        assert not synced(feed)
        checked.set()
        await feed.wait(synced)
        assert feed.counters["reconnects"] == 0


async def test_a_source_without_a_user_says_that_one_is_needed_now(open_server, follow, synced):
    server = open_server
    async with follow(server.endpoint, prefix="/app/", keepalive=2.0) as feed:
        await feed.wait(synced)
        await asyncio.to_thread(server.enable_auth)
        await feed.wait(failed)
        assert feed.states[-1][1] == f"{server.endpoint}: authentication is on; username= and password= are needed"
        server.ctl("auth", "disable")
        await feed.wait(synced, timeout=8)


async def test_a_password_that_changes_and_changes_back_is_told_and_recovered(open_server, follow, synced):
    server = open_server
    await asyncio.to_thread(server.enable_auth)
    async with follow(server.endpoint, prefix="/app/", **USER) as feed:
        await feed.wait(synced)
        server.ctl("user", "passwd", "app", "--interactive=false", stdin="another\n")
        await feed.wait(failed)
        assert feed.states[-1][1] == f"{server.endpoint}: wrong user or password: user 'app'"
        server.ctl("user", "passwd", "app", "--interactive=false", stdin="app-password\n")
        await feed.wait(synced, timeout=8)


async def test_a_user_who_is_removed_and_added_again_is_told_and_recovered(open_server, follow, synced, values):
    server = open_server
    await asyncio.to_thread(server.enable_auth)
    async with follow(server.endpoint, prefix="/app/", **USER) as feed:
        await feed.wait(synced)
        server.ctl("user", "delete", "app")
        await feed.wait(failed)
        server.ctl("user", "add", "app", "--interactive=false", stdin="app-password\n")
        server.ctl("user", "grant-role", "app", "app")
        revision = await server.put("/app/a", "2")
        await feed.wait(lambda feed: synced(feed) and feed.revision >= revision, timeout=8)
        assert values(feed) == {"/app/a": "<2>"}
