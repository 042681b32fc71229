"""The runtime keeps its promises over sources that misbehave; they themselves end on the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config import Config, Gap, Rejected, Snapshot, open_config
from reactive_config._core.trees import overlay
from reactive_config.status import SourceState
from reactive_config.testing import SILENT, Misbehaving, Misbehaviour, RecordingFeed, Scripted

Tree = dict[str, Any]


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    n: int = -1
    log: dict[str, str] = {}
    pool: dict[str, int] = {}


def numbered(trees: list[Tree]) -> list[Tree]:
    return [{**tree, "n": number} for number, tree in enumerate(trees)]


names = st.sampled_from(["a", "b", "c.d"])
states: st.SearchStrategy[Tree] = st.fixed_dictionaries(
    {
        "log": st.dictionaries(names, st.sampled_from(["INFO", "DEBUG"]), max_size=3),
        "pool": st.dictionaries(names, st.integers(0, 2), max_size=3),
    }
)
histories = st.lists(states, min_size=1, max_size=5).map(numbered)
faults = st.lists(st.sampled_from(list(Misbehaviour)), max_size=10)
seeds = st.integers(0, 10_000)
LOOPS: list[Any] = [pytest.param(None, id="asyncio")]
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS.append(pytest.param(uvloop.new_event_loop, id="uvloop"))
on_each_loop = pytest.mark.parametrize("loop", LOOPS)


class Seen:
    """What three kinds of subscribers saw of one run, and where it ended."""

    def __init__(self) -> None:
        self.quick: list[Snapshot[World]] = []
        self.slow: list[Snapshot[World]] = []
        self.every: list[Snapshot[World] | Gap] = []
        self.held: list[Any] = []
        self.last: Snapshot[World]


async def read(stream: AsyncIterable[Any], into: list[Any], turns: int) -> None:
    async for item in stream:
        into.append(item)
        for _ in range(turns):
            await asyncio.sleep(0)


async def play(*sources: Misbehaving) -> Seen:
    seen = Seen()
    async with asyncio.TaskGroup() as readers, open_config(World, *sources) as config:
        readers.create_task(read(config, seen.quick, 0))
        readers.create_task(read(config, seen.slow, 20))
        readers.create_task(read(config.updates(1000), seen.every, 0))
        for source in sources:
            await asyncio.wait_for(source.wait_finished(), 2)
        seen.last = config.snapshot
        seen.held = [status.held for status in config.status().sources]
        assert all(status.state is SourceState.SYNCED for status in config.status().sources)
    return seen


def run(loop: Callable[[], asyncio.AbstractEventLoop] | None, *sources: Misbehaving) -> Seen:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(play(*sources))


def of(tree: Tree) -> World:
    return msgspec.convert(tree, World)


@on_each_loop
@given(history=histories, faults=faults, seed=seeds)
@settings(max_examples=50, deadline=None)
def test_subscribers_never_go_back(loop: Any, history: list[Tree], faults: list[Misbehaviour], seed: int) -> None:
    """P1: generations and the states behind them only go forward, for quick and for slow subscribers."""
    seen = run(loop, Misbehaving(history, seed=seed, faults=faults))
    for snapshots in (seen.quick, seen.slow):
        generations = [s.generation for s in snapshots]
        assert generations == sorted(set(generations))
        ages = [s.value.n for s in snapshots]
        assert ages == sorted(set(ages))


@on_each_loop
@given(history=histories, faults=faults, seed=seeds)
@settings(max_examples=50, deadline=None)
def test_subscribers_end_on_the_truth(loop: Any, history: list[Tree], faults: list[Misbehaviour], seed: int) -> None:
    """P2: once the source has stopped, everybody's last snapshot is the last true state and nothing is held."""
    seen = run(loop, Misbehaving(history, seed=seed, faults=faults))
    assert seen.last.value == of(history[-1])
    assert seen.quick[-1] is seen.slow[-1] is seen.every[-1] is seen.last
    assert seen.held == [()]


@on_each_loop
@given(history=histories, faults=faults, seed=seeds)
@settings(max_examples=50, deadline=None)
def test_states_are_seen_whole(loop: Any, history: list[Tree], faults: list[Misbehaviour], seed: int) -> None:
    """P3, P5: every snapshot is one of the true states, never a mixture and never what could not be read."""
    seen = run(loop, Misbehaving(history, seed=seed, faults=faults))
    for snapshot in seen.every:
        assert isinstance(snapshot, Snapshot)
        assert snapshot.value == of(history[snapshot.value.n])


@on_each_loop
@given(low=histories, high=histories, seed=st.tuples(seeds, seeds))
@settings(max_examples=50, deadline=None)
def test_the_order_of_arrival_does_not_matter(
    loop: Any, low: list[Tree], high: list[Tree], seed: tuple[int, int]
) -> None:
    """P4: two misbehaving layers end on the merge of their last states, whoever was late."""
    sources = Misbehaving(low, seed=seed[0], name="low"), Misbehaving(high, seed=seed[1], name="high")
    assert run(loop, *sources).last.value == of(overlay(low[-1], high[-1]))


