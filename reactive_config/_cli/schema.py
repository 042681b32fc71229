"""`schema`: the configuration's type as JSON Schema, for editors and other languages.

It has the defaults that may be shown: those that are shown everywhere else, by the same rules.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import _json_schema

from reactive_config._cli.failures import OK, UsageError
from reactive_config._cli.output import Output
from reactive_config._cli.project import find_project, tell_project
from reactive_config._cli.source_options import DecodersName, Json, NoProject, TypeName
from reactive_config._cli.type_loading import decoders_reference, load_decoders, load_kind, type_reference
from reactive_config._core.redaction import Spot, plain, show
from reactive_config._core.secret import HIDDEN
from reactive_config._core.types import ByteSize, is_pydantic, is_sealed, is_secret
from reactive_config._core.types.byte_sizes import BYTE_SIZE_WORDS
from reactive_config._core.types.places import TypePlace, place_of
from reactive_config._core.types.text_types import text_type

Schema = dict[str, Any]

_REFERENCE = "#/$defs/"
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_SOME_NAME = ""
"""In place of those that a table leaves open: it sounds like no secret's."""

_NAMED = ("properties", "patternProperties", "$defs")
"""What holds schemas by name: one may be called `default`."""


def without_secrets(schema: Schema, kind: Any) -> Schema:
    """The schema of a type without the defaults that are hidden at one of the places where they would stand.

    Byte sizes are told there too: msgspec takes them for integers.
    """
    walk = _Walk(schema.get("$defs", {}))
    walk.look(schema, place_of(kind))
    return dict(_rewritten(schema, walk))


class _Walk:
    """A walk through a schema and, beside it, the places of its type.

    Attributes:
        hidden: The ids of the schemas whose default is hidden.
        sizes: The ids of the schemas of byte sizes.
    """

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self.hidden: set[int] = set()
        self.sizes: set[int] = set()
        self._definitions = definitions
        self._seen: list[tuple[object, ...]] = []

    def look(self, schema: Any, place: TypePlace) -> None:
        """At a schema and those inside of it."""
        if not isinstance(schema, dict):
            return
        if "default" in schema and not _is_shown(schema["default"], place):
            self.hidden.add(id(schema))
        if ByteSize in place.kinds and schema.get("type") == "integer":
            self.sizes.add(id(schema))
        for inner, below in self._inside(schema, place):
            self.look(inner, below)

    def _inside(self, schema: Schema, place: TypePlace) -> Iterator[tuple[Any, TypePlace]]:
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


def _is_shown(default: Any, place: TypePlace) -> bool:
    return HIDDEN not in json.dumps(default) and bool(show(Spot(default, place)) == default)


def _rewritten(schema: Any, walk: _Walk) -> Any:
    if isinstance(schema, list):
        return [_rewritten(item, walk) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Schema = dict(_SIZE) if id(schema) in walk.sizes else {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            kept[key] = {name: _rewritten(inner, walk) for name, inner in value.items()}
        elif key == "default":
            if id(schema) not in walk.hidden:
                kept[key] = value
        elif key != "type" or id(schema) not in walk.sizes:
            kept[key] = _rewritten(value, walk)
    return kept


_SIZE = {"type": ["integer", "string"], "description": BYTE_SIZE_WORDS}

_DURATION = {
    "type": ["string", "number"],
    "description": "a duration: a number of seconds, 30s, 1h30m or ISO 8601",
}


def schema(
    *,
    type: TypeName = None,  # noqa: A002 - the options' names
    decoders: DecodersName = None,
    no_project: NoProject = False,
    json: Json = False,
) -> int:
    """Print the JSON Schema of the type. Reads no source.

    Args:
        type: The configuration's type. The current directory can be imported from.
        decoders: The dict that the program gives to open_config(decoders=...), for types of its own.
        no_project: Do not take the type from [tool.reactive-config] of a pyproject.toml, here or above.
        json: The schema in one line; errors as JSON too.
    """
    out = Output(json=json)
    project = find_project(Path.cwd()) if type is None and not no_project else None
    if project is not None:
        tell_project(out, project, sources=False, type=True)
    named = type_reference(type, project)
    if named is None:
        raise UsageError(
            "expected --type MODULE:CLASS, got none: without a type there is no schema",
            hints=["or write `type` into [tool.reactive-config] of a pyproject.toml"],
        )
    kind = load_kind(named, load_decoders(decoders_reference(decoders, project)))
    with warnings.catch_warnings():  # pydantic's quote defaults that JSON cannot have
        warnings.simplefilter("ignore")
        found = schema_of(kind)
    out.schema({"$schema": "https://json-schema.org/draft/2020-12/schema", **found})
    return OK


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type; a pydantic model's is its own."""
    if is_pydantic(kind):
        return without_secrets(_durations(kind.model_json_schema()), kind)
    definitions: dict[str, Any] = {}
    with _secrets_written():
        found = msgspec.json.schema(kind, schema_hook=lambda custom: _custom(custom, definitions))
    if definitions:
        found["$defs"] = {**definitions, **found.get("$defs", {})}
    return without_secrets(_durations(found), kind)


def _custom(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_secret(kind):
        # msgspec does not say which type the secret has, so every scalar is allowed here.
        return {"type": ["string", "number", "boolean"], "writeOnly": True}
    if is_pydantic(kind):
        inner = dict(kind.model_json_schema())
        definitions.update(inner.pop("$defs", {}))  # its references start at the root
        return inner
    if (known := text_type(kind)) is not None:
        return {"type": "string", **({"format": known.format} if known.format else {})}
    return {"description": f"what the decoder of {kind.__name__} takes"}


@contextmanager
def _secrets_written() -> Iterator[None]:
    """Write a Secret among the defaults as stars: msgspec refuses it there, and takes no hook for defaults."""
    names = vars(_json_schema)
    write = names["to_builtins"]
    names["to_builtins"] = functools.partial(write, enc_hook=_default)
    try:
        yield
    finally:
        names["to_builtins"] = write


def _default(value: Any) -> Any:
    return HIDDEN if is_sealed(type(value)) else plain(value)


def _durations(schema: Any) -> Any:
    """The schema with what reactive_config takes for a duration, which is more than ISO 8601."""
    if isinstance(schema, list):
        return [_durations(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string" and schema.get("format") == "duration":
        kept = {name: value for name, value in schema.items() if name != "format"}
        return {**_DURATION, **kept, "type": _DURATION["type"]}
    return {name: _durations(value) for name, value in schema.items()}
