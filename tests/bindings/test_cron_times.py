"""The rule of cron times against a model that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._bindings.cron_times import MOST_COUNTED, RECHECK, SET_BACK, CronTimes
from reactive_config._bindings.schedule import TickManner
from reactive_config.bindings import Cron

SECOND = 1_000_000_000
MINUTE = timedelta(minutes=1)
BERLIN, SPRING, AUTUMN = "Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)

# Not here, for cronsim misses there what `Cron` names as a known limit: Havana, whose clocks change at midnight, and
# Lord Howe, where they change by half an hour.
PLACES = st.sampled_from(
    [("UTC", SPRING), (BERLIN, SPRING), (BERLIN, AUTUMN), ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
     ("Australia/Sydney", datetime(2026, 10, 3, tzinfo=UTC))]
)  # fmt: skip


def nanoseconds(moment):
    return int(moment.timestamp()) * SECOND


def moment(place):
    return datetime.fromtimestamp(place // SECOND, UTC)


@st.composite
def fields(draw, low, high):
    """One field: as text, and as the numbers that it means."""
    kind = draw(st.sampled_from(["*", "step", "list", "range"]))
    if kind == "*":
        return "*", set(range(low, high + 1))
    if kind == "step":
        step = draw(st.integers(1, high))
        return f"*/{step}", set(range(low, high + 1, step))
    first, last = sorted([draw(st.integers(low, high)), draw(st.integers(low, high))])
    if kind == "range":
        return f"{first}-{last}", set(range(first, last + 1))
    return f"{first},{last}", {first, last}


@st.composite
def expressions(draw):
    """A cron expression that names most days, as text and as the numbers of its fields."""
    minute, hour = draw(fields(0, 59)), draw(fields(0, 23))
    day = draw(
        st.sampled_from([("*", set(range(1, 32))), ("*/2", set(range(1, 32, 2))), ("25-29", {25, 26, 27, 28, 29})])
    )
    weekday = draw(st.sampled_from([("*", set(range(7))), ("SUN,WED", {0, 3}), ("1-5", {1, 2, 3, 4, 5})]))
    return " ".join([minute[0], hour[0], day[0], "*", weekday[0]]), (minute, hour, day, weekday)


def names(parts, clock):
    """Whether an expression names what a clock on the wall shows."""
    (_, minutes), (_, hours), (day, days), (weekday, weekdays) = parts
    on_day, on_weekday = clock.day in days, clock.isoweekday() % 7 in weekdays
    either = not day.startswith("*") and not weekday.startswith("*")
    return (
        clock.minute in minutes and clock.hour in hours and (on_day or on_weekday if either else on_day and on_weekday)
    )


def model(parts, zone, after, until):
    """The minutes after one time up to another in which somebody with an eye on the wall would ring."""
    follows_the_wall = parts[0][0].startswith("*") or parts[1][0].startswith("*")
    zone, found = ZoneInfo(zone), []
    now = after.replace(second=0) + MINUTE
    while now <= until:
        here, before = now.astimezone(zone), (now - MINUTE).astimezone(zone).replace(tzinfo=None)
        clock = here.replace(tzinfo=None)
        shown = [clock]
        if not follows_the_wall:
            while shown[-1] - MINUTE > before:  # a gap: what it skips counts now
                shown.append(shown[-1] - MINUTE)
            if here.fold:
                shown = []
        if any(names(parts, minute) for minute in shown):
            found.append(now)
        now += MINUTE
    return found


@settings(max_examples=150, deadline=None)
@given(expressions(), PLACES, st.integers(-600, 1800), st.integers(0, 59))
@pytest.mark.slow
def test_the_times_are_those_of_a_clock_on_the_wall(expression, place, offset, seconds):
    text, parts = expression
    zone, day = place
    start = day + timedelta(minutes=offset, seconds=seconds)
    until = start + timedelta(hours=26)
    found = []
    for time in Cron(text, zone).times(nanoseconds(start)):
        if time > nanoseconds(until):
            break
        found.append(moment(time))
    assert found == model(parts, zone, start, until)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, 400)),  # minutes, attended
        st.tuples(st.just("jump"), st.integers(-400, 1500)),  # minutes by which the clock is set
        st.tuples(st.just("change"), expressions()),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(expressions(), PLACES, MOVES, st.sampled_from(["skip", "burst"]))
@pytest.mark.slow
def test_every_tick_is_the_model_s_whatever_is_changed_and_however_the_clock_is_set(first, place, moves, missed):
    zone, now = place
    parts = first[1]
    times = CronTimes(Cron(first[0], zone), nanoseconds(now), TickManner(missed))
    done = now  # the model: up to here everything has ticked, or never will
    for move, by in moves:
        if move == "change":
            parts, done = by[1], max(done, now)
            times.change(Cron(by[0], zone), nanoseconds(now))
            assert times.take(nanoseconds(now)) is None
        elif move == "pass":
            for _ in range(by):
                now += MINUTE
                expected = [now] if now > done and model(parts, zone, now - MINUTE, now) else []
                assert [moment(tick.scheduled) for tick in taken(times, now)] == expected
                done = max(done, *expected) if expected else done
        else:
            now += timedelta(minutes=by)
            if done - now > timedelta(hours=3):
                done = now
            expected = model(parts, zone, done, now)
            ticks = taken(times, now)
            if missed == "skip" and len(expected) <= MOST_COUNTED:
                assert [(moment(t.scheduled), t.missed) for t in ticks] == [
                    (e, len(expected) - 1) for e in expected[-1:]
                ]
            elif missed == "skip":
                assert [(moment(t.scheduled), t.missed) for t in ticks] == [(expected[-1], MOST_COUNTED)]
            else:
                assert [(moment(t.scheduled), t.missed) for t in ticks] == [(e, 0) for e in expected]
            done = max([done, *expected])


def taken(times, now):
    ticks = []
    while (tick := times.take(nanoseconds(now))) is not None:
        assert tick.at.astimezone(UTC) == moment(tick.scheduled)
        ticks.append(tick)
    return ticks


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["03-28T02:30+01:00", "03-29T03:00+02:00", "03-30T02:30+02:00"]),  # skipped: right after
        ("30 * * * *", ["03-29T01:30+01:00", "03-29T03:30+02:00"]),  # follows the wall: left out
        ("15,45 2,3 * * *", ["03-29T03:00+02:00", "03-29T03:15+02:00", "03-29T03:45+02:00"]),  # both skipped: once
    ],
)
def test_the_hour_that_spring_skips(expression, expected):
    rule, found = Cron(expression, BERLIN), []
    start = datetime.fromisoformat(f"2026-{expected[0]}") - MINUTE
    for time in rule.times(nanoseconds(start)):
        found.append(rule.local(time).isoformat(timespec="minutes"))
        if len(found) == len(expected):
            break
    assert found == [f"2026-{each}" for each in expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["10-25T02:30+02:00", "10-26T02:30+01:00"]),  # repeated: once, the first time
        ("30 * * * *", ["10-25T02:30+02:00", "10-25T02:30+01:00", "10-25T03:30+01:00"]),  # follows the wall: twice
    ],
)
def test_the_hour_that_autumn_repeats(expression, expected):
    rule = Cron(expression, BERLIN)
    coming = rule.times(nanoseconds(datetime.fromisoformat("2026-10-25T02:29+02:00")))
    assert [rule.local(next(coming)).isoformat(timespec="minutes") for _ in expected] == [f"2026-{e}" for e in expected]


def test_between_the_two_passes_of_a_repeated_hour_the_first_one_is_past():
    rule = Cron("30 2 * * *", BERLIN)
    second_pass = datetime.fromisoformat("2026-10-25T02:10+01:00")
    assert rule.local(next(rule.times(nanoseconds(second_pass)))).isoformat() == "2026-10-26T02:30:00+01:00"


@given(st.integers(0, 3600), st.floats(0, 1, exclude_max=True))
def test_jitter_delays_a_tick_by_its_share_at_most_to_the_next_place(jitter, share):
    start = nanoseconds(SPRING)
    times = CronTimes(Cron("*/10 * * * *"), start, TickManner("skip", jitter * SECOND, lambda: share))
    for number in range(1, 4):
        place = start + number * 600 * SECOND
        assert times.fires == place + int(share * (min(jitter, 600) * SECOND))
        assert times.take(times.fires - 1) is None
        tick = times.take(times.fires)
        assert (tick.count, tick.scheduled, tick.missed) == (number, place, 0)


def test_a_change_after_a_small_step_back_repeats_nothing_either():
    start, hour = nanoseconds(SPRING), 3600 * SECOND
    times = CronTimes(Cron("0 * * * *"), start, TickManner())
    assert times.take(start + hour).count == 1
    times.change(Cron("*/30 * * * *"), start + hour - 60 * SECOND)
    assert times.fires == start + hour + 1800 * SECOND


def test_a_place_whose_jitter_is_not_over_is_not_missed():
    start, minute = nanoseconds(SPRING), 60 * SECOND
    times = CronTimes(Cron("* * * * *"), start, TickManner("skip", 40 * SECOND, lambda: 0.5))
    tick = times.take(start + 2 * minute + 10 * SECOND)  # the second place comes 20 seconds after its time
    assert (tick.scheduled, tick.missed) == (start + minute, 0)
    assert times.fires == start + 2 * minute + 20 * SECOND


def test_a_clock_set_from_1970_to_now_costs_no_more_than_a_thousand_steps_and_finds_the_newest():
    times = CronTimes(Cron("*/7 3 * 5 *", BERLIN), 0, TickManner())
    tick = times.take(nanoseconds(AUTUMN))
    assert (tick.at.isoformat(), tick.missed) == ("2026-05-31T03:56:00+02:00", MOST_COUNTED)
    assert times.take(nanoseconds(AUTUMN)) is None


def test_a_wait_is_never_longer_than_the_recheck():
    times = CronTimes(Cron("0 0 29 2 *"), nanoseconds(SPRING), TickManner())
    assert times.left(nanoseconds(SPRING)) == RECHECK
    assert times.left(times.fires - SECOND) == SECOND


def test_a_small_step_back_repeats_nothing_and_a_large_one_begins_anew():
    start = nanoseconds(SPRING)
    times = CronTimes(Cron("0 * * * *"), start, TickManner())
    hour = 3600 * SECOND
    assert times.take(start + hour).count == 1
    assert times.take(start + hour - SECOND) is None
    assert times.take(start + hour) is None
    assert times.take(start + hour - SET_BACK - SECOND) is None
    assert times.take(start + hour - SET_BACK).scheduled == start + hour - SET_BACK


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "@daily", "61 * * * *", "5-2 * * * *", "*/0 * * * *", "0 0 30 2 *", "a b c d e",
     "0 0 */28 2 TUE#2", "L/2 * * * *", f"{'9' * 5000} * * * *"],
)  # fmt: skip
def test_what_is_no_expression_or_never_comes_is_refused(expression):
    with pytest.raises(ValueError, match="cron: expected") as refused:
        Cron(expression)
    assert not expression or expression not in str(refused.value)


@pytest.mark.parametrize("zone", ["", "Nowhere", "Europe", "../etc/passwd", "/etc/passwd", "UTC\0"])
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(ValueError, match="timezone: expected the name of a time zone, such as Europe/Berlin"):
        Cron("0 3 * * *", zone)
