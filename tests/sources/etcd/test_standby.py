"""The mirror in a run (P8): it starts the program, follows hand edits while etcd is away, and gives way in one step."""

from __future__ import annotations

import errno
import fcntl
import os
import time

import msgspec
import orjson
import pytest

from reactive_config._core.delta import Bare, Replace
from reactive_config._core.status import SourceState
from reactive_config._sources.etcd import Etcd, mirror, mirror_runner
from reactive_config._sources.etcd.mirror import Mirror
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

EDIT = "hand edit of the mirror"
NOBODY = "127.0.0.1:1"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mirror.json"


def read(file):
    return orjson.loads(file.read_bytes())


def edit(file, **keys):
    document = read(file)
    document["keys"].update(keys)
    file.write_bytes(orjson.dumps(document))


def edits(file):
    return list(file.parent.glob("mirror.json.edited-*"))


def said(feed, state, *parts):
    return feed.states and feed.states[-1][0] is state and all(part in feed.states[-1][1] for part in parts)


async def mirrored(follow, server, prefix, file, synced, **keys):
    """Let a first run write the mirror."""
    revision = await server.txn({f"{prefix}{name}": value for name, value in keys.items()})
    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
    return revision


async def test_it_holds_the_accepted_state_with_revisions(server, prefix, follow, file, synced):
    revision = await mirrored(follow, server, prefix, file, synced, a="1.10", b='{"x": 1}', c='{"broken')
    document = read(file)
    assert document["of"] == prefix
    assert document["keys"] == {
        f"{prefix}a": {"revision": revision, "value": "1.10"},
        f"{prefix}b": {"revision": revision, "value": '{"x": 1}'},
    }


async def test_a_rejected_value_leaves_the_last_accepted_one_in_the_mirror(server, prefix, follow, file, synced):
    await server.put(f"{prefix}a", "[1]")
    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        await feed.wait(synced)
        bad = await server.txn({f"{prefix}a": "[", f"{prefix}b": "2"})
        await feed.wait(lambda feed: feed.revision >= bad)
    assert {key: row["value"] for key, row in read(file)["keys"].items()} == {f"{prefix}a": "[1]", f"{prefix}b": "2"}


async def test_without_etcd_it_starts_the_program_after_mirror_after(server, prefix, follow, file, synced, values):
    await mirrored(follow, server, prefix, file, synced, a="1", b="[2]")
    async with follow(NOBODY, prefix=prefix, mirror=file, mirror_after=0.2) as feed:
        await feed.wait(lambda feed: feed.deltas, timeout=2)
        assert values(feed) == {f"{prefix}a": "<1>", f"{prefix}b": [2]}
        assert feed.entries[f"{prefix}a"].place == f"mirror {file}: {prefix}a"
        await feed.wait(lambda feed: said(feed, SourceState.STALE, "refused", "running on the mirror", "revision"))


async def test_when_etcd_comes_it_wins_in_one_replace(server, prefix, follow, file, synced, values, proxy):
    await mirrored(follow, server, prefix, file, synced, a="1")
    proxy.refuse()
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.1) as feed:
        await feed.wait(lambda feed: feed.deltas)
        await server.txn({f"{prefix}a": "2", f"{prefix}b": "2"})
        await proxy.listen()
        await feed.wait(synced)
        assert values(feed) == {f"{prefix}a": "<2>", f"{prefix}b": "<2>"}
        assert [type(delta) for delta in feed.deltas] == [Replace, Replace]
        assert not edits(file)


async def test_a_hand_edit_is_followed_while_etcd_is_away_and_kept_beside(
    server, prefix, follow, file, synced, values, proxy
):
    await server.txn({f"{prefix}a": "1", f"{prefix}b": "1"})
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.1) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        proxy.refuse()
        await feed.wait(lambda feed: said(feed, SourceState.STALE))
        edit(file, **{f"{prefix}a": "hand", f"{prefix}c": {"value": {"deep": 1}}})
        await feed.wait(lambda feed: values(feed).get(f"{prefix}a") == "<hand>")
        assert values(feed) == {f"{prefix}a": "<hand>", f"{prefix}b": "<1>", f"{prefix}c": {"deep": 1}}
        told = {name.removeprefix(prefix): entry for name, entry in feed.entries.items()}
        assert {name: entry.unit for name, entry in told.items() if name != "b"} == dict.fromkeys("ac", EDIT)
        assert {name: entry.place for name, entry in told.items()} == {
            "a": f"{EDIT} {file}: {prefix}a",
            "b": f"{prefix}b",  # as etcd has it
            "c": f"{EDIT} {file}: {prefix}c",
        }
        await feed.wait(lambda feed: said(feed, SourceState.STALE, "hand edit of the mirror"))
        edit(file, **{f"{prefix}a": "again"})
        await feed.wait(lambda feed: values(feed).get(f"{prefix}a") == "<again>")
        edited = file.read_bytes()
        before = len(feed.deltas)
        await proxy.listen()
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"] == 2)
        assert values(feed) == {f"{prefix}a": "<1>", f"{prefix}b": "<1>"}
        assert [type(delta) for delta in feed.deltas[before:]] == [Replace]
        assert [path.read_bytes() for path in edits(file)] == [edited]
        assert read(file)["keys"][f"{prefix}a"]["value"] == "1"


