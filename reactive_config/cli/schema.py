"""`schema`: the configuration's type as JSON Schema, for editors and other languages."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import _json_schema

from reactive_config.cli.failures import OK, Usage
from reactive_config.cli.kinds import load_kind
from reactive_config.cli.options import Json, TypeName
from reactive_config.cli.output import Output
from reactive_config.core.plain import plain
from reactive_config.core.sealed import is_sealed
from reactive_config.core.secret import HIDDEN
from reactive_config.core.showing import show, spot_of
from reactive_config.core.types import is_pydantic, is_secret

_DURATION = {
    "type": ["string", "number"],
    "description": "a duration: a number of seconds, 30s, 1h30m or ISO 8601",
}


def schema(*, type: TypeName = None, json: Json = False) -> int:  # noqa: A002 - the options' names
    """Print the JSON Schema of the type. Reads no source.

    Args:
        type: The configuration's type. The current directory can be imported from.
        json: The schema in one line; errors as JSON too.
    """
    if type is None:
        raise Usage("expected --type MODULE:CLASS, got none: without a type there is no schema")
    kind = load_kind(type)
    Output(json=json).schema({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema_of(kind)})
    return OK


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type; a pydantic model's is its own."""
    if is_pydantic(kind):
        return dict(_without_secrets(_durations(kind.model_json_schema())))
    definitions: dict[str, Any] = {}
    with _secrets_written():
        found = msgspec.json.schema(kind, schema_hook=lambda custom: _custom(custom, definitions))
    if definitions:
        found["$defs"] = {**definitions, **found.get("$defs", {})}
    return dict(_without_secrets(_durations(found)))


def _custom(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_secret(kind):
        # msgspec does not say which type the secret has, so every scalar is allowed here.
        return {"type": ["string", "number", "boolean"], "writeOnly": True}
    if is_pydantic(kind):
        inner = dict(kind.model_json_schema())
        definitions.update(inner.pop("$defs", {}))  # its references start at the root
        return inner
    raise NotImplementedError


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


def _without_secrets(schema: Any, name: str = "") -> Any:
    """The schema without the defaults that are hidden everywhere else."""
    if isinstance(schema, list):
        return [_without_secrets(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    default = schema.get("default")
    kept = {key: value for key, value in schema.items() if key != "default" or _is_open(default, name)}
    properties = kept.get("properties")
    if isinstance(properties, dict):
        kept["properties"] = {key: _without_secrets(inner, key) for key, inner in properties.items()}
    return {key: inner if key in ("properties", "default") else _without_secrets(inner) for key, inner in kept.items()}


def _is_open(default: Any, name: str) -> bool:
    """Whether a default may be shown at a name; a number may, and so may no default at all."""
    if isinstance(default, (int, float)):
        return True
    return HIDDEN not in json.dumps(default) and bool(show(spot_of(default, Any, (name,))) == default)


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
