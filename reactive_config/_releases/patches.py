"""Merge patches (RFC 7396) and JSON Patch (RFC 6902), on trees as a client sees them: bare values are texts there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.trees import ABSENT
from reactive_config._extras import install
from reactive_config._releases.key_store import MOST_BYTES, StoreError

MOST_OPERATIONS = 1_000


class PatchRefused(StoreError):
    """A patch is none, or does not fit what is there.

    Attributes:
        index: Of the operation, from 0; None for the whole patch.
        missing: What it speaks of is not there, or is not what it says: with other contents it might fit.
    """

    def __init__(self, reason: str, index: int | None = None, *, missing: bool = False) -> None:
        self.index = index
        self.missing = missing
        super().__init__(reason if index is None else f"operation {index}: {reason}")


def merged(target: Any, patch: Any) -> Any:
    """What a merge patch makes of a target; null deletes.

    Args:
        target: ABSENT for nothing.
        patch: Any JSON.
    """
    if type(patch) is not dict:
        return patch
    result = dict(target) if type(target) is dict else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name, ABSENT), value)
    return result


def patched(target: Any, operations: Any) -> Any:
    """What a JSON Patch makes of a target, which stays as it is.

    Size and depth are looked at after each operation: a document that copies itself a few times is larger than any
    memory.

    Args:
        target: As `shown` gives it.
        operations: The patch.

    Raises:
        PatchRefused: It is no patch, does not apply, or makes the target too large or too deep.
    """
    if type(operations) is not list:
        raise PatchRefused("expected a list of operations")
    if len(operations) > MOST_OPERATIONS:
        raise PatchRefused(f"expected at most {MOST_OPERATIONS:,} operations, got {len(operations):,}")
    document = deepcopy(target)
    size = len(orjson.dumps(document))
    for index, operation in enumerate(operations):
        document, added = _applied(document, operation, index)
        size += added
        if size > MOST_BYTES:  # at most; what was replaced or removed was not counted
            size = len(orjson.dumps(document))
            if size > MOST_BYTES:
                raise PatchRefused(f"expected at most {MOST_BYTES:,} bytes after it", index)
    return document


def _applied(document: Any, operation: Any, index: int) -> tuple[Any, int]:
    """The document after one operation, which may change it in place, and the bytes that were added at most."""
    try:
        import jsonpatch
    except ImportError:
        raise ImportError(install("service")) from None
    try:
        patch = jsonpatch.JsonPatch([operation])
        added = _added(document, operation)
        if len(operation["path"].split("/")) - 1 + _levels(added) > MAX_DEPTH:
            raise PatchRefused(f"expected at most {MAX_DEPTH} levels after it", index)
        return patch.apply(document, in_place=True), len(orjson.dumps(added)) + len(operation["path"])
    except jsonpatch.JsonPatchTestFailed:
        raise PatchRefused("the test failed", index, missing=True) from None
    except (jsonpatch.JsonPatchConflict, jsonpatch.JsonPointerException):
        raise PatchRefused("there is nothing at its path", index, missing=True) from None
    except (jsonpatch.JsonPatchException, TypeError, ValueError, LookupError, AttributeError):
        raise PatchRefused("expected an operation of RFC 6902", index) from None


def _added(document: Any, operation: Any) -> Any:
    """What an operation puts somewhere."""
    import jsonpatch

    if operation["op"] in ("copy", "move"):
        return jsonpatch.JsonPointer(operation["from"]).resolve(document)
    return operation.get("value")


def _levels(value: Any) -> int:
    """How many tables and lists lie inside one another."""
    if type(value) is dict:
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if type(value) is list else 0
