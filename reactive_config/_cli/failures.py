"""The ways in which a command ends early, and the exit codes.

0   it did what it was asked
1   content, a source or a service is at fault
2   the command line is at fault
3   somebody else has changed the environment meanwhile
"""

from __future__ import annotations

from collections.abc import Sequence

from reactive_config.errors import Problem

OK, TROUBLE, USAGE = 0, 1, 2


class Failure(Exception):
    """Ends the command with one message.

    Attributes:
        code: The exit code.
        word: What JSON lines call it.
        message: One line, without a secret.
        troubles: Source to what keeps it.
        problems: What is wrong with content.
        hints: What to try.
    """

    code = TROUBLE
    word = "failed"

    def __init__(
        self,
        message: str,
        *,
        troubles: dict[str, str] | None = None,
        problems: Sequence[Problem] = (),
        hints: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.troubles = dict(troubles or {})
        self.problems = tuple(problems)
        self.hints = tuple(hints)


class UsageError(Failure):
    """The person at the keyboard can mend it."""

    code = USAGE
    word = "usage"


class NotThere(Failure):
    """The path is fine, and nothing stands there."""

    word = "absent"


class Unwritable(Failure):
    """The standard output takes nothing, so this is told on the standard error even where JSON is wanted."""


class NoConfiguration(Failure):
    """No first snapshot came."""

    word = "startup"
