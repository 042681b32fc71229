"""Regular expressions mean the same in every Python that is supported."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import reactive_config

ONE_CHARACTER = {parser.LITERAL, parser.NOT_LITERAL, parser.ANY, parser.IN}


def expressions() -> Iterator[tuple[str, re.Pattern[Any]]]:
    for module in pkgutil.walk_packages(reactive_config.__path__, "reactive_config."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{module.name}.{name}", value


def possessive_groups(tree: Any) -> Iterator[Any]:
    """Parts such as `(?:ab|c)*+`: what is repeated possessively and is more than one character."""
    for operator, argument in tree:
        repeated = argument[2] if operator is parser.POSSESSIVE_REPEAT else None
        if operator is parser.ATOMIC_GROUP or (repeated and (len(repeated) > 1 or repeated[0][0] not in ONE_CHARACTER)):
            yield argument
        for part in argument if isinstance(argument, (tuple, list)) else (argument,):
            for inner in part if isinstance(part, list) else (part,):
                if isinstance(inner, parser.SubPattern):
                    yield from possessive_groups(inner)


def test_no_expression_repeats_a_group_possessively():
    """Python 3.11.0 to 3.11.4 match these wrongly (CPython issue 106052): `MAX_SIZE=20` was read as 2 on Debian 12."""
    found = dict(expressions())
    assert len(found) > 30
    wrong = [name for name, value in found.items() if list(possessive_groups(parser.parse(value.pattern, value.flags)))]
    assert wrong == []


def test_such_a_group_is_found_wherever_it_stands():
    for text in (r"(?:ab|c)*+", r"x(y(?:a+)?+)z", r"a|b|(?:c(?>d|e))", r"(?=(?:ab)++)", r"(?:(?:ab)?+)*"):
        assert list(possessive_groups(parser.parse(text))), text
    assert not list(possessive_groups(parser.parse(r"[ab]*+(?:\\.[^x]++)*x?+")))
