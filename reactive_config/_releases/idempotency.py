"""A change that is asked for twice happens once: what became of it is kept beside it, in the same transaction."""

from __future__ import annotations

import asyncio
import hashlib
import random
from datetime import UTC, datetime, timedelta

import msgspec

from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.key_store import CONTROL, MOST_KEYS, KeyStore, StoreError, Write
from reactive_config._releases.release import DamagedHistory

ANSWERS = f"{CONTROL}answers/"


class OtherRequest(StoreError):
    """This idempotency key was used for another change."""


class IdempotencyKey(msgspec.Struct, frozen=True):
    """What tells one request from another.

    Attributes:
        identity: Who asks.
        key: The request's own name, as the client chose it.
        body: A hash of all that it asks for.
    """

    identity: str
    key: str
    body: str

    def stored_at(self, moment: datetime) -> list[str]:
        """The keys at which its answer may be, if it was given in the last 24 hours; a new one goes to the first."""
        identity = self.identity.encode()
        named = hashlib.sha256(len(identity).to_bytes(8, "big") + identity + self.key.encode()).hexdigest()
        return [f"{ANSWERS}{_day(moment - timedelta(days=age))}/{named}" for age in (0, 1)]


class Answer(msgspec.Struct, frozen=True):
    """What became of a request.

    Attributes:
        body: The hash of what was asked for.
        release: The release that it made; 0 for none.
        created: It made the environment.
    """

    body: str
    release: int
    created: bool = False


async def find_answer(store: KeyStore, key: IdempotencyKey, moment: datetime) -> Answer | None:
    """What became of a request that was made before; None for a new one.

    Raises:
        OtherRequest: The key was used for something else.
    """
    for at in key.stored_at(moment):
        stored = await store.get(at)
        if stored is None:
            continue
        try:
            answer = msgspec.json.decode(stored.value, type=Answer)
        except msgspec.DecodeError:
            raise DamagedHistory(
                f"the answer to this request, at the key {at}, cannot be read; delete the key"
            ) from None
        if answer.body != key.body:
            raise OtherRequest("this Idempotency-Key was used for another request in the last 24 hours")
        return answer
    return None


async def forget_regularly(store: KeyStore, every: float = 3600.0) -> None:
    """Delete old answers now and then, until cancelled. Any number of processes may do so.

    Args:
        store: Where they are.
        every: Seconds between two times, at most; a random part of it, so that processes differ.
    """
    while True:
        await asyncio.sleep(random.uniform(every / 2, every))
        try:
            while await forget_answers(store, datetime.now(UTC)):
                pass
        except StoreError as error:
            logger.info("%s: old answers are not deleted yet: %s", store.name, error)


async def forget_answers(store: KeyStore, moment: datetime) -> int:
    """Delete answers that are older than two days; returns how many, and is to be called again if some were."""
    oldest = _day(moment - timedelta(days=1))
    rows = await store.scan(ANSWERS, "", f"{oldest}/", MOST_KEYS)
    if rows:
        await store.commit(Write({}, frozenset(key for key, _ in rows)))
    return len(rows)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y%m%d")
