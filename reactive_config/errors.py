"""Every exception that reactive_config raises, and the data they carry.

    ReactiveConfigError
    ├── ParseError            a document is not what its suffix says (line and column, never its text)
    ├── ConfigError           content was refused; carries the problems
    │   ├── Rejected          a revision was held, the last good configuration stays in force
    │   └── StartupError      open_config() could not build a first snapshot
    ├── SourceError           a source cannot go on without a person (credentials, TLS, permissions)
    ├── UnknownPath           a dotted path that the type does not have (also a LookupError)
    ├── InvalidPath           a dotted path that cannot be read (also a ValueError)
    ├── TypeNotSupported      a configuration type that cannot be decoded (also a TypeError)
    ├── InvalidValue          for a type's own validation to raise; says what would have fitted (also a ValueError)
    ├── StrayCancellation     the program's code raised CancelledError, and nobody had cancelled it
    ├── Closed                the configuration's context has ended
    └── WrongProcess          used in a forked child, in another thread or in another event loop

All of them can be pickled and copied with their data, also those of a program that derive from one.
Messages are composed from the data beside them. No message copies text from a document, save the name of a key that
is given twice: a parser's own words may quote the line that holds the password. Names and places in them are
printable, and shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from reactive_config._printable import printable

_WORDS = 300
"""Characters of what was expected or got in a message: the names of a type's fields may be many."""

_SCREENFUL = 24
"""Lines of what an error at the start says."""

_MISSING = 5
"""Missing fields that are named in its line."""


