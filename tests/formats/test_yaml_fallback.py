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

from reactive_config._core.status import SourceState
from reactive_config._formats import registry, yaml_guard, yaml_scalars, yaml_tree
from reactive_config._formats.registry import locate, parse
from reactive_config._sources.etcd import key_documents as etcd_documents
from reactive_config._sources.etcd.key_layout import KeyLayout
from reactive_config._sources.files import Files
from reactive_config.errors import ParseError
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


def assert_same_refusal(text, words):
    with_it = outcome(text)
    with without_ryaml():
        without = outcome(text)
    for error in (with_it, without):
        assert isinstance(error, ParseError), text
        assert words in error.expected
        assert error.line >= 1
    assert described(with_it) == described(without)


def described(error):
    return error.expected, error.got, error.line, error.column


def bomb(levels, width):
    """Every level holds the one before it `width` times."""
    text = f"a0: &a0 [{','.join(['x'] * width)}]\n"
    for level in range(1, levels):
        text += f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * width)}]\n"
    return text


def nested_bomb(levels, width):
    """The same with the fewest events: every level stands inside the next one."""
    text = "&a0 x"
    for level in range(1, levels + 1):
        text = f"&a{level} [{','.join([text, *[f'*a{level - 1}'] * width])}]"
    return text


@pytest.mark.parametrize("levels", range(1, 13))
@pytest.mark.parametrize("width", [1, 2, 3, 4, 9, 20])
@pytest.mark.parametrize("make", [bomb, nested_bomb])
def test_an_alias_bomb_has_one_verdict_in_the_same_words(make, width, levels):
    """ryaml has a limit of its own, without a position: 100 aliases followed for each event of the document."""
    text = make(levels, width)
    if isinstance(outcome(text), ParseError):
        assert_same_refusal(text, "aliases that add at most")
    else:
        assert_agree(text)


@pytest.mark.parametrize(("levels", "size"), [(5, 212), (6, 258)])
def test_a_short_bomb_is_refused_with_its_line_and_reason(levels, size):
    text = bomb(levels, 9)
    assert len(text) == size
    assert_same_refusal(text, "aliases that add at most")
    assert outcome(text).line == 4


TABLE = "a: &a {" + ", ".join(f"k{i}: 1" for i in range(20)) + "}\n"


@pytest.mark.parametrize("uses", [48, 100])
def test_a_table_may_be_used_some_dozens_of_times(uses):
    text = TABLE + "b:\n" + "".join(f"  i{i}: *a\n" for i in range(uses))
    assert_agree(text)
    assert len(outcome(text)["b"]) == uses


def test_a_table_used_2000_times_is_refused_at_the_alias_that_is_too_much():
    text = TABLE + "b:\n" + "".join(f"  i{i}: *a\n" for i in range(2000))
    assert_same_refusal(text, "aliases that add at most")
    assert 2 + 100 < outcome(text).line < 2 + 125


def added(tree):
    """Values in a tree: tables, lists and what they hold."""
    children = tree.values() if type(tree) is dict else tree if type(tree) is list else ()
    return 1 + sum(map(added, children))


