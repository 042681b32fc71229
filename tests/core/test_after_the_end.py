"""What a configuration still does once its context has ended: it shows what was last in force, and follows nothing."""

from __future__ import annotations

import re

import msgspec
import pytest

from reactive_config import Closed, Memory, open_config

ENDED = "the configuration's context has ended"


class App(msgspec.Struct, frozen=True):
    size: int = 1


@pytest.fixture
async def ended():
    memory = Memory({"size": 2})
    async with open_config(App, memory) as config:
        await memory.patch({"size": 3})
    return config


@pytest.mark.parametrize("part", ["size", "sise", lambda app: app.size])
async def test_select_raises_closed(ended, part):
    with pytest.raises(Closed, match=re.escape(f"select: {ENDED}, and nothing changes any more")):
        ended.select(part)


async def test_on_change_and_wait_revision_raise_closed(ended):
    with pytest.raises(Closed, match=re.escape(f"on_change: {ENDED}, and nothing changes any more")):
        ended.on_change("size", print)
    with pytest.raises(Closed, match=re.escape(ENDED)):
        await ended.wait_revision("memory", 9)


async def test_what_reads_shows_what_was_last_in_force(ended):
    assert ended.current == ended.snapshot.value == App(3)
    assert ended.status().generation == 2
    assert [found.value for found in ended.explain("size")] == [3]
    assert [setting.value for setting in ended.describe()] == [3]


async def test_an_iteration_gives_the_last_snapshot_and_ends(ended):
    assert [snapshot.value async for snapshot in ended] == [App(3)]
    assert [update.value async for update in ended.updates()] == [App(3)]
