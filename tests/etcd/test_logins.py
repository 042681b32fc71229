"""One login at a time for each user at an endpoint, shared by all who need it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from reactive_config._etcd import auth, reading
from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.errors import BadLogin, DeadlinePassed
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.reading import read_head
from reactive_config._etcd.rpc import RangeRequest
from reactive_config._testing.etcd_server import running_etcd

KEYS = prefix_range(b"/s/")
APP = prefix_range(b"/app/")


class Slow:
    """Answers Authenticate once `go_on` is set; `calls` counts all calls by method."""

    def __init__(self):
        self.calls = []
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, method):
        self.calls.append(method)
        if method == "Authenticate":
            self.asked.set()
            await self.go_on.wait()


async def test_all_who_log_in_at_once_ask_once(fake_etcd, connect):
    async with fake_etcd() as fake, AsyncExitStack() as stack:
        fake.before = slow = Slow()
        logins = [Credentials("app", "p") for _ in range(5)]
        links = [await stack.enter_async_context(connect(fake.endpoint, login)) for login in logins]
        async with asyncio.TaskGroup() as group:
            for link in links:
                group.create_task(read_head(link, KEYS))
            await slow.asked.wait()
            slow.go_on.set()
        assert slow.calls == ["Authenticate", *["Range"] * 5]
        assert sum(login.asked for login in logins) == 1


async def test_a_look_that_is_repeated_waits_for_the_login_that_runs(fake_etcd, connect, monkeypatch):
    """Also beyond the deadline of a call: etcd checks a password to the end, whether or not somebody still waits."""
    monkeypatch.setattr(reading, "AGAIN", 0.01)
    async with fake_etcd() as fake:
        fake.before = slow = Slow()
        async with connect(fake.endpoint, Credentials("app", "p"), timeout=0.1) as link:
            looking = asyncio.create_task(read_head(link, KEYS, timeout=5))
            await asyncio.wait([looking], timeout=0.3)
            slow.go_on.set()
            assert (await looking).count == 1
        assert slow.calls.count("Authenticate") == 1


async def test_whoever_waits_asks_when_the_one_who_asked_is_cancelled(fake_etcd, connect):
    async with fake_etcd() as fake, AsyncExitStack() as stack:
        fake.before = slow = Slow()
        links = [await stack.enter_async_context(connect(fake.endpoint, Credentials("app", "p"))) for _ in range(3)]
        first, *others = [asyncio.create_task(read_head(link, KEYS)) for link in links]
        await slow.asked.wait()
        slow.asked.clear()
        first.cancel()
        await slow.asked.wait()
        slow.go_on.set()
        await asyncio.gather(*others)
        assert first.cancelled()
        assert slow.calls.count("Authenticate") == 2


async def test_a_login_that_takes_long_is_told_and_its_end_too(fake_etcd, connect, monkeypatch):
    monkeypatch.setattr(auth, "LONG", 0.01)
    told, waiting = [], asyncio.Event()

    def tell(text):
        told.append(text)
        waiting.set()

    async with fake_etcd() as fake:
        fake.before = slow = Slow()
        async with connect(fake.endpoint, Credentials("app", "hunter2", tell)) as link:
            looking = asyncio.create_task(read_head(link, KEYS))
            await waiting.wait()
            slow.go_on.set()
            await looking
    assert told[0].startswith(f"{fake.endpoint}: etcd has been checking the password of user 'app' for 0.01 s or more")
    assert told[1:] == [""]


async def test_no_answer_is_shared_too(fake_etcd, connect, monkeypatch):
    monkeypatch.setattr(auth, "DEADLINE", 0.1)
    async with fake_etcd() as fake, AsyncExitStack() as stack:
        fake.before = slow = Slow()
        links = [await stack.enter_async_context(connect(fake.endpoint, Credentials("app", "p"))) for _ in range(3)]
        ends = await asyncio.gather(*(read_head(link, KEYS) for link in links), return_exceptions=True)
        assert [(type(end), str(end)) for end in ends] == [(DeadlinePassed, f"{fake.endpoint}: no answer in time")] * 3
        assert slow.calls == ["Authenticate"]


async def test_a_token_that_is_ahead_of_a_restored_store_is_replaced_once_for_all(fake_etcd, connect):
    """Every call with it would wait for ever."""
    async with fake_etcd() as fake, AsyncExitStack() as stack:
        fake.index = 200
        logins = [Credentials("app", "p") for _ in range(3)]
        for login in logins:
            async with connect(fake.endpoint, login) as link:
                await read_head(link, KEYS)
        assert sum(login.asked for login in logins) == 1
        fake.index = 7
        links = [await stack.enter_async_context(connect(fake.endpoint, login)) for login in logins]
        sights = await asyncio.gather(*(read_head(link, KEYS, timeout=0.5) for link in links))
        assert [sight.count for sight in sights] == [1] * 3
        assert sum(login.asked for login in logins) == 2


@pytest.mark.parametrize("silent", ["Range", "Status"])
async def test_a_slow_etcd_costs_no_login(fake_etcd, connect, silent):
    """Neither if only the call takes long, nor if nothing is answered: a login would be one more in its queue."""
    go_on = asyncio.Event()

    async def before(method):
        calls.append(method)
        if method in ("Range", silent):
            await go_on.wait()

    async with fake_etcd() as fake:
        login, calls = Credentials("app", "p"), []
        async with connect(fake.endpoint, login) as link:
            await read_head(link, KEYS)
        fake.before = before
        for _ in range(3):
            async with connect(fake.endpoint, login, connect_timeout=0.2) as link:
                with pytest.raises(DeadlinePassed):
                    await link.call(link.kv.Range, RangeRequest(key=b"/s/a"), timeout=0.2)
        go_on.set()
        async with connect(fake.endpoint, login) as link:
            await read_head(link, KEYS)
        assert "Status" in calls
        assert "Authenticate" not in calls


@pytest.fixture(scope="module")
def guarded(binary):
    with running_etcd(binary, auth={"app": ("app-password", ["/app/"])}) as server:
        yield server


@pytest.mark.etcd
async def test_a_refusal_is_shared_and_a_token_only_with_who_knows_the_password(guarded, connect):
    right, wrong = Credentials("app", "app-password"), [Credentials("app", "wrong") for _ in range(3)]
    async with AsyncExitStack() as stack:
        await read_head(await stack.enter_async_context(connect(guarded.endpoint, right)), APP)
        links = [await stack.enter_async_context(connect(guarded.endpoint, login)) for login in wrong]
        ends = await asyncio.gather(*(read_head(link, APP) for link in links), return_exceptions=True)
    assert [type(end) for end in ends] == [BadLogin] * 3
    assert sum(login.asked for login in wrong) == 1


@pytest.mark.etcd
async def test_a_token_that_etcd_has_forgotten_is_replaced_once_for_all(guarded, connect):
    logins = [Credentials("app", "app-password") for _ in range(4)]
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(connect(guarded.endpoint, login)) for login in logins]
        for link in links:
            await read_head(link, APP)
        assert sum(login.asked for login in logins) == 1
        # Setting a password, even to the same, ends every token of its user.
        guarded.ctl("user", "passwd", "app", "--interactive=false", stdin="app-password\n")
        await asyncio.gather(*(read_head(link, APP) for link in links))
        for link in links:
            await read_head(link, APP)
        assert sum(login.asked for login in logins) == 2


@pytest.mark.etcd
async def test_a_token_is_taken_along_to_another_member(guarded, connect):
    """It is the cluster's; members that all clients move to at once would have a password to check for each."""
    login = Credentials("app", "app-password")
    for endpoint in (guarded.endpoint, guarded.endpoint.replace("127.0.0.1", "localhost")):
        async with connect(endpoint, login) as link:
            await read_head(link, APP)
    assert login.asked == 1
