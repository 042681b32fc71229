"""The configuration opens and closes with the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from reactive_config import Config
from reactive_config.web.connections import KEY
from reactive_config.web.tracing import traced

T = TypeVar("T")

Make = Callable[[], AbstractAsyncContextManager[Config[T]]]
Within = Callable[[Config[T]], AbstractAsyncContextManager[object]]


def lifespan(make: Make[T], *within: Within[T]) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]:
    """The lifespan of a Starlette, FastAPI or Litestar application that has a configuration.

        app = FastAPI(lifespan=lifespan(lambda: open_config(App, Files("config")), resources, operations.serving))

    Where OpenTelemetry is installed, every apply and rebuild is a span (see `Tracing`).

    Args:
        make: Makes what to enter for the configuration. A function, as an application may start more than once
            (every test client starts it) and a context is entered only once.
        within: Each makes, of the open configuration, a context to enter after it: pools, log levels,
            `Operations.serving`. They close in reverse order, before the configuration. What one gives is
            kept where it is a mapping: by its names in the connection's and in the application's state
            (`request.state.pool`, `app.state.pool`).
    """

    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[dict[str, Any]]:
        async with opened(make, within) as (config, found):
            with attach(app, config) as state, _kept(app.state, found):
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
    with _kept(app.state, {KEY: config}):
        yield {KEY: config}


@asynccontextmanager
async def opened(make: Make[T], within: tuple[Within[T], ...]) -> AsyncIterator[tuple[Config[T], dict[Any, Any]]]:
    """A configuration and what goes with it, opened in order; gives it, and the mappings of the others as one."""
    async with AsyncExitStack() as stack:
        config = await stack.enter_async_context(make())
        stack.enter_context(traced(config))
        found: dict[Any, Any] = {}
        for context in within:
            given = await stack.enter_async_context(context(config))
            if isinstance(given, Mapping):
                found |= given
        yield config, found


@contextmanager
def _kept(state: Any, named: Mapping[str, Any]) -> Iterator[None]:
    for name, thing in named.items():
        setattr(state, name, thing)
    try:
        yield
    finally:
        for name in named:
            delattr(state, name)
