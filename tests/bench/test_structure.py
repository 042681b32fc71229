"""The drawing is current, the numbers are right, and a walk passes what the docs say."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.structure import command, drawing, graph, numbers, walk
from bench.structure.files import CHECKOUT, floors
from bench.structure.graph import CORE, Box, Graph
from bench.structure.recorder import Function, Recorder
from reactive_config._core.trees import same, same_encoding

ARCHITECTURE = (CHECKOUT / "docs/architecture.md").read_text()


# -- the drawing -----------------------------------------------------------------------------------


def test_the_drawing_in_the_docs_is_current() -> None:
    """`python -m bench structure drawing` writes it anew."""
    assert (CHECKOUT / drawing.FILE).read_text() == drawing.svg(drawing.package_graph())


def test_nothing_is_imported_upwards() -> None:
    """Neither between rooms nor between the folders of the core; and it is not red."""
    found = drawing.package_graph()
    assert found.upwards() == []
    assert "#D00000" not in drawing.svg(found)


def test_every_room_has_a_box_on_its_floor() -> None:
    """The floors are those of tests/test_rooms.py."""
    rooms = {box.name.partition("/")[0].partition(":")[0]: box.floor for box in drawing.package_graph().boxes}
    assert rooms.items() <= floors().items()
    assert {"_core", "_sources", "_etcd", "_bindings", "errors"} <= rooms.keys()


def test_an_import_upwards_is_red_and_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once for a room, once for the core as a whole."""
    sound = drawing.package_graph()
    wrong = {**sound.imports, ("errors", "_cli"): 1, ("_printable", CORE): 2}
    monkeypatch.setattr(drawing, "package_graph", lambda: msgspec.structs.replace(sound, imports=wrong))
    file = tmp_path / "drawing.svg"
    assert _command("drawing", "--file", str(file)) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "UPWARDS  errors imports _cli",
        f"UPWARDS  _printable imports {CORE}",
    ]
    assert file.read_text().count(": upwards</title>") == 2


def test_lines_meet_no_box_but_their_own() -> None:
    """A line comes down beside every box between the two that it joins."""
    text = drawing.svg(drawing.package_graph())
    boxes = [
        tuple(map(float, found)) for found in re.findall(r"<rect x='(\S+)' y='(\S+)' width='(\S+)' height='52'", text)
    ]
    assert len(boxes) == len(drawing.package_graph().boxes)
    lines = re.findall(r"<path d='M(\S+) ([\d.]+)H([\d.]+)q6 0 6 6V([\d.]+)'/>", text)
    assert len(lines) == len(drawing.package_graph().imports)
    for x, y, corner, end in (tuple(map(float, line)) for line in lines):
        for left, top, width in boxes:
            across = top < y < top + 52 and left < corner + 6 and x < left + width
            down = left < corner + 6 < left + width and y < top + 52 and top < end
            assert not across, (x, y, left, top)
            assert not down, (corner, end, left, top)


def test_a_package_of_other_rooms_is_drawn_too() -> None:
    """The same order whatever order they come in, and no import is lost."""
    boxes = (Box("roof", 2, "Above."), Box("_core/one", 1, "In the core."), Box("ground", 0, "Below & <all>."))
    imports = {("roof", "_core"): 3, ("roof", "ground"): 1, ("_core/one", "ground"): 8}
    text = drawing.svg(Graph(boxes, imports, ("door",)))
    assert text.count("<title>") == 3
    assert "Below &amp; &lt;all&gt;." in text


def test_an_import_through_a_door_is_one_of_the_room() -> None:
    """`reactive_config.bindings` names what `_bindings` defines."""
    assert ("_web", "_bindings") in drawing.package_graph().imports
    assert "bindings" in drawing.package_graph().doors
    reader = graph.Reader()
    assert reader._defining("reactive_config.bindings", "rebuilt") == "reactive_config._bindings.rebuilt"
    assert reader._defining("reactive_config", "open_config") == "reactive_config._core.runtime.config"


# -- numbers ---------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_package() -> None:
    """Also without basedpyright."""
    found = numbers.count()
    assert found.files > 200
    assert 0 < found.short < found.files
    assert found.median < found.longest[1] <= 400
    assert found.shared == {}
    assert numbers.report(found, None)[-1] == "exported symbols: basedpyright is not installed"
    assert numbers.report(found, numbers.Exported(1200, 3, 1, ["errors.Odd"]))[-2:] == [
        "exported symbols: 1,200, of unknown type 1, ambiguous 3",
        "  unknown: errors.Odd",
    ]


