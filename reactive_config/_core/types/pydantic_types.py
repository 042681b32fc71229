"""Models and dataclasses of pydantic: under which names they take their fields, and what pydantic makes of a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, get_args

from reactive_config._core.types.generics import cached, class_of
from reactive_config._core.types.kinds import is_pydantic

Location = tuple[str | int, ...]
"""Names and indexes that lead to a value; of one name for most fields."""


def locations(kind: Any) -> Iterator[tuple[str, Any, list[Location]]]:
    """The name in Python, pydantic's `FieldInfo` and the locations of every field, the preferred location first."""
    cls: Any = class_of(kind)
    config = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", None) or {}
    by_alias = config.get("validate_by_alias") is not False
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    for name, field in _fields(cls).items():
        if getattr(field, "init", None) is False or getattr(field, "init_var", None):
            continue
        aliases = list(_aliases(field)) if by_alias else []
        yield name, field, [*aliases, (name,)] if by_name or not aliases else aliases


def _fields(cls: Any) -> Mapping[str, Any]:
    return getattr(cls, "model_fields", None) or getattr(cls, "__pydantic_fields__", {})


def _aliases(field: Any) -> Iterator[Location]:
    alias = field.alias if field.validation_alias is None else field.validation_alias
    for choice in getattr(alias, "choices", () if alias is None else (alias,)):
        yield (choice,) if isinstance(choice, str) else tuple(choice.path)


def primary_name(name: str, found: list[Location]) -> str:
    """The name that stands for a field in paths: the first that holds it at once, otherwise its name in Python."""
    return next((str(one[0]) for one in found if len(one) == 1), name)


def type_below(places: list[tuple[Location, Any]]) -> Any:
    """The type of what holds values of the given types at the given locations.

    A made-up TypedDict where all begin with a name, so that the values inside are prepared for their types.
    """
    by_head: dict[str | int, list[tuple[Location, Any]]] = {}
    for location, kind in places:
        if not location:
            return kind
        by_head.setdefault(location[0], []).append((location[1:], kind))
    if any(isinstance(head, int) for head in by_head):
        return list[Any]
    return TypedDict("Table", {str(head): type_below(inner) for head, inner in by_head.items()}, total=False)  # type: ignore[operator]


_ENTRIES = ("model_validate", "__get_pydantic_core_schema__", "__get_validators__")


@cached
def is_given_input(kind: Any) -> bool:
    """Whether code of a pydantic type's own is given what stands in the configuration before pydantic has read it."""
    cls: Any = class_of(kind)
    decorators = cls.__pydantic_decorators__
    groups = (
        decorators.field_validators,
        decorators.model_validators,
        decorators.validators,
        decorators.root_validators,
    )
    if any(getattr(one.info, "mode", "before") != "after" for group in groups for one in group.values()):
        return True
    own = [base for base in cls.__mro__ if not base.__module__.startswith("pydantic")]
    if getattr(cls, "__pydantic_custom_init__", False) or any(
        name in base.__dict__ for base in own for name in _ENTRIES
    ):
        return True
    return any(_has_own_schema(field.rebuild_annotation()) for field in _fields(cls).values())


def _has_own_schema(annotation: Any) -> bool:
    """Whether something in an annotation says by itself how pydantic reads it: a `BeforeValidator`, say."""
    waiting = [annotation]
    seen: list[Any] = []
    while waiting:
        kind = waiting.pop()
        if any(kind is one for one in seen):  # a type alias may hold itself
            continue
        seen.append(kind)
        marks = getattr(kind, "__metadata__", ())
        if any(hasattr(mark, "__get_pydantic_core_schema__") for mark in marks):
            return True
        named = (getattr(kind, "__supertype__", None), getattr(kind, "__value__", None))
        waiting += [one for one in (*get_args(kind), *named) if one is not None]
    return False


def validated(tree: Any, kind: Any) -> Any:
    """What pydantic makes of a prepared tree, for a model or dataclass of pydantic's.

    Raises:
        Exception: pydantic's `ValidationError`, or whatever a validator raises.
    """
    return kind.model_validate(tree) if is_pydantic(kind) else _adapter(kind).validate_python(tree)


@cached
def _adapter(kind: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(kind)
