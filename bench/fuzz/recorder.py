"""What was tried, and what it broke."""

from __future__ import annotations

import logging
import reprlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from reactive_config.errors import Problem

LONGEST_MESSAGE = 2_000
"""Characters of one problem in words."""

LONGEST_WORK = 3.0
"""Seconds of this thread's processor that one content may take. Not of the clock: what another process takes does not
count. Contents have up to 60,000 characters, and the longest honest one takes a tenth of it on the slowest machine;
one that takes the square of its length, some minutes."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200


class Breach(Exception):
    """A promise that some content broke."""


class FuzzRecorder(logging.Handler):
    """Counts contents, and reads every message of the library's log.

    Attributes:
        counts: By what was counted.
        work: The longest work that one content took, in seconds of the processor.
        worst: That content.
        breaches: What was broken, with what to do it again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.work, self.worst = 0.0, ""
        self.breaches: list[str] = []
        self._unfit = ""
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        self.counts["log lines"] += 1
        if not message.isprintable():
            self._unfit = f"a line of the log is not printable: {message!r:.400}"
        if record.exc_info:
            self._unfit = f"a line of the log has a traceback: {message!r:.400}"

    def problem(self, problem: Problem) -> None:
        """Read what is told of a problem."""
        self.counts["problems"] += 1
        told = str(problem)
        if not told.isprintable() or len(told) > LONGEST_MESSAGE:
            raise Breach(f"expected a short printable message, got {len(told):,} characters: {told[:400]!r}")

    @contextmanager
    def content(self, title: str, content: object) -> Iterator[None]:
        """Count one content while it is tried, and note what it breaks; breaches do not leave."""
        self.counts[title] += 1
        self._unfit, self._last = "", f"{title} {_shown(content)}"
        before = time.thread_time()
        try:
            yield
            if self._unfit:
                raise Breach(self._unfit)
        except Exception as error:  # noqa: BLE001 - whatever leaves is a breach
            self.broken(error)
        work = time.thread_time() - before
        if work > self.work:
            self.work, self.worst = work, self._last
        if work > LONGEST_WORK:
            self.broken(Breach(f"expected at most {LONGEST_WORK} s of the processor, got {work:.1f}"))

    def broken(self, error: BaseException) -> None:
        """Note what the last content broke."""
        self.breaches.append(f"{type(error).__name__}: {error!s:.500}\n    {self._last}")


def _shown(content: object) -> str:
    try:
        return _short.repr(content)
    except ValueError:  # an integer of more digits than Python writes
        return type(content).__name__
