"""The service's OpenAPI 3.1 document, made once."""

from __future__ import annotations

from typing import Any

import orjson

from reactive_config._service.views import MEDIA_TYPES

Schema = dict[str, Any]

JSON = "application/json"

NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 63}
NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**12 - 1}
REVISION = {"type": "integer", "minimum": 0, "maximum": 10**18}
TEXT = {"type": "string", "maxLength": 10_000}

PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "path": {},
        "expected": {},
        "got": {},
        "current": {"type": "object"},
    },
}

RELEASE: Schema = {
    "type": "object",
    "required": ["number", "author", "time", "hash"],
    "properties": {
        "number": NUMBER,
        "author": {"type": "string"},
        "identity": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "message": {"type": "string"},
        "kind": {"enum": ["change", "restore", "external"]},
        "saw": REVISION,
        "restores": {"type": "integer"},
        "external": {"type": ["array", "null"], "items": {"type": "integer"}},
        "forced": {"type": "string"},
        "keys": {"type": "integer"},
        "parent": {"type": "string"},
        "hash": {"type": "string"},
        "revision": REVISION,
        "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}},
    },
}

CHANGE: Schema = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": {"type": "array", "items": {"type": "string"}}, "before": {}, "after": {}},
}

OUTCOME: Schema = {
    "type": "object",
    "required": ["release", "changes", "dry_run", "repeated"],
    "properties": {
        "release": {"oneOf": [{"$ref": "#/components/schemas/Release"}, {"type": "null"}]},
        "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}},
        "dry_run": {"type": "boolean"},
        "repeated": {"type": "boolean"},
    },
}

SEVERAL: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "set": {"type": "object", "description": "JSON Pointer to value"},
        "delete": {"type": "array", "items": {"type": "string"}, "description": "JSON Pointers"},
        "owner": {
            "type": "string",
            "description": "Who applies whole top-level names, as a repository; it is remembered which",
        },
        "prune": {
            "type": "boolean",
            "description": "Delete the owner's other names; without an owner, all other names",
        },
    },
}


SCHEMAS = {"Problem": PROBLEM, "Release": RELEASE, "Change": CHANGE, "Outcome": OUTCOME, "Several": SEVERAL}


def openapi_document() -> bytes:
    """The document, as JSON."""
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "reactive_config",
                "version": "1",
                "description": "Configuration with releases. Errors are RFC 9457 problems.",
            },
            "security": [{"token": []}],
            "paths": _paths(),
            "components": {
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
                "schemas": {
                    "Problem": PROBLEM,
                    "Release": RELEASE,
                    "Change": CHANGE,
                    "Outcome": OUTCOME,
                    "Several": SEVERAL,
                },
            },
        }
    )


