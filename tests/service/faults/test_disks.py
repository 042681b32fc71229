"""A store in a file on a disk that is full, or may only be read: it says so, loses nothing, and goes on after it."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reactive_config._releases.sqlite_file import VERSION

from .served import (
    ANY,
    CONFIG,
    PATIENCE,
    WRITERS,
    Audit,
    Service,
    Writers,
    check_read,
    make_environment,
    problem,
    service,
    written,
)

pytestmark = pytest.mark.anyio

MIB = 1 << 20
ROOM = 12 * MIB  # SQLite lets its log grow to 4 MiB before it uses its space again
FORCE = {"force": "a test"}


class SmallDisk:
    """A file system of its own.

    Attributes:
        path: Where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, process: Service) -> None:
        """Leave no byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def free(self, process: Service) -> None:
        self._ballast.unlink()


class SmallFiles:
    """A directory whose files may not grow, for one process: where nobody may mount anything.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, process: Service) -> None:
        largest = max(file.stat().st_size for file in self.path.iterdir())
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

    def free(self, process: Service) -> None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


SYSTEM = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
"""The environment of commands that make file systems: not every user has them on PATH."""


def run(*command: str | Path) -> None:
    """Run a command of the system; the test is skipped where it may not."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=SYSTEM)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        pytest.skip(f"a file system of its own is wanted, and {command[0]} says: {told.strip()}")


@contextlib.contextmanager
def mounted(*command: str | Path) -> Iterator[SmallDisk]:
    """What a mount command makes at its last argument."""
    place = Path(command[-1])
    place.mkdir()
    run(*command)
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True, env=SYSTEM)


@contextlib.contextmanager
def ext4(home: Path) -> Iterator[SmallDisk]:
    """One that turns to read-only at an error, as many systems have it."""
    with (home / "image").open("wb") as image:
        image.truncate(ROOM)
    run("mkfs.ext4", "-q", "-m", "0", home / "image")
    with mounted("mount", "-o", "loop,errors=remount-ro", home / "image", home / "disk") as disk:
        yield disk


@contextlib.contextmanager
def tmpfs(home: Path) -> Iterator[SmallDisk]:
    with mounted("mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", home / "disk") as disk:
        yield disk


@contextlib.contextmanager
def limited(home: Path) -> Iterator[SmallFiles]:
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux sets limits of another process")
    (home / "disk").mkdir()
    yield SmallFiles(home / "disk")


Kind = Callable[[Path], contextlib.AbstractContextManager[SmallDisk | SmallFiles]]


@pytest.mark.parametrize("kind", [ext4, pytest.param(tmpfs, marks=pytest.mark.storm), limited])
@pytest.mark.parametrize("times", [1, pytest.param(8, marks=[pytest.mark.storm, pytest.mark.timeout(600)])])
async def test_a_full_disk(tmp_path: Path, kind: Kind, times: int) -> None:
    rng = random.Random(times)
    with kind(tmp_path) as disk:
        store = f"sqlite:{disk.path}/releases.db"
        async with written(tmp_path, store) as (process, client):
            writers, audit = Writers(client), Audit(store)
            async with writers.writing():
                for _ in range(times):
                    await writers.acknowledge(rng.randint(1, 8))
                    await run_full(disk, process, client, writers)
                    await audit.look(writers)
            await writers.check_repeats()
            await audit.end(writers)
            assert all("full" in told for told in writers.refused)
            print(f"{times} times full: {writers}")


async def run_full(disk: SmallDisk | SmallFiles, process: Service, client: httpx.AsyncClient, writers: Writers) -> None:
    """Leave no room until every writer was told so; then they may go on."""
    writers.up.clear()
    refused = writers.refused.total()
    disk.fill(process)
    await writers.until(lambda: writers.refused.total() == refused + WRITERS)
    await check_read(client, writers)
    assert (await client.get("/readyz")).status_code == 200
    answer = await client.put(f"{CONFIG}/first", json="x" * 100_000, headers=ANY, params=FORCE)
    assert problem(answer) in {(503, "store-refuses"), (503, "store-away")}
    disk.free(process)
    writers.up.set()


@pytest.mark.storm
async def test_a_disk_that_turns_to_read_only(tmp_path):
    """As a kernel does it that has found the file system damaged, below the running service."""
    with ext4(tmp_path) as disk:
        store = f"sqlite:{disk.path}/releases.db"
        async with written(tmp_path, store) as (process, client):
            writers, audit = Writers(client), Audit(store)
            for number in range(4):
                await writers.write(client, f"0.{number}")
            break_file_system(disk.path)
            answer = await client.put(f"{CONFIG}/first", json="never", headers=ANY)
            assert problem(answer)[0] == 503
            assert "mounted read-only" in answer.json()["detail"]
            await check_read(client, writers)
            process.kill()
            mend_file_system(disk.path)
            await process.start(PATIENCE)
            await writers.write(client, "0.4")
            await audit.end(writers)


def break_file_system(place: Path) -> None:
    """Let ext4 find an error, as its own tests do."""
    device = subprocess.run(
        ["findmnt", "--noheadings", "--output", "SOURCE", place], check=True, capture_output=True, text=True, env=SYSTEM
    )
    trigger = Path("/sys/fs/ext4", Path(device.stdout.strip()).name, "trigger_fs_error")
    try:
        trigger.write_text("a test")
    except OSError as error:
        pytest.skip(f"ext4 cannot be broken on purpose: {error}")


def mend_file_system(place: Path) -> None:
    image = place.with_name("image")
    subprocess.run(["umount", place], check=True, env=SYSTEM)
    subprocess.run(["fsck.ext4", "-fy", image], check=False, capture_output=True, env=SYSTEM)
    run("mount", "-o", "loop", image, place)


@pytest.mark.storm
async def test_a_start_on_a_disk_that_may_only_be_read(tmp_path):
    """With SQLite's files beside the database everything can be read; nobody can make them there."""
    with tmpfs(tmp_path) as disk:
        database = disk.path / "releases.db"
        async with written(tmp_path, f"sqlite:{database}") as (process, client):
            process.kill()  # one that ends by itself takes SQLite's files away
            run("mount", "-o", "remount,ro", disk.path)
            await process.start(PATIENCE)
            answer = await client.put(f"{CONFIG}/first", json="never", headers=ANY)
            assert problem(answer) == (503, "store-refuses")
            assert "it may only be read; nothing was written" in answer.json()["detail"]
            assert (await client.get(f"{CONFIG}/first")).json() == "begin"
            process.kill()
            run("mount", "-o", "remount,rw", disk.path)
            close_as_the_last(database)
            run("mount", "-o", "remount,ro", disk.path)
            with pytest.raises(RuntimeError, match=r"it cannot be opened; .* whether the disk is mounted read-only"):
                await process.start(PATIENCE)
            run("mount", "-o", "remount,rw", disk.path)
            await process.start(PATIENCE)
            assert (await client.put(f"{CONFIG}/first", json="now", headers=ANY)).status_code == 200


