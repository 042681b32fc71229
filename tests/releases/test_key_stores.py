"""Both stores keep what the protocol promises."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config._releases.key_store import (
    HEADS,
    MOST_BYTES,
    KeysMoved,
    StoreListing,
    StoreTooLarge,
    Write,
)

from .conftest import following

pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]

HEAD = f"{HEADS}shop/production"


async def test_a_write_is_read_and_followed(open_store):
    async with open_store() as store, following(store) as told:
        first = await store.commit(Write({"shop/production/a": b"1", "shop/production/b": b"2"}))
        assert (await store.get("shop/production/a")).value == b"1"
        assert (await store.get("shop/production/a")).revision == first
        assert await store.get("shop/production/c") is None
        second = await store.commit(Write({HEAD: b"h"}, frozenset(["shop/production/a", "never/was/there"])))
        assert second > first
        await told.wait(lambda: told.revision >= second)
        assert told.keys == {"shop/production/b": b"2", HEAD: b"h"}
        assert isinstance(told.news[0], StoreListing)


async def test_what_is_no_configuration_is_not_told(open_store):
    async with open_store() as store, following(store) as told:
        await store.commit(Write({"_control/releases/shop/production/1": b"x", "_other": b"y"}))
        last = await store.commit(Write({"z": b"1"}))
        await told.wait(lambda: told.revision >= last)
        assert told.keys == {"z": b"1"}
    async with open_store() as store, following(store) as told:
        assert told.keys == {"z": b"1"}


async def test_each_condition_counts(open_store):
    async with open_store() as store, following(store):
        first = await store.commit(Write({"a/b/x": b"1"}))
        second = await store.commit(Write({"a/c/y": b"1"}))
        for write in (
            Write({"a/b/x": b"2"}, unchanged={"a/b/x": second}),
            Write({"a/b/x": b"2"}, unchanged={"a/b/x": 0}),
            Write({"a/b/x": b"2"}, unchanged={"a/b/other": first}),
            Write({"a/b/x": b"2"}, unchanged={"a/b/x": first, "a/c/y": first}),
            Write({"a/b/x": b"2"}, quiet={"a/b/": first - 1}),
            Write({"a/b/x": b"2"}, quiet={"a/b/": first, "a/c/": first}),
        ):
            with pytest.raises(KeysMoved) as caught:
                await store.commit(write)
            assert caught.value.revision <= second
        assert (await store.get("a/b/x")).value == b"1"
        third = await store.commit(
            Write({"a/b/x": b"2"}, unchanged={"a/b/x": first, "a/b/new": 0}, quiet={"a/b/": first, "a/d/": 0})
        )
        assert third > second
        await store.commit(Write({}, frozenset(["a/b/x"]), {"a/b/x": third}))
        await store.commit(Write({"a/b/x": b"3"}, unchanged={"a/b/x": 0}))


async def test_scanning_gives_the_last_names_first(open_store):
    async with open_store() as store, following(store):
        await store.commit(Write({f"_control/r/{n:03}": str(n).encode() for n in range(20)} | {"_control/s/1": b""}))
        rows = await store.scan("_control/r/", "", "~", 3)
        assert [(key, stored.value) for key, stored in rows] == [
            ("_control/r/019", b"19"),
            ("_control/r/018", b"18"),
            ("_control/r/017", b"17"),
        ]
        assert [key for key, _ in await store.scan("_control/r/", "005", "007", 9)] == [
            "_control/r/006",
            "_control/r/005",
        ]
        assert await store.scan("_control/t/", "", "~", 9) == []


async def test_of_writers_that_compare_one_wins_each_time(open_store):
    async with open_store() as one, open_store() as other, following(one), following(other):
        await one.commit(Write({"counter": b"0"}))

        async def count(store):
            while True:
                stored = await store.get("counter")
                try:
                    return await store.commit(
                        Write({"counter": str(int(stored.value) + 1).encode()}, unchanged={"counter": stored.revision})
                    )
                except KeysMoved:
                    continue

        revisions = await asyncio.gather(*(count(store) for store in (one, other) for _ in range(10)))
        assert len(set(revisions)) == 20
        assert (await one.get("counter")).value == b"20"


async def test_every_follower_sees_every_write_in_order(open_store):
    async with open_store() as one, open_store() as other, following(one) as near, following(other) as far:
        for number in range(30):
            last = await one.commit(
                Write({f"n/e/{number % 5}": str(number).encode()}, frozenset([f"n/e/{(number + 1) % 5}"]))
            )
        for told in (near, far):
            await told.wait(lambda told=told: told.revision >= last)
            assert told.keys == {"n/e/4": b"29", "n/e/3": b"28", "n/e/2": b"27", "n/e/1": b"26"}
            assert sum(isinstance(news, StoreListing) for news in told.news) == 1


async def test_more_than_a_transaction_takes_is_refused_and_not_written(open_store):
    async with open_store() as store, following(store):
        with pytest.raises(StoreTooLarge):
            await store.commit(Write({"a/b/c": b"x" * (MOST_BYTES + 1)}))
        assert await store.get("a/b/c") is None
        with pytest.raises(StoreTooLarge):
            await store.commit(Write({f"a/b/{n}": b"" for n in range(200)}))
        assert await store.get("a/b/1") is None
        await store.commit(Write({"a/b/c": b"x" * (MOST_BYTES - 100)}))
