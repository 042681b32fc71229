"""The configuration opens and closes with the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from reactive_config import Config
from reactive_config._web.connections import KEY, SHUTDOWN
from reactive_config._web.shutdown import Shutdown
from reactive_config._web.tracing import traced
from reactive_config.bindings import Binding, Together
from reactive_config.bindings import bindings as side_by_side

T = TypeVar("T")

Make = Callable[[], AbstractAsyncContextManager[Config[T]]]
Within = Callable[[Config[T]], AbstractAsyncContextManager[object]]
Follow = Callable[[Config[T]], Binding[Any] | Together[*tuple[Any, ...]]]


def lifespan(
    make: Make[T],
    *within: Within[T],
    bindings: Mapping[str, Follow[T]] | None = None,
    leave_within: float = 20.0,
) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]:
    """The lifespan of a Starlette, FastAPI or Litestar application that has a configuration.

        app = FastAPI(lifespan=lifespan(lambda: open_config(App, Files("config")), resources, operations.serving))

    Where OpenTelemetry is installed, every apply and rebuild is a span (see `Tracing`).

    Args:
        make: Makes what to enter for the configuration. A function, as an application may start more than once
            (every test client starts it) and a context is entered only once.
        within: Each makes, of the open configuration, a context to enter after it: pools, log levels,
            `Operations.serving`. They close in reverse order, before the configuration. If one gives a mapping
            of names, it is kept in the application's state (`app.state.pool`) and, by Starlette and FastAPI under a
            server with lifespan state (uvicorn, hypercorn, granian; `running` in tests), in the request's
            (`request.state.pool`). What the application's state had under such a name before comes back at the end.
        bindings: Name to what makes a binding of the open configuration: `{"database": lambda config:
            asyncpg_pool(config.select("database"))}`. They are entered before `within`, kept under their names like
            what `within` gives, and released after it, side by side (see `reactive_config.bindings.bindings`).
        leave_within: Seconds that releasing all `bindings` takes at most. Each of `within` takes its own time.

    Raises:
        RuntimeError: As the application starts; two of `within` and `bindings` give the same name.
    """

    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[dict[str, Any]]:
        async with opened(make, within, bindings or {}, leave_within) as (config, found):
            with attach(app, config) as state, _kept(app.state, _free(found, state)):
                yield state | found

    return run


@contextmanager
def attach(app: Any, config: Config[Any]) -> Iterator[dict[str, Any]]:
    """Give an application its configuration, in a lifespan of your own.

        @asynccontextmanager
        async def lifespan(app):
            async with open_config(App, Files("config")) as config:
                with attach(app, config) as state:
                    yield state

    Args:
        app: Of Starlette, FastAPI or Litestar, or anything with a `state` that takes attributes.
        config: Open.

    Yields:
        What the lifespan has to yield so that applications mounted in this one find the configuration too
        (Starlette and FastAPI; needs a server with lifespan state, as uvicorn, hypercorn and granian have).

    Raises:
        RuntimeError: The application has a configuration already.
    """
    if getattr(app.state, KEY, None) is not None:
        raise RuntimeError("expected an application without a configuration, got one that has one: one for each")
    shutdown = Shutdown()
    given = {KEY: config, SHUTDOWN: shutdown}
    with _kept(app.state, given), shutdown.following_signals():
        yield given


@asynccontextmanager
async def opened(
    make: Make[T], within: tuple[Within[T], ...], bindings: Mapping[Any, Follow[T]], leave_within: float
) -> AsyncIterator[tuple[Config[T], dict[Any, Any]]]:
    """A configuration and what goes with it, opened in order; gives it, and the mappings of the others as one.

    Raises:
        RuntimeError: Two of the mappings have a key in common.
    """
    async with AsyncExitStack() as stack:
        config = await stack.enter_async_context(make())
        stack.enter_context(traced(config))
        followers = [follow(config) for follow in bindings.values()]
        await stack.enter_async_context(side_by_side(*followers, leave_within=leave_within))
        found: dict[Any, Any] = dict(zip(bindings, followers, strict=True))
        for context in within:
            given = await stack.enter_async_context(context(config))
            if isinstance(given, Mapping):
                found |= _free(given, found)
        yield config, found


def _free(given: Mapping[Any, Any], taken: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """What was given, unless something else has one of its names already."""
    if twice := given.keys() & taken.keys():
        names = ", ".join(sorted(map(str, twice)))
        raise RuntimeError(f"within: expected a name of its own for each thing that is given, got {names} twice")
    return given


_ABSENT = object()


@contextmanager
def _kept(state: Any, named: Mapping[str, Any]) -> Iterator[None]:
    """Things in an application's state while the block lasts; then what was there before, if they still are there."""
    before = {name: getattr(state, name, _ABSENT) for name in named}
    for name, thing in named.items():
        setattr(state, name, thing)
    try:
        yield
    finally:
        for name, thing in named.items():
            if getattr(state, name, _ABSENT) is not thing:  # the program put something else there meanwhile
                continue
            if before[name] is _ABSENT:
                delattr(state, name)
            else:
                setattr(state, name, before[name])