def _paths() -> Schema:
    environment = "/v1/{namespace}/{environment}"
    inside = [_path("namespace", NAME), _path("environment", NAME)]
    at_path = [*inside, _path("path", {"type": "string", "minLength": 1}, "Names, separated by /")]
    numbered = [*inside, _path("number", NUMBER)]
    paths: Schema = {
        "/healthz": {"get": _operation("The process answers", {}, security=[])},
        "/readyz": {"get": _operation("The store answers", {}, security=[], codes=[503])},
        "/openapi.json": {"get": _operation("This document", {}, security=[])},
        "/metrics": {"get": _operation("Prometheus", None, media="text/plain")},
        "/v1/-/namespaces": {"get": _operation("All namespaces and their environments", {})},
        f"{environment}/releases": {
            "parameters": inside,
            "get": _operation(
                "Releases, newest first",
                {"type": "object", "required": ["releases", "next"]},
                [
                    _query("before", {"type": "integer", "minimum": 0, "maximum": 10**12}),
                    _query("limit", {"type": "integer", "minimum": 0, "maximum": 200}),
                    _query("min_revision", REVISION),
                ],
                codes=[404, 503],
            ),
            "post": _write(
                "Change several paths at once", {"application/json": {"$ref": "#/components/schemas/Several"}}
            ),
        },
        f"{environment}/releases/{{number}}": {
            "parameters": numbered,
            "get": _operation(
                "A release and what it changed",
                {"$ref": "#/components/schemas/Release"},
                [_query("min_revision", REVISION)],
                codes=[404, 503],
            ),
        },
        f"{environment}/releases/{{number}}/diff": {
            "parameters": numbered,
            "get": _operation(
                "What differs between two releases",
                {"type": "object", "required": ["from", "to", "changes"]},
                [_query("to", {"type": "integer", "minimum": 0, "maximum": 10**12}), _query("min_revision", REVISION)],
                codes=[404, 503],
            ),
        },
        f"{environment}/releases/{{number}}/restore": {
            "parameters": numbered,
            "post": _write("Make all as it was after a release", None),
        },
    }
    for suffix, parameters in (("", inside), ("/{path}", at_path)):
        paths[f"{environment}/config{suffix}"] = {"parameters": parameters, **_config()}
        paths[f"{environment}/blame{suffix}"] = {
            "parameters": parameters,
            "get": _operation(
                "The release that set what stands there",
                {"type": "object", "required": ["release"]},
                [_query("min_revision", REVISION)],
                codes=[404, 503],
            ),
        }
    return paths


def _config() -> Schema:
    any_value: Schema = {}
    documents = dict.fromkeys(("application/json", "application/yaml", "application/toml"), any_value)
    patches = {
        "application/merge-patch+json": any_value,
        "application/json-patch+json": {"type": "array", "items": {"type": "object"}, "maxItems": 1000},
    }
    reading = _operation(
        "Read configuration",
        None,
        [
            _query("format", {"enum": list(MEDIA_TYPES)}),
            _query("view", {"enum": ["layer", "effective"]}),
            _query("min_revision", REVISION),
            _header("If-None-Match"),
        ],
        codes=[404, 406, 503],
    )
    reading["responses"]["200"]["content"] = {media.partition(";")[0]: {} for media in MEDIA_TYPES.values()}
    reading["responses"]["304"] = {"description": "It is what If-None-Match names"}
    return {
        "get": reading,
        "put": _write("Say exactly this at the path", documents),
        "patch": _write("Patch what stands at the path", patches),
        "delete": _write("Delete what stands at the path", None),
    }


def _write(summary: str, bodies: dict[str, Schema] | None) -> Schema:
    operation = _operation(
        summary,
        {"$ref": "#/components/schemas/Outcome"},
        [
            _header("If-Match"),
            _header("If-None-Match"),
            _header("Idempotency-Key"),
            _query("dry_run", {"enum": ["true", "false"]}),
            _query("message", TEXT),
            _query("author", {"type": "string", "maxLength": 200}),
            _query("force", TEXT),
        ],
        codes=[404, 405, 408, 409, 412, 413, 415, 422, 428, 503],
    )
    operation["responses"]["201"] = {**operation["responses"]["200"], "description": "The environment was made"}
    if bodies is not None:
        content = {media: {"schema": schema} for media, schema in bodies.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation(
    summary: str,
    schema: Schema | None,
    parameters: list[Schema] | None = None,
    *,
    media: str = "application/json",
    codes: list[int] | None = None,
    security: list[Any] | None = None,
) -> Schema:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refused = {str(code): {"description": "See the problem", "content": problem} for code in [400, *(codes or [])]}
    if security is None:
        refused["401"] = {"description": "No token, or an unknown one", "content": problem}
    operation: Schema = {
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": {"description": "Done", "content": {media: {} if schema is None else {"schema": schema}}},
            **refused,
        },
    }
    if security is not None:
        operation["security"] = security
    return operation


def _path(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "schema": schema}


def _header(name: str) -> Schema:
    return {"name": name, "in": "header", "schema": {"type": "string", "maxLength": 255}}
