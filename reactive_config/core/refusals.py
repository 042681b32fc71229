"""Which exceptions of the program's code are about the content that it was given."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

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
