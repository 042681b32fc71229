"""Hostile documents end in a quick ParseError with a place and without a word of the document."""

from __future__ import annotations

import re
import time
import traceback

import orjson
import pytest
import ryaml
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._core.bounds import find_fault
from reactive_config._core.delta import Bare
from reactive_config._formats.registry import SUFFIXES, locate, parse, parse_value
from reactive_config.errors import ParseError

CANARY = "hunter2canary"
SECONDS = 5.0  # the slowest of these takes 0.3 s alone; without their guards they take from 19 s to for ever

DEEP = "nested at most 128 deep"
TWICE = "every key once"
LARGE = "64 bits"
FINITE = "a finite number"
EMPTY = "expected a document"
TAG = "without a tag"
DIRECTIVE = "no directives"
KEY = "text as a key"

HOSTILE = [
    # suffix, document, line, column, words of the refusal
    (".json", '{"a": 1,\n "the_same_name": 1, "the_same_name": 2}', 2, 22, TWICE),
    (".json", '{"a": {"b": 1},\n "c": [{"d": "::", "e": 1,\n  "d": "hunter2canary"}]}', 3, 3, TWICE),
    (".json", '{"\\u003a": 1, "x": "hunter2canary", "x": 3}', 1, 37, TWICE),
    (".json", '{"a": "hunter2canary", "\\u0061": 3}', 1, 24, TWICE),
    (".json", '{"p": "hunter2canary",\n "a": 18446744073709551616}', 2, 7, LARGE),
    (".json", '{"p": "hunter2canary", "a": [-9223372036854775809]}', 1, 30, LARGE),
    (".json", '{"a": ' + "9" * 5000 + "}", 1, 7, LARGE),
    (".json", "{" + '"a": [{}, "x", 1.0],' * 9999 + '"p": 1}', 1, 22, TWICE),
    (".json", '["99999999999999999999", 0.99999999999999999999,\n-99999999999999999999]', 2, 1, LARGE),
    (".json", '["[[{", ' + "[{}," * 2_000, 1, 514, DEEP),
    (".json", '{"p": "hunter2canary", "a": 1e999}', 1, 29, FINITE),
    (".json", '{"p": "hunter2canary", "a": NaN}', 1, 29, "valid JSON"),
    (".json", '{"p": "hunter2canary", "a": -Infinity}', 1, 30, "valid JSON"),
    (".json", '{"a":' + "[" * 128 + "]" * 128 + "}", 1, 133, DEEP),
    (".json", "[" * 100_000, 1, 129, DEEP),
    (".json", '{"a":' * 100_000, 1, 641, DEEP),
    (".json", '["hunter2canary", tru, ' + "[" * 200, 1, 19, "valid JSON"),
    (".json", '{"é": "hunter2canary\\ud800"}', 1, 21, "valid JSON"),
    (".json", '{"p": "hunter2canary"', 1, 22, "end of the document"),
    (".json", "\ufeff{hunter2canary", 1, 2, "valid JSON"),
    (".json", '["hunter2canary"]', 1, 1, "a table at the top level, got a list"),
    (".json", '\r\n "hunter2canary"', 2, 2, "a table at the top level, got text"),
    (".yaml", "p: hunter2canary\na:\n  the_same_name: 1\n  the_same_name: 2\n", 4, 3, TWICE),
    (".yaml", "the_same_name: 1\nthe_same_name: 2", 2, 1, TWICE),
    (".json", '["' + '\\"' * 500_000, 1, 1_000_003, "end of the document"),
    (".json", '["hunter2canary", "' + '\\"\\\\' * 250_000, 1, 1_000_020, "end of the document"),
    (".yaml", "p: hunter2canary\na: 18446744073709551616", 2, 4, LARGE),
    (".yaml", "p: hunter2canary\na: [x, 1e400]", 2, 8, FINITE),
    (".yaml", "p: hunter2canary\na: -1.5E+400", 2, 4, FINITE),
    (".yaml", "p: hunter2canary\na: " + "9" * 40, 2, 4, LARGE),
    (".yaml", "p: hunter2canary\na: " + "9" * 5_000, 2, 4, LARGE),
    (".yaml", "p: hunter2canary\na: 0x" + "f" * 40, 2, 4, LARGE),
    (".yaml", "p: hunter2canary\na: 0b" + "1" * 2_000, 2, 4, LARGE),
    (".yaml", "p: hunter2canary\na: " + "9" * 400 + ".5", 2, 4, FINITE),
    (".yaml", "p: hunter2canary\na: x\x85b: y", 2, 5, "U+0085 as an escape"),
    (".yaml", "p: hunter2canary\n# x\u2028b: y", 2, 4, "U+2028 as an escape"),
    (".yaml", "p: hunter2canary\na: 'x\u2029y'", 2, 6, "U+2029 as an escape"),
    (".yaml", "'hunter2canary at line 7 column 7': -9223372036854775809", 1, 37, LARGE),
    (".yaml", "p: hunter2canary\na: [1, .nan]", 2, 8, FINITE),
    (".yaml", "p: hunter2canary\na:\n  b: -.Inf", 3, 6, FINITE),
    (".yaml", "p: hunter2canary\n<<: {a: 1}", 2, 1, "merge keys are not supported"),
    (".yaml", "p: &p {a: hunter2canary}\nq:\n  <<: *p", 3, 3, "merge keys are not supported"),
    (".yaml", "p: !hunter2canary x", 1, 4, TAG),
    (".yaml", "p: !!python/object/apply:os.system [hunter2canary]", 1, 4, TAG),
    (".yaml", "p: hunter2canary\nq: [!!set {x}]", 2, 5, TAG),
    (".yaml", "!hunter2canary p: 1", 1, 1, TAG),
    (".yaml", "p: hunter2canary\n8080: x", 2, 1, KEY),
    (".yaml", "p: hunter2canary\ntrue: x", 2, 1, KEY),
    (".yaml", "p: hunter2canary\n~: x", 2, 1, KEY),
    (".yaml", "p: hunter2canary\n[a]: x", 2, 1, KEY),
    (".yaml", "---\np: hunter2canary\n---\nq: 1\n", 3, 1, "one document"),
    (".yaml", "%YAML 1.1\n---\np: hunter2canary", 1, 1, DIRECTIVE),
    (".yaml", "%TAG ! hunter2canary:\n" * 50_000 + "---\np: 1", 1, 1, DIRECTIVE),
    (".yaml", "p: hunter2canary\nq: *hunter2canary", 2, 4, "alias"),
    (".yaml", "p: &hunter2canary [*hunter2canary]", 1, 20, "alias"),
    (".yaml", "p: hunter2canary\x00", 1, 17, "control characters"),
    (".yaml", "p: 'hunter2canary", 1, 18, "end of the document"),
    (".yaml", "p: hunter2canary\n\tq: 1", 2, 1, "valid YAML"),
    (".yaml", "[" * 129, 1, 129, DEEP),
    (".yaml", "[" * 400, 1, 129, DEEP),
    (".yaml", "- " * 400, 1, 257, DEEP),
    (".yaml", "[" * 100_000, 1, 129, DEEP),
    (".yaml", "{a: " * 100_000, 1, 513, DEEP),
    (".yaml", "{']': " * 50_000, 1, 769, DEEP),
    (".yaml", "- " * 100_000, 1, 257, DEEP),
    (".yaml", "\n".join(" " * i + "a:" for i in range(400)), 129, 129, DEEP),
    (".yaml", "- hunter2canary", 1, 1, "a table at the top level, got a list"),
    (".yaml", "null", 1, 1, "a table at the top level, got null"),
    (".yaml", "---\n...\n", 1, 1, EMPTY),
    (".toml", "p = 'hunter2canary'\np = 2", 2, 6, TWICE),
    (".toml", "[the_same_name]\na = 1\n[the_same_name]\n", 3, 15, TWICE),
    (".toml", "p = 'hunter2canary'\n[x]\na = [1,\n  nan]", 4, 3, FINITE),
    (".toml", "[[t]]\np = 'hunter2canary'\n[[t]]\nq = -inf", 4, 5, FINITE),
    (".toml", "a.b = 18446744073709551616", 1, 7, LARGE),
    (".toml", "p = 'hunter2canary'\na = " + "9" * 5000, 2, 5, LARGE),
    (".toml", "a = 0x" + "f" * 100_000, 1, 5, LARGE),
    (".toml", "a = " + "[" * 128 + "]" * 128, 1, 132, DEEP),
    (".toml", "a = " + "[" * 100_000, 1, 133, DEEP),
    (".toml", "a = " + "{a = " * 100_000, 1, 645, DEEP),
    (".toml", "p = 'hunter2canary'\n" + ".".join(["a"] * 100_000) + " = 1", 2, 1, DEEP),
    (".toml", "[" + ".".join(["a"] * 100_000) + "]", 1, 2, DEEP),
    (".toml", "a = {" + ".".join(["a"] * 100_000) + " = 1}", 1, 6, DEEP),
    (".toml", "p = 'hunter2canary", 1, 19, "end of the document"),
    (".toml", "p = 'hunter2canary' x", 1, 21, "valid TOML"),
    (".toml", "p = hunter2canary", 1, 5, "valid TOML"),
    (".env", "P=hunter2canary\nP=2", 2, 1, "every key once"),
    (".env", "A=1\nhunter2canary\nB=1", 2, 14, "= after the name"),
    (".env", "A=1\n  2hunter2canary=1", 2, 3, "NAME=value"),
    (".env", "A='hunter2canary\n'", 1, 3, "a closing quote"),
    (".env", 'A=1\nB="hunter2canary\n\n', 2, 3, "a closing quote"),
    (".env", 'A="x" hunter2canary', 1, 6, "the end of the line"),
    (".env", "export hunter2canary", 1, 21, "= after the name"),
]


