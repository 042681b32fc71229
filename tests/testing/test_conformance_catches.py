"""The conformance suite fails for sources that break what it promises."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from reactive_config._core.delta import Delta, Patch, Replace
from reactive_config._core.input_trees import entries_of, owned
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState
from reactive_config.testing import ConformanceSuite, SourceHarness

_FRESH = itertools.count()


class Plain(Source):
    """A right source over a tree in the process; the broken ones change one thing each."""

    def __init__(self, outside: Outside) -> None:
        self.name, self.layers, self.optional = "plain", ("plain",), True
        self.outside = outside

    async def run(self, feed: Feed) -> None:
        self.feed = feed
        feed.send(self.first())
        feed.state(SourceState.SYNCED)
        self.outside.running.add(self)
        try:
            await asyncio.Event().wait()
        finally:
            self.outside.running.discard(self)

    def first(self) -> Delta:
        return Replace(self.entries(), self.outside.revision)

    def entries(self) -> Any:
        return entries_of(owned(self.outside.tree), self.outside.revision)

    def changed(self) -> None:
        self.feed.send(Replace(self.entries(), self.outside.revision))


class Outside(SourceHarness):
    patience = 0.2  # what never comes is missed soon

    def __init__(self, kind: Callable[[Outside], Plain] = Plain) -> None:
        self.kind = kind
        self.tree: Mapping[str, Any] = {}
        self.revision = 0
        self.running: set[Plain] = set()

    def source(self) -> Source:
        return self.kind(self)

    async def write(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.revision += 1
        for source in self.running:
            source.changed()
        for _ in range(5):  # so that the runtime sees every write
            await asyncio.sleep(0)


class BeginsWithAPatch(Plain):
    def first(self) -> Delta:
        return Patch(self.entries(), {}, 1)


class ForgetsIds(Plain):
    def entries(self) -> Any:
        return {f"{next(_FRESH)}": entry for entry in super().entries().values()}


class ReachesIntoWhatItSent(Plain):
    def changed(self) -> None:
        super().changed()
        self.sent.clear()

    def entries(self) -> Any:
        self.sent = super().entries()
        return self.sent


class NeverDeletes(Plain):
    def changed(self) -> None:
        self.feed.send(Patch(self.entries(), {}, self.outside.revision))


class MissesEveryThirdWrite(Plain):
    def changed(self) -> None:
        if self.outside.revision % 3:
            super().changed()


class IsOneWriteBehind(Plain):
    late: Delta | None = None

    def changed(self) -> None:
        if self.late is not None:
            self.feed.send(self.late)
        self.late = Replace(self.entries(), self.outside.revision)


class TearsUnits(Plain):
    def changed(self) -> None:
        entries = self.entries()
        late = {"right": entries.pop("right")}
        self.feed.send(Patch(entries, {}, self.outside.revision))
        loop = asyncio.get_running_loop()
        rest = Patch(late, {}, self.outside.revision)
        loop.call_soon(loop.call_soon, loop.call_soon, self.feed.send, rest)


class GoesBack(Plain):
    old: Delta | None = None

    def changed(self) -> None:
        super().changed()
        if self.old is not None:
            asyncio.get_running_loop().call_soon(self.feed.send, self.old)
            asyncio.get_running_loop().call_later(0.001, super().changed)
        self.old = Replace(self.entries(), self.outside.revision)


class ShowsItsContent(Plain):
    def __repr__(self) -> str:
        return f"Plain({self.outside.tree})"


class LeavesATask(Plain):
    async def run(self, feed: Feed) -> None:
        self.task = asyncio.create_task(asyncio.sleep(0.5))
        await super().run(feed)


class SwallowsCancellation(Plain):
    async def run(self, feed: Feed) -> None:
        try:
            await asyncio.sleep(0)
            await super().run(feed)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)


class RemembersTheFirst(Plain):
    tree: Any = None

    def first(self) -> Delta:
        type(self).tree = type(self).tree or self.outside.tree
        return Replace(entries_of(owned(type(self).tree), 1), 1)


BROKEN = [
    (BeginsWithAPatch, "test_the_first_delta_is_a_replace"),
    (ForgetsIds, "test_ids_of_entries_are_stable"),
    (ReachesIntoWhatItSent, "test_what_was_sent_stays_as_it_was"),
    (NeverDeletes, "test_deleting_brings_the_lower_layer_back"),
    (MissesEveryThirdWrite, "test_an_identical_rewrite_wakes_nobody"),
    (IsOneWriteBehind, "test_changes_arrive"),
    (IsOneWriteBehind, "test_the_last_of_many_quick_writes_is_exact"),
    (IsOneWriteBehind, "test_what_does_not_fit_is_held_and_the_fix_is_taken"),
    (TearsUnits, "test_a_unit_is_never_torn"),
    (GoesBack, "test_the_last_of_many_quick_writes_is_exact"),
    (LeavesATask, "test_it_ends_clean"),
    (LeavesATask, "test_it_is_cancelled_at_any_moment"),
    (RemembersTheFirst, "test_two_configurations_one_after_the_other"),
]


@pytest.mark.parametrize(("kind", "test"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.slow
async def test_a_broken_source_is_caught(kind: type[Plain], test: str) -> None:
    """The test that a broken source is made for fails on it, and passes on the right one."""
    await getattr(ConformanceSuite(), test)(Outside())
    with pytest.raises((AssertionError, TimeoutError)):
        await getattr(ConformanceSuite(), test)(Outside(kind))


async def test_a_source_that_shows_secrets_is_caught(caplog: pytest.LogCaptureFixture) -> None:
    """A repr with content fails, the right source passes."""
    await ConformanceSuite().test_secrets_are_never_shown(Outside(), caplog)
    with pytest.raises(AssertionError):
        await ConformanceSuite().test_secrets_are_never_shown(Outside(ShowsItsContent), caplog)


async def test_a_source_that_is_slow_to_leave_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving has a bound."""
    monkeypatch.setattr("reactive_config._testing.conformance.LEAVING", 0.05)
    await ConformanceSuite().test_it_ends_clean(Outside())
    with pytest.raises(TimeoutError):
        await ConformanceSuite().test_it_ends_clean(Outside(SwallowsCancellation))
