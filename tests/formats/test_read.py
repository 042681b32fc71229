"""What documents mean, in every format."""

from __future__ import annotations

import datetime as dt
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._core.delta import Bare
from reactive_config._formats.registry import SUFFIXES, parse, parse_value
from reactive_config.errors import ParseError

FORMATS = {
    ".json": '{\n"a": {"b": [1, "x"]},\n"c": "é"\n}\n',
    ".yaml": "# comment\na:\n  b: [1, x]\nc: é\n",
    ".yml": "a: {b: [1, x]}\nc: é\n",
    ".toml": "# comment\nc = 'é'\n[a]\nb = [1, 'x']\n",
}
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TREES = st.dictionaries(
    st.text(),
    st.recursive(SCALARS | st.text(), lambda t: st.lists(t, max_size=4) | st.dictionaries(st.text(), t, max_size=4)),
    max_size=4,
)


@given(TREES, st.booleans(), st.sampled_from([None, 2]))
@pytest.mark.slow
def test_json_survives_the_way_out_and_back(tree, ascii_only, indent):
    text = json.dumps(tree, ensure_ascii=ascii_only, indent=indent)
    read = parse(text.encode(), ".json")
    assert read == tree
    assert repr(read) == repr(tree)  # 1, 1.0 and True differ


PRINTABLE = st.text(st.characters(max_codepoint=0xFFFD, exclude_categories=["Cc", "Cs", "Cn", "Co"]))
KEYS = PRINTABLE.map(lambda text: text[:100])  # YAML's keys end at 1,024 bytes, escapes included


@given(st.dictionaries(KEYS, PRINTABLE | st.lists(PRINTABLE | st.integers(-999, 999) | st.booleans())))
def test_json_is_yaml(tree):
    assert parse(json.dumps(tree).encode(), ".yaml") == tree


@given(
    st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), st.text().filter(lambda t: "\r" not in t))
)
def test_dotenv_survives_the_way_out_and_back(values):
    escaped = {n: v.replace("\\", "\\\\").replace('"', '\\"') for n, v in values.items()}
    text = "# all\n" + "".join(f'{name}="{value}"\n' for name, value in escaped.items())
    assert parse(text.encode(), ".env") == {name: Bare(value) for name, value in values.items()}


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_line_ends_and_a_byte_order_mark_change_nothing(suffix):
    text = FORMATS[suffix]
    expected = {"a": {"b": [1, "x"]}, "c": "é"}
    for variant in (text, "\ufeff" + text, text.replace("\n", "\r\n")):
        assert parse(variant.encode(), suffix) == expected


@pytest.mark.parametrize("suffix", [".toml", ".env"])
def test_a_document_of_comments_is_an_empty_table_where_no_other_text_is_one(suffix):
    assert parse(b"# nothing yet\n\n  # really\r\n", suffix) == {}
    assert parse(b"# nothing yet", suffix, table=False) == {}


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("text", ["# a: 5\n", "\n # a\r\n\n#b", "---\n# a\n", "# a\n---\n", "--- # a\n...\n"])
def test_yaml_of_comments_is_no_document(suffix, table, text):
    """All of it commented out, or cut after the first lines: `{}` says that nothing is meant."""
    with pytest.raises(ParseError) as caught:
        parse(text.encode(), suffix, table=table)
    assert (caught.value.expected, caught.value.got) == ("a document ({} for an empty table)", "only comments")
    assert parse(b"# a\n{}\n", suffix) == {}


def test_integers_keep_all_of_their_64_bits():
    for data, suffix in ((b'{"a": [18446744073709551615, -9223372036854775808]}', ".json"),
                         (b"a: [18446744073709551615, -9223372036854775808]", ".yaml"),
                         (b"a = [18446744073709551615, -9223372036854775808]", ".toml")):  # fmt: skip
        assert parse(data, suffix) == {"a": [2**64 - 1, -(2**63)]}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1.234567890123456789}',
        '{"a": 1e0000000000000000000005}',
        '{"a": "99999999999999999999"}',
        '{"\\u003a": ":", "b": {"\\u003a": 1}}',
    ],
)
def test_json_that_only_looks_suspicious_passes(text):
    assert parse(text.encode(), ".json") == json.loads(text)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".json", "[" * 128 + "]" * 128), (".yaml", "[" * 128 + "]" * 128), (".toml", "a=" + "[" * 127 + "]" * 127)],
)
def test_nesting_up_to_the_limit_passes(suffix, text):
    assert parse(text.encode(), suffix, table=False)


