"""Numbered documents as text in each format; the filling is encoded once, so that a writer costs next to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import msgspec

from bench.cases.documents import Document, Service, filling


class Texts:
    """Writes documents of one format and size.

    Args:
        kind: json, yaml or toml.
        size: Bytes that the document would have as JSON, as in `filling`.
    """

    def __init__(self, kind: str, size: int) -> None:
        self._begin, self._line, end, encode = _FORMATS[kind]
        self._rest = encode(filling(size)) + end

    def text(self, **fields: int) -> str:
        """One document with these of the fields of `Document`: round, number, of."""
        return self._begin + "".join(self._line.format(*field) for field in fields.items()) + self._rest


def decoder(kind: str) -> Callable[[bytes], Document]:
    """What a program without us parses the same text with, into the same type."""
    if kind == "json":
        return msgspec.json.Decoder(Document).decode
    if kind == "toml":
        return lambda text: msgspec.toml.decode(text, type=Document)
    import ryaml

    return lambda text: msgspec.convert(ryaml.loads(text.decode()), Document)


def _json(services: Mapping[str, Service]) -> str:
    return f'"services":{msgspec.json.encode(services).decode()}'


def _yaml(services: Mapping[str, Service]) -> str:
    import ryaml

    return str(ryaml.dumps({"services": msgspec.to_builtins(services)}))


def _toml(services: Mapping[str, Service]) -> str:
    lines = []
    for name, service in services.items():
        fields = msgspec.to_builtins(service)
        pool = fields.pop("pool")
        lines += [f"[services.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
        lines += [f"[services.{name}.pool]", *(f"{key} = {json.dumps(value)}" for key, value in pool.items())]
    return "\n".join(lines)


_FORMATS = {
    "json": ("{", '"{}":{},', "}", _json),
    "yaml": ("", "{}: {}\n", "", _yaml),
    "toml": ("", "{} = {}\n", "\n", _toml),
}
"""How a document begins, one of its numbers, how it ends, and how the services are written."""
