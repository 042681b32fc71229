"""What people get wrong in documents is told in words that say what to mend, and that quote nothing of the document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._formats import registry, yaml_events
from reactive_config._formats.registry import SUFFIXES, parse, parse_value
from reactive_config.errors import ParseError

JSON = [
    ('{"a": 1,}', 1, 8, "a comma before the closing brace"),
    ("[\n1,\n]", 2, 2, "a comma before the closing bracket"),
    ('{"a": 1 // c\n}', 1, 9, "a comment (JSON has none)"),
    ('/* c */ {"a": 1}', 1, 1, "a comment (JSON has none)"),
    ('{"a": 1, # c\n "b": 2}', 1, 10, "a comment (JSON has none)"),
    ("{'a': 1}", 1, 2, "single quotes (JSON wants double ones)"),
    ("{\"a\": 'x'}", 1, 7, "single quotes (JSON wants double ones)"),
    ("{a: 1}", 1, 2, "a name without quotes (JSON wants double ones)"),
    ("{1: 2}", 1, 2, "a number as a name (JSON wants double quotes around it)"),
    ('{"a": True}', 1, 7, "True (JSON writes true)"),
    ('{"a": None}', 1, 7, "None (JSON writes null)"),
    ('{"a": -Infinity}', 1, 8, "-Infinity (no configuration may hold it)"),
    ('{"a": shop}', 1, 7, "text without quotes (JSON wants double ones)"),
    ('{"a": 1\n "b": 2}', 2, 2, "no comma before this name"),
    ('["a" "b"]', 1, 6, "no comma before this value"),
    ('{"a" 1}', 1, 6, "no colon between a name and its value"),
    ('{"a" = 1}', 1, 6, "an equals sign (JSON wants a colon)"),
    ('{"a": 1; "b": 2}', 1, 8, "a semicolon (JSON wants a comma)"),
    ('{"a": 1,, "b": 2}', 1, 9, "two commas in a row"),
    ('{,"a": 1}', 1, 2, "a comma before the first value"),
    ('{"a": }', 1, 7, "no value after the colon"),
    ('{"a"}', 1, 5, "a name without a value"),
    ('{"a": [1}', 1, 9, "a closing brace, while the bracket of line 1 is open"),
    ('{"a": 1}}', 1, 9, "a closing brace that nothing opened"),
    ('{"a": 1}\n{"b": 2}', 2, 1, "more text after the end of the document"),
    ('"a": 1', 1, 4, "a name and a value without braces around them"),
    ('{"a": {\n"b": 1}', 2, 8, "the end of the document, and the brace of line 1 is not closed"),
    ('{\n"a": "x', 2, 8, "the end of the document inside of the quotes that line 2 opens"),
    ('{"a": "x\ny"}', 1, 9, "a line break inside of quotes (a quote is missing, or write \\n)"),
    ('{"a": "x\ty"}', 1, 9, "a tab inside of quotes (write \\t)"),
    ('{"a": "C:\\path"}', 1, 10, "a backslash that escapes nothing (write two for one)"),
    ('{"a": "\\ud800"}', 1, 8, "an escape \\u that is not whole (four digits; some characters take two escapes)"),
    ('{"a": 010}', 1, 7, "a number with a leading zero"),
    ('{"a": +1}', 1, 7, "a plus sign before a number"),
    ('{"a": 1.}', 1, 9, "a number that ends with a point"),
    ('{"a": 0x1F}', 1, 8, "a hexadecimal number"),
    ('{"a": 10m}', 1, 9, "a number with letters after it (text wants quotes)"),
    ("{“a”: 1}", 1, 2, "curly quotes (write straight ones)"),
    ('{"a":\u00a01}', 1, 6, "a space that is no ordinary one (write it again)"),
    ("{{ x }}", 1, 2, "two opening braces (is it a template that was not filled in?)"),
    ('{"a": ${X}}', 1, 7, "what a template begins with (was it filled in?)"),
    ('{\n<<<<<<< HEAD\n"a": 1\n=======\n', 2, 1, "marks of a merge conflict, from line 2"),
    ("<html>", 1, 1, "an angle bracket (is it HTML or XML?)"),
]

YAML = [
    ("a:\n\tb: 1", 2, 1, "a tab that indents this line (YAML wants spaces)"),
    ("a:\n  b: 1\n\tc: 2", 3, 1, "a tab that indents this line (YAML wants spaces)"),
    ("port:80\nhost: x", 2, 5, "no space after the colon of line 1"),
    ("a: 1\nport 80\nhost: x", 3, 1, "no colon in line 2"),
    ("title: a: b", 1, 9, "a second colon in one line (text with a colon wants quotes)"),
    ("a: @x", 1, 4, "a value that begins with @ (text that does wants quotes)"),
    ("a: *.example.com", 1, 5, "a value that begins with * (text that does wants quotes)"),
    ("a: 1\n  b: 2", 2, 4, "a line indented below line 1, whose name has a value already"),
    ("a:\n    b: 1\n  c: 2", 3, 3, "an indentation that no line above has"),
    ("a:\n  - 1\n  b: 2", 3, 3, "a name beside the items of a list"),
    ("a: 1\n- 2", 2, 1, "a list item beside the names of a table"),
    ("a: - 1", 1, 4, "a list item on the line of its name (it wants a line of its own)"),
    ("a: |x\n  b", 1, 5, "text on the line of a | (it begins on the next line)"),
    ("a: 'it's'", 1, 8, "text after the closing quote (an apostrophe inside of single quotes is written twice)"),
    ('a: "x" y', 1, 8, "text after the closing quote"),
    ('a: "C:\\path"', 1, 7, "a backslash in double quotes that escapes nothing (single quotes keep it)"),
    ('a: "x\nb: 1', 2, 5, "the end of the document inside of the quotes that line 1 opens"),
    ("a: [1, 2\nb: 3", 2, 2, "a new line while the bracket of line 1 is not closed"),
    ("a: [1,, 2]", 1, 7, "two commas in a row"),
    ("a: ]", 1, 4, "a closing bracket that nothing opened"),
    ("log: x\npool\n", 3, 1, "no colon in line 2"),
    ("log: x\nhosts\n  - a\n", 4, 1, "no colon in line 2"),
    ("pool:\n  size: 3\n  max\n", 4, 1, "no colon in line 3"),
    ("a:\n  - x: 1\n    y\n", 4, 1, "no colon in line 3"),
    ("a: text\n  goes on\nport # b: c\n", 4, 1, "no colon in line 3"),
    ("a: |\n  text\n\nport\n", 5, 1, "no colon in line 4"),
    ("a: 1\nb:2\n", 3, 1, "no space after the colon of line 2"),
    ("a: 1\n{{ x }}\n", 3, 1, "what a template begins with (was it filled in?)"),
    ("- a\n- b\nc\n", 4, 1, "a name beside the items of a list"),
    ("{size: ${SIZE}}", 1, 9, "what a template begins with (was it filled in?)"),
    ("a: [${X}]", 1, 6, "what a template begins with (was it filled in?)"),
    ("[pool]\nsize = 3\n", 2, 1, "what looks like TOML (YAML writes name: value)"),
    ("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n", 2, 2, "marks of a merge conflict, from line 1"),
]

TOML = [
    ("name = shop", 1, 8, "text without quotes"),
    ("a = [\n  shop,\n]", 2, 3, "text without quotes"),
    ("a = True", 1, 5, "True (TOML writes true)"),
    ("a = off", 1, 5, "off (TOML writes false)"),
    ("a = null", 1, 5, "null (TOML has no null: leave the key out)"),
    ("a: 1", 1, 2, "a colon (TOML wants an equals sign)"),
    ("a = {b: 1}", 1, 7, "a colon (TOML wants an equals sign)"),
    ("a =", 1, 4, "no value after the equals sign"),
    ("a", 1, 2, "a name without an equals sign and a value"),
    ("= 1", 1, 1, "no name before the equals sign"),
    ("a == 1", 1, 4, "a second equals sign"),
    ("a = 1,", 1, 6, "a comma after the value (TOML ends a value with its line)"),
    ("a = 1 b = 2", 1, 7, "more text on the line after the value (TOML wants a line for each name)"),
    ("a = {b = 1,\n c = 2}", 1, 12, "a line break inside of braces (TOML wants an inline table on one line)"),
    ("a = {b = 1,}", 1, 12, "a comma before the closing brace"),
    ("a = {b = 1", 1, 11, "the end of the document, and a brace of this line is not closed"),
    ("a = [1, 2", 1, 10, "the end of the document, and a bracket of this line is not closed"),
    ("a = [\n 1\n 2\n]", 3, 2, "no comma before this value"),
    ('a = "x', 1, 7, "the end of the document inside of the quotes that this line opens"),
    ('b = 1\na = """x', 2, 9, "the end of the document inside of the three quotes that line 2 opens"),
    ("a = 'C:\\new\n", 2, 1, "the end of the document inside of the quotes that line 1 opens"),
    ("a = 'C:\\new\n\nb = 1\n", 4, 1, "the end of the document inside of the quotes that line 1 opens"),
    ("a = [ # it's\n", 2, 1, "the end of the document, and a bracket of this line is not closed"),
    ('a = "x\ny"', 1, 7, "a line break inside of quotes (a quote is missing, or write three of them)"),
    ('a = "C:\\path"', 1, 10, "a backslash in double quotes that escapes nothing (single quotes keep it)"),
    ("a = 010", 1, 6, "a number with a leading zero"),
    ("a = 10m", 1, 7, "a number with letters after it (text wants quotes)"),
    ("a = 2024-13-01", 1, 9, "a date or time that does not exist, or is not written as one"),
    ("// c\na = 1", 1, 1, "a comment with // (TOML wants #)"),
    ("a = 1 // c", 1, 7, "a comment with // (TOML wants #)"),
    ("[table", 1, 7, "a header without its closing bracket"),
    ("[a] b = 1", 1, 5, "more text on the line of a header"),
    ("max size = 3", 1, 5, "a space in a name (it wants quotes), or no equals sign after it"),
    ("é = 1", 1, 1, "a letter outside of A to Z in a name (it wants quotes)"),
    ('{"a": 1}', 1, 1, "an opening brace (is it JSON?)"),
]


