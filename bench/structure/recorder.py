"""Which functions of the package run, in order of first call, in all threads that begin after it."""

from __future__ import annotations

import sys
import threading
from types import CodeType, FrameType
from typing import Any, NamedTuple, Self

from bench.structure.files import PACKAGE

TESTING = ("testing", "_testing")
"""Rooms that only tests run; a walk's own server is of them."""

_PARTS = frozenset({"<module>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Frames that are no functions: a comprehension is a frame of its own up to Python 3.11."""


class Function(NamedTuple):
    """One function of the package.

    Attributes:
        file: Below the package.
        name: With its class.
    """

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.file}  {self.name}"


class Recorder:
    """A hook of the interpreter that writes down nothing until it is started."""

    def __init__(self) -> None:
        self._known: dict[CodeType, Function | None] = {}
        self._seen: dict[Function, None] | None = None

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        threading.setprofile(self._called)
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        sys.setprofile(self._before)
        threading.setprofile(self._before)

    def start(self) -> None:
        """Write down from here on."""
        self._seen = {}

    def stop(self) -> list[Function]:
        """No more; what was called since the start, in order of first call."""
        seen, self._seen = self._seen, None
        return list(seen or ())

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        seen = self._seen
        if seen is None or event != "call":
            return
        code = frame.f_code
        if code not in self._known:
            self._known[code] = _function(code)
        function = self._known[code]
        if function is not None:
            seen.setdefault(function)


def _function(code: CodeType) -> Function | None:
    """Ours; None for the code of others."""
    if not code.co_filename.startswith(f"{PACKAGE}/") or code.co_name in _PARTS:
        return None
    file = code.co_filename.removeprefix(f"{PACKAGE}/")
    return None if file.startswith(TESTING) else Function(file, code.co_qualname)
