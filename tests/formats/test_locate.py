"""A place points to the line and column where a person finds the value."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._core.paths import KeyPath, Path
from reactive_config._formats.registry import locate, parse

TOML = '''# comment
title = "x"
'quoted key' = 1
site."a.b".c = [
  1,  # a ] comment
  { d = """multi
  [line] = 3""", e = [ 2 ] },
]

[server]
  host = "h"
[server.tls.keys]
"\\u0061" = true
[[user]]
name = 'a'
[[user]]
name = 'b'
[[user.role]]
id = 1979-05-27 07:32:00
'''  # fmt: skip

YAML = """# comment
title: x
"quoted": 1
list:
  - 1
  - d: |
      multi
      line: 3
    e: [2, {f: é, g: h}]
? complex
: value
copy: &c {h: 1}
alias: *c
"""

ENV = '# c\nexport A=1\nB="x\n\ny"\nC = z\n'

PLACES = [
    (".toml", TOML, "title", (2, 9)),
    (".toml", TOML, "quoted key", (3, 16)),
    (".toml", TOML, "site", (4, 1)),
    (".toml", TOML, "site/a.b", (4, 1)),
    (".toml", TOML, "site/a.b/c", (4, 1)),
    (".toml", TOML, "site/a.b/c/0", (5, 3)),
    (".toml", TOML, "site/a.b/c/1/d", (6, 9)),
    (".toml", TOML, "site/a.b/c/1/e/0", (7, 24)),
    (".toml", TOML, "server", (10, 1)),
    (".toml", TOML, "server/host", (11, 10)),
    (".toml", TOML, "server/tls", (12, 1)),
    (".toml", TOML, "server/tls/keys/a", (13, 12)),
    (".toml", TOML, "user/0", (14, 1)),
    (".toml", TOML, "user/0/name", (15, 8)),
    (".toml", TOML, "user/1/name", (17, 8)),
    (".toml", TOML, "user/1/role/0", (18, 1)),
    (".toml", TOML, "user/1/role/0/id", (19, 6)),
    (".toml", TOML, "user/2", None),
    (".toml", TOML, "line", None),
    (".yaml", YAML, "title", (2, 8)),
    (".yaml", YAML, "quoted", (3, 11)),
    (".yaml", YAML, "list", (4, 1)),
    (".yaml", YAML, "list/0", (5, 5)),
    (".yaml", YAML, "list/1/d", (6, 8)),
    (".yaml", YAML, "list/1/e/1/g", (9, 22)),
    (".yaml", YAML, "complex", (11, 3)),
    (".yaml", YAML, "alias", (13, 8)),
    (".yaml", YAML, "alias/h", None),
    (".yaml", YAML, "list/1/line", None),
    (".env", ENV, "A", (2, 10)),
    (".env", ENV, "B", (3, 3)),
    (".env", ENV, "C", (6, 5)),
    (".env", ENV, "A/B", None),
    ("", '\n {"a":\r\n 1}', "a", (3, 2)),
    ("", "bare", "", (1, 1)),
    ("", "bare", "a", None),
]


KEYS = [
    (".json", '{\n "a": {\n  "b": 1}}', "a", (2, 2)),
    (".json", '{\n "a": {\n  "b": 1}}', "a/b", (3, 3)),
    (".json", '{"a": [\n 1]}', "a/0", (2, 2)),
    (".toml", TOML, "title", (2, 1)),
    (".toml", TOML, "server/host", (11, 3)),
    (".toml", TOML, "site/a.b/c/1/e", (7, 18)),
    (".toml", "a = {b = 1, c = {d = 2}}", "a/c", (1, 13)),
    (".yaml", YAML, "title", (2, 1)),
    (".yaml", YAML, "list/1/e/1/g", (9, 19)),
    (".yaml", YAML, "list/0", (5, 5)),
    (".yaml", YAML, "alias", (13, 1)),
    (".env", ENV, "A", (2, 8)),
    ("", '{\n "a": 1}', "a", (2, 2)),
]


@pytest.mark.parametrize(("suffix", "text", "path", "place"), KEYS)
def test_a_key_is_found_where_it_stands(suffix, text, path, place):
    assert locate(text.encode(), suffix, KeyPath(path.split("/"))) == place


@pytest.mark.parametrize(("suffix", "text", "path", "place"), PLACES)
def test_a_value_is_found_where_it_stands(suffix, text, path, place):
    assert locate(text.encode(), suffix, tuple(path.split("/")) if path else ()) == place
    assert locate(("\ufeff" + text).encode(), suffix, tuple(path.split("/")) if path else ()) == place


def trees(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, object]]:
    """Trees of JSON's kinds with this text as keys and values."""
    leaves = st.none() | st.booleans() | st.integers(-99, 99) | text
    tree = st.recursive(
        leaves, lambda tree: st.lists(tree, max_size=3) | st.dictionaries(text, tree, max_size=3), max_leaves=12
    )
    return st.dictionaries(text, tree, max_size=3)


