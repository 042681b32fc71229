"""The main job: a typed configuration from a directory of files, and from etcd when one is named.

    python examples/follow/main.py                          # on a terminal: edit the files it names
    python examples/follow/main.py --etcd 127.0.0.1:2379    # etcd's /shop/ above the files

Without a terminal it makes a few edits itself, shows what the program sees of them, and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
from msgspec import Meta

from reactive_config import Config, Env, Etcd, Files, Secret, StartupError, open_config

COMMON, PRODUCTION = Path("config/common/app.toml"), Path("config/production/app.yaml")

INVITATION = f"""\
Open these two files in an editor, and save them with other values. Ctrl-C ends.

  {{directory}}/{COMMON}        what all environments share
  {{directory}}/{PRODUCTION}    wins over it, key by key

Try, in the second one:

  max_size: 60      the pool follows at once
  max_size: 9000    is refused, because the type allows 500: the last good value stays in force
  max_size: 80      mends it
  min_size: 5       in a line below it: wins over the first file
  max_sise: 80      a typo is ignored, but not in silence
"""


class Pool(msgspec.Struct, frozen=True):
    min_size: Annotated[int, Meta(ge=0)] = 1
    max_size: Annotated[int, Meta(ge=1, le=500)] = 10


class Database(msgspec.Struct, frozen=True):
    dsn: Secret[str]
    pool: Pool = Pool()


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: Database
    log: dict[str, str] = {}
    refresh: timedelta = timedelta(seconds=30)


async def follow(config: Config[App]) -> None:
    """The program's own part: react to every snapshot."""
    async for snapshot in config:
        app = snapshot.value
        pool = f"{app.database.pool.min_size} to {app.database.pool.max_size}"
        say(f"the program has: pool {pool}, refresh every {app.refresh.total_seconds():g} s, log {app.log}", "bold")


def save(size: int) -> None:
    """Save the second file with another pool size, as an editor does."""
    PRODUCTION.write_text(re.sub("max_size: .*", f"max_size: {size}", PRODUCTION.read_text()))


async def edit(config: Config[App]) -> None:
    """Make three edits, a good one, a bad one and its mending, as a person would."""

    async def until(condition: Callable[[], object]) -> None:
        with anyio.fail_after(10):
            while not condition():
                await anyio.sleep(0.01)

    def file_says(size: int) -> bool:
        return any(said.value == size for said in config.explain("database.pool.max_size"))

    print(f"\nmax_size becomes 60 in {PRODUCTION}")
    save(60)
    await until(lambda: file_says(60))

    print("\nmax_size becomes 9000, which the type refuses: the last good configuration stays in force")
    save(9000)
    await until(lambda: config.status().sources[0].held or file_says(9000))
    say(f"the program still has: {config.current.database.pool}")

    print("\nmax_size becomes 80")
    save(80)
    await until(lambda: file_says(80))

    print("\nwhere max_size comes from:")
    for said in config.explain("database.pool.max_size"):
        print(f"    {said.value} from {said.origin}{'  <- in force' if said.in_force else ''}")


CODES = {"bold": 1, "dim": 2, "green": 32, "yellow": 33, "cyan": 36}


def say(text: str, style: str = "") -> None:
    """Print one line with the time; the style only where a person sees it, and wants colours."""
    clock = datetime.now().astimezone().strftime("%H:%M:%S")
    plain = not style or not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    print(f"{clock}  {text}" if plain else f"{clock}  \033[{CODES[style]}m{text}\033[0m", flush=True)


class LogLines(logging.Handler):
    """What reactive_config logs, with the time and in colour. Other programs only need `logging.basicConfig`."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            say(text, "yellow")
        else:
            say(text, "green" if text.startswith("no longer held") else "cyan")


async def main(etcd: str | None) -> None:
    sources = [Files(COMMON.parent, PRODUCTION.parent)]
    if etcd:
        sources.append(Etcd(*etcd.split(","), prefix="/shop/", optional=True))
    async with open_config(App, *sources, Env("SHOP_")) as config, asyncio.TaskGroup() as group:
        following = group.create_task(follow(config))
        if sys.stdin.isatty() and sys.stdout.isatty():
            await following
        await asyncio.sleep(0)  # the first snapshot is shown before the first edit
        await edit(config)
        following.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", metavar="HOST:PORT[,...]", help="follow etcd's /shop/ too, above the files")
    options = parser.parse_args()
    logger = logging.getLogger("reactive_config")
    logger.setLevel(logging.INFO)
    logger.addHandler(LogLines())
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory(prefix="reactive-config-") as directory:
        shutil.copytree(here / "config", Path(directory) / "config")
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(INVITATION.format(directory=directory))
        # The paths of the files were told once. From here on they are short, in the log too.
        with contextlib.chdir(directory):
            try:
                asyncio.run(main(options.etcd))
            except KeyboardInterrupt:
                print("\nended; the two files are gone with it")
            except StartupError as error:
                sys.exit(str(error))
