"""How far a run is."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.harness.pace import Pace, in_words


class Bar:
    """A progress bar on a terminal; elsewhere a line for each point. A context manager.

    It is drawn between rounds only: a thread that draws during them would take part in what is measured.

    Args:
        cases: How many there will be.
        pace: Told of the progress; what it says of the rest is shown.
    """

    def __init__(self, console: Console, cases: int, pace: Pace) -> None:
        columns = (
            *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()),
            TextColumn("{task.fields[left]}"),
        )
        self._console = console
        self._pace = pace
        self._progress = Progress(*columns, console=console, auto_refresh=False, transient=True)
        self._cases = self._progress.add_task("cases", total=cases, left="")
        self._rounds = self._progress.add_task("rounds", total=None, left="")
        self._point = (1, 1)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def point(self, text: str, number: int, of: int) -> None:
        """A point begins."""
        self._point = (number, of)
        shown = f"{text} ({number} of {of})" if of > 1 else text
        self._progress.reset(self._rounds, description=shown)
        left = self._tell_left((number - 1) / of)
        if self._console.is_terminal:
            self._progress.refresh()
        else:
            self._console.print(f"{shown}, {left}" if left else shown, highlight=False)

    def round(self, done: int, of: int) -> None:
        """A round of all subjects is over."""
        number, points = self._point
        self._tell_left((number - 1 + done / of) / points)
        self._progress.update(self._rounds, completed=done, total=of, refresh=self._console.is_terminal)

    def case(self) -> float:
        """A case is over; the seconds that it took."""
        self._progress.advance(self._cases)
        return self._pace.over()

    def _tell_left(self, share: float) -> str:
        self._pace.reached(min(share, 1.0))
        left = in_words(self._pace.left())
        self._progress.update(self._cases, left=left)
        return left
