"""The log as an operator reads it: what changed, what is held and no longer held, what a start waits for (P13)."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime

import msgspec
import pytest

from reactive_config import Env, Files, Memory, Rejected, Secret, StartupError, open_config
from reactive_config._core.delta import Entry, Patch
from reactive_config._core.runtime import logbook
from reactive_config._core.runtime.logbook import LineBudget, Logbook
from reactive_config._testing.scripted import Scripted
from reactive_config.errors import Problem
from reactive_config.status import HeldUnit, SourceState


class Pool(msgspec.Struct, frozen=True):
    size: int = 1
    extra: int | None = None


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    debug: bool = False
    table: dict[str, int] = {}
    dsn: Secret[str] | None = None


def lines(caplog):
    found = [
        (r.levelname, TIME.sub(r"\1after TIME", r.getMessage())) for r in caplog.records if r.name == "reactive_config"
    ]
    assert all(text.isprintable() and len(text) < 2000 for _, text in found)
    return found


TIME = re.compile(r"^(no longer held: .*)after [\d.]+s")


@pytest.fixture
def log(caplog):
    """Takes what was logged since it was asked last."""
    caplog.set_level(logging.INFO, "reactive_config")

    def take():
        found = lines(caplog)
        caplog.clear()
        return found

    return take


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def write(path, text):
    """As an editor saves: beside it, then renamed."""
    beside = path.with_name(f"{path.name}~")
    beside.write_text(text)
    beside.replace(path)


# -- generations ---------------------------------------------------------------------------------


async def test_a_generation_says_its_number_what_changed_and_where_it_stands(log):
    memory, over = Memory({"pool": {"size": 1}}), Memory(name="over")
    async with open_config(App, memory, over) as config:
        assert log() == [("INFO", "generation 1 from memory (revision 1), over (revision 1)")]
        await over.patch({"pool": {"size": 5}})
        assert log() == [("INFO", "generation 2: pool.size (over pool.size, revision 2)")]
        await memory.patch({"debug": True, "pool": {"extra": 1}})
        assert log() == [
            ("INFO", "generation 3: debug (memory debug, revision 2), pool.extra (memory pool.extra, revision 2)")
        ]
        await memory.patch({"pool": {"size": 3}})
        assert log() == []  # what is in force did not change
        await over.replace({})
        assert log() == [("INFO", "generation 4: pool.size (memory pool.size, revision 3)")]
        await memory.replace({"pool": {"size": 3, "extra": 1}})
        assert log() == [("INFO", "generation 5: debug (not set any more)")]
    assert config.snapshot.generation == 5


async def test_a_generation_with_many_paths_names_a_few_and_counts_the_others(log):
    memory = Memory()
    async with open_config(App, memory):
        log()
        await memory.patch({"table": {f"key-{number}": number for number in range(1004)}})
        ((_, text),) = log()
    assert text.count("(memory table.key-") == logbook.NAMED
    assert text.endswith(" and 1,000 more")


async def test_a_value_is_in_no_line(log):
    memory = Memory({"dsn": "canary-1"})
    async with open_config(App, memory):
        await memory.patch({"dsn": "canary-2"})
        with pytest.raises(Rejected):
            await memory.patch({"dsn": ["canary-3"]})
        await memory.patch({"dsn": "canary-4"})
        texts = [text for _, text in log()]
    assert len(texts) == 5
    assert "canary" not in "".join(texts)
    assert texts[1].startswith("generation 2: dsn (memory")


async def test_names_of_tables_from_outside_are_printable_and_short(log):
    memory = Memory()
    async with open_config(App, memory):
        await memory.patch({"table": {"a\x1b[2J\n" + "x" * 5000: 1}})
        assert "generation 2: table." in log()[-1][1]


async def test_names_and_reasons_of_sources_are_printable_and_short(log):
    odd = "a\x1b[2J\nWARNING" + "x" * 5000
    memory, source = Memory(name=f"m{odd}"), Scripted({}, name=f"s{odd}")
    async with open_config(App, memory, source):
        with pytest.raises(Rejected):
            await memory.patch({"debug": 7})
        await memory.patch({"debug": True})
        source.state(SourceState.STALE, odd)
        source.state(SourceState.SYNCED)
        await source.fail(odd)
        texts = [text for _, text in log()]  # which looks at each
    assert len(texts) == 7
    assert texts[-1].startswith("sa\\u001b[2J\\nWARNINGx")


async def test_a_level_that_is_off_asks_for_nothing(caplog, monkeypatch):
    caplog.set_level(logging.WARNING, "reactive_config")
    monkeypatch.setattr(Logbook, "generation", None)  # calling it would raise
    memory = Memory()
    async with open_config(App, memory) as config:
        await memory.patch({"debug": True})
        assert config.snapshot.generation == 2
    assert lines(caplog) == []


# -- files ---------------------------------------------------------------------------------------


async def test_the_log_of_files_over_edits_and_a_mistake(tmp_path, log):
    common, production = tmp_path / "common", tmp_path / "production"
    for directory in (common, production):
        directory.mkdir()
    write(common / "app.toml", "[pool]\nsize = 10\n")
    file = production / "app.yaml"
    write(file, "debug: false\n")
    sources = Files(common, production), Env("SHOP_", environ={})
    async with open_config(App, *sources) as config:
        # Two layers without places of their own are called what the program called them.
        assert log() == [("INFO", f"generation 1 from files ({common}, {production}), environment (SHOP_*)")]
        write(file, "debug: true\npool:\n  size: 40\n")
        await until(lambda: config.snapshot.generation == 2)
        assert log() == [("INFO", f"generation 2: debug, pool.size (files {file})")]
        write(file, "debug: true\npool:\n  size: lots\n")
        await until(lambda: config.status().sources[0].held)
        assert log() == [
            ("WARNING", f"held {file} of files: pool.size: expected int, got 'lots' (files {file}:3:9)"),
        ]
        write(file, "debug: true\npool:\n  size: 41\n")
        await until(lambda: config.snapshot.generation == 3)
        assert log() == [
            ("INFO", f"no longer held: {file} of files (in force now, after TIME)"),
            ("INFO", f"generation 3: pool.size (files {file})"),
        ]
        write(file, "debug: true\npool:\n  size: many\n")
        await until(lambda: config.status().sources[0].held)
        write(file, "debug: true\npool:\n  size: 41\n")
        await until(lambda: not config.status().sources[0].held)
        assert [text for _, text in log()][1:] == [
            f"no longer held: {file} of files (overwritten or taken back, after TIME)"
        ]


# -- held ----------------------------------------------------------------------------------------


async def test_a_unit_that_is_overwritten_by_one_that_is_held_too_is_told(log):
    source = Scripted({})
    async with open_config(App, source):
        for bad in ("a", "b"):
            with pytest.raises(Rejected):
                await source.set({"pool": {"size": bad}})
        assert [(level, text.partition(":")[0]) for level, text in log()[1:]] == [
            ("WARNING", "held revision 2 of scripted"),
            ("WARNING", "held revision 3 of scripted"),
            ("INFO", "no longer held"),
        ]


async def test_many_units_that_fit_at_last_are_one_line(log):
    source = Scripted({})
    async with open_config(App, source):
        bad = {f"k{n}": Entry(("table", f"k{n}"), "x", n, n) for n in range(2, 50)}
        with pytest.raises(Rejected):
            await source.send(Patch(bad, {}, 49))
        log()
        await source.replace({})
        (line,) = log()
    assert line[0] == "INFO"
    assert re.fullmatch(
        r"no longer held: revision \d+ of scripted(, revision \d+ of scripted){3} and 44 more "
        r"\(overwritten or taken back, after TIME at most\)",
        line[1],
    )


async def test_a_unit_that_is_held_for_another_reason_is_not_told_to_be_free(log):
    source = Scripted({})
    async with open_config(App, source):
        with pytest.raises(Rejected):
            await source.set({"pool": {"size": "a", "extra": "b"}})
        log()
        await source.set({"pool": {"size": 1}})  # the rest of the unit is tried again
        assert [text.partition(":")[0] for _, text in log()] == ["held revision 2 of scripted"]


# -- bounds --------------------------------------------------------------------------------------


class HandClock:
    """A loop's clock and timers, moved by hand."""

    def __init__(self):
        self.now, self.timers = 100.0, []

    def time(self):
        return self.now

    def call_at(self, when, callback):
        handle = HandTimer(when, callback, self)
        self.timers.append(handle)
        return handle

    def pass_by(self, seconds):
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.when <= self.now]:
            if timer in self.timers:
                self.timers.remove(timer)
                timer.callback()


