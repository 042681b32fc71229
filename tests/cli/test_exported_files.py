"""`export`: all files or none."""

from __future__ import annotations

import os
import stat

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"


@pytest.fixture(autouse=True)
def released(quick, monkeypatch):
    quick("set", TARGET, "a=1", "b=2", "c=3", "--create")


def names(directory):
    return sorted(file.name for file in directory.iterdir())


@pytest.mark.parametrize(("make", "got"), [(os.mkdir, "a directory"), (os.mkfifo, "a FIFO")])
def test_what_stands_in_the_way_leaves_everything_as_it_was(quick, shop, make, got):
    (shop / "out").mkdir()
    make(shop / "out/b.json")
    done = quick("export", TARGET, "out")
    assert (done.code, done.err) == (1, f"error: out/b.json: expected a regular file, got {got}\n")
    assert names(shop / "out") == ["b.json"]


def test_a_name_that_no_file_can_have_leaves_everything_as_it_was(quick, shop):
    quick("set", TARGET, f"{'n' * 300}=1")
    done = quick("export", TARGET, "out")
    assert (done.code, "expected to write, got File name too long" in done.err) == (1, True), done.err
    assert names(shop / "out") == []


def test_a_directory_that_is_a_file(quick, shop):
    (shop / "out").touch()
    done = quick("export", TARGET, "out")
    assert (done.code, done.err) == (2, "error: out: expected a directory, got a file\n")


def test_files_are_replaced_with_their_permissions_and_links_are_not_followed(quick, shop):
    (shop / "out").mkdir()
    (shop / "out/a.json").write_text("old")
    (shop / "out/a.json").chmod(0o600)
    (shop / "elsewhere.json").write_text("kept")
    (shop / "out/b.json").symlink_to("../elsewhere.json")
    assert quick("export", TARGET, "out").code == 0
    assert stat.S_IMODE((shop / "out/a.json").stat().st_mode) == 0o600
    assert (shop / "elsewhere.json").read_text() == "kept"
    texts = [(shop / f"out/{name}.json").read_text() for name in "abc"]
    assert texts == ['{"a":1}', '{"b":2}', '{"c":3}']
    assert names(shop / "out") == ["a.json", "b.json", "c.json"]


def test_odd_names_have_a_file_each_and_come_back(quick, shop):
    told = quick("set", TARGET, '".."=4', '"x y"=5', '"%"=6', '".x"=7')
    assert told.code == 0, told.err
    assert quick("export", TARGET, "out").code == 0
    assert len(names(shop / "out")) == 7
    assert quick("apply", TARGET, "out", "--prune").out == "nothing had to be changed\n"