def refused(data: str, suffix: str) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(data.encode(), suffix, table=False)
    return caught.value


@pytest.mark.parametrize(
    ("suffix", "language", "text", "line", "column", "got"),
    [(".json", "JSON", *row) for row in JSON]
    + [(".yaml", "YAML", *row) for row in YAML]
    + [(".toml", "TOML", *row) for row in TOML],
)
def test_a_mistake_is_told_in_words(suffix, language, text, line, column, got):
    error = refused(text, suffix)
    assert str(error) == f"line {line}, column {column}: expected valid {language}, got {got}"


DOTENV = [
    ("A B", 2, "= after the name", "a space in the name, or no equals sign after it"),
    ("A: 1", 2, "= after the name", "a colon (dotenv wants an equals sign)"),
    ("A\nB=1", 2, "= after the name", "the end of the line"),
    ("export A", 9, "= after the name", "the end of the document"),
    ("set A=1", 4, "= after the name", "a word of another language before the name (only export may stand there)"),
    ("MY-NAME=1", 3, "= after the name", "a dash in the name (letters, digits and _ may stand there)"),
    ("my.name=1", 3, "= after the name", "a point in the name (letters, digits and _ may stand there)"),
    ("1A=2", 1, "a line NAME=value", "a name that begins with a digit"),
    ("[s]", 1, "a line NAME=value", "a header (dotenv has none)"),
    ("; c", 1, "a line NAME=value", "a comment with ; (dotenv wants #)"),
    ("// c", 1, "a line NAME=value", "a comment with // (dotenv wants #)"),
    ('{"a": 1}', 1, "a line NAME=value", "an opening brace (is it JSON?)"),
    ("- A=1", 1, "a line NAME=value", "a dash (is it YAML?)"),
    ("É=1", 1, "a line NAME=value", "a letter or sign that a name cannot begin with (A to Z and _ can)"),
    ('A="x', 3, "a closing quote", "none up to the end of the document"),
    ("A='x\ny'", 3, "a closing quote", "none on this line"),
    ('A="x"y', 6, "the end of the line after the closing quote", "more text (a # wants a space before it)"),
]


