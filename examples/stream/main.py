"""Consumers of a Redis stream that move to the new Redis when its address changes.

    python examples/stream/main.py     # XADD jobs * text hello; Ctrl-C or SIGTERM ends it

Where Redis is and how many consumers there are stands in config/stream.toml. Edit that while it runs: consumers that
wait for an entry move at once, those that handle one finish and acknowledge it where it came from, and move then.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import anyio
import msgspec
import redis.asyncio
from msgspec import Meta

from reactive_config import Config, Files, Secret, StartupError, open_config
from reactive_config.bindings import workers
from reactive_config.bindings.pools import redis_client

logger = logging.getLogger("stream")

GROUP = "shop"

BLOCK = 2000
"""Milliseconds that Redis waits for an entry; less than the 5 s for which redis-py 8 waits for an answer."""

AWAY = (redis.ConnectionError, redis.TimeoutError)


class Redis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the client is made of; a new one is made when any of it changes."""

    url: Secret[str]
    decode_responses: bool = True


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file may say; anything else is refused, and what was in force stays."""

    redis: Redis
    workers: Annotated[int, Meta(ge=0, le=64)] = 2
    rest: timedelta = timedelta(0)
    reclaim: timedelta = timedelta(seconds=30)
    stream: str = "jobs"


class Entry(msgspec.Struct, frozen=True):
    """One entry of the stream, delivered to this process and not acknowledged yet."""

    stream: str
    id: str
    fields: dict[str, str]


class Consumer:
    """Takes entries, handles and acknowledges them, with the client that it is given."""

    def __init__(self, config: Config[App]) -> None:
        self._config = config
        self._name = f"consumer-{os.getpid()}"

    async def take(self, client: redis.asyncio.Redis) -> Entry:
        """The next entry. One that a cancelled call had already been sent is not lost: it is reclaimed."""
        while True:
            stream = self._config.current.stream
            try:
                found = await self._found(client, stream)
            except AWAY as error:
                logger.warning("redis is away: %s", type(error).__name__)
                await asyncio.sleep(1)
            else:
                if found:
                    return Entry(stream, *found[0])

    async def handle(self, entry: Entry, client: redis.asyncio.Redis) -> None:
        await asyncio.sleep(self._config.current.rest.total_seconds())
        text = entry.fields.get("text", entry.id)
        try:
            await client.xack(entry.stream, GROUP, entry.id)
        except AWAY as error:  # what is not acknowledged is taken again
            logger.warning("redis is away: %s; %s is not acknowledged", type(error).__name__, text)
        else:
            logger.info("done %s", text)

    async def _found(self, client: redis.asyncio.Redis, stream: str) -> list[Any]:
        try:
            return await self._left_over(client, stream) or await self._new(client, stream)
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        await self._make_group(client, stream)
        return []

    async def _left_over(self, client: redis.asyncio.Redis, stream: str) -> list[Any]:
        idle = self._config.current.reclaim // timedelta(milliseconds=1)
        _, entries, *_ = await client.xautoclaim(stream, GROUP, self._name, idle, count=1)
        return [entry for entry in entries if entry[1]]  # without fields: it was deleted meanwhile

    async def _new(self, client: redis.asyncio.Redis, stream: str) -> list[Any]:
        found: Any = await client.xreadgroup(GROUP, self._name, {stream: ">"}, count=1, block=BLOCK)
        return found[0][1] if found else []

    async def _make_group(self, client: redis.asyncio.Redis, stream: str) -> None:
        try:
            await client.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # another consumer was faster
                raise


async def main(directory: Path) -> None:
    async with (
        open_config(App, Files(directory)) as config,
        redis_client(config.select(lambda app: app.redis), drain=30) as client,
    ):
        consumer = Consumer(config)
        config.on_change(lambda app: app.redis, lambda _: logger.info("redis changed"))
        async with workers(config.select(lambda app: app.workers), consumer.handle, take=consumer.take, using=client):
            await wait_signal()
    logger.info("ended")


async def wait_signal() -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        logger.info("ready")
        async for _ in signals:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config", metavar="DIRECTORY")
    options = parser.parse_args()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stdout)
    try:
        asyncio.run(main(options.config))
    except StartupError as error:
        sys.exit(str(error))
