"""An etcd that was wiped and filled by the same script, with one value another, is recognised whatever its size."""

from __future__ import annotations

import math
import os
import random
import sys
import time
from pathlib import Path

import msgspec
import pytest

from reactive_config._etcd.errors import Compacted
from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.pace import Pace
from reactive_config._etcd.reading import pick, read_all, read_head
from reactive_config._etcd.transaction import write
from reactive_config._sources.etcd import comparison
from reactive_config._sources.etcd.comparison import Comparison
from reactive_config._sources.etcd.handover import Handover
from reactive_config._sources.etcd.key_documents import read_documents
from reactive_config._sources.etcd.key_layout import KeyLayout
from reactive_config._sources.etcd.store import Store
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

RANGE = prefix_range(b"/s/")


def names(keys):
    return [f"/s/k{number:05}" for number in range(keys)]


async def seed(server, keys, *, changed="", dropped="", added=""):
    """What a seed script does: the same transactions each time."""
    puts = {name: "changed" if name == changed else "as before" for name in names(keys) if name != dropped}
    puts |= {added: "as before"} if added else {}
    items = sorted(puts.items())
    async with server.connect() as link:
        for start in range(0, len(items), 100):
            await write(link, dict(items[start : start + 100]))
        return await read_head(link, RANGE, newest=True)


async def reseed(server, keys, **difference):
    server.kill()
    server.wipe()
    await server.start()
    return await seed(server, keys, **difference)


@pytest.fixture
def hasty(monkeypatch):
    """No pause to speak of between pages, and many of them."""
    monkeypatch.setattr(comparison, "PAUSE", 0.002)
    monkeypatch.setattr(comparison, "SHARE", 0)
    monkeypatch.setattr(comparison, "KEYS", 100)