class HandTimer:
    def __init__(self, when, callback, clock):
        self.when, self.callback, self._clock = when, callback, clock

    def cancel(self):
        if self in self._clock.timers:
            self._clock.timers.remove(self)


def test_ten_lines_in_a_second_then_a_count_and_no_timer_while_nothing_is_left_out(log):
    clock = HandClock()
    budget = LineBudget(10, 1.0, "%d more lines were left out", clock)
    for number in range(10):
        budget.say(logging.INFO, "line %d", number)
    assert not clock.timers
    for _ in range(12):
        budget.say(logging.INFO, "too much")
    assert len(clock.timers) == 1
    assert [text for _, text in log()] == [f"line {number}" for number in range(10)]
    clock.pass_by(1.0)
    assert log() == [("INFO", "12 more lines were left out")]
    assert not clock.timers
    budget.say(logging.INFO, "again")
    assert log() == [("INFO", "again")]


def test_a_flood_of_a_minute_is_bounded_and_all_of_it_is_counted(log):
    clock = HandClock()
    budget = LineBudget(10, 1.0, "%d more lines were left out", clock)
    for _ in range(6000):
        budget.say(logging.INFO, "a change")
        clock.pass_by(0.01)
    budget.close()
    texts = [text for _, text in log()]
    told, counts = texts.count("a change"), [int(text.split()[0]) for text in texts if text != "a change"]
    assert told + sum(counts) == 6000
    assert len(texts) <= 61 * 11
    assert not clock.timers


