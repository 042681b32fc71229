"""The promises that every source keeps, as tests for its author to run.

    class TestMine(ConformanceSuite):
        @pytest.fixture
        def harness(self, tmp_path):
            return MyHarness(tmp_path)        # a SourceHarness

The tests are coroutines: with anyio's plugin set `anyio_mode = "auto"` or mark the class, with pytest-asyncio
likewise. Each gets the fixture `harness`; what the harness cannot do is skipped and says so.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from reactive_config._core.delta import Replace
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.status import SourceState
from reactive_config._testing.checking import (
    LEAVING,
    CopyingFeed,
    collect,
    needs,
    nothing_left,
    opened,
    plain,
    rising,
    running,
    status,
    stay,
    wait_size,
)
from reactive_config._testing.harness import Pool, Shop, SourceHarness

CONTENT: dict[str, Any] = {"name": "shop", "pool": {"size": 5}, "log": {"root": "INFO", "db": "DEBUG"}}
"""What stands outside at first."""

SECRET = "correct-horse-battery-staple"  # noqa: S105 - the suite looks for it everywhere

MISTAKES: list[dict[str, Any]] = [{"password": {"table": SECRET}}, {"pasword": SECRET}]
"""Places where a secret ends up by mistake; none of them fits the type."""


class ConformanceSuite:
    """Subclass it, give it a fixture `harness`, and run it with pytest.

    It does not promise that a source finds every change of its outside: how that can be saved, cut off or
    restored is known to the source's own tests.
    """

    # -- what a source sends -------------------------------------------------------------------

    async def test_the_first_delta_is_a_replace(self, harness: SourceHarness) -> None:
        """A source begins with its whole state, in entries of its own layers, and says that it is synced."""
        await harness.write(CONTENT)
        source = harness.source()
        async with running(source, harness) as feed:
            assert isinstance(feed.deltas[0], Replace)
            assert all(0 <= entry.layer < len(source.layers) for entry in feed.entries.values())
            await feed.wait(
                lambda f: f.states and f.states[-1][0] in (SourceState.SYNCED, SourceState.ENDED), harness.patience
            )

    async def test_ids_of_entries_are_stable(self, harness: SourceHarness) -> None:
        """The same content has the same ids and units of the same kind in the next run of the program."""
        await harness.write(CONTENT)
        runs = []
        for _ in range(2):
            async with running(harness.source(), harness) as feed:
                runs.append({entry_id: entry.path for entry_id, entry in feed.entries.items()})
        assert runs[0] == runs[1]

    async def test_what_was_sent_stays_as_it_was(self, harness: SourceHarness) -> None:
        """A delta is the core's once it was sent: later changes outside do not reach into it."""
        needs(harness, "follows")
        await harness.write(CONTENT)
        feed = CopyingFeed()
        async with running(harness.source(), harness, feed):
            for number in (6, 7):
                count = len(feed.deltas) + 1
                await harness.write({**CONTENT, "pool": {"size": number}})
                await feed.wait_deltas(count, harness.patience)
        assert [plain(delta) for delta in feed.deltas] == feed.copies

    # -- content -------------------------------------------------------------------------------

    async def test_written_values_arrive(self, harness: SourceHarness) -> None:
        """What stands outside at the start is in the first snapshot, typed, over the layer below."""
        await harness.write({**CONTENT, "left": 3})
        async with opened(harness) as (config, _):
            assert config.current == Shop("shop", Pool(5), {"root": "INFO", "db": "DEBUG"}, left=3)

    async def test_names_with_dots_arrive(self, harness: SourceHarness) -> None:
        """A name is a name, whatever is in it."""
        needs(harness, "quoted")
        await harness.write({"log": {"sqlalchemy.engine": "WARNING"}})
        async with opened(harness) as (config, _):
            assert config.current.log == {"root": "below", "sqlalchemy.engine": "WARNING"}

    async def test_changes_arrive(self, harness: SourceHarness) -> None:
        """What is written outside later is in a later snapshot, which names it as changed."""
        needs(harness, "follows")
        await harness.write(CONTENT)
        async with opened(harness) as (config, source):
            first = config.snapshot
            await harness.write({**CONTENT, "pool": {"size": 6}, "left": 1})
            await source.wait(lambda: config.current.pool.size == 6 and config.current.left == 1, harness.patience)
            assert config.snapshot.changed_since(first) == {"pool.size", "left"}
            assert config.current.log is first.value.log

    async def test_deleting_brings_the_lower_layer_back(self, harness: SourceHarness) -> None:
        """A key that is gone outside is the lower layer's again; a default where there is none."""
        needs(harness, "follows")
        await harness.write({**CONTENT, "left": 3})
        async with opened(harness) as (config, source):
            await harness.write({"name": "shop", "log": {"db": "DEBUG"}})
            await wait_size(config, source, 1, harness.patience)
            await source.wait(lambda: config.current.left == 0, harness.patience)
            assert config.current == Shop("shop", Pool(1), {"root": "below", "db": "DEBUG"})

    async def test_an_identical_rewrite_wakes_nobody(self, harness: SourceHarness) -> None:
        """Writing the same again publishes nothing; the next real change is the next generation."""
        needs(harness, "follows", "atomic")
        await harness.write(CONTENT)
        async with opened(harness) as (config, source):
            for number in range(6, 9):
                generation = config.snapshot.generation
                await harness.write({**CONTENT, "pool": {"size": number - 1}})
                await harness.write({**CONTENT, "pool": {"size": number}})
                await wait_size(config, source, number, harness.patience)
                assert config.snapshot.generation == generation + 1
                assert config.snapshot.changed == {"pool.size"}

    async def test_the_last_of_many_quick_writes_is_exact(self, harness: SourceHarness) -> None:
        """However fast the outside changes, generations and values only go up, and the last one arrives."""
        needs(harness, "follows")
        await harness.write(CONTENT)
        seen: list[Snapshot[Shop]] = []
        async with opened(harness) as (config, source):
            reader = asyncio.create_task(collect(config, seen))
            for number in range(10, 40):
                await harness.write({**CONTENT, "pool": {"size": number}})
            await wait_size(config, source, 39, harness.patience)
        await reader
        assert seen[-1].value.pool.size == 39
        assert rising([snapshot.generation for snapshot in seen])
        assert rising([snapshot.value.pool.size for snapshot in seen])
        revisions = [snapshot.revisions[source.name] for snapshot in seen]
        assert revisions == sorted(revisions)

    async def test_a_unit_is_never_torn(self, harness: SourceHarness) -> None:
        """What one write changes is in one snapshot."""
        needs(harness, "follows", "atomic")
        await harness.write({**CONTENT, "left": 1, "right": 1})
        seen: list[Snapshot[Shop]] = []
        async with opened(harness) as (config, source):
            reader = asyncio.create_task(collect(config, seen))
            for number in range(2, 12):
                await harness.write({**CONTENT, "left": number, "right": number})
            await source.wait(lambda: config.current.right == 11, harness.patience)
        await reader
        assert [s.value.left for s in seen] == [s.value.right for s in seen]

    # -- content that is refused ---------------------------------------------------------------

    async def test_what_does_not_fit_is_held_and_the_fix_is_taken(self, harness: SourceHarness) -> None:
        """A value against the type never becomes effective, is reported with its path, and ends with the fix."""
        needs(harness, "follows")
        await harness.write(CONTENT)
        async with opened(harness) as (config, source):
            good = config.current
            await harness.write({**CONTENT, "pool": {"size": 0}})
            await source.wait(lambda: status(config).held, harness.patience)
            assert config.current is good
            problem = status(config).held[0].problems[0]
            assert problem.path == "pool.size"
            assert "int" in problem.expected
            assert "0" in problem.got
            assert problem.origin is not None
            assert problem.origin.source == source.name
            await harness.write({**CONTENT, "pool": {"size": 7}})
            await wait_size(config, source, 7, harness.patience)
            await source.wait(lambda: not status(config).held, harness.patience)

    async def test_what_cannot_be_read_is_held_and_the_fix_is_taken(self, harness: SourceHarness) -> None:
        """Unreadable content never becomes effective, not even as emptiness, and ends with the fix."""
        needs(harness, "follows", "corruptible")
        await harness.write(CONTENT)
        async with opened(harness) as (config, source):
            good = config.current
            await harness.corrupt("not a document")
            await source.wait(lambda: status(config).held, harness.patience)
            assert config.current is good
            await harness.write({**CONTENT, "pool": {"size": 7}})
            await wait_size(config, source, 7, harness.patience)
            await source.wait(lambda: not status(config).held, harness.patience)

    async def test_secrets_are_never_shown(self, harness: SourceHarness, caplog: Any) -> None:
        """A secret is in no repr, status, explanation or log line, wherever it was written by mistake."""
        caplog.set_level(logging.DEBUG)
        await harness.write({**CONTENT, "password": SECRET})
        async with opened(harness) as (config, source):
            assert config.current.password.reveal() == SECRET
            shown = [repr(config), repr(config.snapshot), repr(config.status()), repr(harness.source())]
            shown += [repr(config.explain("")), repr(config.explain("password"))]
            for mistake in MISTAKES if harness.follows else ():
                await harness.write({**CONTENT, **mistake})
                await source.wait(lambda: status(config).held, harness.patience)
                shown += [repr(config.status()), repr(config.explain(""))]
                await harness.write({**CONTENT, "password": SECRET})
                await source.wait(lambda: not status(config).held, harness.patience)
        assert [text for text in [*shown, caplog.text] if SECRET in text] == []

    async def test_unreadable_secrets_are_never_shown(self, harness: SourceHarness, caplog: Any) -> None:
        """What cannot be read is not quoted anywhere: it may be the line with the password."""
        needs(harness, "follows", "corruptible")
        caplog.set_level(logging.DEBUG)
        await harness.write(CONTENT)
        async with opened(harness) as (config, source):
            await harness.corrupt(SECRET)
            await source.wait(lambda: status(config).held, harness.patience)
            shown = [repr(config), repr(config.status()), repr(config.explain(""))]
        assert [text for text in [*shown, caplog.text] if SECRET in text] == []

    # -- a life of its own ---------------------------------------------------------------------

    async def test_it_ends_clean(self, harness: SourceHarness) -> None:
        """Leaving ends every task of it within the bound, without a warning or a lost exception."""
        await harness.write(CONTENT)
        with nothing_left():
            async with asyncio.timeout(None) as limit, opened(harness):
                limit.reschedule(asyncio.get_running_loop().time() + LEAVING)

    async def test_it_is_cancelled_at_any_moment(self, harness: SourceHarness) -> None:
        """A start that is cancelled, early or late, ends within the bound and leaves nothing behind."""
        await harness.write(CONTENT)
        with nothing_left():
            for turns in (0, 1, 2, 3, 4, 6, 9, 14, 25, 50, 100, 200, 400, 1000):
                task = asyncio.create_task(stay(harness))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task], timeout=LEAVING)
                assert task.cancelled()

    async def test_two_configurations_one_after_the_other(self, harness: SourceHarness) -> None:
        """A second source over the same outside starts from what stands there then."""
        await harness.write(CONTENT)
        async with opened(harness) as (config, _):
            assert config.current.pool.size == 5
        await harness.write({**CONTENT, "pool": {"size": 8}})
        async with opened(harness) as (config, _):
            assert config.current.pool.size == 8

    async def test_two_configurations_at_once(self, harness: SourceHarness) -> None:
        """Two sources over one outside do not disturb one another; both see the change."""
        await harness.write(CONTENT)
        async with opened(harness) as (one, _), opened(harness) as (other, source):
            assert one.current == other.current
            if harness.follows:
                await harness.write({**CONTENT, "left": 4})
                await source.wait(lambda: other.current.left == 4, harness.patience)