@pytest.mark.parametrize("keys", [600, pytest.param(5000, marks=pytest.mark.storm)])
@pytest.mark.parametrize("place", [0, 0.37, 1], ids=["first", "middle", "last"])
async def test_one_value_of_all(own, follow, values, synced, replaces, hasty, keys, place):
    before = await seed(own, keys)
    other = names(keys)[int(place * (keys - 1))]
    async with tcp_proxy(own.endpoint) as proxy, follow(proxy.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        proxy.refuse()
        after = await reseed(own, keys, changed=other)
        assert after == before  # cluster, term, revision, count and newest
        await proxy.listen()
        await feed.wait(lambda feed: feed.counters["restores"] == 1 and synced(feed))
        assert values(feed) == dict.fromkeys(names(keys), "<as before>") | {other: "<changed>"}
        assert replaces(feed) == 2
        assert "etcd was restored: the keys at our revision are others" in feed.said[0]


async def test_another_key_in_place_of_one(own, follow, values, synced, replaces, hasty):
    before = await seed(own, 600)
    gone, new = names(600)[100], "/s/k00099x"
    async with tcp_proxy(own.endpoint) as proxy, follow(proxy.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        proxy.refuse()
        after = await reseed(own, 600, dropped=gone, added=new)
        assert (after.revision, after.count, after.newest) == (before.revision, before.count, before.newest)
        await proxy.listen()
        await feed.wait(lambda feed: feed.counters["restores"] == 1 and synced(feed))
        assert set(values(feed)) == {*names(600), new} - {gone}
        assert replaces(feed) == 2


async def test_a_large_share_is_found_before_anything_resumes(own, follow, values, synced):
    """Without the comparison in the background, which never begins here."""
    await seed(own, 600)
    async with tcp_proxy(own.endpoint) as proxy, follow(proxy.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        proxy.refuse()
        own.kill()
        own.wipe()
        await own.start()
        async with own.connect() as link:
            for start in range(0, 600, 100):
                await write(link, dict.fromkeys(names(600)[start : start + 100], "others"))
        await proxy.listen()
        await feed.wait(lambda feed: feed.counters["restores"] == 1 and synced(feed))
        assert feed.counters["comparisons"] == 0
        assert feed.counters["reconnects"] == 1


async def test_an_etcd_that_is_the_same_is_compared_once_and_not_listed(own, follow, synced, replaces, hasty):
    """While keys come, change and go."""
    await seed(own, 1000)
    async with own.connect() as link, tcp_proxy(own.endpoint) as proxy, follow(proxy.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        proxy.refuse()
        await feed.wait(lambda feed: not synced(feed))
        await write(link, {"/s/k00500": "away"}, ["/s/k00501"])
        await proxy.listen()
        rng = random.Random(1)
        while not feed.counters["comparisons"]:
            name, other = rng.sample(names(1000), 2)
            last = await write(link, {name: "changed", f"{name}x": "new"}, [other, f"{other}x"])
        await feed.wait(lambda feed: feed.revision >= last)
        assert feed.counters["relists"] == feed.counters["restores"] == 0
        assert feed.counters["comparisons"] == 1
        assert replaces(feed) == 1


async def test_sessions_that_are_short_compare_all_keys_in_the_end(own, follow, values, synced, hasty, monkeypatch):
    """Each one ends after a page, and the next goes on there."""
    keys = 1000
    await seed(own, keys)
    walked = []
    real = Comparison._page

    async def page(self, start, end):
        if walked and walked[-1] != start:
            walked.append(start)
            proxy.reset()
        walked.append(start)
        return await real(self, start, end)

    monkeypatch.setattr(Comparison, "_page", page)
    async with tcp_proxy(own.endpoint) as proxy, follow(proxy.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        proxy.refuse()
        await reseed(own, keys, changed=names(keys)[700])
        await proxy.listen()
        await feed.wait(lambda feed: feed.counters["restores"] == 1 and synced(feed))
        assert values(feed)[names(keys)[700]] == "<changed>"


class Holding:
    """A comparison of what a store holds with what the server has."""

    def __init__(self, link, store, advance=None):
        async def nothing():
            raise AssertionError("nothing is to be advanced")

        rng = random.Random(3)
        self.equal = Comparison(link, RANGE, store, Handover(), rng, advance or nothing).equal


@pytest.fixture
async def held(own, hasty):
    """A store that holds what `own` has, 600 keys of it."""
    await seed(own, 600)
    store = Store()
    async with own.connect() as link:
        listing = await read_all(link, RANGE)
        store.replace(listing, await read_documents(KeyLayout(prefix="/s/"), listing.items, {}))
        yield store, link


async def test_what_the_watch_has_not_brought_yet_is_no_difference(own, held):
    store, link = held
    await write(link, {"/s/k00001": "later", "/s/new": "later"}, ["/s/k00002"])
    assert await Holding(link, store).equal()


async def test_a_compaction_under_a_comparison_goes_on_at_a_later_revision(own, held):
    store, link = held
    revision = await write(link, {"/other": "1"})
    await own.compact(revision)
    advanced = []

    async def advance():
        advanced.append(revision)
        store.advance(revision)

    with pytest.raises(Compacted):
        await pick(link, RANGE, [b"/s/k00001"], store.revision, Pace())
    assert await Holding(link, store, advance).equal()
    assert advanced == [revision]


@pytest.mark.parametrize("change", ["missing", "more", "value", "revision"])
async def test_every_kind_of_difference_is_found(own, held, change):
    store, link = held
    if change == "more":
        del store.documents["/s/k00300"]
    else:
        document = store.documents.pop("/s/k00300")
        name = "/s/k00300x" if change == "missing" else "/s/k00300"
        changes = {"missing": {"place": name}, "value": {"raw": b"other"}, "revision": {"revision": 2}}[change]
        if change == "missing":
            store.documents["/s/k00300"] = document
        store.documents[name] = msgspec.structs.replace(document, **changes)
    assert not await Holding(link, store).equal()


async def test_fewer_operations_than_usual_are_picked_in_several_transactions(binary):
    async with etcd_server(binary, flags=["--max-txn-ops", "20"]) as server, server.connect() as link:
        for name in names(40):
            last = await write(link, {name: "1"})
        picked = await pick(link, RANGE, [name.encode() for name in names(40)], last, Pace())
        assert [item.key.decode() for item in picked.items] == names(40)
        assert picked.count == 40


def test_a_sample_finds_a_difference_as_often_as_chance_has_it():
    """Of 5,000 keys 100 differ: the chance to miss them all is that of drawing 111 times without replacement."""
    keys = [str(number).encode() for number in range(5000)]
    first = keys[-comparison.NEWEST :]
    others = set(keys[:100])
    rng = random.Random(7)
    drawn, rounds = 127 - comparison.NEWEST, 2000
    missed = sum(not others & set(comparison.sample(keys, lambda _: 1, rng, first=first)) for _ in range(rounds))
    expected = rounds * math.comb(4900, drawn) / math.comb(5000, drawn)
    assert abs(missed - expected) < 4 * math.sqrt(expected)


def test_a_sample_has_all_of_the_newest_and_no_more_than_its_bytes():
    keys = [str(number).encode() for number in range(5000)]
    rng = random.Random(7)
    chosen = comparison.sample(keys, lambda _: 1, rng, first=keys[:16])
    assert chosen[:16] == keys[:16]
    assert len(set(chosen)) == len(chosen) == 127
    assert len(comparison.sample(keys, lambda _: 10_000, rng)) == 26
    assert len(comparison.sample(keys, lambda _: 1_000_000, rng)) == 1


def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.storm
@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "keys",
    [
        10_000,
        pytest.param(
            100_000, marks=pytest.mark.skipif("ETCD_TIMES" not in os.environ, reason="takes minutes: set ETCD_TIMES")
        ),
    ],
)
async def test_what_a_comparison_takes_and_costs(binary, follow, synced, monkeypatch, keys):
    """With `-s` the figures of docs/etcd.md; values of 100 bytes."""
    asked = []
    real = Link.call

    async def call(self, method, request, timeout=None, **more):
        reply = await real(self, method, request, timeout, **more)
        if not getattr(request, "count_only", False) and not getattr(request, "keys_only", False):  # a heartbeat
            asked.append((request, reply.ByteSize()))
        return reply

    async with etcd_server(binary, flags=["--max-txn-ops", "10000"]) as server, server.connect() as link:
        for start in range(0, keys, 5000):
            await write(link, {f"/s/k{number:06}": "x" * 100 for number in range(start, start + 5000)})
        async with tcp_proxy(server.endpoint) as proxy, follow(proxy.endpoint, prefix="/s/") as feed:
            await feed.wait(synced, timeout=30)
            proxy.refuse()
            await feed.wait(lambda feed: not synced(feed))
            monkeypatch.setattr(Link, "call", call)
            begin = time.monotonic()
            await proxy.listen()
            await feed.wait(synced)
            resumed = time.monotonic() - begin
            await feed.wait(lambda feed: feed.counters["comparisons"] == 1, timeout=350)
            took = time.monotonic() - begin
            monkeypatch.undo()
        # The same questions once more, without pauses and heartbeats: what they cost.
        ours, etcds, rounds = time.process_time(), cpu_of(server.pid), 10
        for request, _ in asked[1:] * rounds:
            await link.call(link.kv.Range, request)
        ours, etcds = (time.process_time() - ours) / rounds, (cpu_of(server.pid) - etcds) / rounds
    sample, *pages = [size for _, size in asked]
    print(
        f"etcd {binary.version}, {keys} keys: resumed after {resumed:.2f} s, sample {sample / 1e3:.0f} kB; "
        f"compared after {took:.0f} s, {len(pages)} pages, {sum(pages) / 1e6:.1f} MB, "
        f"largest {max(pages) / 1e3:.0f} kB, "
        f"{1000 * etcds:.0f} ms of etcd's CPU, {1000 * ours:.0f} ms here"
    )
    assert keys * 100 < sum(pages) < keys * 150
    assert took < 1.5 * 2 * keys / 1000 + 10