@pytest.mark.parametrize(("text", "column", "expected", "got"), DOTENV)
def test_a_mistake_in_dotenv_is_told_in_words(text, column, expected, got):
    assert str(refused(text, ".env")) == f"line 1, column {column}: expected {expected}, got {got}"


@pytest.mark.parametrize(
    ("text", "expected", "got"),
    [
        ("a: {{ x }}", "text as a key", "what a template begins with (was it filled in?)"),
        ("? [a]\n: 1", "text as a key", "a container or an alias as a key"),
        ("8080: x", "text as a key", "a number, truth value or null as a key (it wants quotes)"),
        ("a: !x 1", "a value without a tag", "a tag (text that begins with ! wants quotes)"),
        (
            "a: [*b]",
            "an alias of an anchor that stands before it",
            "another alias (text that begins with * wants quotes)",
        ),
    ],
)
def test_what_yaml_means_by_a_text_without_quotes_is_told(text, expected, got):
    error = refused(text, ".yaml")
    assert (error.expected, error.got) == (expected, got)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("{value}", "a name without quotes (JSON wants double ones)"),
        ("[database]\nport = 1", "text without quotes (JSON wants double ones)"),
        ('"quoted" text', "more text after the end of the document"),
        ("{{ x }}", "two opening braces (is it a template that was not filled in?)"),
    ],
)
def test_a_bare_value_that_is_read_as_json_says_why(text, got):
    with pytest.raises(ParseError) as caught:
        parse_value(text.encode())
    expected = 'valid JSON (because the value begins with {, [ or ")'
    assert (caught.value.expected, caught.value.got) == (expected, got)
    assert caught.value.__context__ is None