BASIC = st.text(st.characters(max_codepoint=0x9FF, exclude_categories=["Cc", "Cs", "Cn"]))  # JSON escapes YAML knows


def walk(tree: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every value of a tree with its path."""
    yield path, tree
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, child in children:
        yield from walk(child, (*path, str(name)))


def in_table(tree: object, path: Path) -> bool:
    """Whether a path ends in a name, and not in a number of a list."""
    for name in path[:-1]:
        tree = tree[name] if isinstance(tree, dict) else tree[int(name)]
    return bool(path) and isinstance(tree, dict)


@given(trees(st.text()), st.booleans())
@pytest.mark.slow
def test_in_json_every_value_can_be_read_back_from_its_place(tree, ascii_only):
    """The decoder of the standard library, started at the place, gives the value; the key of a table or a list."""
    text = json.dumps(tree, indent=1, ensure_ascii=ascii_only)
    lines = text.split("\n")
    for path, value in walk(tree):
        line, column = locate(text.encode(), ".json", path)
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        has_key = isinstance(value, (dict, list)) and in_table(tree, path)
        assert json.JSONDecoder().raw_decode(rest)[0] == (path[-1] if has_key else value)


NAMES = st.text("ab .#'=[", min_size=1, max_size=4)
LEAVES = st.integers(-99, 99) | st.booleans() | st.text("ab]}#=.,", max_size=6)
TABLES = st.recursive(
    st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, max_size=3), min_size=1, max_size=3),
    lambda table: st.dictionaries(NAMES, table | LEAVES, min_size=1, max_size=3),
    max_leaves=6,
)


def toml(table: dict[str, object], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Lines of TOML, each with the path whose value begins in it."""
    for name, value in table.items():
        if not isinstance(value, dict):
            yield (*path, name), f"{json.dumps(name)} = {json.dumps(value)} # ] comment"
            yield (), '# """ '
    for name, value in table.items():
        if isinstance(value, dict):
            yield (*path, name), "[" + " . ".join(map(json.dumps, (*path, name))) + "]"
            yield from toml(value, (*path, name))


@given(TABLES)
def test_in_toml_every_value_is_found_in_its_line(tree):
    lines = list(toml(tree))
    data = "\n".join(line for _, line in lines).encode()
    assert parse(data, ".toml") == tree
    for number, (path, _) in enumerate(lines, 1):
        if path:
            assert locate(data, ".toml", path)[0] == number


@given(trees(BASIC))
def test_in_yaml_every_value_of_a_flow_document_is_found_in_its_line(tree):
    text = json.dumps(tree, indent=1)
    for path, _ in walk(tree):
        assert locate(text.encode(), ".yaml", path) == locate(text.encode(), ".json", path)


def test_without_pyyaml_a_yaml_place_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert locate(b"a: 1", ".yaml", ("a",)) is None


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".toml", ".env", "", ".ini"])
@pytest.mark.parametrize(
    "data", [b"\xff", b"", b"]", b"}", b"[" * 5000, b"a = " + b"[" * 5000, b"- " * 5000, b'"', b"=", b"\x00"]
)
def test_locate_never_raises(suffix, data):
    assert locate(data, suffix, ("a", "b")) is None
