"""No depth ends a program: it is bounded once, at the door, for every source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import attrs
import msgspec
import pytest

import reactive_config
from reactive_config import Env, Memory, Rejected, StartupError, open_config
from reactive_config._core.bounds import MAX_DEPTH, MAX_VALUES
from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.delta import Entry, Malformed, Patch
from reactive_config._sources.etcd.key_documents import read_document
from reactive_config._sources.etcd.key_layout import KeyLayout
from reactive_config._sources.files.file_documents import FileDocuments
from reactive_config.sources import Bare
from reactive_config.testing import Scripted


class Node(msgspec.Struct, frozen=True):
    a: Node | None = None
    value: int = 0
    good: int = 0


class App(msgspec.Struct, frozen=True):
    good: int = 0


def nested(levels, leaf=1, *, lists=False):
    for _ in range(levels):
        leaf = [leaf] if lists else {"a": leaf}
    return leaf


def etcd(path, raw, revision=1):
    """What the etcd source makes of a key."""
    name = "/p/" + "/".join(path)
    return read_document(name, raw, revision, KeyLayout(prefix="/p/").meaning(name.encode()))


def entries():
    """Name, entry, and whether it may be taken: at the bound and one beyond, for all ways to be deep."""
    for over in (0, 1):
        depth = MAX_DEPTH + over
        yield f"path {over}", Entry(("a",) * depth, 1, 1), not over
        yield f"bare path {over}", Entry(("a",) * depth, Bare("1"), 1), not over
        yield f"table {over}", Entry((), nested(depth), 1), not over
        yield f"lists {over}", Entry(("a",), nested(depth - 1, lists=True), 1), not over
        yield f"both {over}", Entry(("a",) * 60, nested(depth - 60), 1), not over
        yield f"empty table {over}", Entry(("a",) * (depth - 1), {}, 1), not over
        yield f"etcd path {over}", etcd(("a",) * depth, b"1"), not over
        yield f"etcd both {over}", etcd(("a",) * 60, msgspec.json.encode(nested(depth - 60))), not over
        yield f"etcd list {over}", etcd(("a",) * 60, msgspec.json.encode(nested(depth - 60, lists=True))), not over
    for depth in (1_000, 5_000, 20_000):
        yield f"path {depth}", Entry(("a",) * depth, 1, 1), False
        yield f"table {depth}", Entry((), nested(depth), 1), False
        yield f"lists {depth}", Entry(("a",), nested(depth, lists=True), 1), False
        yield f"etcd {depth}", etcd(("a",) * depth, b"1"), False


CASES = list(entries())


async def sent(scripted, entry):
    """What is told of an entry that is sent; empty if it is taken."""
    try:
        await scripted.send(Patch({"x": msgspec.structs.replace(entry, revision=7, unit=7)}, {}, 7))
    except Rejected as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", [dict, App, Node])
@pytest.mark.parametrize(("entry", "fits"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_what_is_too_deep_is_held_and_the_rest_works(entry, fits, kind, caplog):
    memory, scripted = Memory({"good": 1}), Scripted({}, name="deep")
    async with open_config(kind, scripted, memory) as config:
        told = await sent(scripted, entry)
        assert ("nested at most 128 deep" in told) is not fits
        await memory.patch({"good": 2})
        assert config.explain("good")[0].value == 2
        assert max(map(len, [told, *caplog.messages])) < 1_000
        await scripted.replace({})
        assert config.status().sources[0].held == ()


async def test_the_message_names_the_bound_how_much_there_is_and_the_place():
    scripted = Scripted({}, name="etcd")
    async with open_config(dict, scripted) as config:
        told = await sent(scripted, etcd(("a",) * 2_000, b"1"))
        assert "expected tables and lists nested at most 128 deep, got 2,000 names (etcd /p/a/a/a/" in told
        told = await sent(scripted, etcd(("a",) * 100, b"[" * 40 + b"]" * 40))
        assert "expected tables and lists nested at most 128 deep, got a deeper document below 100 names" in told
        assert config.current == {}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000])
async def test_a_start_with_what_is_too_deep_is_refused_and_says_why(depth):
    with pytest.raises(StartupError, match="nested at most 128 deep"):
        async with open_config(dict, Env("S_", environ={"S_" + "__".join("A" * depth): "1"})):
            pass


def test_variables_and_dotenv_names_are_bounded_before_they_become_trees():
    documents = FileDocuments(lambda names: names, lambda _: "value")
    for depth in (MAX_DEPTH + 1, 400_000):
        data = "__".join(["A"] * depth).encode() + b"=1\n"
        found = anyio.run(documents.value, data, ".env")
        assert isinstance(found, Malformed)
        assert "at most 128 names" in found.expected


def test_a_tree_of_the_program_is_bounded_where_it_is_given():
    Memory(nested(MAX_DEPTH))
    for tree in (nested(MAX_DEPTH + 1), nested(100_000), {"a": nested(MAX_DEPTH, lists=True)}):
        with pytest.raises(ValueError, match="at most 128 levels"):
            Memory(tree)
    with pytest.raises(ValueError, match="at most 64 bits, got a larger one"):
        Memory({"a": 10**5_000})
    with pytest.raises(ValueError, match="at most 4,194,304 values, got more"):
        Memory(bomb())
    with pytest.raises(ValueError, match="at most 128 levels"):
        Memory(looped())


def looped():
    tree = {}
    tree["a"] = tree
    return tree


def bomb():
    tree = [1]
    for _ in range(40):
        tree = [tree] * 10
    return {"a": tree}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (looped(), "nested at most 128 deep"),
        (bomb(), f"at most {MAX_VALUES:,} values"),
        ({"a": {1: 2}}, "text as a key"),
        ({"a": [1.0, float("nan")]}, "a finite number"),
        ({"a": 10**5_000}, "64 bits"),
        ({"a": (1, 2)}, "what a file could hold"),
        (float("inf"), "a finite number"),
        (2**64, "64 bits"),
    ],
)
async def test_what_a_source_of_the_programs_own_sends_is_examined(tree, told):
    memory, scripted = Memory({"good": 1}), Scripted({}, name="deep")
    async with open_config(dict, scripted, memory) as config:
        path = () if isinstance(tree, dict) else ("a",)
        assert told in await sent(scripted, Entry(path, tree, 7))
        await memory.patch({"good": 2})
        assert config.current == {"good": 2}


LONG = "n" * 700_000
MANY = {f"k{i}": i for i in range(60_000)}


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        (Entry((), {LONG: MANY}, 1), False),
        (Entry((LONG,), MANY, 1), False),
        (Entry((), {"n" * 600: {"a": [[{"n" * 600: 1}]]}}, 1), False),
        (Entry(("n" * 1_024,), {"n" * 1_024: 1}, 1), True),
        (Entry((LONG,), 1, 1), True),
        (etcd(("a",), msgspec.json.encode({LONG: MANY})), False),
        (etcd(("n" * 1_025,), msgspec.json.encode(MANY)), False),
        (etcd(("n" * 1_024,), msgspec.json.encode({"n" * 1_000: MANY})), True),
        (etcd((LONG,), b"1"), True),
    ],
    ids=lambda case: case if isinstance(case, bool) else "",
)
async def test_names_that_would_be_repeated_for_many_values_are_short(entry, fits):
    """Else the dotted paths of what changed take the memory of the machine."""
    scripted = Scripted({}, name="deep")
    async with open_config(dict, scripted) as config:
        told = await sent(scripted, entry)
        assert ("1,024 characters together" in told) is not fits
        assert sum(map(len, config.snapshot.changed)) < 200_000_000
        assert len(told) < 1_000


DEEP_STACK = """
import asyncio, json, logging, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from reactive_config import Env, Files, Memory, open_config
import msgspec

