"""Lists, looks, transactions and tokens against real servers."""

from __future__ import annotations

import time

import anyio
import pytest
from aetcd.rpc import PutRequest

from reactive_config._etcd import channel, reading
from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.errors import Compacted, FutureRevision, RequestRefused, TooLarge, Unavailable
from reactive_config._etcd.messages import KeyRange, prefix_range
from reactive_config._etcd.reading import read_all, read_head
from reactive_config._etcd.transaction import ConditionFailed, compact, transact, write
from reactive_config._etcd.watching import open_watch
from reactive_config._testing.etcd_server import running_etcd

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


async def fill(link, prefix, count):
    return await write(link, {f"{prefix}{number:03}": str(number) for number in range(count)})


async def test_a_paged_list_is_of_one_revision_however_much_is_written_meanwhile(link, prefix):
    revision = await fill(link, prefix, 100)
    real, pages = link.call, []

    async def writing(method, request, timeout=None):
        pages.append(await real(method, request, timeout))
        await real(link.kv.Put, _put(f"{prefix}{len(pages) * 7:03}", "late"))
        return pages[-1]

    link.call = writing
    listing = await read_all(link, prefix_range(prefix.encode()), page=30)
    assert len(pages) == 5
    assert listing.sight.revision == revision
    assert [item.value for item in listing.items] == [str(number).encode() for number in range(100)]
    assert (listing.sight.count, listing.sight.newest) == (100, revision)


def _put(key, value):
    return PutRequest(key=key.encode(), value=value.encode())


async def test_a_compaction_between_two_pages_begins_a_new_list(link, prefix):
    await fill(link, prefix, 100)
    real, pages = link.call, []

    async def compacting(method, request, timeout=None):
        reply = await real(method, request, timeout)
        pages.append(reply)
        if len(pages) == 2:
            await real(link.kv.Put, _put(f"{prefix}new", "1"))
            link.call = real
            await compact(link, reply.header.revision + 1)
        return reply

    link.call = compacting
    listing = await read_all(link, prefix_range(prefix.encode()), page=30)
    assert len(listing.items) == 101


@pytest.mark.parametrize(
    ("count", "size", "limits"),
    [(60, 10, [5, 30, 30]), (11, 300_000, [5, 3, 3]), (7, 1_200_000, [5, 1, 1])],
)
async def test_pages_grow_with_small_values_and_shrink_with_large_ones(link, prefix, monkeypatch, count, size, limits):
    monkeypatch.setattr(reading, "FIRST", 5)
    for number in range(count):
        await write(link, {f"{prefix}{number}": "x" * size})
    real, asked = link.call, []

    async def asking(method, request, timeout=None):
        asked.append(request.limit)
        return await real(method, request, timeout)

    link.call = asking
    assert len((await read_all(link, prefix_range(prefix.encode()), page=30)).items) == count
    assert asked == limits


async def test_answers_above_the_receive_limit_are_asked_for_in_smaller_pages(server, prefix, connect, monkeypatch):
    monkeypatch.setattr(channel, "MAX_MESSAGE", 100_000)
    async with connect(server.endpoint) as link:
        for number in range(6):
            await write(link, {f"{prefix}{number}": "x" * 40_000})
        assert len((await read_all(link, prefix_range(prefix.encode()))).items) == 6
        await write(link, {f"{prefix}big": "x" * 200_000})
        with pytest.raises(TooLarge):
            await read_all(link, prefix_range(prefix.encode()))


async def test_a_look_tells_count_newest_and_revision(link, prefix):
    first = await fill(link, prefix, 3)
    last = await write(link, {f"{prefix}001": "x"}, [f"{prefix}002"])
    keys = prefix_range(prefix.encode())
    sight = await read_head(link, keys, newest=True)
    assert (sight.revision, sight.count, sight.newest) == (last, 2, last)
    before = await read_head(link, keys, newest=True, revision=first)
    assert (before.revision, before.count, before.newest) == (last, 3, first)
    assert (await read_head(link, KeyRange(f"{prefix}001".encode()))).count == 1
    assert (await read_head(link, prefix_range(b""))).count >= 2
    with pytest.raises(FutureRevision):
        await read_head(link, keys, revision=last + 1000)
    await compact(link, last)
    with pytest.raises(Compacted):
        await read_all(link, keys, revision=first)


