"""What the log says of files in a directory of configuration whose suffix nobody reads."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from reactive_config import Files, open_config

QUICK = {"settle": 0.02, "poll_interval": 0.05, "notifier": "polling"}
REST = "not read, as the suffix is none of .env, .json, .toml, .yaml, .yml"


class App(msgspec.Struct, frozen=True):
    n: int = 0


@pytest.fixture
def log(caplog):
    """Takes what was logged of such files since it was asked last."""
    caplog.set_level(logging.INFO, "reactive_config")

    def take():
        found = [(r.levelname, r.getMessage()) for r in caplog.records if "suffix" in r.getMessage()]
        caplog.clear()
        return found

    return take


def write(folder, *names):
    for name in names:
        (folder / name).write_text("n = 1")


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_file_that_nobody_reads_is_told_once_when_it_appears(tmp_path, log):
    write(tmp_path, "a.toml", "b.yml.txt", "README", ".c.toml.swp", "a.toml~", "a.tmp")
    async with open_config(App, Files(tmp_path, **QUICK)) as config:
        assert log() == [("INFO", f"{tmp_path}/b.yml.txt: {REST}")]
        lines = []
        for _ in range(2):  # and once more if it comes back
            write(tmp_path, "app.yaml.bak")
            await until(lambda: lines.extend(log()) or lines)
            assert lines == [("INFO", f"{tmp_path}/app.yaml.bak: {REST}")]
            (tmp_path / "app.yaml.bak").unlink()
            await until(lambda: not any("app.yaml.bak" in note for note in config.status().sources[0].notes))
            lines.clear()


async def test_many_of_them_are_one_line(tmp_path, log):
    write(tmp_path, "a.toml", *(f"{number}.ini" for number in range(9)))
    async with open_config(App, Files(tmp_path, **QUICK)):
        named = ", ".join(f"{tmp_path}/{number}.ini" for number in range(4))
        assert log() == [("INFO", f"{named} and 5 more: {REST}")]


async def test_of_environments_those_that_are_named_for_one_of_its_layers(tmp_path, log):
    write(tmp_path, "common.toml", "production.toml", "common.yaml.bak", "production.local.json.old", "production.ini")
    write(tmp_path, "staging.ini", "staging.toml.bak", "production.eu.toml", "notes.txt")
    async with open_config(App, Files.environment(tmp_path, "production", **QUICK)) as config:
        places = [f"{tmp_path}/{name}" for name in ("common.yaml.bak", "production.ini", "production.local.json.old")]
        assert log() == [("INFO", f"{', '.join(places)}: {REST}")]
        notes = config.status().sources[0].notes
        assert [f"{place} is skipped: no known suffix" for place in places] == [n for n in notes if "suffix" in n]