class Origin(msgspec.Struct, frozen=True):
    """Where a value stands.

    Attributes:
        source: The source's name, as in the status.
        place: The etcd key, file, environment variable or path inside the source.
        revision: The store's revision, or 0 where the store has none.
        line: Line in the file, from 1; 0 where unknown.
        column: Column in the line, from 1; 0 where unknown.
    """

    source: str
    place: str
    revision: int = 0
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        source, place = printable(self.source), printable(self.place)
        text = place if place.startswith(source) else f"{source} {place}"
        if self.line:
            text += f":{self.line}"
            if self.column:
                text += f":{self.column}"
        return f"{text}, revision {self.revision}" if self.revision else text


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with some content.

    Attributes:
        path: Dotted path in the configuration; empty for the whole of it.
        expected: What would have fitted.
        got: What was there: a value only where its type is known and no secret, otherwise its kind.
        origin: Where the offending value stands; None where nothing stands there.
    """

    path: str
    expected: str
    got: str
    origin: Origin | None = None

    def __str__(self) -> str:
        expected, got = printable(self.expected, _WORDS), printable(self.got, _WORDS)
        text = f"{printable(self.path) or '(root)'}: expected {expected}, got {got}"
        return f"{text} ({self.origin})" if self.origin else text


def problem_lines(problems: Sequence[Problem], more: int = 0, stopped: bool = False, limit: int = 20) -> list[str]:
    """The first problems, one line each, and how many more there are.

    Args:
        problems: Those that are known.
        more: How many more were found.
        stopped: Whether there may be still more.
        limit: How many to tell.
    """
    lines = list(map(str, problems[:limit]))
    rest = more_problems(more + max(0, len(problems) - limit), stopped)
    return [*lines, rest] if rest else lines


def more_problems(more: int, stopped: bool) -> str:
    """How many problems there are beside those that are told; empty if none."""
    return f"... and {'at least ' if stopped else ''}{more:,} more" if more else ""


class ReactiveConfigError(Exception):
    """The root of the tree."""

    def __reduce__(self) -> tuple[object, ...]:
        # By default it is made anew from its text alone, which is not what the constructors take.
        return _without_init, (type(self), *self.args), self.__dict__


def _without_init(kind: type[ReactiveConfigError], *args: object) -> ReactiveConfigError:
    return kind.__new__(kind, *args)


class ParseError(ReactiveConfigError):
    """A document cannot be read as what it claims to be. The document's fault; nothing else is affected.

    Attributes:
        expected: What the format wants there, without a word of the document.
        got: What stands there instead, as a kind.
        line: From 1; 0 where unknown.
        column: From 1; 0 where unknown.
    """

    def __init__(self, expected: str, got: str, line: int = 0, column: int = 0) -> None:
        self.expected = expected
        self.got = got
        self.line = line
        self.column = column
        where = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{where}expected {printable(expected, _WORDS)}, got {printable(got, _WORDS)}")


class ConfigError(ReactiveConfigError):
    """Content was refused.

    Attributes:
        problems: What was found, not only the first; the text tells 20 of them.
        more: How many more problems were found.
        stopped: Whether there may be still more: after some hundred nobody looks for the rest.
    """

    headline = "the configuration was refused"

    def __init__(self, problems: Iterable[Problem], more: int = 0, stopped: bool = False) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        self.more = more
        self.stopped = stopped
        super().__init__("\n  ".join([self.headline + ":", *problem_lines(self.problems, more, stopped)]))


class Rejected(ConfigError):
    """A revision was held: what it would have changed keeps its last accepted values.

    The unit stays pending. It is tried again when something changes that may let it fit, and ends when it is
    overwritten.
    """

    headline = "held, the last good configuration stays in force"


class StartupError(ConfigError):
    """No first snapshot: a source could not deliver, or what they delivered does not fit the type.

    The text has at most 24 lines, a screenful: what is wrong first, then what that may explain.

    Attributes:
        troubles: Source name to what keeps it from being ready; empty where only content is at fault.
        missing: Required fields that are not there, where `problems` or `hints` may explain why; dotted paths.
        hints: What is in order, and may explain what is missing: an optional source of which nothing is there.
    """

    headline = "no first configuration"

    def __init__(
        self,
        problems: Iterable[Problem],
        troubles: dict[str, str] | None = None,
        *,
        stopped: bool = False,
        missing: Iterable[str] = (),
        hints: Iterable[str] = (),
    ) -> None:
        self.troubles: dict[str, str] = dict(troubles or {})
        self.missing: Sequence[str] = tuple(missing)
        self.hints: Sequence[str] = tuple(hints)
        super().__init__(problems, stopped=stopped)
        told = [f"{printable(name)}: {printable(trouble, _WORDS)}" for name, trouble in self.troubles.items()]
        told += self.hints
        room = _SCREENFUL - 3  # for the headline, how many more there are, and what is missing
        lines = [*told, *map(str, self.problems[:room])][:room]
        rest = more_problems(len(told) + len(self.problems) - len(lines), stopped)
        lines += filter(None, [rest, missing_line(self.missing)])
        self.args: tuple[str, ...] = ("\n  ".join([self.headline + ":", *lines]),)


def missing_line(missing: Sequence[str]) -> str:
    """The fields that are missing in one line; empty if there are none."""
    if not missing:
        return ""
    names = ", ".join(map(printable, missing[:_MISSING]))
    more = f" and {len(missing) - _MISSING} more" if len(missing) > _MISSING else ""
    many = "1 required value is" if len(missing) == 1 else f"{len(missing)} required values are"
    return f"{many} missing, perhaps because of that: {names}{more}"


class SourceError(ReactiveConfigError):
    """A source needs a person: its credentials, permissions, certificates or settings are wrong."""


class UnknownPath(ReactiveConfigError, LookupError):
    """The configuration's type has no such path."""


class InvalidPath(ReactiveConfigError, ValueError):
    """The text is not a dotted path."""


class TypeNotSupported(ReactiveConfigError, TypeError):
    """The configuration's type cannot be decoded."""


class InvalidValue(ReactiveConfigError, ValueError):
    """Raised by a type's own validation, so that the rejection can say what would have fitted.

    In `__post_init__` and in a validator of pydantic. The text of any other exception is not shown, for it may quote
    the value. This one's must not.

        raise InvalidValue("a port above 1023", at="port")

    Attributes:
        expected: What would have fitted, without a word of what was there.
        at: The field that does not fit, by its name in the configuration; empty for the whole.
    """

    def __init__(self, expected: str, *, at: str = "") -> None:
        self.expected = expected
        self.at = at
        super().__init__(f"{at or 'the value'}: expected {expected}")


class StrayCancellation(ReactiveConfigError):
    """Code of the program raised CancelledError though nobody had cancelled it, so it counts as an ordinary failure.

    `task.cancel(); await task` does that, and so does awaiting a future that somebody else cancels. If it went
    on as a CancelledError, it would end the task that called the code without a word.

    Args:
        what: What raised it: `build`, `close`, `a worker`, `the source etcd`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what}: expected a result or an error, got a CancelledError that nobody had asked for"


class Closed(ReactiveConfigError):
    """The context of this configuration has ended."""


class WrongProcess(ReactiveConfigError):
    """Used in a forked child, in another thread or in another event loop than the one that opened it."""
