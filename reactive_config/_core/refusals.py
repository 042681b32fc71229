"""Which exceptions of the program's code are about the content that it was given, and what they may say of it."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

import msgspec

from reactive_config.errors import InvalidValue

E = TypeVar("E", bound=BaseException)

_name = type.__dict__["__name__"].__get__


def is_refusal(error: BaseException) -> bool:
    """Whether an exception says that the content does not fit: every one but KeyboardInterrupt.

    A type's own code (validators, constructors, default factories, comparisons) and the functions of live values run
    synchronously and see content.
    So a CancelledError there cancels nothing, and a SystemExit comes from a parser of arguments that found a bad one;
    neither may end the program. Only Ctrl-C can interrupt the code in a way that is not its own.
    """
    return not is_a(error, KeyboardInterrupt)


def is_a(error: object, kinds: type[E] | tuple[type[E], ...]) -> TypeGuard[E]:
    """`isinstance`, which would ask the exception's own `__class__`: that may raise in turn."""
    return issubclass(type(error), kinds)


def name_of(error: BaseException) -> str:
    """The name of an exception's type, whatever its metaclass says."""
    return str(_name(type(error)))


def own_words(error: BaseException) -> InvalidValue | None:
    """What a type's own validation says was expected, in words that quote nothing."""
    return readable(error.__cause__ if type(error) is msgspec.ValidationError else error)


def readable(error: object) -> InvalidValue | None:
    """A copy of an InvalidValue, since a subclass may hold anything, or raise; None for anything else."""
    try:
        if is_a(error, InvalidValue) and type(error.expected) is str and type(error.at) is str:
            return InvalidValue(error.expected, at=error.at)
    except BaseException as failure:
        if not is_refusal(failure):
            raise
    return None