@pytest.mark.storm
async def test_a_start_on_a_full_disk(tmp_path):
    """Neither the files that SQLite wants beside the database can be made, nor a new database."""
    with tmpfs(tmp_path) as disk:
        database = disk.path / "releases.db"
        async with written(tmp_path, f"sqlite:{database}") as (process, client):
            process.terminate()
            close_as_the_last(database)
            disk.fill(process)
            with pytest.raises(RuntimeError, match="see whether it is full"):
                await process.start(PATIENCE)
            async with service(tmp_path, f"sqlite:{disk.path}/other.db") as other:
                with pytest.raises(RuntimeError, match="the disk is full; nothing was written; make room on it"):
                    await other.start(PATIENCE)
                disk.free(process)
                await other.start(PATIENCE)
            await process.start(PATIENCE)
            assert (await client.get(f"{CONFIG}/first")).json() == "begin"


def close_as_the_last(database: Path) -> None:
    """SQLite removes its files beside the database then; a process that was killed leaves them."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT revision FROM counter").fetchone() is not None
    assert [file.name for file in database.parent.iterdir()] == [database.name]


async def test_no_token_is_made_that_nobody_could_read(tmp_path):
    """The working directory may only be read: the next start, somewhere else, makes the token."""
    with tmpfs(tmp_path) as disk:
        run("mount", "-o", "remount,ro", disk.path)
        process = Service(tmp_path, f"sqlite:{tmp_path}/releases.db")
        process.home = disk.path
        try:
            await process.start(PATIENCE)
            assert f"no access token was made: {disk.path}/admin-token: Read-only file system" in process.tail()
            process.kill()
            process.home = tmp_path
            token = await process.begin()
            async with process.client(token) as client:
                await make_environment(client)
        finally:
            process.kill()
        assert {file.name for file in tmp_path.glob("admin-token*")} == {"admin-token"}


@contextlib.contextmanager
def without_rights(path: Path) -> Iterator[None]:
    mode = path.stat().st_mode
    path.chmod(0o500)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("this user may write to every file, as root may")
        yield
    finally:
        path.chmod(mode)


async def test_a_start_without_rights(tmp_path):
    """To the directory, and to the database alone: that can be read."""
    home = tmp_path / "store"
    home.mkdir()
    async with written(tmp_path, f"sqlite:{home}/releases.db") as (process, client):
        process.terminate()
        with without_rights(home), pytest.raises(RuntimeError, match="whether this user may write to it"):
            await process.start(PATIENCE)
        with without_rights(home / "releases.db"):
            await process.start(PATIENCE)
            answer = await client.put(f"{CONFIG}/first", json="never", headers=ANY)
            assert problem(answer) == (503, "store-refuses")
            assert "see whether this user may write to it and to the files beside it" in answer.json()["detail"]
            assert (await client.get(f"{CONFIG}/first")).json() == "begin"
            process.kill()
        for file in home.iterdir():  # SQLite gives those beside the database the same rights
            file.chmod(0o600)
        await process.start(PATIENCE)
        assert (await client.put(f"{CONFIG}/first", json="now", headers=ANY)).status_code == 200


async def test_a_start_on_a_database_of_a_newer_version(tmp_path):
    async with written(tmp_path, f"sqlite:{tmp_path}/releases.db") as (process, client):
        process.terminate()
        with contextlib.closing(sqlite3.connect(tmp_path / "releases.db")) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        expected = f"expected version {VERSION} at most, got {VERSION + 1}, of a newer program"
        with pytest.raises(RuntimeError, match=expected):
            await process.start(PATIENCE)
        with contextlib.closing(sqlite3.connect(tmp_path / "releases.db")) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION}")
        await process.start(PATIENCE)
        assert (await client.get(f"{CONFIG}/first")).json() == "begin"