@pytest.mark.parametrize("anchored", ["1", "[]", "[x, y]", "{a: {b: [1, 2]}}"])
def test_aliases_add_at_most_what_is_stated(anchored):
    """As many as are accepted, and one more."""
    one = added(outcome(f"- {anchored}")[0])

    def text(uses):
        return f"- &a {anchored}\n" + "- *a\n" * uses

    most = next(uses for uses in range(yaml_guard.MAX_ADDED // one + 1, 0, -1) if type(outcome(text(uses))) is list)
    assert yaml_guard.MAX_ADDED * 0.98 <= most * one <= yaml_guard.MAX_ADDED
    assert added(outcome(text(most))) == 1 + one + most * one
    assert_agree(text(most))
    assert_same_refusal(text(most + 1), "aliases that add at most")
    assert outcome(text(most + 1)).line == most + 2


def test_long_text_counts_for_more_than_a_value():
    certificate = "a: &a '" + "y" * 4000 + "'\n"
    assert_agree(certificate + "b: [" + "*a, " * 48 + "]")
    assert_same_refusal(certificate + "b: [" + "*a, " * 1000 + "]", "aliases that add at most")
    assert_same_refusal("- &a\n  ? " + "y" * 60_000 + "\n  : 1\n" + "- *a\n" * 100, "aliases that add at most")
    assert_same_refusal("- &a " + "y" * 60_000 + "\n" + "- *a\n" * 100, "aliases that add at most")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x 1\nb: &x [*x]", "an anchor that stands before it"),
        ("a: &x 1\nb: &x {c: [*x]}", "an anchor that stands before it"),
        ("a: &a [" + "[x]]\nb: " + "[" * 126 + "*a" + "]" * 126, "nested at most"),
        (f"a: &a {'[' * 64}{']' * 64}\nb: {'[' * 70}*a{']' * 70}", "nested at most"),
    ],
)
def test_what_is_wrong_with_an_alias_is_found_at_the_alias_by_both(text, words):
    """ryaml has no position for it, or that of the document's first key."""
    assert_same_refusal(text, words)


@pytest.mark.parametrize("text", ["\ufeff!a b", "\ufeffa: 1", "\ufeff...\n"])
def test_a_second_byte_order_mark_is_refused_by_both(text):
    """A document's first one is skipped; after a second one ryaml took a tag for a key, unseen by the guard."""
    assert_agree(f"\ufeff{text}")
    assert isinstance(outcome(f"\ufeff{text}"), ParseError)


@pytest.mark.parametrize("levels", [126, 127, 128, 129, 140])
def test_aliases_count_for_depth(levels):
    """Also where each text is shallow, and only the copies nest."""
    chain = "k0: &a0 x\n" + "".join(f"k{i}: &a{i} {'[' * 20}*a{i - 1}{']' * 20}\n" for i in range(1, 6))
    last = levels - 101
    chain += f"k6: {'[' * last}*a5{']' * last}\n"
    assert_agree(chain)
    assert isinstance(outcome(chain), ParseError) is (levels > 128)
    assert_agree(f"a: &a {'[' * 64}{']' * 64}\nb: {'[' * (levels - 65)}*a{']' * (levels - 65)}")


def test_aliases_are_copies():
    with without_ryaml():
        tree = parse(b"a: &a {x: [1]}\nb: *a", ".yaml")
    assert tree["a"] is not tree["b"]
    assert tree["a"]["x"] is not tree["b"]["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a 1\nb: &a 2\nc: *a\nd: &b 3", {"a": 1, "b": 2, "c": 2, "d": 3}),
        ("a: &a 1\nb: &a 2\nc: *a\nd: &a 3\ne: *a", {"a": 1, "b": 2, "c": 2, "d": 3, "e": 3}),
        ("a: &a 1\nb: *a\nc: &a 2\nd: &b 3\ne: *b", {"a": 1, "b": 1, "c": 2, "d": 3, "e": 3}),
        ("a: &a {&a k: *a}\nb: &b [*a]", {"a": {"k": "k"}, "b": ["k"]}),
    ],
)
def test_an_alias_means_the_last_anchor_of_its_name(text, expected):
    """ryaml 0.5.1 takes an anchor after it if the name was given twice: `c` was 3."""
    assert outcome(text) == expected
    assert_agree(text)


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


ALIAS_WORDS = ("aliases that add", "an anchor that", "nested at most")