def refuse(suffix: str, data: bytes) -> ParseError:
    """The refusal; a tree, any other exception or a slow answer fails the test."""
    before = time.process_time()
    with pytest.raises(ParseError) as caught:
        parse(data, suffix)
    assert time.process_time() - before < SECONDS
    return caught.value


def assert_has_a_place(error: ParseError) -> None:
    assert error.line >= 1
    assert error.column >= 1
    assert error.__context__ is None


def assert_tells_nothing(error: ParseError) -> None:
    shown = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in "".join(shown)


@pytest.mark.parametrize(
    ("suffix", "text", "line", "column", "words"), HOSTILE, ids=[f"{s}-{t[:24]!r}-{len(t)}" for s, t, *_ in HOSTILE]
)
def test_a_hostile_document_is_refused_where_it_is_wrong(suffix, text, line, column, words):
    error = refuse(suffix, text.encode())
    assert words in str(error)
    assert (error.line, error.column) == (line, column)
    assert_tells_nothing(error)


@pytest.mark.parametrize(
    ("suffix", "text", "line", "column", "words"),
    [
        (".json", "[" * 2_000, 1, 129, DEEP),
        (".json", '{"a": ' + "9" * 5000 + "}", 1, 7, LARGE),
        (".json", '{"p": "hunter2canary", "a": -1.0e+999}', 1, 29, FINITE),
        (".yaml", "[" * 400, 1, 129, DEEP),
        (".yaml", "- " * 400, 1, 257, DEEP),
        (".yaml", "p: hunter2canary\na:\n  the_same_name: 1\n  the_same_name: 2\n", 4, 3, TWICE),
    ],
)
def test_what_is_refused_does_not_hang_on_the_parser_s_words(monkeypatch, suffix, text, line, column, words):
    """Another version of a parser has other words for the same thing."""
    parsers = {".json": (orjson, orjson.JSONDecodeError), ".yaml": (ryaml, ryaml.InvalidYamlError)}
    module, kind = parsers[suffix]
    loads = module.loads

    def reworded(text):
        try:
            return loads(text)
        except orjson.JSONDecodeError as error:
            raise kind("other words", error.doc, error.pos) from None
        except ryaml.InvalidYamlError as error:
            at = re.search("at line [0-9]+ column [0-9]+", str(error))
            raise kind(f"other words {at[0] if at else ''}") from None

    monkeypatch.setattr(module, "loads", reworded)
    error = refuse(suffix, text.encode())
    assert words in str(error)
    assert (error.line, error.column) == (line, column)
    assert_tells_nothing(error)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_bytes_that_are_not_utf8_are_refused_at_the_first_of_them(suffix):
    error = refuse(suffix, "\ufeffhunter2canary\né".encode() + b"\xff hunter2canary")
    assert (error.line, error.column, error.expected) == (2, 2, "UTF-8 text")
    assert_tells_nothing(error)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@pytest.mark.parametrize("blank", [b"", b"\n", b" \r\n\t", "\ufeff".encode()])
