"""YAML without ryaml: PyYAML's events give the same tree and the same verdict."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config.core.status import State
from reactive_config.errors import ParseError
from reactive_config.formats import registry, yaml_guard, yaml_scalars, yaml_tree
from reactive_config.formats.registry import locate, parse
from reactive_config.sources.etcd import documents as etcd_documents
from reactive_config.sources.etcd.keys import Keys
from reactive_config.sources.files import Files
from reactive_config.testing import RecordingFeed

NUMBERS = [
    "0x1F", "-0x1f", "+0x1f", "0o17", "-0o17", "0b11", "+5", "--5", "+-5", "0", "00", "-0", "+0", "017", "-01", "08",
    "1_000", "1.", "1.5.", ".", ".5", "+.5", "-.5", "1.e5", "e5", "1e5", "1E+5", "1e", "1e+", "1e999", "-1e999", "0.",
    "00.5", "01.5", "00e5", "1.5e-400", "5e-324", "-0.0", "+1e5", "inf", "nan", "infinity", ".inf", "+.inf", "-.INF",
    ".nan", ".NaN", "+.nan", "0x", "0o8", "0X1F", "0x1g", "0x+1", "0x-1", "0b", "0xfffffffffffffffff",
    "0x" + "f" * 32, "0x" + "f" * 33, "0b" + "1" * 129, "0x" + "0" * 40 + "1", "18446744073709551615",
    "18446744073709551616", "-9223372036854775808", "-9223372036854775809", "1" * 39, "9" * 39, "1" * 40, "9" * 60,
    "1" * 400, "1" * 5000, str(2**128 - 1), str(2**128), str(-(2**127)), str(-(2**127) - 1), "٣", "1٣", "22:22",
    "2020-01-01", "2020-01-01T00:00:00Z", "1,000", "0x1.8p1",
]  # fmt: skip
WORDS = [
    "null", "Null", "NULL", "nUll", "~", "true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "yes", "no", "on",
    "off", "y", "n", "=", "<<x", "a b", "ü",
]  # fmt: skip
TAGGED = [
    f"{tag} {scalar}".rstrip()
    for tag in ("!!str", "!!int", "!!float", "!!bool", "!!null")
    for scalar in ("", "1", "017", "0x10", "+5", "-0x5", "1.5", "1e5", "1e999", ".inf", "~", "null", "true", "True",
                   "yes", "'5'", "'true'", "''", '"1e5"', "x", "9" * 50, "9" * 20)
]  # fmt: skip
DOCUMENTS = [
    "a: &a {x: [1]}\nb: *a\nc: *a", "a: &x 1\nb: &x 2\nc: *x", "&k key: 1\nb: *k", "&k key: 1\n*k : 2",
    "- &a [b]\n- [*a, *a]", "a: &a [*a]", "a: *nobody", "? [a]\n: 1", "? {a: 1}\n: 1", "!!int 5: x", "!!str 5: x",
    "'5': x\n!!str 5: y", "5: x", "? : x", "~: x", "'~': x", "'': x", ": x", "a:\nb:",
    "a: |\n  x\n  y\nb: >-\n  x\n  y\n", "a: 'it''s'\nb: \"\\u00e9\\n\"", "---\n", "---\n...\n", "# c", "# c\n---\n",
    "--- # c\n", "null", "~", "--- ~", "''", "---\na: 1\n...\n", "a: 1\n...\nb", "--- a\n--- b",
    "%YAML 1.2\n---\na: 1", "%YAML 1.1\n---\na: 1", "%TAG ! x\n---\na: 1", "<<: {a: 1}", "'<<': 1", "!x a", "! a",
    "!!set {a}", "!!map {a: 1}", "a: 1\na: 2", "a: 1\n'a': 2", "{a: 1, a: 2}", "a: 1\n\tb: 2", "a: 'x", "a: [1",
    "a: ]", "- a\nb: c", "a: b: c", "@a", "`a", "%a", "a: @b", "- - - a", "[a, [b, {c: d}]]", "{a: b, c}", "[a: b]",
    "[? a : b]", "a: !!str", 'a: "\\x"', "a:\r\n  b: 1\r\n", "a: 1\rb: 2", "a\x85b: 1", "a: x\u2028y", "\ta: 1",
    "a:\t1", "a: 1 # c", "a: 1#c", "a: x # *y !z", "k: &a\nl: *a", "k: &a ''\nl: *a",
]  # fmt: skip


@contextmanager
def without_ryaml():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ryaml", None)
        registry.is_slow.cache_clear()
        try:
            yield
        finally:
            registry.is_slow.cache_clear()


def same(one, other):
    """Equal in value and type; NaN does not occur."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, other))


