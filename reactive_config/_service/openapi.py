"""The service's OpenAPI 3.1 document, made once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from reactive_config._releases.release import LONGEST_AUTHOR, LONGEST_MESSAGE
from reactive_config._service.views import MEDIA_TYPES

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 63}
NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**12 - 1}
RELEASE_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**12}
REVISION = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
POINTER = {"type": "string", "pattern": "^(/([^/~]|~[01])*)+$"}

CONTROL_CHARACTERS = "\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u00a0\\u00ad"
"""What is not printed, but for a line end. There are more characters like these; a schema cannot name all of them."""

HEADERS: dict[str, Schema] = {
    "Allow": {"required": True, "schema": {"type": "string"}},
    "ETag": {"schema": {"type": "string", "pattern": '^"[0-9a-f]+\\.[a-z]+"$'}},
    "Location": {"required": True, "schema": {"type": "string", "pattern": "^/v1/"}},
    "Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}, "description": "Seconds"},
    "Revision": {"required": True, "schema": REVISION, "description": "The store's revision that was answered from"},
    "Vary": {"required": True, "schema": {"type": "string"}},
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^Bearer "}},
}
"""What answers may have for headers. A write that was answered before has no tag, nor has a dry run."""

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
        "line": {"type": ["integer", "null"], "minimum": 1},
        "column": {"type": ["integer", "null"], "minimum": 1},
        "operation": {"type": "integer", "minimum": 0, "description": "The index in a JSON Patch"},
        "revision": REVISION,
        "current": {"type": "object", "properties": {"etag": {"type": "string"}, "revision": REVISION, "value": {}}},
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
        "changes": _list_of("Change"),
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
        "release": {"oneOf": [_ref("Release"), {"type": "null"}]},
        "changes": _list_of("Change"),
        "dry_run": {"type": "boolean"},
        "repeated": {"type": "boolean"},
        "violations": {
            "type": "array",
            "items": _object(kind={"type": "string"}, detail={"type": "string"}),
            "description": "Of a dry run: why the change would be refused",
        },
    },
}

SEVERAL: Schema = {
    "type": "object",
    "additionalProperties": False,
    "description": "1 to 1,000 paths, each once",
    "properties": {
        "set": {"type": "object", "propertyNames": POINTER, "description": "JSON Pointer to value"},
        "delete": {"type": "array", "items": POINTER, "uniqueItems": True, "description": "JSON Pointers"},
        "owner": {
            **NAME,
            "description": "Who applies whole top-level names, as a repository; beside it there is no `delete`",
        },
        "prune": {
            "type": "boolean",
            "description": "Delete the owner's other names; without an owner, all other names",
        },
    },
    "anyOf": [
        {"required": ["set"], "properties": {"set": {"minProperties": 1}}},
        {"required": ["delete"], "properties": {"delete": {"minItems": 1}}},
        {"required": ["prune"], "properties": {"prune": {"const": True}}},
    ],
}

OPERATION: Schema = {
    "type": "object",
    "required": ["op", "path"],
    "properties": {"path": {"type": "string", "pattern": "^(/([^/~]|~[01])*)*$"}},
    "oneOf": [
        {"required": ["value"], "properties": {"op": {"enum": ["add", "replace", "test"]}}},
        {"required": ["from"], "properties": {"op": {"enum": ["copy", "move"]}, "from": {"type": "string"}}},
        {"properties": {"op": {"const": "remove"}}},
    ],
}

NAMESPACE: Schema = {
    "type": "object",
    "required": ["name", "environments"],
    "properties": {"name": NAME, "environments": {"type": "array", "items": NAME}},
}

SCHEMAS = {
    "Change": CHANGE,
    "Namespace": NAMESPACE,
    "Operation": OPERATION,
    "Outcome": OUTCOME,
    "Problem": PROBLEM,
    "Release": RELEASE,
    "Several": SEVERAL,
}


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
                "schemas": SCHEMAS,
            },
        }
    )


_DIFFERENCE: dict[str, Schema] = {
    "from": NUMBER,
    "to": {"type": ["integer", "null"]},
    "changes": _list_of("Change"),
}


def _paths() -> Schema:
    environment = "/v1/{namespace}/{environment}"
    inside = [_path("namespace", NAME, "shop"), _path("environment", NAME, "production")]
    at_path = [*inside, _path("path", {"type": "string", "minLength": 1}, "pool/size", "Names, separated by /")]
    numbered = [*inside, _path("number", NUMBER, 1)]
    paths: Schema = {
        "/healthz": {"get": _operation("The process answers", _object(status={"const": "ok"}), is_open=True)},
        "/readyz": {
            "get": _operation(
                "The store answers", _object(status={"const": "ok"}, revision=REVISION), codes=[503], is_open=True
            )
        },
        "/openapi.json": {"get": _operation("This document", {"type": "object"}, is_open=True)},
        "/metrics": {"get": _operation("Prometheus", {"type": "string"}, media="text/plain", codes=[503])},
        "/v1/-/namespaces": {
            "get": _operation(
                "All namespaces and their environments",
                _object(namespaces=_list_of("Namespace")),
                codes=[503],
                headers=["Revision"],
            )
        },
        f"{environment}/releases": {
            "parameters": inside,
            "get": _reading(
                "Releases, newest first",
                _object(releases=_list_of("Release"), next={"type": ["string", "null"]}),
                _query("before", RELEASE_NUMBER),
                _query("limit", {"type": "integer", "minimum": 0, "maximum": 200}),
            ),
            "post": _write("Change several paths at once", {"application/json": _ref("Several")}),
        },
        f"{environment}/releases/{{number}}": {
            "parameters": numbered,
            "get": _reading("A release and what it changed", {**_ref("Release"), "required": ["changes"]}),
        },
        f"{environment}/releases/{{number}}/diff": {
            "parameters": numbered,
            "get": _reading(
                "What differs between two releases",
                _object(**_DIFFERENCE),
                _query("to", RELEASE_NUMBER),
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
            "get": _reading(
                "The release that set what stands there",
                _object(release={"oneOf": [_ref("Release"), {"type": "null"}]}),
            ),
        }
    return paths


def _config() -> Schema:
    view = _query("view", {"enum": ["layer", "effective"]})
    documents: dict[str, Schema] = {
        "application/json": {},
        "application/yaml": {},
        "application/toml": {"type": "object"},
    }
    patches: dict[str, Schema] = {
        "application/merge-patch+json": {},
        "application/json-patch+json": {**_list_of("Operation"), "maxItems": 1000},
    }
    reading = _reading(
        "Read configuration",
        None,
        _query("format", {"enum": list(MEDIA_TYPES)}),
        view,
        _header("If-None-Match"),
        codes=[406],
        headers=["ETag", "Revision", "Vary"],
    )
    reading["responses"]["200"]["content"] = {media.partition(";")[0]: {} for media in MEDIA_TYPES.values()}
    reading["responses"]["304"] = {
        "description": "It is what If-None-Match names",
        "headers": _headers("ETag", "Revision", "Vary"),
    }
    # The effective view is only to be read, and a write wants a precondition.
    refusals = (405, 428)
    writing = {
        "put": _write("Say exactly this at the path", documents, *refusals),
        "patch": _write("Patch what stands at the path", patches, *refusals),
        "delete": _write("Delete what stands at the path", None, *refusals),
    }
    for operation in writing.values():
        operation["parameters"].append(view)
    return {"get": reading, **writing}


def _reading(
    summary: str,
    schema: Schema | None,
    *parameters: Schema,
    codes: Iterable[int] = (),
    headers: Iterable[str] = ("Revision",),
) -> Schema:
    """An operation that reads an environment."""
    found = [404, *codes, 503]
    return _operation(summary, schema, [*parameters, _query("min_revision", REVISION)], codes=found, headers=headers)


def _write(summary: str, bodies: dict[str, Schema] | None, *codes: int) -> Schema:
    printed = {"type": "string", "pattern": f"^[^{CONTROL_CHARACTERS}]*$"}
    text = {**printed, "maxLength": LONGEST_MESSAGE}
    of_bodies = () if bodies is None else (408, 415)
    operation = _operation(
        summary,
        _ref("Outcome"),
        [
            _header("If-Match", example="*"),
            _header("If-None-Match", {"const": "*"}),
            _header("Idempotency-Key", {"minLength": 1, "maxLength": 255}),
            _query("dry_run", {"enum": ["true", "false"]}),
            _query("message", text),
            _query("author", {**printed, "maxLength": LONGEST_AUTHOR}),
            _query("force", text),
        ],
        codes=sorted((404, 409, 412, 413, 422, 503, *codes, *of_bodies)),
        headers=["ETag", "Revision"],
    )
    if bodies is not None:
        operation["responses"]["201"] = {
            **operation["responses"]["200"],
            "description": "The environment was made",
            "headers": _headers("ETag", "Location", "Revision"),
        }
        content = {media: {"schema": schema} for media, schema in bodies.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation(
    summary: str,
    schema: Schema | None,
    parameters: Iterable[Schema] = (),
    *,
    media: str = "application/json",
    codes: Iterable[int] = (),
    headers: Iterable[str] = (),
    is_open: bool = False,
) -> Schema:
    refusals = [400, *codes] if is_open else [400, 401, *codes]
    operation: Schema = {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": {
                "description": "Done",
                "headers": _headers(*headers),
                "content": {media: {} if schema is None else {"schema": schema}},
            },
            **{str(code): _refused(code) for code in refusals},
        },
    }
    if is_open:
        operation["security"] = []
    return operation


def _refused(code: int) -> Schema:
    return {
        "description": "See the problem" if code != 401 else "No token, or an unknown one",
        "headers": _headers(*_REFUSAL_HEADERS.get(code, ())),
        "content": {"application/problem+json": {"schema": _ref("Problem")}},
    }


_REFUSAL_HEADERS = {401: ["WWW-Authenticate"], 405: ["Allow"], 503: ["Retry-After"]}


def _headers(*names: str) -> Schema:
    return {name: HEADERS[name] for name in names}


def _path(name: str, schema: Schema, example: object, description: str = "") -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": schema,
        "description": description,
        "example": example,
    }


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "schema": schema}


def _header(name: str, schema: Schema | None = None, example: str | None = None) -> Schema:
    header = {"name": name, "in": "header", "schema": {"type": "string", **(schema or {})}}
    return header if example is None else {**header, "example": example}
