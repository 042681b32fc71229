"""Content that cannot be used is said so, in words that quote nothing, and mended content is taken."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config._core.delta import Malformed, Patch
from reactive_config._sources.files import scan
from reactive_config._testing.recording_feed import RecordingFeed

SECRET = "hunter2"


def got(feed: RecordingFeed, file: Path) -> Any:
    entry = feed.entries.get(str(file))
    return entry.value if entry else None


def missing_bracket(file: Path) -> None:
    file.write_text(f'ok = 1\npassword = ["{SECRET}"\n')


def not_utf8(file: Path) -> None:
    file.write_bytes(f"password = '{SECRET}\xff'".encode("latin-1"))


def doubled_key(file: Path) -> None:
    file.write_text(f"password = '{SECRET}'\npassword = '{SECRET}'\n")


@pytest.mark.parametrize(
    ("spoil", "line"), [(missing_bracket, 3), (not_utf8, 1), (doubled_key, 2)], ids=lambda v: getattr(v, "__name__", "")
)
async def test_a_document_that_does_not_parse(
    spoil: Callable[[Path], None], line: int, follow: Callable[..., Any], tmp_path: Path
) -> None:
    """With the line, without the content; and what is mended comes."""
    file = tmp_path / "app.toml"
    file.write_text("ok = 0")
    async with follow(tmp_path) as feed:
        spoil(file)
        await feed.wait(lambda f: isinstance(got(f, file), Malformed))
        assert got(feed, file).line == line
        assert SECRET not in repr(feed.deltas)
        assert feed.entries[str(file)].unit == str(file)
        file.write_text("ok = 2")
        await feed.wait(lambda f: got(f, file) == {"ok": 2})


def make_empty(file: Path) -> None:
    file.write_bytes(b"")


def make_large(file: Path) -> None:
    file.write_text("x = '" + "x" * 2000 + "'")


def make_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def make_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def make_socket(file: Path) -> None:
    file.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        home = Path.cwd()
        os.chdir(file.parent)  # the address of a socket is short
        server.bind(file.name)
        os.chdir(home)


def make_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


TROUBLES = [
    (make_empty, Malformed("a document", "an empty file")),
    (make_large, Malformed("at most 1000 bytes", "2006 bytes")),
    (make_directory, Malformed("a regular file", "a directory")),
    (make_fifo, Malformed("a regular file", "a FIFO")),
    (make_socket, Malformed("a regular file", "a socket")),
    (make_loop, Malformed("a file", "a loop of symbolic links")),
]


@pytest.mark.parametrize(("spoil", "said"), TROUBLES, ids=[f.__name__ for f, _ in TROUBLES])
@pytest.mark.parametrize("single", [True, False], ids=["file", "directory"])
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])
async def test_what_is_no_document(
    single: bool, spoil: Callable[[Path], None], said: Malformed, follow: Callable[..., Any], tmp_path: Path
) -> None:
    """It is said once; nothing is deleted; and what stands there afterwards comes."""
    file = tmp_path / "app.toml"
    file.write_text("ok = 0")
    async with follow(file if single else tmp_path, max_bytes=1000, poll_interval=0.02) as feed:
        spoil(file)
        await feed.wait(lambda f: got(f, file) == said)
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink(missing_ok=True)
        file.write_text("ok = 2")
        await feed.wait(lambda f: got(f, file) == {"ok": 2})
        assert [d.set[str(file)].value for d in feed.deltas if isinstance(d, Patch)] == [said, {"ok": 2}]


async def test_trouble_from_the_start(follow: Callable[..., Any], tmp_path: Path) -> None:
    """The first delta carries it, for the core to judge."""
    file, loop = tmp_path / "app.toml", tmp_path / "loop"
    file.write_bytes(b"")
    loop.symlink_to("loop")
    async with follow(file, loop) as feed:
        assert got(feed, file) == Malformed("a document", "an empty file")
        assert got(feed, loop) == Malformed("a directory", "a loop of symbolic links")
        assert len(feed.deltas) == 1


async def test_a_layer_that_became_a_file_keeps_its_entries(follow: Callable[..., Any], tmp_path: Path) -> None:
    """A file in the directory's place is an error at the layer's own path; its files are not known to be gone."""
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "app.toml").write_text("n = 1")
    async with follow(layer) as feed:
        layer.rename(tmp_path / "aside")
        layer.write_text("what?")
        await feed.wait(lambda f: isinstance(got(f, layer), Malformed))
        assert got(feed, layer / "app.toml") == {"n": 1}
        layer.unlink()
        (tmp_path / "aside").rename(layer)
        await feed.wait(lambda f: f.entries.keys() == {str(layer / "app.toml")})
        assert not any(str(layer / "app.toml") in d.deleted for d in feed.deltas if isinstance(d, Patch))


def test_a_directory_that_cannot_be_listed_is_not_called_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "listing", lambda directory: errno.EACCES)
    layer = scan.GivenPath(0, "conf", str(tmp_path), "", False, {".toml"}.__contains__, "conf", 0)
    (found,) = scan.scan([layer], lambda entry_id: False).files.values()
    assert found.trouble == Malformed("a readable directory", "permission denied")


_UNPRIVILEGED = """
import asyncio, json, os, sys
from pathlib import Path
from reactive_config._sources.files import Files
from reactive_config._testing.recording_feed import RecordingFeed
import anyio.to_thread
from reactive_config._sources.files.notifiers import inotify, watchfiles
import reactive_config._formats.toml_

