"""Paths survive the way to text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._core.paths import format_path, parse_path
from reactive_config.errors import InvalidPath


@given(st.lists(st.text(min_size=1)).map(tuple))
def test_a_path_survives_the_way_to_text_and_back(path):
    assert parse_path(format_path(path)) == path


def test_a_name_with_a_dot_is_quoted():
    assert parse_path('log."sqlalchemy.engine".level') == ("log", "sqlalchemy.engine", "level")
    assert format_path(("log", "sqlalchemy.engine")) == 'log."sqlalchemy.engine"'


@pytest.mark.parametrize("text", [".", "a.", ".a", "a..b", '"a', 'a"b"', '"a"b', "a b"])
def test_a_malformed_path_is_refused_with_its_text(text):
    with pytest.raises(InvalidPath, match="expected a dotted path"):
        parse_path(text)
