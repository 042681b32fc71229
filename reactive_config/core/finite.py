"""NaN and infinity in decoded values, however deep: content must not bring them, a type's own default may be one."""

from __future__ import annotations

import cmath
import math
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from reactive_config.core.bounds import FINITE
from reactive_config.core.equality import EXTRA, MOST, attributes_of, unchanged
from reactive_config.core.secret import Secret
from reactive_config.core.types import fields_of

_UNKNOWN = object()  # in place of a tree that nobody can tell
_OTHER = frozenset({str, int, bool, type(None), bytes})


class NotFiniteError(ValueError):
    """A decoded value holds a number that is not finite. Its text quotes nothing.

    Attributes:
        steps: Names and indexes on the way to the number.
    """

    def __init__(self, steps: tuple[int | str, ...]) -> None:
        super().__init__(f"expected {FINITE}")
        self.steps = steps


class _Default(NamedTuple):
    value: Any
    make: Callable[[], Any]


class _Part(NamedTuple):
    """A part of the value.

    Attributes:
        value: What was decoded.
        tree: What it was decoded from; `_UNKNOWN` if nobody can tell.
        steps: The way to it.
        default: The default that it is, or belongs to; None for what has a tree.
    """

    value: Any
    tree: Any
    steps: tuple[int | str, ...]
    default: _Default | None


def is_finite(value: Any) -> bool:
    """Whether a scalar is no number that is not finite: NaN would differ from itself for ever."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, (Decimal, complex)):
        return value.is_finite() if isinstance(value, Decimal) else cmath.isfinite(value)
    return True


def check_finite(value: Any, tree: Any = _UNKNOWN) -> None:
    """Look into all parts of a decoded value, at most `MOST` of them.

    Args:
        value: Of any type.
        tree: What it was decoded from, with which a default is told from content.

    Raises:
        NotFiniteError: Content brought a number that is not finite.
    """
    pending = [_Part(value, tree, (), None)]
    seen: dict[int, Any] = {}  # the parts stay alive here, and so their ids stay theirs
    while pending and len(seen) < MOST:
        part = pending.pop()
        if not is_finite(part.value) and not (part.default is not None and _is_default(part.default)):
            raise NotFiniteError(part.steps)
        if id(part.value) not in seen:
            seen[id(part.value)] = part.value
            pending.extend(inner for inner in _inner(part) if type(inner.value) not in _OTHER)


def _is_default(default: _Default) -> bool:
    return unchanged(default.value, default.make())


def _inner(part: _Part) -> Iterator[_Part]:
    value, tree, steps, default = part
    if isinstance(value, (list, tuple, deque)):
        trees = tree if type(tree) is list and len(tree) == len(value) else [_UNKNOWN] * len(value)
        for index, item in enumerate(value):
            yield _Part(item, trees[index], (*steps, index), default)
    elif isinstance(value, (dict, MappingProxyType)):
        for name, item in value.items():
            if type(name) is not str:
                yield _Part(name, _UNKNOWN, steps, default)
            yield _Part(item, _below(tree, name), (*steps, str(name)), default)
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield _Part(item, _UNKNOWN, steps, default)
    elif isinstance(value, Secret):
        yield _Part(value.reveal(), tree, steps, default)
    else:
        yield from _of_record(part)


def _of_record(part: _Part) -> Iterator[_Part]:
    value, tree, steps, default = part
    kind: Any = type(value)
    names = attributes_of(kind)
    if names is None:
        return
    fields = {field.attribute: (name, field.default) for name, field in (fields_of(kind) or {}).items()}
    for attribute in names:
        inner = getattr(value, attribute, None)
        if attribute == EXTRA:
            yield _Part(inner, tree, steps, default)
            continue
        name, make = fields.get(attribute, (attribute, None))
        absent = default is None and make is not None and type(tree) is dict and name not in tree
        mine = _Default(inner, make) if absent and make is not None and attribute not in tree else default
        yield _Part(inner, _below(tree, name), (*steps, name), mine)


def _below(tree: Any, name: Any) -> Any:
    return tree.get(name, _UNKNOWN) if type(tree) is dict else _UNKNOWN
