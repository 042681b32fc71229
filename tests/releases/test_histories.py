"""Random histories of two processes and of people who write around them, against a plain model."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from reactive_config._core.trees import ABSENT, same
from reactive_config._releases.contents import EMPTY
from reactive_config._releases.document_edits import plan_edits
from reactive_config._releases.document_edits import says as says_so

from .conftest import ENVIRONMENT, releasing, says, write_around

pytestmark = pytest.mark.half_grid

NAMES = ["a", "b", "c"]
KEYS = ["a", "a/x", "b.json", "b/y/z", "c.yaml", "d"]
VALUES = [1, True, None, "text", "1", [1, 2], {"x": 1}, {"x": {"y": "z"}, "w": []}, {}]
RAW = [b"1", b"text", b"{}", b'{"x": 2}', b"[3]", b"{broken", b"x: 1\n"]


async def keys_of(releases):
    """What stands in the store itself, read beside everything that is tested."""
    rows = await releases._store.scan(ENVIRONMENT.prefix, "", "~", 1000)
    return {key.removeprefix(ENVIRONMENT.prefix): stored.value for key, stored in rows}


async def step(rng, releases, held):
    """One thing that somebody does; `held` has what the environment held after each release."""
    match rng.choice(["set", "set", "set", "unset", "around", "restore"]):
        case "set":
            name, value = rng.choice(NAMES), rng.choice(VALUES)
            outcome = await releases.change(ENVIRONMENT, says(**{name: value}))
            assert says_so(outcome.contents.tree[name], value)
        case "unset":
            name = rng.choice(NAMES)
            outcome = await releases.change(
                ENVIRONMENT, msgspec.structs.replace(says(**{name: ABSENT}), forced="a test")
            )
            assert name not in outcome.contents.tree
        case "around":
            key = rng.choice(KEYS)
            deletes = {rng.choice(KEYS)} - {key}
            revision = await write_around(releases._store, {key: rng.choice(RAW)}, deletes)
            await releases.replica.wait(revision, 5)
            await releases.settled(ENVIRONMENT)
            outcome = None
        case "restore":
            if not held:
                return
            number = rng.choice(list(held))
            request = msgspec.structs.replace(says(), forced="a test")
            outcome = await releases.restore(ENVIRONMENT, number, request)
            assert {document.key: document.raw for document in outcome.contents} == held[number]
    state = await releases.settled(ENVIRONMENT)
    if state.released is not None:
        held[state.released.number] = {document.key: document.raw for document in state.contents}
        assert held[state.released.number] == await keys_of(releases)


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.storm) for seed in range(2, 12))])
async def test_every_release_can_be_told_and_brought_back(open_store, seed):
    rng = random.Random(seed)
    held: dict[int, dict[str, bytes]] = {}
    async with releasing(open_store) as one, releasing(open_store) as other:
        for _ in range(25):
            first, second = rng.sample([one, other], 2)
            await step(rng, first, held)
            await second.replica.wait(first.replica.revision, 5)
    async with releasing(open_store) as fresh:
        state = await fresh.settled(ENVIRONMENT)
        latest = state.released.number if state.released else 0
        history = await fresh.history.releases(ENVIRONMENT, limit=200)
        assert [release.number for release in history] == list(range(latest, 0, -1))
        for number, documents in held.items():
            contents = await fresh.contents_at(ENVIRONMENT, number)
            assert {document.key: document.raw for document in contents} == documents
            assert same(contents.tree, EMPTY.edited(documents).tree)


@pytest.mark.storm
@pytest.mark.timeout(300)
async def test_two_hundred_writers_on_one_document(open_store):
    """Each accepted write is in the history once, in order, and none is lost."""
    async with releasing(open_store) as one, releasing(open_store) as other:

        async def add(number):
            async def plan(state):
                numbers = state.contents.tree.get("numbers", [])
                return plan_edits(state.contents, {"numbers": [*numbers, number]})

            request = msgspec.structs.replace(says(), plan=plan, author=str(number))
            return await (one, other)[number % 2].change(ENVIRONMENT, request)

        outcomes = await asyncio.gather(*map(add, range(200)))
        assert sorted(outcome.release.number for outcome in outcomes) == list(range(1, 201))
        history = await one.history.releases(ENVIRONMENT, limit=300)
        await one.replica.wait(max(outcome.revision for outcome in outcomes), 5)
        numbers = one.replica.state(ENVIRONMENT).contents.tree["numbers"]
        assert [int(release.author) for release in reversed(history)] == numbers
        assert sorted(numbers) == list(range(200))