def test_an_empty_document_is_refused_and_never_means_all_defaults(suffix, blank):
    assert EMPTY in str(refuse(suffix, blank))


BOMBS = [
    "k0: &a0 [x, x]\n" + "".join(f"k{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(8)),
    f"a: &a [{'x,' * 5000}]\nb: [{'*a,' * 9000}]",
    f"a: &a {'x' * 50_000}\nb: [{'*a,' * 50_000}]",
]


@pytest.mark.parametrize("bomb", BOMBS, ids=["deep", "wide", "long"])
def test_an_alias_bomb_is_refused_quickly(bomb):
    error = refuse(".yaml", bomb.encode())
    assert "aliases that add at most 2500 values" in str(error)
    assert error.line > 1


def test_brackets_in_text_are_no_nesting():
    assert parse(("a: |\n" + " [[[[ {{{{\n" * 500).encode(), ".yaml")["a"].count("[") == 2000
    assert parse(b'{"a": "' + b"[" * 2000 + b'"}', ".json") == {"a": "[" * 2000}
    assert parse(b"a = '" + b"x." * 2000 + b"'", ".toml") == {"a": "x." * 2000}


BROKEN = ['{"hunter2canary', '"hunter2canary', "[hunter2canary]", '{"a":1,"a":"hunter2canary"}', " {"]


@pytest.mark.parametrize("data", [*map(str.encode, BROKEN), b"hunter2canary\xff"])
def test_an_etcd_value_that_promises_json_and_breaks_it_is_refused(data):
    with pytest.raises(ParseError) as caught:
        parse_value(data)
    assert caught.value.line == 1
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "'1e400'",
        '"' + "9" * 40 + '"',
        "!!str 1e400",
        "x1e400",
        "1e400x",
        "0" * 40,
        "9" * 40 + "x",
        "1" * 30 + "-x",
        '"\\N\\L\\P"',
    ],
)
def test_what_only_looks_like_a_large_number_in_yaml_is_text(value):
    assert type(parse(f"a: {value}\n".encode(), ".yaml")["a"]) is str


