"""What the commands print: JSON lines, coloured text on a terminal, or plain text for a pipe.

A command describes; here it is decided how that looks. Every text passes `printable`, because values, keys and
file names come from outside and a terminal obeys what it is sent.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, NamedTuple, NoReturn

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from reactive_config._cli.failures import Failure, Unwritable
from reactive_config._printable import printable as escaped
from reactive_config.errors import Origin, Problem

_NARROWEST = 20
"""Columns; on a narrower terminal lines are wrapped by the terminal."""

_ESCAPED = "reactive_config.escaped"


class StyledText(NamedTuple):
    """Some text of a line, and its style in rich's words."""

    text: str
    style: str = ""


Line = str | Sequence[str | StyledText]


def printable(text: str) -> str:
    """A text of any length for the terminal, as `reactive_config._printable` writes it; its lines stay lines.

    So a line of JSON still means the same.
    """
    return escaped(text, None, keep="\n\t")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What an encoding does not have is written as JSON does, so that JSON stays JSON."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escape)


def compact(value: Any) -> str:
    """A shown value in one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


class Output:
    """Where a command writes.

    Attributes:
        json: Whether JSON lines are wanted; then only `record` writes to the standard output.
        terminal: Whether a person looks at it right now.
        unread: Whether whoever read the standard output has gone; what else is written there is lost.
    """

    unread = False

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors=_ESCAPED)  # a file's name need not fit the terminal's encoding
        self._out = make_console(sys.stdout)
        self._err = make_console(sys.stderr)
        self.terminal = self._out.is_terminal and not json

    def record(self, event: str, **fields: Any) -> None:
        """One JSON line."""
        self._write(printable(json.dumps({"event": event, **fields}, ensure_ascii=False)))

    def schema(self, schema: Any) -> None:
        """A document that is JSON for people too: indented, unless JSON lines are wanted."""
        if self.json:
            self._write(printable(json.dumps(schema, ensure_ascii=False)))
        else:
            self.document(schema)

    def text(self, text: str) -> None:
        """A text of this program's own, such as a script, as it is."""
        self._write(text)

    def document(self, value: Any) -> None:
        """Indented JSON; coloured on a terminal."""
        text = printable(json.dumps(value, indent=2, ensure_ascii=False))
        if not self.terminal:
            self._write(text)
            return
        from rich.highlighter import JSONHighlighter

        with self.writing():
            self._out.print(JSONHighlighter()(Text(text)), soft_wrap=True)

    def line(self, line: Line = "", *, indent: int = 0) -> None:
        """One line for people."""
        with self.writing():
            self._say(self._out, line, indent)

    def note(self, line: Line) -> None:
        """One line for people about what else they should know; on the standard error."""
        if not self.json:
            self._mention(line, 0)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """What is being done, beside a spinner; on the standard error, and gone in the end. Only on a terminal."""
        if self.json or not self._err.is_terminal:
            yield Progress(self, None)
            return
        with self._err.status("") as status:
            yield Progress(self, status)

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str | StyledText]], *, indent: int = 0) -> None:
        """Rows under headers; aligned columns without a frame where no terminal is."""
        cells = [[StyledText(printable(part.text), part.style) for part in map(_part, row)] for row in rows]
        if self.terminal:
            self._table(headers, cells, indent)
            return
        texts = [list(headers), *([part.text for part in row] for row in cells)]
        widths = [max(len(row[i]) for row in texts) for i in range(len(headers))]
        for row in texts if any(headers) else texts[1:]:
            padded = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
            self._write(" " * indent + padded.rstrip())

    def _table(self, headers: Sequence[str], rows: Sequence[Sequence[StyledText]], indent: int) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=any(headers), header_style="dim")
        for header in headers:
            table.add_column(header, overflow="fold")
        for row in rows:
            table.add_row(*(Text(part.text, part.style) for part in row))
        from rich.padding import Padding

        with self.writing():
            self._out.print(Padding(table, (0, 0, 0, indent), expand=False))

    def fail(self, failure: Failure) -> None:
        """Say why the command ends: JSON on the standard output where JSON is wanted, else on the standard error."""
        if self.json and not isinstance(failure, Unwritable):
            self.record(
                "error",
                error=failure.word,
                message=failure.message,
                troubles=failure.troubles,
                problems=[problem_fields(problem) for problem in failure.problems],
                hints=list(failure.hints),
            )
            return
        self._mention([StyledText("error: ", "bold red"), failure.message], 0)
        for name, trouble in failure.troubles.items():
            self._mention([StyledText(name, "bold"), f": {trouble}"], 2)
        for problem in failure.problems:
            self._mention(problem_line(problem), 2)
        for hint in failure.hints:
            self._mention([StyledText("hint: ", "cyan"), hint], 2)

    def _mention(self, line: Line, indent: int) -> None:
        try:
            self._say(self._err, line, indent)
        except OSError:  # whom could it be told? The exit code is all that is left
            _discard(sys.stderr)

    def _say(self, console: Console, line: Line, indent: int) -> None:
        parts = [StyledText(line)] if isinstance(line, str) else [_part(part) for part in line]
        if console.is_terminal:
            text = Text.assemble(*((printable(part.text), part.style) for part in parts))
            console.print(_indented(text, indent), highlight=False)
        else:
            print(" " * indent + printable("".join(p.text for p in parts)), file=console.file, flush=True)

    def _write(self, text: str) -> None:
        with self.writing():
            print(text, file=self._out.file, flush=True)  # at once: whoever reads `watch` waits for the line

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Around what writes to the standard output.

        Raises:
            Unwritable: It takes nothing, as on a full disk. A reader who has gone is no error.
        """
        try:
            yield
        except BrokenPipeError:
            # Whoever read has seen enough; what the command finds out still makes its exit code.
            self.unread = True
            _discard(sys.stdout)
        except OSError as error:
            _discard(sys.stdout)
            raise _unwritable(error) from None


def _discard(stream: IO[str]) -> None:
    """Send what is still written to a stream nowhere. Python would complain once more when it flushes at the end."""
    with contextlib.suppress(OSError, ValueError):  # a stream that is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _unwritable(error: OSError) -> Unwritable:
    """What a person is told when the standard output takes nothing, as on a full disk."""
    why = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return Unwritable(f"the standard output: expected to write, got {why} ({error.strerror})")


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError  # instead of ending the process


class Progress:
    """Says what a command that takes long is doing. Made by `Output.progress`."""

    def __init__(self, out: Output, status: Status | None) -> None:
        self._out = out
        self._status = status

    def __call__(self, doing: str, *, worth_a_line: bool = False) -> None:
        """Show what is done now.

        Args:
            doing: In few words.
            worth_a_line: Write it as a line where no terminal is, for logs.
        """
        if self._status is not None:
            self._status.update(Text(printable(doing)))
        elif worth_a_line:
            self._out.note(doing)


def make_console(stream: IO[str] | None) -> Console:
    """Where rich writes."""
    # No colour means no codes at all, not even bold ones.
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    console = _Console(file=stream, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False)
    if console.width < _NARROWEST:
        console.width = _NARROWEST
    return console


def _part(part: str | StyledText) -> StyledText:
    return part if isinstance(part, StyledText) else StyledText(part)


def _indented(text: Text, indent: int) -> Any:
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, indent), expand=False) if indent else text


def problem_line(problem: Problem) -> Line:
    """A problem as compilers write theirs: the place first."""
    place: list[str | StyledText] = (
        [StyledText(str(problem.origin), "bold"), ": "] if problem.origin is not None else []
    )
    path: list[str | StyledText] = [StyledText(problem.path, "cyan"), ": "] if problem.path else []
    return [*place, *path, f"expected {problem.expected}, got {problem.got}"]


def problem_fields(problem: Problem) -> dict[str, Any]:
    """A problem as JSON lines have it."""
    origin = None if problem.origin is None else origin_fields(problem.origin)
    return {"path": problem.path, "expected": problem.expected, "got": problem.got, "origin": origin}


def origin_fields(origin: Origin) -> dict[str, Any]:
    """An origin as JSON lines have it; 0 where a number is unknown."""
    return {
        "source": origin.source,
        "place": origin.place,
        "revision": origin.revision,
        "line": origin.line,
        "column": origin.column,
    }
