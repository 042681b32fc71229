"""`schema`: the configuration's type as JSON Schema, for editors and other languages."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import _json_schema

from reactive_config.cli.failures import OK, Usage
from reactive_config.cli.kinds import load_kind
from reactive_config.cli.options import Json, TypeName
from reactive_config.cli.output import Output
from reactive_config.cli.schema_defaults import without_secrets
from reactive_config.core.plain import plain
from reactive_config.core.secret import HIDDEN
from reactive_config.core.types import is_pydantic, is_sealed, is_secret

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
    with warnings.catch_warnings():  # pydantic's quote defaults that JSON cannot have
        warnings.simplefilter("ignore")
        found = schema_of(kind)
    Output(json=json).schema({"$schema": "https://json-schema.org/draft/2020-12/schema", **found})
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
