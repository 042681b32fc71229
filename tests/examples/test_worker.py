"""The worker of the examples, as a process: it follows its file, loses nothing, and ends when it is told to."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/worker"


@pytest.fixture
def spool(tmp_path):
    for name in ("inbox", "outbox", "config"):
        (tmp_path / name).mkdir()
    (tmp_path / "config/worker.toml").write_text((EXAMPLE / "config/worker.toml").read_text())
    return tmp_path


@pytest.fixture
def start(spool, run):
    def start():
        worker = run("worker", spool / "inbox", spool / "outbox", "--config", spool / "config")
        worker.until("ready")
        return worker

    return start


def edit(spool, **values):
    """Replace lines of the file, as an editor does."""
    file = spool / "config/worker.toml"
    text = file.read_text()
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^{name} = [^#\n]*", f"{name} = {value} ", text)
        assert count == 1
    new = file.with_name(".new")
    new.write_text(text)
    new.replace(file)


def put(spool, *names):
    for name in names:
        hidden = spool / "inbox" / f".{name}"
        hidden.write_text(name * 100)
        hidden.replace(spool / "inbox" / name)


def names(directory):
    return {file.name for file in directory.iterdir()}


def test_it_handles_files_and_follows_its_own(spool, start):
    edit(spool, scan='"0.05s"', compress="false")
    worker = start()
    put(spool, "a")
    worker.until("INFO worker: done a")
    assert names(spool / "outbox") == {"a"}

    edit(spool, compress="true", worker='"DEBUG"')
    put(spool, "probe")
    while not any("DEBUG worker: begin" in line for line in worker.until("done probe")):
        put(spool, "probe")
    put(spool, "b")
    assert "DEBUG worker: begin b" in worker.until("done b")
    assert gzip.decompress((spool / "outbox/b.gz").read_bytes()) == b"b" * 100

    edit(spool, workers="-1")  # refused: what was in force stays
    worker.until(r"held .*workers: expected int >= 0, got -1")
    put(spool, "c")
    worker.until("done c")
    assert names(spool / "inbox") == set()
    assert worker.end()[-1] == "INFO worker: ended"


def test_no_workers_are_a_pause_and_more_of_them_take_what_waits(spool, start):
    edit(spool, scan='"0.05s"', compress="false", workers="0")
    worker = start()
    put(spool, "a", "b")
    edit(spool, workers="1")
    worker.until("done b")
    assert names(spool / "outbox") == {"a", "b"}
    worker.end()


def test_a_signal_ends_it_and_what_it_had_not_begun_is_there_for_the_next_one(spool, start):
    edit(spool, scan='"0.05s"', compress="false", workers="1", rest='"1s"')
    files = {f"file-{number}" for number in range(20)}
    put(spool, *files)
    worker = start()
    worker.until("done")
    worker.end()
    waiting = names(spool / "inbox")
    assert waiting
    assert waiting | names(spool / "outbox") == files
    edit(spool, rest='"0s"', workers="4")
    worker = start()
    for _ in waiting:
        worker.until("done")
    assert names(spool / "outbox") == files
    worker.end()


def test_a_file_that_does_not_fit_keeps_it_from_starting(spool):
    edit(spool, workers='"many"')
    done = subprocess.run(
        [sys.executable, EXAMPLE / "main.py", spool / "inbox", spool / "outbox", "--config", spool / "config"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "workers: expected int" in done.stderr
