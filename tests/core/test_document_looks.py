"""What a text without a suffix looks like: YAML, TOML, or neither."""

from __future__ import annotations

import pytest

from reactive_config._core.document_looks import TOML, YAML, looks_like


@pytest.mark.parametrize(
    "text",
    [
        "max_size: 20",
        "pool:\n  max_size: 20\n",
        "\n# a comment\n\n  pool:\n    max_size: 20",
        "---\npool: 1",
        "--- {a: 1}",
        "%YAML 1.2\n---\na: 1",
        "- a\n- b",
        "-\n  a: 1",
        '"sqlalchemy.engine": WARNING',
        "'two words': 1",
        "sqlalchemy.engine: WARNING",
        "größe: 1",
        "\ufeffa: 1",
        "a :\n  b: 1",
        "dsn: postgres://u:p@h/d",
    ],
)
def test_what_looks_like_yaml(text):
    assert looks_like(text) == YAML


@pytest.mark.parametrize(
    "text",
    [
        "max_size = 20",
        "max_size=20",
        'name = "shop"',
        "[pool]\nmax_size = 20",
        "# a comment\n[[routes]]",
        'log."sqlalchemy.engine" = "WARNING"',
        "on = true # so",
        "sizes = [1, 2]",
        "low = -inf",
    ],
)
def test_what_looks_like_toml(text):
    assert looks_like(text) == TOML


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# only a comment",
        "INFO",
        "12:30:00",
        "10.0.0.1:2379",
        "::1",
        "::",
        "fe80::",
        "C:",
        "name:",
        "https://u:p@h:1/x?a=b",
        "-5",
        "*.example.com",
        "%(asctime)s: %(message)s",
        "@daily",
        "dGVzdA==",
        "dGVzdA=",
        "host=localhost port=5432",
        "Server=h;Password=p",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "Hello world: a text",
        "a=true love",
        "x" * 100_000,
    ],
)
def test_what_looks_like_neither(text):
    assert looks_like(text) == ""
