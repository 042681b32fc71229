"""Lists in bare texts: `a, b, c`, where an item with a comma is a JSON string.

A text that begins with `[` or `{` is none of these: it is JSON. Nor is one that begins like a document in YAML or TOML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from reactive_config._core.delta import Bare
from reactive_config._core.document_looks import looks_like
from reactive_config._core.types import is_secret, is_single, item_types, members_of
from reactive_config.errors import InvalidValue

_WANTED = 'items between commas, an empty one written as ""'
_WANTED_QUOTED = "a JSON string and then a comma, where an item begins with a double quote"

_ITEM = re.compile(r'\s*+(?:("[^"\\]*+(?:\\.[^"\\]*+)*")|([^,]*+))\s*(,|\Z)', re.DOTALL)


def reads_commas(members: tuple[Any, ...]) -> bool:
    """Whether a bare text may be a comma list for a union of these bare types: a list of single values, or None."""
    wanted = [member for member in members if member is not type(None)]
    items = item_types(wanted[0]) if len(wanted) == 1 else None
    return items is not None and all(one is Ellipsis or _is_item(one) for one in items)


def _is_item(kind: Any) -> bool:
    members = [inner for one in members_of(kind) for inner in (get_args(one) if is_secret(one) else (one,))]
    return bool(members) and all(map(is_single, members))


def comma_list(text: str) -> list[Any] | None:
    """The items of a comma list, as bare texts, quoted ones as str; None if the text begins as another format does.

    The empty text is the empty list. What begins like YAML or TOML is no list of one text: somebody meant a document.

    Raises:
        InvalidValue: An item is empty, or a quoted one is no JSON string. Quotes nothing.
    """
    text = text.strip()
    return None if text[:1] in ("[", "{") or looks_like(text) else list(_items(text))


def _items(text: str) -> Iterator[Any]:
    at, more = 0, bool(text)
    while more:
        found = _ITEM.match(text, at)
        assert found is not None  # whatever the text is
        quoted, plain, comma = found.groups()
        yield _unquoted(quoted) if plain is None else _bare(plain.rstrip())
        at, more = found.end(), bool(comma)


def _unquoted(quoted: str) -> str:
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, ValueError):
        raise InvalidValue(_WANTED_QUOTED) from None


def _bare(text: str) -> Bare:
    if not text:
        raise InvalidValue(_WANTED)
    if text.startswith('"'):
        raise InvalidValue(_WANTED_QUOTED)
    return Bare(text)