SEEDS = {
    ".json": '{"a": {"b": [1, 2.5, "x:y", null]}, "é": true, "d": "\\u00e9\\n", "i": 18446744073709551615}',
    ".yaml": "---\na: &x {b: [1, 2]}\nc: *x\nd: |\n  text\ne: 'q'\nf: [é, \"\\n\", !!str 1]\n? k\n: - 1\n  - .5\n...\n",
    ".toml": 'a.b = 1\n[x."y"]\nz = [1, {q = "é", r = 1.5}]\n[[t]]\nu = """a\nb"""\n[[t]]\nv = 1979-05-27T07:32:00Z\n',
    ".env": "export A=1\nB=\"x\\n\né\" # c\nC='z'\n# d\nE=a b\r\n",
}
PIECES = ["{", "}", "[", "]", ":", ",", '"', "'", "\\", "\n", "\r", "\t", " ", "#", "&x", "*x", "!", "|", "- ", "? "]
PIECES += ["%", "=", "0", "9" * 20, ".", "e", "\x00", "\ufeff", "<<: ", "nan", "a", "---\n", '"""', "\x85", "\u2028"]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    suffix = draw(st.sampled_from(sorted(SEEDS)))
    text = SEEDS[suffix]
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 4))
        text = text[:start] + draw(st.sampled_from(["", *PIECES])) + text[end:]
    data = text.encode()
    return suffix, data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@given(mutated() | st.tuples(st.sampled_from(sorted(SUFFIXES)), st.binary(max_size=60)))
def test_any_bytes_are_a_sound_tree_or_a_refusal_with_a_place(document):
    suffix, data = document
    try:
        tree = parse(data, suffix, table=False)
    except ParseError as error:
        assert_has_a_place(error)
    else:
        assert find_fault(tree) is None
        assert locate(data, suffix, ("no", "such", "path")) is None


@given(st.binary(max_size=60))
def test_any_etcd_value_is_a_sound_tree_or_a_refusal(data):
    try:
        tree = parse_value(data)
    except ParseError as error:
        assert_has_a_place(error)
    else:
        assert isinstance(tree, Bare) or find_fault(tree) is None