async def test_an_edit_that_is_taken_back_brings_the_last_good_back(
    server, prefix, follow, file, synced, values, proxy
):
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.1) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        good = file.read_bytes()
        proxy.refuse()
        edit(file, **{f"{prefix}a": "hand"})
        await feed.wait(lambda feed: values(feed)[f"{prefix}a"] == "<hand>")
        file.write_bytes(good)
        await feed.wait(lambda feed: values(feed)[f"{prefix}a"] == "<1>")


async def test_an_edit_while_etcd_is_there_is_not_followed(server, prefix, follow, file, synced, values):
    await server.put(f"{prefix}a", "1")
    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        edit(file, **{f"{prefix}a": "hand"})
        await server.put(f"{prefix}a", "2")
        await feed.wait(lambda feed: feed.counters["mirror_writes"] == 2)
        assert values(feed) == {f"{prefix}a": "<2>"}
        assert len(edits(file)) == 1


async def test_nothing_flaps_while_etcd_comes_and_goes(server, prefix, follow, file, synced, values, proxy):
    """Shorter absences than mirror_after never bring an edit in force, and the edit is set aside only once."""
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=5.0) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        edit(file, **{f"{prefix}a": "hand"})
        for _ in range(4):
            proxy.refuse()
            await feed.wait(lambda feed: said(feed, SourceState.STALE))
            await proxy.listen()
            await feed.wait(synced)
        await feed.wait(lambda feed: edits(file))
        assert len([delta for delta in feed.deltas if isinstance(delta, Replace)]) == 1
    assert len(edits(file)) == 1
    assert read(file)["keys"][f"{prefix}a"]["value"] == "1"


async def test_an_edit_that_gave_way_does_not_come_back_by_itself(
    server, prefix, follow, file, synced, values, proxy, monkeypatch
):
    """Not even where the file cannot be written, so that the edit stays in it: etcd that comes and goes would flap."""
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.05) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        monkeypatch.setattr(Mirror, "save", read_only)
        edit(file, **{f"{prefix}a": "hand"})
        proxy.refuse()
        await feed.wait(lambda feed: values(feed)[f"{prefix}a"] == "<hand>")
        for _ in range(3):
            await proxy.listen()
            await feed.wait(synced)
            assert values(feed) == {f"{prefix}a": "<1>"}
            proxy.refuse()
            await feed.wait(lambda feed: any("edit it again" in note for note in feed.said))
        assert [type(delta) for delta in feed.deltas] == [Replace, Replace, Replace]
        edit(file, **{f"{prefix}a": "again"})
        await feed.wait(lambda feed: values(feed)[f"{prefix}a"] == "<again>")


def read_only(*args, **options):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize("content", [b"", b'{"about": "Last accepted state. Whi'])
async def test_a_broken_mirror_is_noted_and_ignored(prefix, follow, file, content):
    file.write_bytes(content)
    async with follow(NOBODY, prefix=prefix, mirror=file, mirror_after=0.05) as feed:
        await feed.wait(lambda feed: feed.said and len(feed.states) > 2)
        assert "cannot be used" in feed.said[0]
        assert not feed.deltas
    assert file.read_bytes() == content


async def test_a_key_of_another_prefix_in_a_hand_edit_is_refused_by_name(
    server, prefix, follow, file, synced, values, proxy
):
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.05) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        proxy.refuse()
        edit(file, **{"/some/other/prefix/a": "hand"})
        await feed.wait(lambda feed: feed.said)
        expected = f"expected keys below {prefix}, got the key '/some/other/prefix/a'"
        assert feed.said == (f"{file} cannot be used: {expected}",)
        assert values(feed) == {f"{prefix}a": "<1>"}


async def test_an_end_does_not_wait_for_the_lock_of_another_process(server, prefix, follow, file, synced):
    await mirrored(follow, server, prefix, file, synced, a="1")
    lock = os.open(file.with_name("mirror.json.lock"), os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.deltas)
        begin = time.monotonic()
    assert time.monotonic() - begin < 1.0
    os.close(lock)


