"""What the adapters share: arguments in, errors that cannot quote a secret out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from reactive_config.bindings.pools.live_pool import LivePool, Resize, live_pool
from reactive_config.bindings.pools.options import Arguments, arguments_of
from reactive_config.bindings.rebuilt import Dispose
from reactive_config.core.live import Live

U = TypeVar("U")
R = TypeVar("R")

Options = Callable[[U], Mapping[str, Any]]
"""Makes the keyword arguments of the library's own constructor from the value; quick and pure."""

CLOSE_WITHIN = 2.0
"""Seconds that a library has to close politely. Users had the drain; what is left after this is cut."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the import of a library: what is missing is named with the extra that brings it.

    Raises:
        ImportError: It cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{error.name}: expected it installed: pip install "reactive-config[{name}]"') from error


def adapter(
    kind: str,
    live: Live[U],
    open: Callable[[Arguments], Awaitable[R]],  # noqa: A002 - as `live_pool` calls it
    *,
    close: Dispose[R],
    check: Dispose[R] | None,
    options: Options[U] | None,
    drain: float,
    deadline: float,
    name: str,
    plain_errors: tuple[type[Exception], ...] = (),
    resize: Callable[[R, Arguments, Arguments], Awaitable[bool]] | None = None,
) -> LivePool[U, R]:
    """A `live_pool` for a library that is given keyword arguments.

    Args:
        kind: The adapter's name.
        open: Makes the pool.
        plain_errors: What `open` may raise beside OSError without quoting an argument: answers of a server. Parsers of
            URLs and constructors do quote them, so every other error is replaced.
        resize: As for `live_pool`, with the arguments in place of the values.
    """
    name = name or f"{kind}({live.name})"

    def arguments(value: U) -> Arguments:
        return arguments_of(value if options is None else options(value))

    async def opened(value: U) -> R:
        given = arguments(value)
        try:
            return await open(given)
        except (OSError, *plain_errors):
            raise
        except Exception as error:  # noqa: BLE001 - it may quote what it was given
            got = type(error).__name__
        # Outside of the handler: the replaced error must not hang on this one either.
        raise ValueError(f"{name}: expected arguments that it can be opened with, got {got} for {', '.join(given)}")

    async def resized(pool: R, before: U, after: U) -> bool:
        return resize is not None and await resize(pool, arguments(before), arguments(after))

    return live_pool(
        live,
        open=opened,
        close=close,
        check=check,
        resize=resized if resize is not None else None,
        drain=drain,
        deadline=deadline,
        name=name,
    )