def test_a_flood_of_mistakes_is_bounded_and_a_push_of_many_is_counted_at_once(log):
    clock = HandClock()
    book = Logbook(clock)
    problem = Problem("debug", "bool", "int")
    since = datetime.now(UTC)
    book.held(("source", HeldUnit(f"revision {n}", (problem,), since)) for n in range(logbook.HELD_LINES + 50))
    texts = [text for _, text in log()]
    assert (len(texts), texts[-1]) == (logbook.HELD_LINES + 1, "held 50 more units; config.status() has them")
    for number in range(6000):
        book.held([("source", HeldUnit(f"revision {number}", (problem,), since))])
        clock.pass_by(0.01)
    book.close()
    texts = [text for _, text in log()]
    counts = [int(text.split()[1]) for text in texts if "more units" in text]
    assert len(texts) - len(counts) + sum(counts) == 6000
    assert len(texts) < 7 * (logbook.HELD_LINES + 2)
    assert not clock.timers


def test_the_count_has_the_gravest_level_of_what_was_left_out(log):
    clock = HandClock()
    budget = LineBudget(1, 1.0, "%d more", clock)
    for level in (logging.INFO, logging.WARNING, logging.INFO):
        budget.say(level, "line")
    clock.pass_by(1.0)
    assert log()[1:] == [("WARNING", "2 more")]


@pytest.mark.parametrize("kind", ["changes", "freed", "bindings", "sources"])
async def test_a_flood_of_one_kind_hides_no_other(log, kind):
    book = Logbook(asyncio.get_running_loop())
    for _ in range(100):
        getattr(book, kind).say(logging.WARNING, "a flood")
    for other in {"changes", "freed", "bindings", "sources"} - {kind}:
        getattr(book, other).say(logging.INFO, other)
    book.close()
    texts = [text for _, text in log()]
    assert len(texts) == logbook.LINES + 3 + 1
    assert texts[-1].startswith(f"{100 - logbook.LINES} more lines about ")


async def test_a_flood_of_changes_hides_no_warning(log):
    memory, bad = Memory(), Scripted({}, name="bad")
    async with open_config(App, memory, bad):
        log()
        for number in range(100):
            await memory.patch({"pool": {"size": number + 2}})
        with pytest.raises(Rejected):
            await bad.set({"debug": 7})
        bad.state(SourceState.STALE, "no route")
        found = log()
    after = log()  # what was left to tell is told at the end
    changes = [text for _, text in found if text.startswith("generation")]
    assert len(changes) < 100
    assert ("WARNING", "bad is STALE: no route; the last state stays in force") in found
    assert any(text.startswith("held revision 2 of bad: debug: expected bool") for _, text in found)
    counted = [int(text.split()[0]) for _, text in found + after if text.endswith("about changes were left out")]
    assert len(changes) + sum(counted) == 100


# -- sources -------------------------------------------------------------------------------------


async def test_a_source_that_goes_and_comes_back_is_told_once_each(log):
    source = Scripted({})
    async with open_config(App, source):
        log()
        for reason in ("no route", "still no route"):
            source.state(SourceState.STALE, reason)
        assert log() == [("WARNING", "scripted is STALE: no route; the last state stays in force")]
        source.state(SourceState.FAILED, "wrong password")
        source.state(SourceState.FAILED, "wrong password once more")
        assert log() == [("WARNING", "scripted is FAILED: wrong password; the last state stays in force")]
        source.state(SourceState.SYNCED)
        source.state(SourceState.SYNCED)
        ((level, text),) = log()
        assert level == "INFO"
        assert re.fullmatch(r"scripted is SYNCED, after \d+\.\ds away", text)


