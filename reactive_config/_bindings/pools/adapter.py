"""What the adapters share: arguments in, errors that cannot quote a secret out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from reactive_config._bindings.pools.known_arguments import KnownArguments, named_in, refuse_unknown
from reactive_config._bindings.pools.live_pool import LivePool, live_pool
from reactive_config._bindings.pools.options import Arguments, arguments_of
from reactive_config._bindings.thing import Dispose
from reactive_config._core.runtime.live import Live, label
from reactive_config._extras import install
from reactive_config._printable import printable

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")

Options = Callable[[U], Mapping[str, Any]]
"""Makes the keyword arguments of the library's own constructor from the value; quick and pure."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the import of a library: what is missing is named with the extra that brings it.

    Raises:
        ImportError: It cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{error.name}: expected it installed, got none: {install(name)}") from error


def adapter(
    kind: str,
    live: Live[U],
    open: Callable[[Arguments], Awaitable[R]],  # noqa: A002 - as `live_pool` calls it
    *,
    close: Dispose[R],
    options: Options[U] | None,
    drain: float,
    deadline: float,
    name: str,
    check: Dispose[R] | None = None,
    users_check: Dispose[R] | None = None,
    answers: tuple[type[Exception], ...] = (),
    is_answer: Callable[[Exception], bool] | None = None,
    resize: Callable[[R, Arguments, Arguments], Awaitable[bool]] | None = None,
    known: KnownArguments | None = None,
) -> LivePool[U, R]:
    """A `live_pool` for a library that is given keyword arguments.

    Args:
        kind: The adapter's name.
        open: Makes the pool.
        check: Raises if the pool does not work.
        users_check: The same, by the user's own function: it raises what it likes.
        answers: What `open` and `check` may raise without quoting an argument, beside OSError and ImportError: what a
            server said. Constructors and parsers of URLs do quote them, so any other error is replaced.
        is_answer: Which of `answers` the server has said, if the class alone does not tell.
        resize: As for `live_pool`, with the arguments in place of the values.
        known: What the library takes; what it does not is refused by name before anything is opened.
    """
    name = label(kind, live, name)
    plain: tuple[type[Exception], ...] = (OSError, ImportError, *answers)

    def arguments(value: U) -> Arguments:
        return arguments_of(value if options is None else options(value))

    given: Arguments = {}  # what the newest pool was opened with

    async def safely(step: Callable[[], Awaitable[T]], expected: str) -> T:
        try:
            return await step()
        except Exception as error:
            if isinstance(error, plain) and (not isinstance(error, answers) or is_answer is None or is_answer(error)):
                raise
            # It may quote what it was given.
            got = f"{type(error).__name__}{named_in(error, given)}"
        # Outside of the handler: the replaced error must not hang on this one either.
        raise ValueError(f"{name}: expected {expected}, got {got}")

    async def opened(value: U) -> R:
        nonlocal given
        given = arguments(value)
        if known is not None:
            refuse_unknown(name, given, known)
        names = ", ".join(printable(argument) for argument in given)
        return await safely(lambda: open(given), f"arguments to open it with ({names})")

    async def checked(pool: R) -> None:
        if check is not None:
            step = check(pool)
            await safely(lambda: step, "an answer")

    async def resized(pool: R, before: U, after: U) -> bool:
        assert resize is not None
        return await resize(pool, arguments(before), arguments(after))

    return live_pool(
        live,
        open=opened,
        close=close,
        check=users_check or checked,
        resize=resized if resize is not None else None,
        drain=drain,
        deadline=deadline,
        name=name,
    )
