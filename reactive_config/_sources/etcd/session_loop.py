"""Session after session, over the endpoints in turn, for as long as the source runs.

The pause between two is capped and fully jittered, so that a fleet does not come back in one moment.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.backoff import Backoff
from reactive_config._etcd.errors import (
    BadLogin,
    EtcdError,
    RequestRefused,
    TLSTrouble,
    Unavailable,
    Unreachable,
)
from reactive_config._etcd.link import open_link
from reactive_config._etcd.probe import first_speaking, wait_speaking
from reactive_config._etcd.settings import Endpoint
from reactive_config._sources.etcd.endpoints import EndpointList
from reactive_config._sources.etcd.etcd_options import EtcdOptions
from reactive_config._sources.etcd.handover import Handover
from reactive_config._sources.etcd.run_state import RunState
from reactive_config._sources.etcd.session import Session
from reactive_config._sources.etcd.store import Store

if TYPE_CHECKING:
    from reactive_config._sources.etcd.mirror_runner import MirrorRunner


WORKED = 1.0
"""Seconds of SYNCED after which an end looks like a restart, not like a server that ends every session."""

HEAD_START = 0.25
"""Seconds of silence after which the next endpoint is asked too (RFC 8305 takes as much)."""


def unexpected(error: BaseException) -> str:
    """An error that nobody thought of, by its class and place: its text may quote anything."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(step.filename).name}:{step.lineno}" for step in frame)
    return f"an unexpected {type(error).__name__}{place}"


class SessionLoop:
    """Keeps one store up to date with etcd, whatever happens to connections."""

    def __init__(self, plan: EtcdOptions, store: Store, stand: RunState, standby: MirrorRunner | None) -> None:
        self._plan = plan
        self._store = store
        self._stand = stand
        self._handover = Handover()
        self._standby = standby
        self._credentials = Credentials(*plan.login, stand.logging_in) if plan.login else None
        self._silent: set[Endpoint] = set()
        self._members = EndpointList(plan, stand)
        self._order = deque(plan.endpoints)
        self._soon = Backoff(plan.rng, base=0.1, cap=10.0)
        # What a person must mend is tried seldom, and a password most seldom: each try costs the server a bcrypt.
        self._seldom = Backoff(plan.rng, base=1.0, cap=5.0, floor=0.5)
        self._login = Backoff(plan.rng, base=1.0, cap=30.0, floor=0.5)

    async def run(self) -> None:
        """Never returns."""
        while True:
            trouble = await self._round()
            refused = isinstance(trouble, RequestRefused)
            pause = self._backoff(trouble).pause()
            self._stand.lost(str(trouble), datetime.now(UTC) + timedelta(seconds=pause), refused=refused)
            if refused and not self._stand.delivered and self._standby is not None:
                await self._standby.serve()  # before FAILED is told, which would end a start
            self._stand.tell()
            # One that refuses is left alone; another that comes back may not refuse.
            worth = self._silent if refused else self._members.endpoints
            if await wait_speaking(worth, pause, self._plan.rng, self._plan.settings, silent=self._silent):
                self._soon.reset()  # it may not serve yet, and will in a moment

    def _backoff(self, trouble: EtcdError) -> Backoff:
        if isinstance(trouble, BadLogin):
            return self._login
        return self._seldom if isinstance(trouble, RequestRefused) else self._soon

    async def _round(self) -> EtcdError:
        """Try every endpoint once, or until one gives an answer that holds for all; return the trouble."""
        self._take_members()
        await self._begin_with_one_that_speaks()
        troubles: list[EtcdError] = []
        for endpoint in list(self._order):
            self._order.rotate(-1)
            trouble, synced = await self._attempt(endpoint)
            if synced or (isinstance(trouble, RequestRefused) and not isinstance(trouble, TLSTrouble)):
                return trouble
            troubles.append(trouble)
        text = "; ".join(map(str, troubles))
        # One that is merely away may serve when it is back, whatever certificate another one has.
        return TLSTrouble(text) if all(isinstance(t, TLSTrouble) for t in troubles) else Unavailable(text)

    def _take_members(self) -> None:
        endpoints = self._members.endpoints
        kept = [endpoint for endpoint in self._order if endpoint in endpoints]
        self._order = deque([*kept, *(endpoint for endpoint in endpoints if endpoint not in kept)])
        self._silent &= set(endpoints)

    async def _begin_with_one_that_speaks(self) -> None:
        if len(self._order) > 1:
            first = await first_speaking(self._order, self._plan.settings, head_start=HEAD_START)
            if first is not None:
                self._order.rotate(-self._order.index(first))

    async def _attempt(self, endpoint: Endpoint) -> tuple[EtcdError, bool]:
        session: Session | None = None
        trouble: EtcdError
        try:
            purpose = f"to read {self._plan.keys.what}"
            settings = self._handover.pace.settings(self._plan.settings)
            async with open_link(endpoint, settings, self._credentials, purpose) as link:
                only = self._members.cluster_of(endpoint)
                session = Session(self._plan, link, self._store, self._stand, self._handover, only)
                async with self._members.followed(link):
                    await session.run()
        except EtcdError as error:
            # Kept until the next attempt: without its frames, which refer to the link.
            trouble = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - what one endpoint brings about must not end the program
            trouble = Unavailable(f"{endpoint}: {unexpected(error)}")
        else:
            raise AssertionError("a session ends with an error")
        synced_at = session.synced_at if session else None
        health = 0.0 if synced_at is None else asyncio.get_running_loop().time() - synced_at
        self._judge(endpoint, trouble, health)
        return trouble, synced_at is not None

    def _judge(self, endpoint: Endpoint, trouble: EtcdError, health: float) -> None:
        if health:
            self._seldom.reset()
            self._login.reset()
            self._soon.healthy(health)
        # What worked until now is down for a restart, as far as we know, and may be back before the first probe.
        if isinstance(trouble, Unreachable) or health > WORKED:
            self._silent.add(endpoint)
        else:
            self._silent.discard(endpoint)