def test_toml_that_yaml_reads_as_one_text_is_told():
    with pytest.raises(ParseError) as caught:
        parse(b'size = 3\nlog = "x"\n', ".yaml")
    assert caught.value.got == "what looks like TOML (YAML writes name: value)"


def test_the_last_name_of_a_value_without_a_suffix_is_told_too():
    with pytest.raises(ParseError) as caught:
        parse_value(b"burst: 8\nper_second 3", ".yaml")
    assert caught.value.got == "no colon in line 2"


@pytest.mark.parametrize("row", YAML, ids=lambda row: ascii(row[0]))
def test_both_parsers_of_yaml_are_explained_alike(row, monkeypatch):
    pytest.importorskip("ryaml")
    text, line, _, got = row
    monkeypatch.setitem(__import__("sys").modules, "ryaml", None)
    error = refused(text, ".yaml")
    assert (error.line, error.got) == (line, got)
    assert yaml_events.has_libyaml()


WORD = "hunter2canary"


@given(
    st.sampled_from(sorted(SUFFIXES)),
    st.lists(st.sampled_from([WORD, *"{}[]:,=\"'#-*&!|>@$\n\t \\0.+/;", "\n  ", ": ", "- ", "True"]), max_size=12),
)
def test_no_word_of_a_document_is_quoted(suffix, pieces):
    said = None
    try:
        parse("".join(pieces).encode(), suffix, table=False)
    except ParseError as error:
        said = error
    if said is not None:
        assert WORD not in said.got or " twice" in said.got
        assert WORD not in said.expected


def test_the_end_of_a_very_long_document_is_explained_too():
    """What should stand there is not known any more in JSON, but its commonest mistakes need no more than a look."""
    long = '"a": [' + "1, " * 100_000
    assert refused(f"{{{long}1,]}}", ".json").got == "a comma before the closing bracket"
    assert refused(f"{{{long}1] // all\n}}", ".json").got == "a comment (JSON has none)"
    assert refused("a: 1\n" * 1 + "# none\n" * 60_000 + "\tb: 1", ".yaml").got.startswith("a tab that indents")
    assert refused("# none\n" * 60_000 + "name = shop", ".toml").got == "text without quotes"


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@pytest.mark.parametrize(
    "piece", ['{"a": [', "- ", "a: 'b\n", "a = [\n", "  a\n", "[ [ [ ", "a:b ", '"', "a = '", "\\"]
)
def test_a_long_document_is_explained_quickly(suffix, piece):
    """Its end is wrong, and so may be much before it."""
    with pytest.raises(ParseError) as caught:
        registry.parse((piece * (100_000 // len(piece)) + "\x01").encode(), suffix)
    assert caught.value.line >= 1