class Anchored:
    """Makes documents of anchors and aliases; a few aliases mean no anchor, or one that is still open."""

    def __init__(self, random):
        self.random, self.names, self.left = random, [], 0

    def document(self):
        self.names, self.left = [], 120
        letters = self.random.choice(["abcdefghijklmnopqrst", "abc"])
        fan = self.random.choice([2, 3, 5, 9, 40])
        lines = [f"{self.key(n, letters)}: {self.value(0, fan, letters)}\n" for n in range(self.random.randrange(1, 9))]
        return "".join(lines)

    def key(self, number, letters):
        if self.random.random() > 0.05:
            return f"k{number}"
        self.names.append(self.random.choice(letters))
        return f"&{self.names[-1]} k{number}"

    def value(self, depth, fan, letters):
        self.left -= 1
        choice = self.random.random()
        if self.names and (choice < 0.6 or self.left < 0):
            return f"*{self.random.choice(self.names[-3:] if self.random.random() < 0.995 else letters)} "
        name = self.random.choice(letters) if self.random.random() < 0.8 else ""
        text = self.content(depth, fan, letters)
        self.names += [name] if name else []
        return f"&{name} {text}" if name else text

    def content(self, depth, fan, letters):
        choice = self.random.random()
        if depth > 3 or choice < 0.1 or self.left < 0:
            return self.random.choice(["1", "x", "''", "true", "~", "1.5", "y" * 900])
        if choice < 0.2:
            return "[" * 50 + self.value(depth + 1, fan, letters) + "]" * 50
        items = [self.value(depth + 1, fan, letters) for _ in range(self.random.randrange(1, fan + 1))]
        if choice < 0.7:
            return f"[{', '.join(items)}]"
        return f"{{{', '.join(f'{self.key(number, letters)}: {item}' for number, item in enumerate(items))}}}"


@pytest.mark.slow
@pytest.mark.parametrize("documents", [800, pytest.param(2000, marks=pytest.mark.storm)])
def test_made_up_documents_of_aliases_mean_the_same_and_are_refused_at_the_same_place(documents):
    """`YAML_DOCUMENTS=100000 pytest -k made_up_documents_of_aliases -s` takes two minutes."""
    random = Random(os.environ.get("YAML_SEED", "1"))
    make = Anchored(random)
    count = int(os.environ.get("YAML_DOCUMENTS", documents))
    texts = [make.document() for _ in range(count)]
    texts = [mutated(random, [text]) if random.random() < 0.1 else text for text in texts]
    with_it = [outcome(text) for text in texts]
    read, refused = 0, dict.fromkeys(ALIAS_WORDS, 0)
    with without_ryaml():
        for text, expected in zip(texts, with_it, strict=True):
            found = outcome(text)
            if not isinstance(expected, ParseError):
                assert same(expected, found), (text, expected, found)
                read += 1
                continue
            assert isinstance(found, ParseError), (text, expected, found)
            for words in ALIAS_WORDS:
                if words in expected.expected or words in found.expected:
                    refused[words] += 1
                    assert described(expected) == described(found), (text, expected, found)
                    assert expected.line >= 1
    assert read > count / 5
    assert min(refused.values()) > count / 2000
    print(f"{count} documents, {read} read; {refused}")


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
        await feed.wait(lambda feed: feed.states and feed.states[-1][0] is SourceState.SYNCED)
        task.cancel()
        await asyncio.wait([task])
        key = type("Item", (), {"key": b"/s/a.yaml", "value": text.encode(), "mod_revision": 1})
        await etcd_documents.read_documents(KeyLayout(prefix="/s/", key=None, layers=()), [key], {})
    assert threads == [None, None]


def test_it_works_in_an_environment_that_has_only_pyyaml():
    """As `pip install reactive-config[yaml-pure]` leaves it: nothing else of the yaml extra is there to import."""
    program = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'ryaml': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from reactive_config._formats.registry import locate, parse\n"
        "print(parse(b'a: {b: no}', '.yaml'), locate(b'a: {b: no}', '.yaml', ('a', 'b')), 'ryaml' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'a': {'b': 'no'}} (1, 8) False"
    assert locate(b"a: {b: no}", ".yaml", ("a", "b")) == (1, 8)