async def main(home, notifier):
    feed = RecordingFeed()
    source = Files(home / "file.toml", home / "layer", notifier=notifier, poll_interval=0.02, settle=0.05)
    task = asyncio.create_task(source.run(feed))
    def kinds(feed):
        return {Path(i).name: getattr(e.value, "got", e.value) for i, e in feed.entries.items()}
    seen = []
    async def wait(**expected):
        await feed.wait(lambda f: kinds(f) == {k.replace("_", "."): v for k, v in expected.items()})
        seen.append(kinds(feed))
    await wait(file_toml={"n": 1}, a_toml={"n": 1})
    (home / "file.toml").chmod(0)
    await wait(file_toml="permission denied", a_toml={"n": 1})
    (home / "layer").chmod(0)
    await wait(file_toml="permission denied", a_toml={"n": 1}, layer="permission denied")
    (home / "layer").chmod(0o755)
    (home / "file.toml").chmod(0o600)
    await wait(file_toml={"n": 1}, a_toml={"n": 1})
    task.cancel()
    await asyncio.wait([task])
    print(json.dumps({"denied": 2, "seen": len(seen)}))

asyncio.run(anyio.to_thread.run_sync(int))  # loads what is loaded late: the next user may not read the interpreter
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
home = Path(sys.argv[1]) / "config"
(home / "layer").mkdir(parents=True)
(home / "file.toml").write_text("n = 1")
(home / "layer" / "a.toml").write_text("n = 1")
asyncio.run(main(home, sys.argv[2]))
"""


def test_what_may_not_be_read(notifier: str) -> None:
    """In a process of its own, because root may read everything."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", _UNPRIVILEGED, home, notifier], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seen"] == 4


@pytest.mark.skipif(sys.platform != "linux", reason="where /proc is")
async def test_a_file_whose_stat_does_not_give_its_length_is_told_and_a_real_one_in_its_place_is_followed(
    follow: Callable[..., Any], tmp_path: Path
) -> None:
    """It is 0 bytes long for stat and has content: changes of it would show nowhere."""
    file = tmp_path / "app.json"
    file.symlink_to("/proc/self/status")
    assert file.stat().st_size == 0
    async with follow(tmp_path) as feed:
        assert got(feed, file) == Malformed("a file as long as its stat says", "one of another length, as in /proc")
        real = tmp_path / "real"
        real.write_text('{"ok": 1}')
        real.rename(file)
        await feed.wait(lambda f: got(f, file) == {"ok": 1})
