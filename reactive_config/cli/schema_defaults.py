"""Which defaults of a JSON Schema may be shown: those that are shown everywhere else, by the same rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from reactive_config.core.places import Place, place_of
from reactive_config.core.secret import HIDDEN
from reactive_config.core.showing import Spot, show

Schema = dict[str, Any]

_REFERENCE = "#/$defs/"
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_SOME_NAME = ""
"""In place of those that a table leaves open: it sounds like no secret's."""

_NAMED = ("properties", "patternProperties", "$defs")
"""What holds schemas by name: one may be called `default`."""


def without_secrets(schema: Schema, kind: Any) -> Schema:
    """The schema of a type without the defaults that are hidden at one of the places where they would stand."""
    hidden = _Hidden(schema.get("$defs", {}))
    hidden.look(schema, place_of(kind))
    return dict(_without(schema, hidden.found))


class _Hidden:
    """A walk through a schema and, beside it, the places of its type.

    Attributes:
        found: The ids of the schemas whose default is hidden.
    """

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self.found: set[int] = set()
        self._definitions = definitions
        self._seen: list[tuple[object, ...]] = []

    def look(self, schema: Any, place: Place) -> None:
        """At a schema and those inside of it."""
        if not isinstance(schema, dict):
            return
        if "default" in schema and not _is_shown(schema["default"], place):
            self.found.add(id(schema))
        for inner, below in self._inside(schema, place):
            self.look(inner, below)

    def _inside(self, schema: Schema, place: Place) -> Iterator[tuple[Any, Place]]:
        name = str(schema.get("$ref", "")).removeprefix(_REFERENCE)
        if name in self._definitions:
            # A type may be inside of itself, so each is looked at once as each kind of place.
            seen = (name, place.kinds, place.sensitive, place.free, place.beside)
            if seen not in self._seen:
                self._seen.append(seen)
                yield self._definitions[name], place
        for key in _ALTERNATIVES:
            yield from ((inner, place) for inner in schema.get(key, ()))
        yield from ((inner, place.under(key)) for key, inner in schema.get("properties", {}).items())
        yield schema.get("additionalProperties"), place.under(_SOME_NAME)
        yield from ((inner, place.under(_SOME_NAME)) for inner in schema.get("patternProperties", {}).values())
        prefix = schema.get("prefixItems", ())
        yield from ((inner, place.at(index)) for index, inner in enumerate(prefix))
        yield schema.get("items"), place.at(len(prefix))


def _is_shown(default: Any, place: Place) -> bool:
    return HIDDEN not in json.dumps(default) and bool(show(Spot(default, place)) == default)


def _without(schema: Any, hidden: set[int]) -> Any:
    if isinstance(schema, list):
        return [_without(item, hidden) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Schema = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            kept[key] = {name: _without(inner, hidden) for name, inner in value.items()}
        elif key != "default":
            kept[key] = _without(value, hidden)
        elif id(schema) not in hidden:
            kept[key] = value
    return kept
