"""Releases over both stores: each change once, in order, with a way back; nothing is overwritten unseen."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from datetime import UTC, datetime, timedelta

import anyio
import msgspec
import pytest

from reactive_config._formats.keys import read_value
from reactive_config._releases import contents, whole_contents
from reactive_config._releases.change_requests import ChangeRequest
from reactive_config._releases.contents import EMPTY
from reactive_config._releases.document_edits import plan_edits
from reactive_config._releases.environment_name import EnvironmentName, InvalidName
from reactive_config._releases.history import NoSuchRelease
from reactive_config._releases.idempotency import (
    ANSWERS,
    IdempotencyKey,
    OtherRequest,
    forget_answers,
    forget_regularly,
)
from reactive_config._releases.key_store import StoreAway, StoreTooLarge
from reactive_config._releases.path_changes import NeedsForce
from reactive_config._releases.release import GENESIS
from reactive_config._releases.retention import Retention

from .conftest import ENVIRONMENT, releasing, says, tree, write_around

pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]


async def test_a_change_reads_each_document_once(open_store, monkeypatch):
    """It is planned, made, and read back; the documents beside it are not read at all."""
    read = []
    monkeypatch.setattr(contents, "read_value", lambda raw, *rest: read.append(raw) or read_value(raw, *rest))
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(pool={"size": 71}, other={"a": 1}))
        assert tree(releases)["other"] == {"a": 1}
        contents._read.cache_clear()
        read.clear()
        await releases.change(ENVIRONMENT, says(pool={"size": 72}))
        assert tree(releases)["pool"] == {"size": 72}
        assert read == [b'{"size":72}']


async def test_a_change_makes_a_release(open_store):
    async with releasing(open_store) as releases:
        outcome = await releases.change(ENVIRONMENT, says(pool={"size": 1}))
        release = outcome.release
        assert (release.number, release.author, release.message, release.parent) == (1, "somebody", "because", GENESIS)
        assert (release.keys, outcome.created, release.revision) == (1, True, outcome.revision)
        assert [(change.path, change.after) for change in outcome.changes] == [(("pool",), {"size": 1})]
        second = (await releases.change(ENVIRONMENT, says(pool={"size": 2}))).release
        assert (second.number, second.parent) == (2, release.hash)
        assert tree(releases) == {"pool": {"size": 2}}
        assert await releases.history.releases(ENVIRONMENT) == [second, release]
    async with releasing(open_store) as releases:
        assert tree(releases) == {"pool": {"size": 2}}


async def test_what_changes_nothing_makes_none(open_store):
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(pool={"size": 1}))
        outcome = await releases.change(ENVIRONMENT, says(pool={"size": 1}))
        assert outcome.release is None
        assert outcome.changes == []
        assert len(await releases.history.releases(ENVIRONMENT)) == 1


async def test_a_dry_run_writes_nothing(open_store):
    async with releasing(open_store) as releases:
        outcome = await releases.change(ENVIRONMENT, msgspec.structs.replace(says(a=1), dry_run=True))
        assert outcome.release is None
        assert outcome.contents.tree == {"a": 1}
        assert outcome.created
        assert releases.replica.environments() == []


async def test_writers_of_two_processes_lose_nothing(open_store):
    async with releasing(open_store) as one, releasing(open_store) as other:

        def add(name):
            async def plan(state):
                names = state.contents.tree.get("names", [])
                return plan_edits(state.contents, {"names": [*names, name]})

            return ChangeRequest(plan=plan, author=name)

        outcomes = await asyncio.gather(
            *(
                releases.change(ENVIRONMENT, add(f"{where}{n}"))
                for n in range(20)
                for where, releases in zip("ab", (one, other), strict=True)
            )
        )
        numbers = sorted(outcome.release.number for outcome in outcomes)
        assert numbers == list(range(1, 41))
        history = await one.history.releases(ENVIRONMENT)
        names = [release.author for release in reversed(history)]
        await one.replica.wait(max(outcome.revision for outcome in outcomes), 5)
        assert tree(one) == {"names": names}
        assert [release.parent for release in history[:-1]] == [release.hash for release in history[1:]]


async def test_what_was_written_around_releases_becomes_one(open_store):
    async with open_store() as store, releasing(open_store) as releases:
        first = await releases.change(ENVIRONMENT, says(pool={"size": 1}, other=1))
        revision = await write_around(releases._store, {"pool/size": b"5"}, {"other.json"})
        await releases.replica.wait(revision, 5)
        outcome = await releases.change(ENVIRONMENT, says(pool={"size": 6}))
        assert outcome.release.number == 3
        external = (await releases.history.releases(ENVIRONMENT))[1]
        assert (external.kind, external.author, external.external) == ("external", "", (first.revision + 1, revision))
        before = await releases.contents_at(ENVIRONMENT, 1)
        between = await releases.contents_at(ENVIRONMENT, 2)
        assert before.tree == {"pool": {"size": 1}, "other": 1}
        assert {key.key: key.raw for key in between} == {"pool": b'{"size":1}', "pool/size": b"5"}
        assert tree(releases)["pool"].keys() == {"size"}
        assert {key.key: key.raw for key in outcome.contents}["pool/size"] == b"6"
        del store


async def test_keys_that_were_there_before_the_first_release_are_kept(open_store):
    async with releasing(open_store) as releases:
        revision = await write_around(releases._store, {"pool/size": b"5", "name": b"shop"})
        await releases.replica.wait(revision, 5)
        outcome = await releases.change(ENVIRONMENT, says(pool={"size": 6}))
        assert [release.kind for release in await releases.history.releases(ENVIRONMENT)] == ["change", "external"]
        assert (await releases.contents_at(ENVIRONMENT, 1)).get("pool/size").raw == b"5"
        assert not outcome.created


async def test_what_was_written_while_nobody_followed_becomes_a_release(open_store):
    async with releasing(open_store) as releases:
        for number in range(120):  # all contents are kept twice meanwhile
            await releases.change(ENVIRONMENT, says(pool={"size": number}, name="x"))
        await write_around(releases._store, {"pool": b'{"size": 1000}'}, {"name"})
    async with releasing(open_store) as releases:
        state = await releases.settled(ENVIRONMENT)
        assert state.released.number == 121
        assert (await releases.contents_at(ENVIRONMENT, 120)).tree == {"pool": {"size": 119}, "name": "x"}
        assert (await releases.contents_at(ENVIRONMENT, 1)).tree == {"pool": {"size": 0}, "name": "x"}


async def test_restore_makes_all_as_it_was_to_the_byte(open_store):
    async with releasing(open_store) as releases:
        revision = await write_around(releases._store, {"pool/size": b"5", "raw.yaml": b"# a comment\na: 1\n"})
        await releases.replica.wait(revision, 5)
        await releases.change(ENVIRONMENT, says(pool={"size": 6}, new=[1]))
        await releases.change(ENVIRONMENT, says(raw={"a": 2}))
        outcome = await releases.restore(ENVIRONMENT, 1, says())
        assert (outcome.release.kind, outcome.release.restores, outcome.release.number) == ("restore", 1, 4)
        contents = releases.replica.state(ENVIRONMENT).contents
        assert {document.key: document.raw for document in contents} == {
            "pool/size": b"5",
            "raw.yaml": b"# a comment\na: 1\n",
        }
        for number in (0, 5, -1):
            with pytest.raises(NoSuchRelease):
                await releases.restore(ENVIRONMENT, number, says())


async def test_who_set_a_value(open_store):
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(pool={"size": 1, "min": 0}))
        await releases.change(ENVIRONMENT, says(pool={"size": 2, "min": 0}))
        await releases.change(ENVIRONMENT, says(other=1))
        state = await releases.settled(ENVIRONMENT)

        async def number(*path):
            release = await releases.who_set(state, path)
            return release and release.number

        assert [
            await number("pool", "size"),
            await number("pool", "min"),
            await number("pool"),
            await number("other"),
        ] == [2, 1, 2, 3]
        assert await number() == 3
        assert await number("never") is None


async def test_a_repeated_request_happens_once(open_store):
    async with releasing(open_store) as releases:
        key = IdempotencyKey("me", "k1", "body")
        request = msgspec.structs.replace(says(a=1), repeat=key)
        first = await releases.change(ENVIRONMENT, request)
        await releases.change(ENVIRONMENT, says(a=2))
        again = await releases.change(ENVIRONMENT, request)
        assert (again.release, again.repeated, first.repeated) == (first.release, True, False)
        assert tree(releases) == {"a": 2}
        with pytest.raises(OtherRequest):
            await releases.change(
                ENVIRONMENT, msgspec.structs.replace(says(a=3), repeat=IdempotencyKey("me", "k1", "b2"))
            )
        await releases.change(
            ENVIRONMENT, msgspec.structs.replace(says(a=3), repeat=IdempotencyKey("you", "k1", "body"))
        )
        nothing = msgspec.structs.replace(says(a=3), repeat=IdempotencyKey("me", "k2", "body"))
        assert (await releases.change(ENVIRONMENT, nothing)).release is None
        await releases.change(ENVIRONMENT, says(a=4))
        assert (await releases.change(ENVIRONMENT, nothing)).repeated
        assert tree(releases) == {"a": 4}


async def test_of_equal_requests_at_once_one_makes_a_release(open_store):
    async with releasing(open_store) as one, releasing(open_store) as other:
        key = IdempotencyKey("me", "k", "body")
        request = msgspec.structs.replace(says(a=1), repeat=key)
        outcomes = await asyncio.gather(*(releases.change(ENVIRONMENT, request) for releases in (one, other) * 5))
        assert {outcome.release.number for outcome in outcomes} == {1}
        assert sum(not outcome.repeated for outcome in outcomes) == 1


async def test_answers_are_kept_a_day(open_store):
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now():
        return moment

    async with releasing(open_store, now=now) as releases:
        request = msgspec.structs.replace(says(a=1), repeat=IdempotencyKey("me", "k", "body"))
        await releases.change(ENVIRONMENT, request)
        await releases.change(ENVIRONMENT, says(a=2))
        moment += timedelta(hours=23)
        assert (await releases.change(ENVIRONMENT, request)).repeated
        assert await forget_answers(releases._store, moment) == 0
        moment += timedelta(days=2)
        assert await forget_answers(releases._store, moment) == 1
        assert not (await releases.change(ENVIRONMENT, request)).repeated


async def test_old_answers_are_deleted_by_those_who_serve(open_store, caplog):
    caplog.set_level(logging.INFO)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    async with releasing(open_store, now=lambda: long_ago) as releases:
        for number in range(3):
            key = IdempotencyKey("me", str(number), "body")
            await releases.change(ENVIRONMENT, msgspec.structs.replace(says(a=number), repeat=key))
        store, trouble = releases._store, [StoreAway("a test")]

        class Failing:
            name = "a store"

            async def scan(self, *arguments):
                if trouble:
                    raise trouble.pop()
                return await store.scan(*arguments)

            commit = store.commit

        task = asyncio.create_task(forget_regularly(Failing(), every=0.01))
        with anyio.fail_after(10):
            while await store.scan(ANSWERS, "", "~", 10):
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    assert "a store: old answers are not deleted yet: a test" in caplog.text


async def test_history_is_as_long_as_it_may_be(open_store):
    async with releasing(open_store, retention=Retention(count=60)) as releases:
        for number in range(130):
            await releases.change(ENVIRONMENT, says(n=number))
        kept = await releases.history.releases(ENVIRONMENT, limit=200)
        assert [release.number for release in kept] == list(range(130, 70, -1))
        assert (await releases.contents_at(ENVIRONMENT, 71)).tree == {"n": 70}
        assert (await releases.contents_at(ENVIRONMENT, 70)).tree == {"n": 69}
        with pytest.raises(NoSuchRelease, match="no longer"):
            await releases.contents_at(ENVIRONMENT, 69)


async def test_histories_of_many_environments_share_what_there_is(open_store, monkeypatch):
    monkeypatch.setattr(whole_contents, "EVERY", 5)  # what comes after a whole is kept in any case
    retention = Retention(total=20_000)
    async with releasing(open_store, retention=retention) as releases:
        for number in range(60):
            await releases.change(ENVIRONMENT, says(n=base64.b85encode(os.urandom(300)).decode() + str(number)))
        alone = releases.replica.state(ENVIRONMENT).released
        for name in "abcdefghi":
            await releases.change(EnvironmentName("shop", name), says(n=1))
        for number in range(60):
            await releases.change(ENVIRONMENT, says(n=base64.b85encode(os.urandom(300)).decode() + str(number)))
        shared = releases.replica.state(ENVIRONMENT).released
        assert 10_000 < alone.size <= 20_000
        assert shared.size <= 2000 + 5 * 1000
        kept = await releases.history.releases(ENVIRONMENT, limit=200)
        assert (kept[0].number, kept[-1].number) == (120, shared.first)


async def test_too_many_keys_are_refused_before_anything_is_written(open_store):
    async with releasing(open_store) as releases:
        with pytest.raises(StoreTooLarge):
            await releases.change(ENVIRONMENT, says(**{f"n{number}": number for number in range(121)}))
        assert releases.replica.environments() == []
        await releases.change(ENVIRONMENT, says(**{f"n{number}": number for number in range(120)}))


async def test_a_change_that_is_larger_than_usual_needs_a_reason(open_store):
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(many={f"n{number}": number for number in range(50)}))
        with pytest.raises(NeedsForce, match="removes 40 of 50 values"):
            await releases.change(ENVIRONMENT, says(many={f"n{number}": number for number in range(10)}))
        await releases.change(ENVIRONMENT, says(big="x"))
        with pytest.raises(NeedsForce, match="big grows"):
            await releases.change(ENVIRONMENT, says(big="x" * 100_000))
        forced = msgspec.structs.replace(says(big="x" * 100_000), forced="it is an image")
        assert (await releases.change(ENVIRONMENT, forced)).release.forced == "it is an image"


@pytest.mark.parametrize(
    "names", [("", "a"), ("a", ""), ("A", "b"), ("a", "_b"), ("a/b", "c"), ("-a", "b"), ("a" * 64, "b"), ("a\n", "b")]
)
def test_a_name_that_is_none_is_refused(names):
    with pytest.raises(InvalidName):
        EnvironmentName(*names)


def test_contents_know_of_every_byte():
    one = EMPTY.edited({"a": b"1", "b/c": b"2"})
    assert one.fingerprint != EMPTY.fingerprint
    assert one.edited({"a": b"2"}).edited({"a": b"1"}).fingerprint == one.fingerprint
    assert one.edited({"a": None, "b/c": None}).fingerprint == EMPTY.fingerprint
    assert EMPTY.edited({"b/c": b"2", "a": b"1"}).digest == one.digest
    assert one.edits_to(EMPTY) == {"a": None, "b/c": None}
    assert EMPTY.edits_to(one) == {"a": b"1", "b/c": b"2"}
