"""One watch on one stream: whole transactions in order, or a clear end.

aetcd's own watch hands out single events and hangs when a server ends the stream; see `Batch` for what
this one gives. A cancelled `read` kills the call, so nobody waits for one with a timeout: the reader
stands in a task of its own, and a heartbeat beside it decides when the connection is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from reactive_config._etcd.errors import Compacted, Unavailable
from reactive_config._etcd.grpc_errors import answer
from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import Batch, KeyChange, KeyRange
from reactive_config._etcd.rpc import Event, WatchCreateRequest, WatchRequest, grpc

DELETE = Event.DELETE


class Watch:
    """A created watch. Made by `open_watch`.

    Attributes:
        on_life: Called for every sign of life, parts of a large answer too.
    """

    def __init__(self, call: Any, subject: str) -> None:
        self._call = call
        self._subject = subject
        self.on_life: Callable[[], object] = int

    async def read(self) -> Batch:
        """The next whole transactions, or an empty batch as a sign of life. Not to be cancelled and called again.

        Raises:
            Compacted: The history from the start revision on is gone.
            Unavailable: The stream ended, for whatever reason.
        """
        changes: list[KeyChange] = []
        while True:
            response = await self._response()
            # A field of a message is made anew at every look: each is read once.
            changes += [
                KeyChange((kv := event.kv).key, None if event.type == DELETE else kv.value, kv.mod_revision)
                for event in response.events
            ]
            # A fragment may end in the middle of a transaction: nothing is handed out before the last one.
            if not response.fragment:
                return Batch(tuple(changes))

    async def created(self) -> None:
        """Return once the server has confirmed the watch; it may refuse it in the same breath.

        Raises:
            Compacted, Unavailable: As `read`.
        """
        response = await self._response()
        if not response.created:
            raise Unavailable(f"{self._subject}: answered something else than the creation of the watch")

    def forget_call(self) -> None:
        """The watch is over. A frame that still refers to it must not keep the connection open."""
        self._call = None

    async def _response(self) -> Any:
        response = await answer(self._call.read(), self._subject)
        self.on_life()
        if response is grpc.aio.EOF:
            raise Unavailable(f"{self._subject}: ended the stream")
        if response.canceled:
            # compact_revision is set for nothing else; header.revision is 0 then and says nothing.
            if response.compact_revision:
                raise Compacted(f"{self._subject}: compacted up to revision {response.compact_revision}")
            # May be an expired token or a missing permission: only the Range of the next attempt can tell.
            raise Unavailable(f"{self._subject}: cancelled the watch: {response.cancel_reason or 'without a reason'}")
        return response


@asynccontextmanager
async def open_watch(link: Link, keys: KeyRange, start: int, *, fragment: bool = False) -> AsyncIterator[Watch]:
    """Watch a range from revision `start` on; entered once the server has confirmed it.

    Args:
        link: The connection; one watch a stream, because a refused one on 3.5.1 disturbs its neighbours.
        keys: The range.
        start: The first revision to tell of.
        fragment: Let the server split large answers: costs it 40 times the CPU.

    Raises:
        Compacted: `start` is older than the server's history (some versions tell only at the first read).
        Unavailable: No confirmation within the settings' timeout, or a refusal.
    """
    call = await link.stream()
    subject = str(link.endpoint)
    request = WatchCreateRequest(
        key=keys.start, range_end=keys.end, start_revision=start, progress_notify=True, fragment=fragment
    )
    watch = Watch(call, subject)
    try:
        try:
            async with asyncio.timeout(link.settings.timeout):
                await answer(call.write(WatchRequest(create_request=request)), subject)
                await watch.created()
        except TimeoutError:
            raise Unavailable(f"{subject}: did not confirm the watch in {link.settings.timeout:g} s") from None
        yield watch
    finally:
        call.cancel()
        watch.forget_call()
        del call
