"""A timer on a live rule that may be an interval or a cron expression, on clocks that are moved by hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import msgspec
import pytest

from reactive_config import Env, Live, Memory, Rejected, StartupError, open_config
from reactive_config._bindings.cron_times import RECHECK
from reactive_config._core.status import BindingState
from reactive_config._extras import install
from reactive_config.bindings import Cron, Every, ManualClock, timer

SECOND = 1_000_000_000
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class App(msgspec.Struct, frozen=True):
    backup: Every | None = Cron("30 12 * * *")
    report: Cron = Cron("0 0 1 * *")


class Listener:
    """A task that loops over a timer and keeps its ticks; moves time as it passes, half a minute at a time."""

    def __init__(self, group, ticks, clock):
        self.clock = clock
        self.ticks = []
        self.task = group.create_task(self._listen(ticks))

    async def _listen(self, ticks):
        async for tick in ticks:
            self.ticks.append(tick)

    @property
    def came(self):
        return [tick.at.strftime("%d %H:%M %Z") if tick.at else tick.scheduled // SECOND for tick in self.ticks]

    async def let_pass(self, **duration):
        left = timedelta(**duration) // timedelta(microseconds=1) * 1000
        while left:
            await self.asleep()
            self.clock.advance(step := min(left, RECHECK))
            left -= step
        await self.asleep()

    async def asleep(self):
        """Until it waits for nothing that is past."""
        for _ in range(5):
            await asyncio.sleep(0)
        assert not self.clock.pending or self.clock.pending[0] > self.clock.now()


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def clock():
    return ManualClock(wall=NOON)


@pytest.fixture
async def config():
    memory = Memory({"backup": {"cron": "30 12 * * *"}})
    async with open_config(App, memory) as config:
        config.patch, config.replace = memory.patch, memory.replace
        yield config


@pytest.fixture
async def heard(config, clock):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("backup"), clock=clock), clock)
        await until(lambda: clock.pending)
        yield heard
        heard.task.cancel()


async def test_ticks_come_at_their_times_and_say_which(heard):
    await heard.let_pass(minutes=29, seconds=59)
    assert heard.came == []
    await heard.let_pass(seconds=1)
    assert heard.came == ["02 12:30 UTC"]
    await heard.let_pass(hours=24)
    assert heard.came == ["02 12:30 UTC", "03 12:30 UTC"]
    assert [(t.count, t.scheduled / SECOND, t.missed) for t in heard.ticks[:1]] == [
        (1, (NOON + timedelta(minutes=30)).timestamp(), 0)
    ]


async def test_a_new_expression_or_time_zone_begins_at_once_and_after_now(heard, config):
    await heard.let_pass(minutes=10)
    await config.patch({"backup": {"cron": "0,12 * * * *"}})
    await heard.let_pass(minutes=2)
    assert heard.came == ["02 12:12 UTC"]
    await config.patch({"backup": {"cron": "20 17 * * *", "timezone": "Asia/Kolkata"}})  # 11:50 UTC: past for today
    await heard.let_pass(hours=23)
    assert heard.came == ["02 12:12 UTC"]
    await heard.let_pass(hours=1)
    assert heard.came == ["02 12:12 UTC", "03 17:20 IST"]
    assert config.status().bindings[0].changes == 3


async def test_from_an_expression_to_an_interval_counts_from_the_last_tick_and_back_from_now(heard, config, clock):
    await heard.let_pass(minutes=40)
    assert heard.came == ["02 12:30 UTC"]
    await config.patch({"backup": "15m"})  # 10 minutes have passed since
    await heard.let_pass(minutes=5)
    assert heard.came == ["02 12:30 UTC", 45 * 60]
    assert [tick.count for tick in heard.ticks] == [1, 2]
    await config.replace({"backup": {"cron": "46,50 12 * * *"}})
    await heard.let_pass(minutes=1)
    assert heard.came[2:] == ["02 12:46 UTC"]
    await heard.let_pass(seconds=25)
    await config.patch({"backup": 10})  # past since then: now
    await until(lambda: len(heard.ticks) == 4)
    assert (heard.ticks[3].count, heard.ticks[3].scheduled) == (4, clock.now())


async def test_what_passes_in_a_pause_does_not_come(heard, config):
    await config.patch({"backup": None})
    await until(lambda: not heard.clock.pending)
    await heard.let_pass(hours=1)
    await config.patch({"backup": {"cron": "30 12,13 * * *"}})
    await heard.let_pass(hours=1)
    assert heard.came == ["02 13:30 UTC"]


async def test_a_clock_that_is_set_forward_is_seen_within_the_recheck(heard, clock):
    clock.set_wall(NOON + timedelta(days=2))
    await heard.let_pass(seconds=RECHECK // SECOND)
    assert [(tick.at.day, tick.missed) for tick in heard.ticks] == [(3, 1)]  # the 2nd was left out


async def test_a_clock_that_is_set_back_makes_it_wait_and_repeats_nothing(heard, clock):
    await heard.let_pass(minutes=30)
    clock.set_wall(NOON)
    await heard.let_pass(minutes=59)
    assert heard.came == ["02 12:30 UTC"]


async def test_a_clock_that_was_a_year_ahead_does_not_make_it_wait_a_year(clock):
    clock.set_wall(NOON.replace(year=2027))
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(Live.constant(Cron("5 * * * *")), clock=clock), clock)
        await heard.let_pass(minutes=5)
        clock.set_wall(NOON)
        await heard.let_pass(minutes=5)
        heard.task.cancel()
    assert [tick.at.isoformat() for tick in heard.ticks] == ["2027-03-02T12:05:00+00:00", "2026-03-02T12:05:00+00:00"]


async def test_an_alarm_that_comes_early_does_not_tick_before_its_time(heard, clock):
    await heard.let_pass(minutes=29, seconds=45)
    clock.set_wall(NOON + timedelta(minutes=29, seconds=40))  # slewed back a little while it waits
    await heard.let_pass(seconds=19)
    assert heard.came == []
    await heard.let_pass(seconds=1)
    assert heard.came == ["02 12:30 UTC"]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", [("12:01", 0), ("12:06", 4), ("12:07", 0)]),
        ("delay", [("12:01", 0), ("12:06", 4), ("12:07", 0)]),
        ("burst", [(f"12:0{minute}", 0) for minute in range(1, 8)]),
    ],
)
async def test_a_body_that_takes_longer_than_the_distance_to_the_next_time(clock, missed, expected):
    ticks, got = timer(Live.constant(Cron("* * * * *")), missed=missed, clock=clock), []
    for _ in expected:
        coming = asyncio.create_task(anext(ticks))
        while not coming.done():
            clock.advance(SECOND)
            for _ in range(4):
                await asyncio.sleep(0)
        tick = await coming
        got.append((tick.at.strftime("%H:%M"), tick.missed))
        if tick.count == 1:
            clock.advance(timedelta(minutes=5, seconds=10))  # the body's work
    assert got == expected


async def test_jitter_moves_the_moment_and_not_the_place(clock):
    ticks = timer(Live.constant(Cron("*/10 * * * *")), jitter=timedelta(minutes=5), clock=clock)
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, ticks, clock)
        late = []
        for number in range(1, 6):
            while len(heard.ticks) < number:
                await heard.let_pass(seconds=1)
            late.append((clock.wall() - heard.ticks[-1].scheduled) / SECOND)
        heard.task.cancel()
    assert [tick.at.minute for tick in heard.ticks] == [10, 20, 30, 40, 50]
    assert all(0 <= each <= 301 for each in late)
    assert len(set(late)) > 1


async def test_it_ends_with_the_configuration_and_leaves_nothing(clock):
    before = asyncio.all_tasks()
    async with asyncio.TaskGroup() as group:
        async with open_config(App, Memory({})) as config:
            ticks = timer(config.select("report"), clock=clock)
            heard = Listener(group, ticks, clock)
            await until(lambda: clock.pending)
            assert config.status().bindings[0].state is BindingState.IN_FORCE
        await until(heard.task.done)
    assert (clock.pending, ticks.status().state) == ([], BindingState.CLOSED)
    assert asyncio.all_tasks() == before


async def test_an_unfit_expression_is_a_rejection_and_the_one_before_stays(heard, config):
    for unfit in ({"cron": "61 * * * *"}, {"timezone": "Nowhere"}, {"cron": "* * * * *", "second": 1}, "soon"):
        with pytest.raises(Rejected) as refused:
            await config.patch({"backup": unfit})
        assert "backup" in str(refused.value)
        assert "expected" in str(refused.value)
    assert config.current.backup == Cron("30 12 * * *")
    await heard.let_pass(minutes=30)
    assert heard.came == ["02 12:30 UTC"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("30s", timedelta(seconds=30)),
        (30, timedelta(seconds=30)),
        (None, None),
        ({"cron": "0 3 * * MON-FRI"}, Cron("0 3 * * MON-FRI")),
        ({"cron": "0 3 * * *", "timezone": "Europe/Berlin"}, Cron("0 3 * * *", "Europe/Berlin")),
    ],
)
async def test_what_a_configuration_may_say(said, meant):
    async with open_config(App, Memory({"backup": said})) as config:
        assert config.current.backup == meant


async def test_what_an_environment_may_say(monkeypatch):
    for said, meant in {"45": timedelta(seconds=45), "1h": timedelta(hours=1), "null": None}.items():
        monkeypatch.setenv("SHOP_BACKUP", said)
        async with open_config(App, Env("SHOP_")) as config:
            assert config.current.backup == meant
    monkeypatch.delenv("SHOP_BACKUP")
    monkeypatch.setenv("SHOP_BACKUP__CRON", "0 3 * * *")
    monkeypatch.setenv("SHOP_REPORT__CRON", "0 4 * * *")
    async with open_config(App, Env("SHOP_")) as config:
        assert (config.current.backup, config.current.report) == (Cron("0 3 * * *"), Cron("0 4 * * *"))


async def test_a_bare_text_is_an_expression_by_mapping_it(clock):
    memory = Memory({"nightly": "0 13 * * *"})
    async with open_config(dict[str, Any], memory) as config, asyncio.TaskGroup() as group:
        live = config.select("nightly").map(lambda text: Cron(text, timezone="Europe/Berlin"))
        heard = Listener(group, timer(live, clock=clock), clock)
        await until(lambda: clock.pending)
        await memory.patch({"nightly": "often"})  # no type refuses it: the live value stays, and the status says so
        assert len(config.status().selectors) == 1
        await memory.patch({"nightly": "5 13 * * *"})
        await heard.let_pass(minutes=5)
        assert heard.came == ["02 13:05 CET"]
        heard.task.cancel()


async def test_the_loop_s_own_clock_goes_by_the_time_of_day():
    task = asyncio.create_task(anext(timer(Live.constant(Cron("* * * * *")))))
    with anyio.move_on_after(0.05):
        await asyncio.shield(task)
    assert not task.done() or datetime.now(UTC) >= task.result().at
    task.cancel()
    await asyncio.wait([task])


def test_without_cronsim_an_expression_names_the_extra_and_an_interval_works():
    program = """
import sys
sys.modules["cronsim"] = None
from datetime import timedelta
from reactive_config import Live
from reactive_config.bindings import Cron, timer
timer(Live.constant(timedelta(seconds=1)))
try:
    Cron("* * * * *")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"cron: expected cronsim, which reads cron expressions: {install('cron')}\n"


async def test_a_start_without_cronsim_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(StartupError) as failed:
        async with open_config(App, Memory({"backup": {"cron": "0 3 * * *"}})):
            pass
    assert f"backup.cron: expected cronsim, which reads cron expressions: {install('cron')}, got " in str(failed.value)


def test_the_wall_of_a_manual_clock_is_set_with_a_time_zone():
    clock = ManualClock(start=7, wall=NOON)
    clock.advance(timedelta(seconds=1))
    assert (clock.now(), clock.wall()) == (7 + SECOND, int(NOON.timestamp() + 1) * SECOND)
    with pytest.raises(ValueError, match="expected a time with a time zone"):
        clock.set_wall(NOON.replace(tzinfo=None))