def outcome(text):
    try:
        return parse(text.encode(), ".yaml", table=False)
    except ParseError as error:
        return error


def assert_agree(text):
    with_it = outcome(text)
    with without_ryaml():
        without = outcome(text)
    if isinstance(with_it, ParseError):
        assert isinstance(without, ParseError), (text, with_it, without)
        assert without.line >= 1
        assert without.__context__ is None
    else:
        assert not isinstance(without, ParseError), (text, with_it, without)
        assert same(with_it, without), (text, with_it, without)


@pytest.mark.parametrize("scalar", [*NUMBERS, *WORDS, *TAGGED], ids=lambda text: ascii(text[:24]))
def test_a_scalar_means_the_same(scalar):
    assert_agree(f"- {scalar}")
    assert_agree(f"a: {scalar}")
    assert_agree(f"[{scalar}]")
    assert_agree(f"{scalar}: a")
    assert_agree(scalar)


@pytest.mark.parametrize("text", DOCUMENTS, ids=lambda text: ascii(text[:24]))
def test_a_document_means_the_same(text):
    assert_agree(text)


@pytest.mark.parametrize("text", ["\ufeff!a b", "\ufeffa: 1", "\ufeff...\n"])
def test_a_second_byte_order_mark_is_refused_by_both(text):
    """A document's first one is skipped; after a second one ryaml took a tag for a key, unseen by the guard."""
    assert_agree(f"\ufeff{text}")
    assert isinstance(outcome(f"\ufeff{text}"), ParseError)


@pytest.mark.parametrize("levels", [126, 127, 128, 129, 140])
def test_aliases_count_for_depth(levels):
    """Also where each text is shallow, and only the copies nest."""
    chain = "k0: &a0 [x]\n" + "".join(f"k{i}: &a{i} [*a{i - 1}]\n" for i in range(1, levels))
    assert_agree(chain)
    assert_agree(f"a: &a {'[' * 64}{']' * 64}\nb: {'[' * (levels - 65)}*a{']' * (levels - 65)}")


def test_aliases_are_copies():
    with without_ryaml():
        tree = parse(b"a: &a {x: [1]}\nb: *a", ".yaml")
    assert tree["a"] is not tree["b"]
    assert tree["a"]["x"] is not tree["b"]["x"]


PIECES = [
    *"{}[]:,'\"\\\n \t#&*!|>%-?.=0189eEx_+~ab", "&x ", "*x", "- ", "? ", ": ", "\n  ", "\n- ", "<<: ", "!!int ",
    "!!str ", "!!float ", "!!bool ", "!!null ", "---\n", "...\n", "null", "true", "no", "0x1", "0o7", ".inf", ".nan",
    "1e5", "9" * 20, "a: ", "b: ", "é", "\x85", "\r",
]  # fmt: skip


