"""Which exceptions of the program's code are about the content that it was given."""

from __future__ import annotations


def is_refusal(error: BaseException) -> bool:
    """Whether an exception says that the content does not fit: every one but KeyboardInterrupt.

    A type's own code (validators, constructors, default factories, comparisons) and the functions of live values run
    synchronously and see content.
    So a CancelledError there cancels nothing, and a SystemExit comes from a parser of arguments that found a bad one;
    neither may end the program. Only Ctrl-C can interrupt the code in a way that is not its own.
    """
    return not isinstance(error, KeyboardInterrupt)
