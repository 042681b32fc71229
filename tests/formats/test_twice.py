"""A key given twice is named, with its line, in every format; nothing else of the document is."""

from __future__ import annotations

import pytest

from reactive_config._formats import dotenv, json_, toml_, yaml_, yaml_events
from reactive_config.errors import ParseError

S = "hunter2"
LONG = "k" * 100


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (json_.parse, f'{{"a": 1,\n "port": "{S}", "port": 2}}', "line 2, column 21: ... got the key 'port' twice, 2"),
        (json_.parse, '{"x": {"b": [{"c": 1, "c": 2}]}}', "line 1, column 23: ... got the key 'c' twice, 1"),
        (json_.parse, '{"port": 1, "p\\u006frt": 2}', "line 1, column 13: ... got the key 'port' twice, 1"),
        (json_.parse, '{"a\\nb": 1, "a\\nb": 2}', "line 1, column 13: ... got the key 'a\\nb' twice, 1"),
        (json_.parse, f'{{"{LONG}": 1, "{LONG}": 2}}', f"line 1, column 109: ... got the key '{'k' * 60}...' twice, 1"),
        (toml_.parse, f'a = 1\nport = "{S}"\nport = 2\nb = 1', "line 3, column 9: ... got the key 'port' twice, 2"),
        (toml_.parse, "x = [1]\nx = [\n[1], {b = 1}]\n", "line 3, column 14: ... got the key 'x' twice, 1"),
        (toml_.parse, "[t]\nx = 1\na.'b c' = 1\na.'b c' = 2", "line 4, column 12: ... got the key 'b c' twice, 3"),
        (toml_.parse, "[t]\n[u.v]\n[u.v]\n", "line 3, column 5: ... got the key 'v' twice, 2"),
        (toml_.parse, "[[t]]\nx = 1\n[[t]]\nx = 2\n[t]\n", "line 5, column 3: ... got the key 't' twice, 1"),
        (toml_.parse, "a = {b = 1, b = 2}\n", "line 1, column 18: ... got the key 'b' twice"),
        (yaml_.parse, f"port: {S}\nx: 1\nport: 2\n", "line 3, column 1: ... got the key 'port' twice, 1"),
        (yaml_.parse, "x:\n  - {b: 1, b: 2}\n", "line 2, column 12: ... got the key 'b' twice, 2"),
        (dotenv.parse, f"PORT={S}\nPORT=2\n", "line 2, column 1: ... got the key 'PORT' twice, 1"),
    ],
)
def test_a_key_given_twice_is_named(parse, text, said):
    where, got = said.replace(" twice, ", " twice, first on line ").split(" ... ")
    with pytest.raises(ParseError) as refused:
        parse(text)
    assert str(refused.value) == f"{where} expected every key once in its table, {got}"
    assert S not in repr(refused.value)


@pytest.mark.parametrize(("key", "said"), [("port", "the key 'port' twice"), ('"a\\"b"', "the key 'a\"b' twice")])
def test_yaml_names_it_without_pyyaml_too(key, said, monkeypatch):
    pytest.importorskip("ryaml")
    monkeypatch.setattr(yaml_events, "available", lambda: False)
    with pytest.raises(ParseError) as refused:
        yaml_.parse(f"x: 1\n{key}: {S}\n{key}: 2\n")
    assert refused.value.got == said
