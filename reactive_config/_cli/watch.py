"""`watch`: every change as it happens, and everything that keeps one from happening."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from reactive_config._cli.failures import OK
from reactive_config._cli.opening import Opened, opened
from reactive_config._cli.output import Output
from reactive_config._cli.source_events import Event, StateSaid, Touch, observed, wait_seen
from reactive_config._cli.source_options import OUTPUT, Options, SourceText
from reactive_config._cli.watch_output import Generation, tell_gap, tell_generation, tell_held, tell_start, tell_state
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.runtime.updates import Gap
from reactive_config._core.source import Source
from reactive_config._core.status import HeldUnit

_SOON = 2.0
_HeldUnits = dict[tuple[str, str], HeldUnit]


async def watch(
    *sources: SourceText,
    count: Annotated[int | None, Parameter(metavar="N", validator=Number(gte=1), group=OUTPUT)] = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Show every change as it happens: generation, source, revision and a diff.

    What is refused (held), and sources that go STALE or come back, are shown as well. Runs until Ctrl-C.

    Args:
        sources: The lowest layer first; see `reactive-config --help`.
        count: End after so many changes.
    """
    out = Output(json=options.json)
    events: asyncio.Queue[Event] = asyncio.Queue()
    taken: dict[str, Callable[[], Awaitable[None]]] = {}

    def observe(source: Source) -> Source:
        one = observed(source, events.put_nowait)
        taken[source.name] = one.wait_taken
        return one

    async with _until_told(), opened(out, sources, options, observe) as session:
        await wait_seen(session.config, events, _SOON)
        while not events.empty():  # what led to this state is told as the state
            events.get_nowait()
        for wait_taken in taken.values():
            await wait_taken()
        await Watcher(out, session, events, taken).run(count)
    return OK


@contextlib.asynccontextmanager
async def _until_told() -> AsyncIterator[None]:
    """Ctrl-C and SIGTERM end the body; that is how one leaves, and no error."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    told = False

    def leave() -> None:
        nonlocal told
        told = True
        task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt comes by itself
            loop.add_signal_handler(number, leave)
    try:
        yield
    except asyncio.CancelledError:
        if not told:
            raise
        task.uncancel()
    finally:
        for number in signals:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)


class Watcher:
    """Turns what the sources say into what is told.

    Every generation and every held unit comes from a delta. So after each delta, once the runtime has taken it,
    both are looked at; nothing is polled.
    """

    def __init__(
        self,
        out: Output,
        session: Opened,
        events: asyncio.Queue[Event],
        taken: Mapping[str, Callable[[], Awaitable[None]]],
    ) -> None:
        self._taken = taken
        self._out = out
        self._session = session
        self._config = session.config
        self._events = events
        self._updates = session.config.updates()
        self._shown: Snapshot[Any] = session.config.snapshot
        self._held = self._held_now()
        self._told = 0
        self._states = {s.name: (s.state, {s.reason}) for s in session.config.status().sources}

    async def run(self, count: int | None) -> None:
        """Tell of everything, until `count` changes were told."""
        await anext(self._updates)  # the snapshot that is shown already
        tell_start(self._out, self._session, self._shown)
        while (count is None or self._told < count) and not self._out.unread:
            await self._follow([await self._events.get(), *self._drained()], count)

    def _drained(self) -> list[Event]:
        found = []
        while not self._events.empty():
            found.append(self._events.get_nowait())
        return found

    async def _follow(self, events: Sequence[Event], count: int | None) -> None:
        touches: list[Touch] = []
        for event in events:
            if isinstance(event, StateSaid):
                self._tell_state(event)
            else:
                touches += event.touches
                await self._taken[event.source]()
        if any(not isinstance(event, StateSaid) for event in events):
            self._tell_held()
            await self._tell_generations(touches, count)

    def _tell_state(self, said: StateSaid) -> None:
        state, reasons = self._states[said.source]
        if said.state is not state:
            self._states[said.source] = (said.state, {said.reason})
        elif said.reason in reasons:
            return  # several endpoints that fail in turn would repeat theirs for ever
        reasons.add(said.reason)
        tell_state(self._out, said)

    def _held_now(self) -> _HeldUnits:
        return {(s.name, held.unit): held for s in self._config.status().sources for held in s.held}

    def _tell_held(self) -> None:
        before, self._held = self._held, self._held_now()
        for key, held in self._held.items():
            if key not in before or before[key].problems != held.problems:
                tell_held(self._out, key[0], held)
        for source, unit in before.keys() - self._held.keys():
            tell_held(self._out, source, before[source, unit], over=True)

    async def _tell_generations(self, touches: Sequence[Touch], count: int | None) -> None:
        newest = self._config.snapshot.generation
        while self._shown.generation < newest and (count is None or self._told < count):
            update = await anext(self._updates)
            if isinstance(update, Gap):
                tell_gap(self._out, update)
                continue
            tell_generation(self._out, self._session, Generation(self._shown, update, tuple(touches)))
            self._shown = update
            self._told += 1
