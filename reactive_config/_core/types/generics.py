"""Type parameters: what stands for them in the annotations of a class."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any, TypeVar, get_args, get_origin

F = TypeVar("F", bound=Callable[[Any], Any])

Parameters = Mapping[Any, Any]
"""Type variable to the type that stands for it."""


def cached(function: F) -> F:
    """Remember a function's answers by type; those for a type without a hash (`Annotated[int, {}]`) are not kept."""
    known = lru_cache(maxsize=4096)(function)

    @wraps(function)
    def ask(kind: Any) -> Any:
        try:
            return known(kind)
        except TypeError:
            if is_hashable(kind):
                raise
            return function(kind)

    return typing.cast("F", ask)


def is_hashable(kind: Any) -> bool:
    """Whether a type can be a dictionary's key."""
    try:
        hash(kind)
    except TypeError:
        return False
    return True


def class_of(kind: Any) -> type | None:
    """The class of a type, also of a parametrised one (`Box` for `Box[int]`); None if it is no class."""
    found = get_origin(kind) or kind
    return found if isinstance(found, type) else None


def filled(kind: Any, parameters: Parameters) -> Any:
    """A type with its type variables replaced."""
    if isinstance(kind, TypeVar):
        return parameters.get(kind, kind)
    own = () if isinstance(kind, type) else getattr(kind, "__parameters__", ())
    return kind[tuple(parameters.get(one, one) for one in own)] if own else kind


def annotations_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class and its bases, type parameters filled in; `Annotated` and the like are kept.

    Unlike `typing.get_type_hints`, which takes no parametrised class and leaves the type variables of bases. Idea:
    msgspec's `get_class_annotations`.

    Raises:
        NameError: A name in an annotation does not exist.
    """
    found: dict[str, Any] = {}
    parameters = _parameters(kind)
    for base in reversed(typing.cast("type", class_of(kind)).__mro__):
        if own := inspect.get_annotations(base):
            hints = typing.get_type_hints(base, include_extras=True)
            found |= {name: filled(hints[name], parameters.get(base, {})) for name in own if name in hints}
    return found


def inherits_parameters(kind: Any) -> bool:
    """Whether a base of the class is a parametrised generic, as in `class Ints(Box[int])`."""
    return any(found for base, found in _parameters(kind).items() if base is not class_of(kind))


def _parameters(kind: Any) -> dict[type, Parameters]:
    """Every generic class among a class and its bases, and what stands for its type variables."""
    found: dict[type, Parameters] = {}

    def walk(alias: Any, outer: Parameters) -> None:
        cls = class_of(alias)
        if cls is None or cls in found or cls is typing.Generic:
            return
        variables = getattr(cls, "__parameters__", ())
        found[cls] = dict(zip(variables, (filled(arg, outer) for arg in get_args(alias)), strict=False))
        for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
            walk(base, found[cls])

    walk(kind, {})
    return found
