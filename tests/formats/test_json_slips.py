"""What is told of the character where JSON ends to be JSON: its kind, never the character."""

from __future__ import annotations

import pytest

from reactive_config._formats import registry
from reactive_config.errors import ParseError


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (b"{value: 1}", "a letter"),
        (b'{"a": 1 2}', "a digit"),
        (b'{"a": 1,, "b": 2}', "punctuation"),
        (b'{"a": \x01}', "a control character"),
        (b'{"a": 1', "the end of the document"),
    ],
)
def test_the_kind_of_what_stands_there_is_told(text, got):
    with pytest.raises(ParseError) as refused:
        registry.parse(text, ".json")
    assert (refused.value.expected, refused.value.got) == ("valid JSON", got)
