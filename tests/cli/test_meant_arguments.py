"""What `set`, `unset` and `apply` are given, and what a person reads where it is at fault."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["apply", ""], "expected a FILE or a DIRECTORY, got an empty name (is a variable of the shell empty?)"),
        (["apply", "settings.py", "--owner", ""], "--owner: expected a name, got an empty one"),
        (["apply", "gone.txt"], "gone.txt: there is no such file or directory"),
        (
            ["apply", "settings.py"],
            "settings.py: expected a directory, or a file that ends in one of .env, .json, .toml",
        ),
        (["set", "x=3", "x=4"], "expected every path once, got x twice"),
        (["set", "a.b=2", "a=1"], "expected paths beside each other, got a, and a.b inside of it"),
        (["unset", "a.b", "a"], "expected paths beside each other, got a, and a.b inside of it"),
        (
            ["set", "a.x=[1, 2"],
            'a.x: line 1, column 6: expected valid JSON (because the value begins with {, [ or "), got the end of the',
        ),
        (
            ["set", "x=18446744073709551616"],
            "x: line 1, column 1: expected a number of at most 64 bits, and a finite one, got a larger one",
        ),
        (["set", "x=-1e999"], "x: line 1, column 1: expected a number of at most 64 bits, and a finite one, got"),
    ],
)
def test_what_cannot_be_meant_is_refused(quick, arguments, message):
    verb, *rest = arguments
    refused = quick(verb, TARGET, *rest)
    assert (refused.code, message in refused.err) == (2, True), refused.err


def test_it_is_told_how_a_text_is_written(quick):
    for value in ("1e999", "[1, 2"):
        assert quick("set", TARGET, f"x={value}").err.endswith("  hint: a text is written in quotes: x='\"...\"'\n")
        assert quick("set", TARGET, f'x="{value}"', "--create").code == 0


def test_a_broken_file_is_content_at_fault(quick, shop):
    (shop / "broken.yaml").write_text("a: [1\n")
    refused = quick("apply", TARGET, "broken.yaml")
    assert (refused.code, refused.err.startswith("error: broken.yaml: line ")) == (1, True)