def test_exported_symbols_are_counted() -> None:
    """A few hundred, and type checkers agree on all of them. openfeature-sdk does not tell the class of a provider."""
    pytest.importorskip("basedpyright")
    found = numbers.exported()
    assert found is not None
    assert 100 < found.symbols < 400
    assert found.ambiguous == 0
    assert found.names == ["reactive_config.bindings.openfeature.flag_provider"]


# -- the walk --------------------------------------------------------------------------------------


def test_the_recorder_writes_down_the_package_only() -> None:
    """Between start and stop, once each, in order of first call."""
    with Recorder() as recorder:
        same([1], [1])
        recorder.start()
        same_encoding({}, {})
        same([1], [2])
        same([1], [1])
        same_encoding({}, {})
        re.compile("nothing of ours")
        walked = recorder.stop()
        same([1], [1])
    trees = "_core/trees.py"
    assert walked[:2] == [Function(trees, "same_encoding"), Function(trees, "same")]
    assert {function.file for function in walked} == {trees}
    assert recorder.stop() == []


def _steps(title: str) -> list[Function]:
    """The functions that docs/architecture.md names for a change, in order."""
    part = ARCHITECTURE.split(f"### {title}\n")[1].split("\n#")[0]
    found = re.findall(r"\[`([\w.]+)`\]\(\.\./reactive_config/([\w/.]+)\)", part)
    return [Function(file, name) for name, file in found]


def _assert_passes(walked: list[Function], steps: list[Function]) -> None:
    assert len(steps) > 12
    assert [step for step in steps if step not in walked] == []
    assert steps == sorted(steps, key=walked.index)


@pytest.mark.skipif(sys.platform != "linux", reason="the docs tell of inotify")
async def test_a_saved_file_passes_what_the_docs_say() -> None:
    """In this order."""
    _assert_passes(await walk.saved_file(), _steps("A saved file"))


@pytest.mark.etcd
async def test_an_event_of_etcd_passes_what_the_docs_say() -> None:
    """In this order."""
    if why := walk.missing():
        pytest.skip(why)
    _assert_passes(await walk.etcd_event(), _steps("An event of etcd"))


def test_the_command_says_that_there_is_no_etcd(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The walk of a file is printed all the same."""
    monkeypatch.setattr(walk, "missing", lambda: "there is none")
    assert _command("walk") == 0
    file, event = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"one saved file: \d+ files, \d+ functions", file)
    assert event == "one etcd event: skipped, there is none"


def test_a_list_has_every_function(capsys: pytest.CaptureFixture[str]) -> None:
    """Files first, each once."""
    functions = [Function("b.py", "B.x"), Function("a.py", "y"), Function("b.py", "z")]
    lines = walk.report("it", functions, listed=True)
    assert lines[0] == "it: 2 files, 3 functions"
    assert lines.index("  b.py") < lines.index("  a.py") < lines.index("  b.py  B.x") < lines.index("  b.py  z")


def test_the_program_has_the_command() -> None:
    """With its three parts."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "structure", "--help"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert all(part in done.stdout for part in ("walk", "numbers", "drawing"))


def _command(*options: str) -> int:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = parser.parse_args(["structure", *options])
    return int(arguments.run(arguments))


# -- the tables of docs/architecture.md ------------------------------------------------------------

ROOMS = ("_core", "_sources", "_etcd", "_bindings", "_releases", "_service")


def test_the_tables_name_every_file_and_no_other() -> None:
    """Of these rooms, apart from `__init__.py`."""
    from bench.structure.files import trees

    told: list[str] = []
    for folder, part in re.findall(r"^### `([\w/]+)/`\n(.*?)(?=^#|\Z)", ARCHITECTURE, re.DOTALL | re.MULTILINE):
        told += [f"{folder}/{file}" for file in re.findall(r"^\| `(\w+\.py)` \|", part, re.MULTILINE)]
    files = [str(file) for file in trees() if file.parts[0] in ROOMS and file.stem != "__init__"]
    assert sorted(told) == sorted(files)


def test_the_table_of_rooms_names_every_room_and_its_floor() -> None:
    """As tests/test_rooms.py has them."""
    from bench.structure.files import PACKAGE

    told = dict(re.findall(r"^\| `(\w+)(?:/|\.py)` \| (\d) \|", ARCHITECTURE, re.MULTILINE))
    here = {
        room: floor
        for room, floor in floors().items()
        if (PACKAGE / room).exists() or (PACKAGE / f"{room}.py").exists()
    }
    assert {room: int(floor) for room, floor in told.items()} == here
