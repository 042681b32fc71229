"""When a file is read, as a function of what is known; no file system and no waiting."""

from __future__ import annotations

import pytest

from reactive_config._core.delta import Malformed
from reactive_config._sources.files.notifiers.base import WriteEvent
from reactive_config._sources.files.read_whole import FileContent, FileSignature
from reactive_config._sources.files.reader import YOUNG, KnownFile, WaitLimits, due
from reactive_config._sources.files.scan import FoundFile
from reactive_config._sources.files.symlinks import LinkSwap

LIMITS = WaitLimits(settle=0.25, max_wait=10.0)
WALL = 1_000_000_000_000
EMPTY = Malformed("a document", "an empty file")


def found(ctime_age: float = 100.0, size: int = 3, swap: LinkSwap | None = None) -> FoundFile:
    ctime = WALL - int(ctime_age * 1e9)
    return FoundFile("a", "a", 0, 0, (), ".toml", "/a", FileSignature(1, 2, size, ctime, ctime), None, swap)


def sent(file: FoundFile, now: float = 0.0, data: bytes | Malformed = b"x=1", wall_ns: int = WALL) -> KnownFile:
    known = KnownFile()
    known.observe(file, now)
    known.sent(file, FileContent(data, file.signature), now, wall_ns)
    return known


def ask(known: KnownFile, file: FoundFile, now: float, write: WriteEvent | None = None) -> float | None:
    known.observe(file, now)
    return due(known, file, write, now, WALL, LIMITS)


def test_an_old_file_is_read_at_once() -> None:
    """Its ctime says that it has been quiet for long."""
    assert ask(KnownFile(), found(), now=5.0) == pytest.approx(5.0 + 0.25 - 100.0)


def test_a_young_file_is_read_when_it_has_been_quiet() -> None:
    """Counted from its ctime, or from when it was first seen so if its clock is ahead of ours."""
    assert ask(KnownFile(), found(ctime_age=0.1), now=5.0) == pytest.approx(5.15)
    assert ask(KnownFile(), found(ctime_age=-3.0), now=5.0) == pytest.approx(5.25)


def test_a_file_that_keeps_changing_is_read_after_max_wait() -> None:
    """Each change begins the quiet again, `max_wait` does not."""
    known = KnownFile()
    for step in range(100):
        when = ask(known, found(ctime_age=0.0, size=step), now=step * 0.2)
        assert when == pytest.approx(min(step * 0.2 + 0.25, 10.0))


@pytest.mark.parametrize("age", [0.0, 100.0])
def test_an_open_writer_is_waited_for_and_a_closed_one_is_not(age: float) -> None:
    """Whatever the clocks say."""
    assert ask(KnownFile(), found(ctime_age=age), now=5.0, write=WriteEvent(True, 4.0, 1)) == 14.0
    assert ask(KnownFile(), found(ctime_age=age), now=5.0, write=WriteEvent(False, 4.0, 1)) == 5.0


def test_a_file_that_was_opened_again_is_judged_by_quiet() -> None:
    """It may be a reader, or a writer whose first write is not told yet."""
    assert ask(KnownFile(), found(ctime_age=0.0), now=5.0, write=WriteEvent(False, 4.0, 1, reopened=True)) == 5.25
    assert ask(sent(found()), found(), now=5.0, write=WriteEvent(False, 4.0, 1, reopened=True)) is None


def test_max_wait_counts_from_the_first_change_that_was_not_read() -> None:
    """A file that is closed and opened again all the time begins many writes, and must not be hidden for ever."""
    known = KnownFile()
    for step in range(100):
        now = 5.0 + step * 0.2
        assert ask(known, found(ctime_age=0.0, size=step), now, WriteEvent(True, now - 0.1, step)) == min(
            now + 9.9, 15.0
        )
        assert known.overdue(now, LIMITS.max_wait) == (now >= 15.0)


def test_what_was_sent_is_not_read_again() -> None:
    """Unless it was young then: a second write in the same tick of the clock leaves no trace."""
    assert ask(sent(found()), found(), now=5.0) is None
    young = sent(found(), now=5.0, wall_ns=WALL - int(99.99e9))
    assert ask(young, found(), now=5.0) == 5.0 + YOUNG
    assert ask(young, found(), now=5.01, write=WriteEvent(False, 5.0, 1)) == 5.01


def test_a_swap_is_read_at_once() -> None:
    """However young its files are: the swap says that they are finished."""
    known = sent(found(swap=LinkSwap("/", "one")))
    assert ask(known, found(ctime_age=0.0, size=9, swap=LinkSwap("/", "two")), now=5.0) == 5.0


def test_trouble_is_said_when_it_lasts() -> None:
    """And looked at once more before that; after it was said, it is tried again at every look."""
    known = sent(found())
    empty = found(size=0)
    known.observe(empty, 5.0)
    assert not known.lasts(EMPTY, 5.0, LIMITS.settle)
    assert ask(known, empty, now=5.1) == 5.25
    assert known.lasts(EMPTY, 5.25, LIMITS.settle)
    known.sent(empty, FileContent(EMPTY, empty.signature), 5.25, WALL)
    assert ask(known, empty, now=6.0) == 6.0
    assert known.lasts(EMPTY, 6.0, LIMITS.settle)


def test_another_trouble_begins_anew() -> None:
    known = sent(found())
    known.observe(found(size=0), 5.0)
    known.lasts(EMPTY, 5.0, LIMITS.settle)
    known.observe(found(size=1), 5.2)
    assert not known.lasts(EMPTY, 5.25, LIMITS.settle)


def test_away_counts_from_when_its_directory_was_last_touched() -> None:
    """A file made anew all the time may be away at every look. A busy directory does not keep it for ever."""
    known, home = sent(found()), FileSignature(1, 1, 1, 1, 1)
    assert known.gone(home, 5.0, LIMITS) == 5.25
    assert known.gone(home, 5.2, LIMITS) == 5.25
    for step in range(100):
        now = 5.3 + step * 0.2
        assert known.gone(home._replace(mtime_ns=step + 2), now, LIMITS) == pytest.approx(min(now + 0.25, 15.0))
    known.observe(found(), 30.0)
    assert known.gone(home, 31.0, LIMITS) == 31.25


def test_at_rest_is_what_was_read_as_it_stands() -> None:
    """Such a file is passed over; whatever is left to be done, or may be tried again, keeps it from resting."""
    assert sent(found()).at_rest(found())
    assert not sent(found()).at_rest(found(size=9))
    assert not sent(found(), data=EMPTY).at_rest(found())
    assert not sent(found(ctime_age=0.0)).at_rest(found(ctime_age=0.0))  # young: it is read once more


def test_a_change_that_was_taken_back_does_not_rest_before_it_was_seen_so() -> None:
    """Else its first moment would be counted as that of the next change, which then would not be waited for."""
    known = sent(found())
    known.observe(found(size=9), 5.0)
    assert not known.at_rest(found())
    known.observe(found(), 6.0)
    assert known.at_rest(found())
    known.gone(None, 7.0, LIMITS)
    assert not known.at_rest(found())


def test_a_file_that_changed_before_it_was_read_rests_as_it_was_read() -> None:
    known, newer = KnownFile(), found(size=9)
    known.observe(found(), 5.0)
    known.sent(found(), FileContent(b"x=1", newer.signature), 5.0, WALL)
    assert known.at_rest(newer)
    assert not known.at_rest(found())
