"""NaN and infinity in decoded values, however deep: content must not bring them, a type's own default may be one."""

from __future__ import annotations

import cmath
import math
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from reactive_config._core.bounds import FINITE
from reactive_config._core.decoding.equality import EXTRA, MOST, attributes_of, unchanged
from reactive_config._core.refusals import is_refusal
from reactive_config._core.secret import Secret
from reactive_config._core.types import fields_of

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


class _NumberPart(NamedTuple):
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
    pending = [_NumberPart(value, tree, (), None)]
    seen: dict[int, Any] = {}  # the parts stay alive here, and so their ids stay theirs
    while pending and len(seen) < MOST:
        part = pending.pop()
        if not is_finite(part.value) and not (part.default is not None and _is_default(part.default)):
            raise NotFiniteError(part.steps)
        if id(part.value) not in seen:
            seen[id(part.value)] = part.value
            pending.extend(_inner(part))


def _is_plain(value: Any) -> bool:
    """Whether there is nothing to find in a value, for sure; it is asked before anything is made of one."""
    kind = type(value)
    return kind in _OTHER or (kind is float and math.isfinite(value))


def _is_default(default: _Default) -> bool:
    try:
        return unchanged(default.value, default.make())
    except BaseException as error:  # a factory of somebody's own
        if not is_refusal(error):
            raise
        return False


def _inner(part: _NumberPart) -> Iterator[_NumberPart]:
    """What a part is made of, without what is plain."""
    value = part.value
    if isinstance(value, (list, tuple, deque, set, frozenset)):
        return _of_items(part)
    if isinstance(value, (dict, MappingProxyType)):
        return _of_mapping(part)
    if isinstance(value, Secret):
        return iter([part._replace(value=value.reveal())])
    return _of_record(part)


def _of_items(part: _NumberPart) -> Iterator[_NumberPart]:
    value, tree, steps, default = part
    ordered = not isinstance(value, (set, frozenset))
    trees = tree if ordered and type(tree) is list and len(tree) == len(value) else None
    for index, item in enumerate(value):
        if not _is_plain(item):
            below = _UNKNOWN if trees is None else trees[index]
            yield _NumberPart(item, below, (*steps, index) if ordered else steps, default)


def _of_mapping(part: _NumberPart) -> Iterator[_NumberPart]:
    value, tree, steps, default = part
    for name, item in value.items():
        if not _is_plain(name):
            yield _NumberPart(name, _UNKNOWN, steps, default)
        if not _is_plain(item):
            yield _NumberPart(item, _below(tree, name), (*steps, str(name)), default)


def _of_record(part: _NumberPart) -> Iterator[_NumberPart]:
    value, tree, steps, default = part
    kind: Any = type(value)
    for attribute, name, make in _fields(kind):
        inner = getattr(value, attribute, None)
        if _is_plain(inner):
            continue
        if attribute == EXTRA:
            yield _NumberPart(inner, tree, steps, default)
            continue
        absent = default is None and type(tree) is dict and name not in tree and attribute not in tree
        mine = _Default(inner, make) if absent and make is not None else default
        yield _NumberPart(inner, _below(tree, name), (*steps, name), mine)


@lru_cache(maxsize=1024)
def _fields(kind: Any) -> tuple[tuple[str, str, Callable[[], Any] | None], ...]:
    """Attribute, name in the configuration and default of all that a record of this type is made of."""
    known = {field.attribute: (name, field.default) for name, field in (fields_of(kind) or {}).items()}
    return tuple((attribute, *known.get(attribute, (attribute, None))) for attribute in attributes_of(kind) or ())


def _below(tree: Any, name: Any) -> Any:
    return tree.get(name, _UNKNOWN) if type(tree) is dict else _UNKNOWN
