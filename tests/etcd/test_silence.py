"""A server that takes calls and never answers them: only a deadline ends each, and the source gets over it."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config._core.status import SourceState
from reactive_config._etcd import auth
from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.errors import Unavailable
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.reading import read_head
from reactive_config._sources.etcd import Etcd
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = pytest.mark.half_grid

KEYS = prefix_range(b"/s/")


class Hanging:
    """Hangs the first calls of one method: a token ahead of the store hangs a Range, an overload a login."""

    def __init__(self, method, times):
        self.calls = []
        self._method = method
        self._times = times

    async def __call__(self, method):
        self.calls.append(method)
        if method == self._method and self.calls.count(method) <= self._times:
            await asyncio.Event().wait()


@pytest.mark.parametrize("method", ["Range", "Authenticate"])
async def test_a_call_that_hangs_ends_at_its_deadline(fake_etcd, connect, method, monkeypatch):
    monkeypatch.setattr(auth, "DEADLINE", 0.1)
    async with fake_etcd() as fake:
        fake.before = Hanging(method, 10)
        async with connect(fake.endpoint, Credentials("app", "p"), timeout=0.1) as link:
            with pytest.raises(Unavailable, match="no answer in time"):
                await read_head(link, KEYS)


@pytest.mark.slow
async def test_a_look_that_is_never_answered_is_asked_for_again(fake_etcd, connect):
    """A member that loses its leader forgets what it was asked."""
    async with fake_etcd() as fake:
        fake.before = Hanging("Range", 1)
        async with connect(fake.endpoint, timeout=10) as link:
            assert (await read_head(link, KEYS)).count == 1
        assert fake.before.calls == ["Range", "Range"]


@pytest.mark.slow
async def test_a_look_that_makes_the_server_sort_is_asked_for_once(fake_etcd, connect):
    async with fake_etcd() as fake:
        fake.before = Hanging("Range", 10)
        async with connect(fake.endpoint, timeout=1.2) as link:
            with pytest.raises(Unavailable, match="no answer in time"):
                await read_head(link, KEYS, newest=True)
        assert fake.before.calls == ["Range"]


@pytest.mark.parametrize("method", ["Range", "Authenticate"])
@pytest.mark.slow
async def test_a_source_gets_over_calls_that_hang(fake_etcd, method, monkeypatch):
    monkeypatch.setattr(auth, "DEADLINE", 0.2)

    async def stay(request, context, number):
        await fake.stay(request, context, number)

    async with fake_etcd(stay) as fake:
        fake.before = Hanging(method, 2)
        feed = RecordingFeed()
        source = Etcd(fake.endpoint, prefix="/s/", username="app", password="p", timeout=0.2)
        task = asyncio.create_task(source.run(feed))
        await feed.wait(lambda feed: feed.states and feed.states[-1][0] is SourceState.SYNCED, timeout=20)
        assert feed.states[0] == (SourceState.CONNECTING, f"{fake.endpoint}: no answer in time")
        assert fake.before.calls.count(method) >= 3
        task.cancel()
        await asyncio.wait([task])
