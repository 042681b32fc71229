"""Values as people may see them. Every output goes through here: this is the one place that hides secrets.

It walks trees and decoded values alike. Single values, names and tags come out as JSON can write them, in an order that
is the same in every process.
"""

from __future__ import annotations

import base64
import enum
import json
import math
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from reactive_config._core.decoding.leaf import decode_leaf
from reactive_config._core.delta import Bare
from reactive_config._core.json_text import JsonRefusedError, decode_json
from reactive_config._core.paths import Path
from reactive_config._core.secret import HIDDEN
from reactive_config._core.sensitive import hide_passwords
from reactive_config._core.types import fields_of, is_sealed, is_struct, is_untyped, wants_text
from reactive_config._core.types.places import TypePlace, are_open, is_container, place_of
from reactive_config._core.types.sealed import positions_of
from reactive_config._core.types.text_types import text_type
from reactive_config._core.types.wording import duration_text

_WRITTEN = (date, time, timedelta, Decimal, UUID, int)  # a datetime is a date, and True an int


def plain(value: Any) -> Any:
    """A single value as str, int, finite float, bool or None: times as ISO 8601, bytes as base64.

    Of what is none of a configuration's types its class is named, because its repr is not ours to trust.
    """
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str.__str__(value)  # of a class of its own too
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # as a type's own default may be; JSON has no such number
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if (known := text_type(type(value))) is not None:
        text = known.write(value)
        return hide_passwords(text) if type(text) is str else plain(text)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, _WRITTEN):
        return msgspec.to_builtins(value)
    return f"<{type(value).__name__}>"


def written(value: Any) -> Any:
    """The same, with durations as configurations write them: `30s`."""
    return duration_text(value) if isinstance(value, timedelta) else plain(value)


def named(table: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """The items of a mapping with names for its keys, sorted."""
    return sorted(((_name(key), item) for key, item in table.items()), key=itemgetter(0))


def _name(key: Any) -> str:
    if type(key) is str:
        return key
    if isinstance(key, (tuple, frozenset)):
        key = [plain(item) for item in key]
    text = key if type(key) is list else plain(key)
    return text if isinstance(text, str) else json.dumps(text)


def in_order(items: Collection[Any]) -> list[Any]:
    """By value where all are numbers or all are texts, else by kind and by what JSON makes of them."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=lambda item: (type(item).__name__, json.dumps(item, sort_keys=True)))


def tag_of(value: Any) -> dict[str, Any]:
    """The tag of a tagged Struct, by its name; empty for anything else."""
    config = getattr(type(value), "__struct_config__", None)
    return {} if config is None or config.tag is None else {config.tag_field or "type": config.tag}


def is_array_like(value: Any) -> bool:
    """Whether a Struct stands in a configuration as a list."""
    return is_struct(type(value)) and bool(type(value).__struct_config__.array_like)


_NUMBERS = frozenset({int, float, bool, Decimal, timedelta, datetime, date, time})
_SINGLE = frozenset({str, int, float, bool, Bare})

Render = Callable[[Any], Any]
"""How a single value that may be shown is written, as JSON has it."""


class Spot(NamedTuple):
    """A value, decoded or a tree, and its place."""

    value: Any
    place: TypePlace


def spot_of(value: Any, kind: Any, path: Path = ()) -> Spot:
    """The spot of what stands at a path of a configuration type; the names of the path count."""
    place = place_of(kind)
    for name in path:
        place = place.under(name)
    return Spot(value, place)


def below(spot: Spot) -> dict[str, Spot] | None:
    """What stands under the names of a table or record; None for everything else, and for what is hidden as a whole."""
    value, place = _opened(spot.value), spot.place
    kind: Any = type(value)
    if kind in _SINGLE:
        return None
    if isinstance(value, Mapping):
        if place.sealed:
            return None
        return {name: Spot(item, place.under(name)) for name, item in named(value)}
    fields = fields_of(kind)
    if fields is None:
        return None
    place = place.of(kind)
    found = {name: Spot(tag, place.under(name)) for name, tag in tag_of(value).items()}
    for name, field in fields.items():
        item = getattr(value, field.attribute)
        if item is not msgspec.UNSET:
            found[name] = Spot(item, place.under(name))
    for name, item in (getattr(value, "__pydantic_extra__", None) or {}).items():
        found[name] = Spot(item, place.under(name))
    return found


def _items(spot: Spot) -> list[Spot] | None:
    """The items of a list, a tuple or a set; None for everything else, and for what is hidden as a whole."""
    value, place = _opened(spot.value), spot.place
    if not isinstance(value, (list, tuple, set, frozenset)) or place.sealed:
        return None
    if positions_of(type(value)) is not None:
        place = place.of(type(value))
    return [Spot(item, place.at(index)) for index, item in enumerate(value)]


def _opened(value: Any) -> Any:
    """What a pydantic RootModel holds; any other value as it is."""
    while getattr(type(value), "__pydantic_root_model__", False):
        value = value.root
    return value


def show(spot: Spot, render: Render = plain) -> Any:
    """A new tree of str, int, finite float, bool, None, dicts and lists that anybody may see; sets are sorted."""
    value = spot.value
    if value is None:
        return None
    if type(value) not in _SINGLE:
        if (table := below(spot)) is not None:
            if is_array_like(_opened(value)):
                return [show(inner, render) for inner in table.values()]
            return {name: show(inner, render) for name, inner in table.items()}
        if (listed := _items(spot)) is not None:
            items = [show(item, render) for item in listed]
            return in_order(items) if isinstance(_opened(value), (set, frozenset)) else items
    if not _may_show(spot):
        return HIDDEN
    value = value.text if type(value) is Bare else _opened(value)
    return render(hide_passwords(value) if type(value) is str else value)


def _may_show(spot: Spot) -> bool:
    """Whether a single value may be shown."""
    value, place = _opened(spot.value), spot.place
    if place.sealed or (type(value) not in _SINGLE and is_sealed(type(value))):
        return False
    text = value.text if type(value) is Bare else value
    if place.holds_secret and type(text) not in place.kinds:
        return False  # it stands where something with a Secret belongs
    if (
        type(text) is str
        and not (place.kinds and all(map(wants_text, place.kinds)))
        and text.lstrip()[:1] in ("{", "[")
    ):
        return _may_show_json(text, place)
    return not place.sensitive or (are_open(place.kinds) and _fits(value, place.kinds))


def _may_show_json(text: str, place: TypePlace) -> bool:
    """Whether a text that may spell a table or a list may be shown: if nothing of what it spells is hidden.

    One that spells none is shown where it is a single value and no table belongs.
    """
    if place.sensitive:
        return False
    try:
        spelt = decode_json(text)
    except JsonRefusedError:
        return False
    if spelt is not None:
        return bool(show(Spot(spelt, place)) == spelt)
    single = not any(is_untyped(kind) or is_container(kind) for kind in place.kinds)
    return single and _fits(text, place.kinds)


def _fits(value: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether a value is what one of these types means; a text that is not may be a secret in the wrong place."""
    if type(value) in _NUMBERS or isinstance(value, enum.Enum):
        return True
    for kind in kinds:
        try:
            decode_leaf(value, kind)
        except Exception:  # noqa: BLE001, S112 - of a user's enum too; then it is not this type
            continue
        return True
    return False
