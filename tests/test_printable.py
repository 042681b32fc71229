"""Text from outside reaches no terminal as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._core.paths import format_path, parse_path
from reactive_config._printable import printable
from reactive_config.errors import Origin, ParseError, Problem, StartupError

ODD = ["\x1b[2J", "\0", "a\nb", "\r", "\x7f", "\x9b31m", "\u202e", "\u2066", "\u200f", "\u2028", "\ud800", "\U000e0041"]


@pytest.mark.parametrize("odd", ODD)
def test_what_steers_a_terminal_is_written_out_wherever_it_stands(odd):
    problem = Problem(format_path(("log", odd)), f"no {odd}", f"{odd}", Origin(f"etcd{odd}", f"/p/{odd}", 3))
    told = [
        str(problem),
        str(problem.origin),
        str(StartupError([problem], {f"etcd{odd}": f"away {odd}"})).replace("\n  ", " "),
        str(ParseError(f"no {odd}", odd)),
        format_path((odd, "b")),
    ]
    assert all(text.isprintable() for text in told)
    assert all(json.dumps(odd)[1:-1].strip('"') in text for text in told)


@given(st.lists(st.text(st.characters(exclude_categories=()) | st.sampled_from('."\\ ')), max_size=4))
def test_a_path_with_any_names_is_printable_and_comes_back(names):
    text = format_path(tuple(names))
    assert text.isprintable()
    assert parse_path(text) == tuple(names)


def test_letters_of_any_script_stay_as_they_are():
    assert printable("größe/名前/مفتاح 🙂") == "größe/名前/مفتاح 🙂"
    assert format_path(("größe", "名前")) == "größe.名前"


def test_a_long_text_is_shown_by_its_ends_and_its_length():
    text = printable("a" * 500_000 + "z" * 500_000)
    assert text.startswith("aaa")
    assert text.endswith("zzz (1,000,000 characters)")
    assert len(text) < 240
    assert printable("\0" * 1_000_000, 24) == "\\u0000" * 3 + "..." + "\\u0000 (1,000,000 characters)"
    assert printable("\0" * 24, 24) == "\\u0000" * 3 + "..." + "\\u0000 (24 characters)"
    assert printable("\0" * 4, 24) == "\\u0000" * 4
    assert printable("ab\U000e0041", 8) == "ab... (3 characters)"


@pytest.mark.parametrize("letter", ["n", "\0", "\U000e0041"])
def test_messages_are_short_whatever_the_names(letter):
    name = letter * 1_000_000
    problem = Problem(format_path((name, name)), "x" * 100_000, name, Origin(name, name, 1))
    assert len(str(problem)) < 2_000
    assert len(str(ParseError(name, name))) < 1_500
