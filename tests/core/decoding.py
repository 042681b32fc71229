"""Decoding one value of a type, without a configuration, and generic types to try it with."""

from __future__ import annotations

from typing import Any, Generic, TypedDict, TypeVar

import attrs

from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode

T = TypeVar("T")


def made(kind: Any, tree: Any) -> Any:
    """What stands under a name of type `kind`."""
    part, faults = decode(compile_plan(dict[str, kind]), {"k": tree}, None, None)
    assert part is not None, faults
    return part.value["k"]


def refused(kind: Any, tree: Any) -> list[tuple[str, ...]]:
    """Where a tree does not fit; empty if it does."""
    part, faults = decode(compile_plan(dict[str, kind]), {"k": tree}, None, None)
    assert (part is None) == bool(faults)
    return [fault.path for fault in faults]


class Table(TypedDict, Generic[T]):
    value: T


@attrs.define
class Attrs(Generic[T]):
    value: T