async def test_a_condition_keeps_a_transaction_from_overwriting(link, prefix):
    key = f"{prefix}a"
    first = await write(link, {key: "1"}, when={key: 0})
    with pytest.raises(ConditionFailed):
        await write(link, {key: "2"}, when={key: 0})
    assert not (await transact(link, {key: "2"}, when={key: first - 1})).succeeded
    second = await write(link, {}, [key], when={key: first})
    assert second > first


async def test_nobody_there_is_said_in_plain_words(connect):
    async with connect("127.0.0.1:1") as link:
        with pytest.raises(
            Unavailable,  # older gRPCs add the name of the call and the number
            match=r"^127\.0\.0\.1:1: Failed to connect to remote host: (connect: )?Connection refused( \(\d+\))?$",
        ):
            await read_head(link, prefix_range(b"/"))


async def test_a_call_has_a_deadline(server, connect):
    server.stop()
    try:
        async with connect(server.endpoint, timeout=0.2) as link:
            begin = time.monotonic()
            with pytest.raises(Unavailable, match="no answer in time"):
                await read_head(link, prefix_range(b"/"))
            assert time.monotonic() - begin < 1.5
    finally:
        server.cont()


async def test_closing_the_channel_under_a_call_is_trouble_and_not_a_cancellation(server, connect):
    """gRPC gives the caller a bare CancelledError; taken for a cancellation, it would end a task group silently."""
    server.stop()
    failures = []
    try:
        async with connect(server.endpoint, timeout=5.0) as link:

            async def call():
                try:
                    await read_head(link, prefix_range(b"/"))
                except Unavailable as error:
                    failures.append(error)

            async with anyio.create_task_group() as group:
                group.start_soon(call)
                await anyio.wait_all_tasks_blocked()
                await link._channel.close()
    finally:
        server.cont()
    assert len(failures) == 1
    async with connect(server.endpoint):
        pass  # closing it waits for what the channel closed by hand has left in gRPC's queue


async def test_a_cancel_scope_knows_its_own_cancellation_when_it_comes_back_from_grpc(server, connect):
    """gRPC raises another CancelledError than the one that it got, and a scope swallows only its own."""
    server.stop()
    try:
        async with connect(server.endpoint) as link:
            with anyio.move_on_after(0.05) as scope:
                await read_head(link, prefix_range(b"/"))
            assert scope.cancelled_caught
            with anyio.move_on_after(0.05) as scope:
                async with open_watch(link, prefix_range(b"/"), 1):
                    pass
            assert scope.cancelled_caught
    finally:
        server.cont()


@pytest.fixture(scope="module")
def guarded(binary):
    with running_etcd(binary, auth={"app": ("app-password", ["/app/"])}) as server:
        yield server


async def test_a_token_is_kept_across_connections_and_replaced_once_when_it_is_unknown(guarded, connect):
    credentials = Credentials("app", "app-password")
    for _ in range(3):
        async with connect(guarded.endpoint, credentials) as link:
            await read_head(link, prefix_range(b"/app/"))
    assert credentials.asked == 1
    credentials._token = credentials._login.token = "long.expired"
    async with connect(guarded.endpoint, credentials) as link:
        await read_head(link, prefix_range(b"/app/"))
        await read_head(link, prefix_range(b"/app/"))
    assert credentials.asked == 2


async def test_a_missing_permission_is_no_reason_to_authenticate_again(guarded, connect):
    credentials = Credentials("app", "app-password")
    async with connect(guarded.endpoint, credentials) as link:
        for _ in range(3):
            with pytest.raises(RequestRefused, match="user 'app' has no permission"):
                await read_head(link, prefix_range(b"/other/"))
    assert credentials.asked == 1


async def test_a_password_is_in_no_text(guarded, connect):
    credentials = Credentials("app", "hunter2")
    async with connect(guarded.endpoint, credentials) as link:
        with pytest.raises(RequestRefused, match="wrong user or password") as refused:
            await read_head(link, prefix_range(b"/app/"))
    assert "hunter2" not in f"{refused.value!r} {credentials!r}"
    assert refused.value.__cause__ is None