async def test_a_source_that_may_be_missing_is_told_if_it_is(log):
    away = Scripted(name="away", optional=True)
    away.state(SourceState.STALE, "no route")
    async with open_config(App, Memory(), away) as config:
        assert log() == [
            ("WARNING", "away is STALE: no route; the program goes on without it"),
            ("INFO", "generation 1 from memory (revision 1)"),
        ]
        await away.set({"debug": True})
        away.state(SourceState.SYNCED)
        await until(lambda: config.current.debug)
        assert sorted(text.partition(",")[0] for _, text in log()) == [
            "away is SYNCED",
            "generation 2: debug (away debug",
        ]


async def test_one_that_says_nothing_until_the_start_is_over_is_told(log):
    async with open_config(App, Memory(), Scripted(name="mute", optional=True), startup_timeout=0.01):
        assert log()[0] == ("WARNING", "mute is CONNECTING: no answer yet; the program goes on without it")


async def test_a_start_from_the_last_good_state_is_told(log):
    source = Scripted({"pool": {"size": "x"}}, last_good={"pool": {"size": 4}})
    async with open_config(App, source):
        texts = log()
    assert texts[0] == ("WARNING", "scripted: its content does not fit; the program starts from its last good state")
    assert [text.partition(":")[0] for _, text in texts[1:]] == [
        "generation 1 from scripted (the last good state; what does not fit of revision 1 is held)",
        "held revision 1 of scripted",
    ]


async def test_a_source_that_ends_with_an_error_is_told_once(log):
    source = Scripted({})
    async with open_config(App, source):
        log()
        await source.fail("wrong password")
        assert log() == [("ERROR", "scripted: wrong password")]


async def test_a_selected_function_that_raises_is_told_once_and_so_is_its_end(log):
    memory = Memory({"pool": {"size": 1}})
    async with open_config(App, memory) as config:
        live = config.select(lambda c: 10 // (c.pool.size % 2))
        log()
        for size in (2, 4, 3):
            await memory.patch({"pool": {"size": size}})
        found = [line for line in log() if not line[1].startswith("generation")]
        assert live.current == 10
    (first, raised), (last, works) = found
    assert (first, last) == ("WARNING", "INFO")
    assert raised.endswith(": raised ZeroDivisionError, the value is an older one")
    assert works.endswith(": the value is the newest again")


# -- a start that waits --------------------------------------------------------------------------


async def test_a_start_that_waits_says_for_what_and_says_it_again_when_the_reason_changes(log, monkeypatch):
    monkeypatch.setattr(logbook, "FIRST_WORD", 0.01)
    source = Scripted(name="slow", optional=False)
    opening = asyncio.create_task(open_config(App, Memory(), source, startup_timeout=30).__aenter__())
    found = []
    await until(lambda: found.extend(log()) or found)
    assert found[0][0] == "WARNING"
    assert re.fullmatch(r"the start waits for slow: connecting: no answer yet \(0\.\ds of 30s\)", found[0][1])
    source.state(SourceState.CONNECTING, "Connection refused")
    await until(lambda: found.extend(log()) or len(found) > 1)
    assert found[1][1].startswith("the start waits for slow: connecting: Connection refused (")
    source.state(SourceState.CONNECTING, "Connection refused")
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not log()  # the same reason waits for its time
    opening.cancel()
    await asyncio.wait([opening])


async def test_the_same_reason_is_said_again_now_and_then_and_the_end_is_quiet(log, monkeypatch):
    monkeypatch.setattr(logbook, "FIRST_WORD", 0.01)
    monkeypatch.setattr(logbook, "NEXT_WORD", 0.02)
    with pytest.raises(StartupError):
        async with open_config(App, Scripted(name="slow", optional=False), startup_timeout=0.5):
            pass
    texts = [text for _, text in log()]
    assert len(texts) > 1
    again = {text.partition(" (")[0] for text in texts if "left out" not in text}
    assert again == {"the start waits for slow: connecting: no answer yet"}


async def test_a_start_that_does_not_wait_says_nothing_about_it(log):
    async with open_config(App, Memory()):
        assert [text for _, text in log() if "waits" in text] == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (2.34, "2.3s"), (12.3, "12s"), (65, "1m5s"), (3600, "1h")]
)
def test_times_are_short(seconds, text):
    assert logbook.lasted(seconds) == text