def hostile():
    """The module with the other documents of these tests; a test module cannot be imported by its name."""
    spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("test_hostile.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_hostile_document_is_refused_by_both():
    documents = hostile()
    for text in [text for suffix, text, *_ in documents.HOSTILE if suffix == ".yaml"] + documents.BOMBS:
        assert_agree(text)


def mutated(random, seeds):
    """A document with some pieces put in, or nothing but pieces."""
    if random.random() < 0.5:
        return "".join(random.choices(PIECES, k=random.randrange(16)))
    text = random.choice(seeds)
    for _ in range(random.randrange(1, 5)):
        start = random.randrange(len(text) + 1)
        text = text[:start] + random.choice(["", *PIECES]) + text[start + random.randrange(4) :]
    return text


@pytest.mark.slow
def test_made_up_documents_mean_the_same():
    """`YAML_DOCUMENTS=600000 pytest -k made_up -s` takes two minutes."""
    random = Random(os.environ.get("YAML_SEED", "1"))
    seeds = [*DOCUMENTS, *(text for suffix, text in hostile().SEEDS.items() if suffix in (".yaml", ".json"))]
    count = int(os.environ.get("YAML_DOCUMENTS", "10000"))
    read = same_place = 0
    texts = [mutated(random, seeds) for _ in range(count)]
    with_it = [outcome(text) for text in texts]
    with without_ryaml():
        for text, expected in zip(texts, with_it, strict=True):
            found = outcome(text)
            if isinstance(expected, ParseError):
                assert isinstance(found, ParseError), (text, expected, found)
                same_place += (expected.line, expected.column) == (found.line, found.column)
            else:
                assert same(expected, found), (text, expected, found)
                read += 1
    assert read > count / 5
    print(f"{count} documents, {read} read; of those refused, {same_place} at the same place")


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_text_means_the_same_or_is_refused_by_both(text):
    assert_agree(text)


@given(st.text("0123456789+-.eExob_aAfF ", min_size=1, max_size=12))
def test_whatever_looks_like_a_number_means_the_same(text):
    assert_agree(f"- {text}")


def test_what_the_guard_takes_for_text_is_text():
    """Which unquoted scalars are no text decides which keys are refused, whichever parser reads the document."""
    read = [scalar for scalar in [*NUMBERS, *WORDS] if not isinstance(outcome(f"- {scalar}"), ParseError)]
    assert len(read) > 60
    for scalar in read:
        assert yaml_scalars.is_text(scalar) is (type(outcome(f"- {scalar}")[0]) is str), scalar


@pytest.mark.parametrize("key", ["-", "-a <<:", "9'<<:", "0o7'<<'"])
def test_a_key_is_text_whatever_else_is_in_the_document(key):
    """It was refused as a number if a sign elsewhere made the guard look."""
    assert outcome(f"{key}: &x 1\nother: *x") == {key: 1, "other": 1}
    assert_agree(f"{key}: &x 1\nother: *x")


def test_a_pyyaml_without_libyaml_is_refused(monkeypatch):
    """Its own parser in Python reads `{a::}` and refuses `a: b\t`: the same file would mean two things."""
    monkeypatch.delattr("yaml.CSafeLoader")
    with without_ryaml():
        error = outcome("a: 1")
    assert "PyYAML with libyaml" in str(error)
    assert outcome("a: 1") == {"a": 1}


def test_ryaml_is_the_choice_if_it_is_there(monkeypatch):
    monkeypatch.setattr(yaml_tree, "build", None)
    assert parse(b"a: [1]", ".yaml") == {"a": [1]}
    with without_ryaml(), pytest.raises(TypeError):
        parse(b"a: [1]", ".yaml")


async def test_a_long_document_is_read_in_a_thread_because_it_takes_longer(tmp_path, monkeypatch):
    """The loop is not held for longer than with ryaml."""
    threads = []
    real = yaml_guard.examine
    monkeypatch.setattr(yaml_guard, "examine", lambda *a: threads.append(asyncio._get_running_loop()) or real(*a))
    text = "".join(f"key{i}: value\n" for i in range(200))
    (tmp_path / "app.yaml").write_text(text)
    feed = RecordingFeed()
    with without_ryaml():
        task = asyncio.create_task(Files(str(tmp_path / "app.yaml")).run(feed))
        await feed.wait(lambda feed: feed.states and feed.states[-1][0] is State.SYNCED)
        task.cancel()
        await asyncio.wait([task])
        key = type("Item", (), {"key": b"/s/a.yaml", "value": text.encode(), "mod_revision": 1})
        await etcd_documents.read_documents(Keys(prefix="/s/", key=None, layers=()), [key], {})
    assert threads == [None, None]


def test_it_works_in_an_environment_that_has_only_pyyaml():
    """As `pip install reactive-config[yaml-pure]` leaves it: nothing else of the yaml extra is there to import."""
    program = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'ryaml': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from reactive_config.formats.registry import locate, parse\n"
        "print(parse(b'a: {b: no}', '.yaml'), locate(b'a: {b: no}', '.yaml', ('a', 'b')), 'ryaml' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'a': {'b': 'no'}} (1, 8) False"
    assert locate(b"a: {b: no}", ".yaml", ("a", "b")) == (1, 8)