def test_yaml_scalars_are_those_of_yaml_1_2():
    text = "{no: no, time: 22:22, octal: 017, date: 2020-01-01, null: ~, yes: true, port: !!str 8080, float: 1.0}"
    assert parse(text.replace("null:", "none:").encode(), ".yaml") == {
        "no": "no", "time": "22:22", "octal": "017", "date": "2020-01-01",
        "none": None, "yes": True, "port": "8080", "float": 1.0,
    }  # fmt: skip


def test_yaml_aliases_are_copies():
    tree = parse(b"a: &a {x: [1]}\nb: *a", ".yaml")
    assert tree == {"a": {"x": [1]}, "b": {"x": [1]}}
    assert tree["a"] is not tree["b"]
    assert tree["a"]["x"] is not tree["b"]["x"]


def test_yaml_signs_inside_of_text_are_text():
    assert parse(b"a: hello !world *bold* << x\n'<<': 1\nb: 50 % [of] {all}\n# *x !y\n", ".yaml") == {
        "a": "hello !world *bold* << x", "<<": 1, "b": "50 % [of] {all}",
    }  # fmt: skip


@pytest.mark.parametrize("missing", [["ryaml", "yaml"], ["yaml"]])
def test_yaml_without_its_extra_is_refused_with_what_to_install(missing, monkeypatch):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ParseError, match='install the extra "yaml" of reactive-config, or: pip install ryaml pyyaml'):
        parse(b"a: &a 1\nb: *a", ".yaml")


def test_plain_yaml_needs_no_pyyaml(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert parse(b"a: [1]", ".yaml") == {"a": [1]}
    with pytest.raises(ParseError, match="every key once"):
        parse(b"a: 1\na: 2", ".yaml")


def test_toml_dates_and_times_stay_objects():
    assert parse(b"a = 1979-05-27T07:32:00Z\nb = 07:32:00\nc = 1979-05-27", ".toml") == {
        "a": dt.datetime(1979, 5, 27, 7, 32, tzinfo=dt.UTC),
        "b": dt.time(7, 32),
        "c": dt.date(1979, 5, 27),
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1.10", "1.10"),
        ("export A=x", "x"),
        ("  export \t A = x  ", "x"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=a b # c", "a b"),
        ("A=a#b", "a#b"),
        ("A=#a", "#a"),
        ("A=x=y", "x=y"),
        ("A=it's", "it's"),
        ("A=$HOME\\n", "$HOME\\n"),
        ("A='$B \\n \"'  # c", '$B \\n "'),
        ("A=''", ""),
        ('A="a\\nb\\t\\"\\\\\\$\\q # x"', 'a\nb\t"\\$\\q # x'),
        ('A="one\r\ntwo\nthree" # c', "one\ntwo\nthree"),
        ("A=é", "é"),
    ],
)
def test_a_dotenv_line_means_what_shells_agree_on(line, value):
    for text in (line, f"# c\r\n{line}\r\nB=2\r\n", f"B=2\n\n{line}\n"):
        tree = parse(text.encode(), ".env")
        assert tree["A"] == Bare(value)
        assert set(tree) <= {"A", "B"}


@pytest.mark.parametrize(
    ("data", "tree"),
    [
        (b"", Bare("")),
        (b"1.10", Bare("1.10")),
        (b"null", Bare("null")),
        (b" x \n", Bare(" x ")),
        (b"line1\nline2\n\n", Bare("line1\nline2\n")),
        (b"5\r\n", Bare("5")),
        (b"5\r", Bare("5\r")),
        (b"\n", Bare("")),
        (b"  ", Bare("  ")),
        (b"-[1]", Bare("-[1]")),
        (b'{"a": 1}', {"a": 1}),
        (b"{}", {}),
        (b'\r\n\t {"a": 1}\n', {"a": 1}),
        (b"[1, null]", [1, None]),
        (b'"1"', "1"),
        ("\ufeff{}".encode(), {}),
    ],
)
def test_an_etcd_value_is_json_where_it_begins_like_it_and_bare_otherwise(data, tree):
    assert parse_value(data) == tree


@pytest.mark.parametrize(
    ("suffix", "text", "tree"),
    [(".json", "5", 5), (".yaml", "- 1", [1]), (".yaml", "null", None), (".json", '"x"', "x")],
)
def test_a_key_with_a_suffix_may_hold_any_value(suffix, text, tree):
    assert parse(text.encode(), suffix, table=False) == tree


def test_an_unknown_suffix_is_the_callers_mistake():
    assert {".json", ".yaml", ".yml", ".toml", ".env"} == SUFFIXES
    with pytest.raises(ValueError, match="expected one of"):
        parse(b"{}", ".ini")