class Node(msgspec.Struct, frozen=True):
    a: "Node | None" = None
    value: int = 0

def nested(levels, leaf):
    for _ in range(levels):
        leaf = {"a": leaf}
    return leaf

async def follow(kind, place):
    memory = Memory({})
    file = Path(place)
    file.write_text(json.dumps(nested(127, {"value": 1})))
    async with open_config(kind, Files(file), memory) as config:
        path = ".".join(["a"] * 127 + ["value"])
        for value in (2, "x", 3):
            try:
                await memory.patch(nested(127, {"value": value}))
            except Exception as error:
                assert kind is Node and "expected int, got 'x'" in str(error), error
            config.describe(), config.explain(path), config.status(), config.snapshot.changed
        await memory.replace({})
        assert config.explain(path)[0].value == 1

def at(frames, call):
    return call() if frames == 0 else at(frames - 1, call)

for kind in (dict, Node):
    at(300, lambda: asyncio.run(follow(kind, sys.argv[2])))
print("done")
"""


@pytest.mark.slow
def test_the_deepest_content_works_under_a_program_300_calls_deep(tmp_path):
    root = str(Path(reactive_config.__file__).parents[1])
    command = [sys.executable, "-c", DEEP_STACK, root, str(tmp_path / "x.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2_000:]


@attrs.define
class Record:
    a: Record | None = None
    value: int = 0


def called(frames, call):
    return call() if frames == 0 else called(frames - 1, call)


@pytest.mark.parametrize("frames", [0, 300, 500, 700])
def test_a_fault_is_named_as_far_as_the_stack_goes(frames):
    """One value of 128 levels takes some calls a level to explain, and the program may have used most of them."""
    (fault,) = called(frames, lambda: faults(nested(127, {"value": "x"}), Record, ("free",)))
    assert fault.path[:10] == ("free", *"a" * 9)
    assert (fault.path[-1], fault.expected) == ("value", "int") if frames == 0 else fault.got