@on_each_loop
@given(state=states, faults=faults, seed=seeds)
@settings(max_examples=50, deadline=None)
def test_what_changes_nothing_wakes_nobody(loop: Any, state: Tree, faults: list[Misbehaviour], seed: int) -> None:
    """P6: one state, told in whatever way and however often, is one generation."""
    seen = run(loop, Misbehaving([state], seed=seed, faults=faults))
    assert seen.last.generation == 1
    assert len(seen.every) == len(seen.quick) == len(seen.slow) == 1


@on_each_loop
@given(history=histories, faults=faults, seed=seeds)
@settings(max_examples=50, deadline=None)
def test_generations_have_no_holes(loop: Any, history: list[Tree], faults: list[Misbehaviour], seed: int) -> None:
    """P1: the lossless stream has every generation once, at most one for each true state."""
    seen = run(loop, Misbehaving(history, seed=seed, faults=faults))
    generations = [s.generation for s in seen.every if isinstance(s, Snapshot)]
    assert generations == [*range(generations[0], seen.last.generation + 1)]
    assert seen.last.generation <= len(history)


async def collected(source: Misbehaving) -> RecordingFeed:
    feed = RecordingFeed()
    task = asyncio.create_task(source.run(feed))
    await source.wait_finished()
    task.cancel()
    await asyncio.wait([task])
    return feed


async def test_the_same_seed_misbehaves_the_same_way() -> None:
    """A failure found with a seed is found again with it, and another seed does something else."""
    history = numbered([{"log": {"a": str(n)}} for n in range(8)])
    runs = [await collected(Misbehaving(history, seed=seed)) for seed in (7, 7, 8)]
    assert runs[0].deltas == runs[1].deltas
    assert runs[0].deltas != runs[2].deltas


@pytest.mark.parametrize("fault", list(Misbehaviour))
async def test_each_fault_is_told(fault: Misbehaviour) -> None:
    """A fault that is asked for happens: the feed sees more or other words than the history alone makes."""
    history = numbered([{"log": {"a": str(n), "b": "x"}, "pool": {"a": n}} for n in range(4)])
    plain = await collected(Misbehaving(history, faults=[]))
    source = Misbehaving(history, faults=[fault] * 4)
    feed = await collected(source)
    assert source.played == [(index, fault) for index in range(4)]
    if fault is Misbehaviour.DISCONNECT:
        assert (SourceState.STALE, "the connection was lost") in feed.states
        assert feed.counters["reconnects"] == 4
    elif fault not in (Misbehaviour.BURST, Misbehaviour.SILENCE):
        assert len(feed.deltas) > len(plain.deltas)
    assert {i: e.value for i, e in feed.entries.items()} != {}


async def test_content_that_was_malformed_is_held_meanwhile() -> None:
    """MALFORMED reaches the runtime: it is the only fault that the status tells of by a held unit."""
    held = {fault: await _counts_held(fault) for fault in Misbehaviour}
    assert held[Misbehaviour.MALFORMED]
    assert not any(held[fault] for fault in SILENT)


async def _counts_held(fault: Misbehaviour) -> bool:
    class Watched(Misbehaving):
        found = False

        async def watch(self, config: Config[World]) -> None:
            while not self._finished:
                self.found |= bool(config.status().sources[0].held)
                await asyncio.sleep(0)

    source = Watched([{"n": 1, "log": {"a": "x"}}], faults=[fault] * 20)
    async with open_config(World, source) as config, asyncio.TaskGroup() as group:
        group.create_task(source.watch(config))
    return source.found


async def test_a_history_that_does_not_fit_is_reported() -> None:
    """The one who waits for the end learns that the last state is held, and the configuration lives on."""
    source = Misbehaving([{"n": 1}, {"n": "one"}], faults=[])
    async with open_config(World, source) as config:
        with pytest.raises(Rejected):
            await source.wait_finished()
        assert config.current == World(n=1)


async def test_a_history_needs_a_state() -> None:
    """There is no truth to end on without one."""
    with pytest.raises(ValueError, match="one state or more"):
        Misbehaving([])


async def test_it_misbehaves_over_another_layer_without_touching_it() -> None:
    """What a lower layer says shines through at every moment of the misbehaviour."""
    seen: list[Snapshot[World]] = []
    below = Scripted({"log": {"below": "stays"}}, name="below")
    source = Misbehaving(numbered([{"log": {"a": str(n)}} for n in range(20)]), seed=3)
    async with asyncio.TaskGroup() as group, open_config(World, below, source) as config:
        group.create_task(read(config, seen, 0))
        await source.wait_finished()
    assert seen
    assert all(snapshot.value.log["below"] == "stays" for snapshot in seen)
