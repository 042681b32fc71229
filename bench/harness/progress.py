"""How far a run is."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Bar:
    """A progress bar on a terminal; elsewhere a line for each point. A context manager.

    It is drawn between rounds only: a thread that draws during them would take part in what is measured.

    Args:
        cases: How many there will be.
    """

    def __init__(self, console: Console, cases: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._console = console
        self._progress = Progress(*columns, console=console, auto_refresh=False, transient=True)
        self._cases = self._progress.add_task("cases", total=cases)
        self._rounds = self._progress.add_task("rounds", total=None)

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
        shown = f"{text} ({number} of {of})" if of > 1 else text
        self._progress.reset(self._rounds, description=shown)
        if self._console.is_terminal:
            self._progress.refresh()
        else:
            self._console.print(shown, highlight=False)

    def round(self, done: int, of: int) -> None:
        """A round of all subjects is over."""
        self._progress.update(self._rounds, completed=done, total=of, refresh=self._console.is_terminal)

    def case(self) -> None:
        """A case is over."""
        self._progress.advance(self._cases)
