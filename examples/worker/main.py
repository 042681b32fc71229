"""A worker on files alone: it takes files from one directory, compresses some, and puts them into another.

    python examples/worker/main.py INBOX OUTBOX     # move files into INBOX; Ctrl-C or SIGTERM ends it

How many files it handles at the same time, how often it looks, which of them it compresses and how much it says stands
in config/worker.toml. Edit that while it runs: nothing restarts, and no file is handled by halves.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import logging
import signal
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
from msgspec import Meta

from reactive_config import Config, Files, StartupError, open_config
from reactive_config.bindings import Capacity, FlagRule, LogRule, Switch, capacity, log_levels, switch, timer, workers

logger = logging.getLogger("worker")


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the files may say; anything else is refused, and what was in force stays."""

    workers: Annotated[int, Meta(ge=0, le=64)] = 2
    scan: timedelta = timedelta(seconds=1)
    rest: timedelta = timedelta(0)
    compressions: Annotated[int, Meta(ge=1)] = 1
    compress: FlagRule = False
    log: dict[str, LogRule] = {}


class Spool:
    """Files on their way from one directory to another. It reads live values at the moment that it needs them."""

    def __init__(self, inbox: Path, outbox: Path, config: Config[App]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._config = config
        self._taken: set[Path] = set()
        self.queue: asyncio.Queue[Path] = asyncio.Queue(maxsize=100)

    async def scan(self) -> None:
        """Put every new file into the queue once."""
        async for _ in timer(self._config.select(lambda app: app.scan)):
            for file in self._new():
                self._taken.add(file)
                await self.queue.put(file)

    def _new(self) -> list[Path]:
        # Those who write files move them in when they are whole, or hide them until then.
        files = {file for file in self._inbox.iterdir() if file.is_file() and not file.name.startswith(".")}
        return sorted(files - self._taken)

    async def handle(self, file: Path, compress: Switch, compressions: Capacity[int]) -> None:
        logger.debug("begin %s", file.name)
        try:
            if compress.on(file.name):  # the same answer for one name, also after a restart
                async with compressions.limiter:
                    await asyncio.to_thread(self._move_compressed, file)
            else:
                await asyncio.to_thread(file.replace, self._outbox / file.name)
            logger.info("done %s", file.name)
        except OSError as error:
            logger.error("%s: %s; the next scan finds it again", file.name, error.strerror)
        self._taken.discard(file)
        await asyncio.sleep(self._config.current.rest.total_seconds())

    def _move_compressed(self, file: Path) -> None:
        unfinished = self._outbox / f".{file.name}.gz"
        unfinished.write_bytes(gzip.compress(file.read_bytes()))
        unfinished.replace(self._outbox / f"{file.name}.gz")
        file.unlink()  # last: a crash before this line only means that the file is handled again


async def main(inbox: Path, outbox: Path, directory: Path) -> None:
    async with (
        open_config(App, Files(directory)) as config,
        log_levels(config.select(lambda app: app.log)),
        capacity(config.select(lambda app: app.compressions)) as compressions,
        switch(config.select(lambda app: app.compress), salt="compress") as compress,
    ):
        spool = Spool(inbox, outbox, config)
        handle = partial(spool.handle, compress=compress, compressions=compressions)
        async with (
            workers(config.select(lambda app: app.workers), handle, take=spool.queue.get),
            anyio.create_task_group() as group,
        ):
            group.start_soon(spool.scan)
            await wait_signal()
            group.cancel_scope.cancel()  # no new files; the workers finish those that they have
    logger.info("ended")


async def wait_signal() -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        logger.info("ready")
        async for _ in signals:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inbox", type=Path)
    parser.add_argument("outbox", type=Path)
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config", metavar="DIRECTORY")
    options = parser.parse_args()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stdout)
    try:
        asyncio.run(main(options.inbox, options.outbox, options.config))
    except StartupError as error:
        sys.exit(str(error))
