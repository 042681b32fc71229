"""The main job: a typed configuration from a directory of files, and from etcd when one is named.

    python examples/follow/main.py                          # on a terminal: edit the files it names
    python examples/follow/main.py --etcd 127.0.0.1:2379    # etcd's /shop/ above the files

Without a terminal it makes a few edits itself, shows what the program sees of them, and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
from msgspec import Meta

from reactive_config import Config, Env, Etcd, Files, Secret, Snapshot, StartupError, open_config


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


def show(snapshot: Snapshot[App]) -> None:
    app = snapshot.value
    changed = ", ".join(sorted(snapshot.changed - {""})) or "everything"
    print(f"generation {snapshot.generation}: {changed}")
    print(
        f"    pool {app.database.pool.min_size} to {app.database.pool.max_size}, refresh {app.refresh}, log {app.log}"
    )


async def follow(config: Config[App]) -> None:
    """The program's own part: react to every snapshot."""
    async for snapshot in config:
        show(snapshot)


async def edit(config: Config[App], directory: Path) -> None:
    """Make three edits, a good one, a bad one and its mending, as a person would."""
    production = directory / "production" / "app.yaml"
    text = production.read_text()

    async def until(condition: Callable[[], object]) -> None:
        with anyio.fail_after(10):
            while not condition():
                await anyio.sleep(0.01)

    def file_says(size: int) -> bool:
        return any(said.value == size for said in config.explain("database.pool.max_size"))

    print("\nmax_size becomes 60")
    production.write_text(text.replace("40", "60"))
    await until(lambda: file_says(60))

    print("\nmax_size becomes 9000, which the type refuses: the last good configuration stays in force")
    production.write_text(text.replace("40", "9000"))
    await until(lambda: config.status().sources[0].held or file_says(9000))
    held = config.status().sources[0].held
    print(f"    held: {held[0].problems[0]}" if held else "    not held: a higher layer decides this key")
    print(f"    in force: {config.current.database.pool}")

    print("\nmax_size becomes 80")
    production.write_text(text.replace("40", "80"))
    await until(lambda: file_says(80))

    print("\nwhere max_size comes from:")
    for said in config.explain("database.pool.max_size"):
        print(f"    {said.value} from {said.origin}{'  <- in force' if said.in_force else ''}")


async def main(etcd: str | None, directory: Path) -> None:
    sources = [Files(directory / "common", directory / "production")]
    if etcd:
        sources.append(Etcd(*etcd.split(","), prefix="/shop/", optional=True))
    async with open_config(App, *sources, Env("SHOP_")) as config:
        print(f"{directory}/common/app.toml\n{directory}/production/app.yaml\n")
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow(config))
            if sys.stdin.isatty() and sys.stdout.isatty():
                print("Edit these files and watch (Ctrl-C ends):")
                await following
            await asyncio.sleep(0)  # the first snapshot is shown before the first edit
            await edit(config, directory)
            following.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", metavar="HOST:PORT[,...]", help="follow etcd's /shop/ too, above the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reactive-config-") as temporary:
        copy = Path(temporary) / "config"
        shutil.copytree(Path(__file__).parent / "config", copy)
        try:
            asyncio.run(main(options.etcd, copy))
        except KeyboardInterrupt:
            print("\nended")
        except StartupError as error:
            sys.exit(str(error))