async def test_a_broken_edit_is_noted_with_its_line_and_what_is_in_force_stays(
    server, prefix, follow, file, synced, values, proxy
):
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.05) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        proxy.refuse()
        file.write_bytes(file.read_bytes().replace(b'"value"', b"value"))
        await feed.wait(lambda feed: feed.said)
        assert "line 1" in feed.said[0]
        assert values(feed) == {f"{prefix}a": "<1>"}
        await proxy.listen()
        await feed.wait(lambda feed: feed.counters["mirror_writes"] == 2)
        assert len(edits(file)) == 1


async def test_last_good_is_the_mirrors_state(server, prefix, follow, file, synced):
    await mirrored(follow, server, prefix, file, synced, a="1")
    source = Etcd(NOBODY, prefix=prefix, mirror=file)
    good = await source.last_good()
    assert good is not None
    assert {name: entry.value for name, entry in good.entries.items()} == {f"{prefix}a": Bare("1")}
    assert await Etcd(NOBODY, prefix=prefix).last_good() is None
    assert await Etcd(NOBODY, prefix=prefix, mirror=file.with_name("none")).last_good() is None


async def test_nothing_accepted_never_overwrites_a_mirror(server, prefix, follow, file, synced):
    """At a start with content that does not fit, the mirror is what the program starts from."""
    await mirrored(follow, server, prefix, file, synced, a="[1]")
    before = file.read_bytes()
    bad = await server.put(f"{prefix}a", "[")

    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.revision >= bad)
    assert file.read_bytes() == before


async def test_a_mirror_newer_than_etcd_tells_that_etcd_was_restored(server, prefix, follow, file, synced):
    await mirrored(follow, server, prefix, file, synced, a="1")
    mirror = Mirror(file, prefix)
    present = mirror.load()
    mirror.save(msgspec.structs.replace(present, revision=10**9, keys={}), set_aside=True, rewound=False)
    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        assert "it was restored" in feed.said[0]
    assert mirror.load().revision < 10**9
    assert list(mirror.load().keys) == [f"{prefix}a"]


async def test_a_mirror_that_cannot_be_written_is_noted_and_nothing_else(server, prefix, follow, tmp_path, synced):
    (tmp_path / "file").write_text("")
    await server.put(f"{prefix}a", "1")
    async with follow(server.endpoint, prefix=prefix, mirror=tmp_path / "file" / "mirror.json") as feed:
        await feed.wait(lambda feed: synced(feed) and any("cannot be written" in note for note in feed.said))


async def test_two_runs_share_one_file(server, prefix, follow, file, synced):
    await server.put(f"{prefix}a", "1")
    other = RecordingFeed()
    async with (
        follow(server.endpoint, prefix=prefix, mirror=file) as feed,
        follow(server.endpoint, prefix=prefix, mirror=file, feed=other),
    ):
        await feed.wait(synced)
        await other.wait(synced)
        for number in range(20):
            last = await server.put(f"{prefix}a", str(number))
        await feed.wait(lambda feed: feed.revision >= last)
        await other.wait(lambda feed: feed.revision >= last)
    assert read(file)["keys"] == {f"{prefix}a": {"revision": last, "value": "19"}}
    assert not edits(file)


@pytest.mark.parametrize("away", [False, True])
async def test_what_takes_the_mirrors_place_later_is_left_as_it_is(
    server, prefix, follow, file, synced, proxy, caplog, away
):
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.05) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
        file.unlink()
        file.mkdir()
        if away:
            proxy.refuse()
        else:
            await server.put(f"{prefix}a", "2")
        text = f"{file}: expected the mirror of {prefix}, or nothing, got a directory; it is left as it is"
        await feed.wait(lambda feed: feed.said == (text,))
        assert [record.getMessage() for record in caplog.records] == [f"etcd: {text}"]
        file.rmdir()
        if away:
            await proxy.listen()
        await server.put(f"{prefix}a", "3")
        # Back from an outage, what etcd had then is written first.
        await feed.wait(lambda feed: file.exists() and read(file)["keys"][f"{prefix}a"]["value"] == "3")
        await feed.wait(lambda feed: not feed.said)


async def test_a_lock_that_is_held_is_noted_and_the_copy_is_written_later(
    server, prefix, follow, file, synced, monkeypatch, caplog
):
    monkeypatch.setattr(mirror, "LOCK_PATIENCE", 0.05)
    monkeypatch.setattr(mirror_runner, "RETRY_PAUSE", 0.05)
    await mirrored(follow, server, prefix, file, synced, a="1")
    lock = os.open(file.with_name("mirror.json.lock"), os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    revision = await server.put(f"{prefix}a", "2")
    async with follow(server.endpoint, prefix=prefix, mirror=file) as feed:
        text = f"{file} cannot be written: another process holds its lock"
        await feed.wait(lambda feed: feed.said == (text,))
        assert [record.getMessage() for record in caplog.records] == [f"etcd: {text}"]
        os.close(lock)
        await feed.wait(lambda feed: feed.counters["mirror_writes"] and not feed.said)
        assert read(file)["revision"] == revision
