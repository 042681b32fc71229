"""`apply`: what it reads is read as the Files source reads it, and what it cannot read ends it."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"


@pytest.fixture
def layer(shop):
    directory = shop / "layer"
    directory.mkdir()
    (directory / "a.yaml").write_text("a: 1\n")
    (directory / "b.yaml").write_text("b: 1\n")
    return directory


def as_link_to_nothing(file):
    file.symlink_to("gone")


def as_fifo(file):
    os.mkfifo(file)


def as_device(file):
    file.symlink_to("/dev/zero")


def as_loop(file):
    file.symlink_to(file.name)


def as_large_file(file):
    file.touch()
    os.truncate(file, (8 << 20) + 1)


def as_deep_names(file):
    file.write_text("__".join(["D"] * 2_000) + "=1\n")


UNREADABLE = [
    (as_link_to_nothing, "b.yaml", "expected a file, got a link that leads nowhere"),
    (as_fifo, "b.yaml", "expected a regular file, got a FIFO"),
    (as_device, "b.yaml", "expected a regular file, got a device"),
    (as_loop, "b.yaml", "expected a file, got a loop of symbolic links"),
    (os.mkdir, "b.yaml", "expected a regular file, got a directory"),
    (lambda file: file.touch(), "b.yaml", "expected a document, got an empty file"),
    (lambda file: file.write_text("b: ["), "b.yaml", "line 2, column 1: expected valid YAML"),
    (as_large_file, "b.yaml", "expected at most 8388608 bytes, got 8388609 bytes"),
    (as_deep_names, "b.env", "expected at most 128 names joined by `__`, got 2,000"),
]


@pytest.mark.parametrize(("replace", "name", "why"), UNREADABLE)
def test_a_file_that_cannot_be_read_ends_an_apply_and_deletes_nothing(quick, layer, replace, name, why):
    assert quick("apply", TARGET, "layer", "--create").code == 0
    (layer / "b.yaml").unlink()
    replace(layer / name)
    done = quick("apply", TARGET, "layer", "--prune")
    assert done.code == 1, done.out
    assert f"layer/{name}: {why}" in done.err
    assert quick("history", TARGET, "--json").out.count("\n") == 1


@pytest.mark.parametrize(("replace", "name", "why"), UNREADABLE)
def test_a_file_that_is_given_alone_is_read_with_the_same_care(quick, layer, replace, name, why):
    (layer / "b.yaml").unlink()
    replace(layer / name)
    done = quick("apply", TARGET, f"layer/{name}", "--create")
    assert done.code != 0
    if replace not in (as_link_to_nothing, os.mkdir):  # nothing is there; a directory is read as one
        assert f"layer/{name}: {why}" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_no_absent_file(quick, layer):
    (layer / "b.yaml").chmod(0)
    assert "layer/b.yaml: expected a readable file, got permission denied" in quick("apply", TARGET, "layer").err


def test_all_files_in_trouble_are_named(quick, layer):
    for name in ("c.yaml", "d.json"):
        (layer / name).touch()
    done = quick("apply", TARGET, "layer", "--create")
    assert done.err.splitlines()[0] == "error: 2 files cannot be read, so nothing was applied"
    assert "layer/c.yaml: expected a document" in done.err
    assert "layer/d.json: expected a document" in done.err


def test_hidden_files_are_skipped_unless_they_are_given_by_themselves(quick, layer):
    (layer / ".env").write_text("HIDDEN=1\n")
    (layer / ".hid.yaml").write_text("hidden: 1\n")
    (layer / "b.yaml~").write_text("hidden: 1\n")
    done = quick("apply", TARGET, "layer", "--create")
    assert (done.out.splitlines()[:-1], done.err) == (["+ a = 1", "+ b = 1"], "")
    assert quick("apply", TARGET, "layer/.env").out.startswith("+ hidden = 1")


def test_what_is_skipped_is_told(quick, layer):
    (layer / "below").mkdir()
    (layer / "notes.txt").touch()
    done = quick("apply", TARGET, "layer", "--create")
    assert done.err.splitlines() == [
        "layer/below is skipped: a directory",
        "layer/notes.txt is skipped: no known suffix",
    ]


def test_links_to_files_are_followed(quick, layer, shop):
    (shop / "c.txt").write_text("c: 1\n")
    (layer / "c.yaml").symlink_to("../c.txt")
    assert "+ c = 1" in quick("apply", TARGET, "layer", "--create").out


def test_decoders_are_used(quick, shop):
    (shop / "own_types.py").write_text(
        "class Color:\n    pass\n\n"
        "import msgspec\n\nclass App(msgspec.Struct, frozen=True):\n    color: Color | None = None\n\n"
        "def read(value):\n    if value != 'red': raise ValueError('expected red')\n    return Color()\n\n"
        "decoders = {Color: read}\n"
    )
    named = ("--type", "own_types:App", "--decoders", "own_types:decoders")
    assert quick("set", TARGET, "color=red", "--create", *named).out.startswith('+ color = "red"')
    (shop / "x.env").write_text("COLOR=red\n")
    assert quick("apply", TARGET, "x.env", *named).code == 0
    assert quick("set", TARGET, "color=blue", *named).code == 2
