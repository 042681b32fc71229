"""A scheduler on files alone: jobs that come, change and go with the table in config/jobs.yaml.

    python examples/scheduler/main.py       # edit the file while it runs; Ctrl-C or SIGTERM ends it

Each job runs at an interval or at the times of a cron expression; which of them, an edit decides. A job that runs is
never cut short by an edit and never runs twice at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
from msgspec import Meta

from reactive_config import Files, Live, StartupError, open_config
from reactive_config.bindings import Every, timer

logger = logging.getLogger("scheduler")


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    every: Every
    command: Annotated[list[str], Meta(min_length=1)]
    enabled: bool = True
    jitter: timedelta = timedelta(0)
    limit: timedelta = timedelta(hours=1)


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    jobs: dict[str, Job] = {}


Jobs = Live[dict[str, Job]]


class Scheduler:
    """A group of tasks that follows a table: one for each name, from when it comes until it goes."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._alone: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self) -> None:
        following: dict[str, anyio.CancelScope] = {}
        async with anyio.create_task_group() as group:
            async for table in self._jobs:
                for name in following.keys() - table.keys():
                    following.pop(name).cancel()
                for name in table.keys() - following.keys():
                    following[name] = anyio.CancelScope()
                    group.start_soon(self._follow, name, table[name].jitter, following[name])

    async def _follow(self, name: str, jitter: timedelta, scope: anyio.CancelScope) -> None:
        """Run one job whenever it is due. Its jitter is that of when it came; all else is read anew each time."""

        def every(table: dict[str, Job]) -> Every | None:
            job = table.get(name)
            return job.every if job is not None and job.enabled else None  # None is a pause

        logger.info("%s: added", name)
        with scope:
            async for tick in timer(self._jobs.map(every), jitter=jitter, name=name):
                if (job := self._jobs.current.get(name)) is not None:
                    # The shield: whoever cancels this task, for an edit or at the end, waits for a job that runs.
                    with anyio.CancelScope(shield=True):
                        async with self._alone[name]:
                            await self._execute(name, job, tick.missed)
        logger.info("%s: removed", name)

    async def _execute(self, name: str, job: Job, missed: int) -> None:
        logger.info("%s: begins%s", name, f", {missed} missed" if missed else "")
        try:
            with anyio.fail_after(job.limit.total_seconds()):  # kills it
                # A session of its own, so that Ctrl-C reaches this program and not its jobs.
                done = await anyio.run_process(
                    job.command, check=False, stdout=None, stderr=None, start_new_session=True
                )
            logger.info("%s: ends with %d", name, done.returncode)
        except TimeoutError:
            logger.warning("%s: stopped after %s", name, job.limit)
        except OSError as error:
            logger.warning("%s: did not start: %s", name, error.strerror)


async def main(directory: Path) -> None:
    async with open_config(App, Files(directory)) as config, anyio.create_task_group() as group:
        group.start_soon(Scheduler(config.select(lambda app: app.jobs)).run)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            logger.info("ready")
            async for _ in signals:
                break
        logger.info("ending, after the jobs that run")
        group.cancel_scope.cancel()
    logger.info("ended")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config", metavar="DIRECTORY")
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stdout)
    try:
        asyncio.run(main(parser.parse_args().config))
    except StartupError as error:
        sys.exit(str(error))
