"""Values that are never shown, and the mark of those that are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

S = TypeVar("S")

HIDDEN = "***"


class Secret(Generic[S]):
    """A value that is plain only where the program asks for it.

    It has no useful repr, cannot be pickled, and msgspec, orjson and json refuse to write it. Equality
    and hash are those of the value. Ideas: pydantic's SecretStr.

    Args:
        value: The plain value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: S) -> None:
        self._value = value

    def reveal(self) -> S:
        """The plain value."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would leave the process in the clear")

    def __getstate__(self) -> NoReturn:
        self.__reduce__()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Lets pydantic models have Secret fields; called by pydantic, which is therefore installed."""
        from pydantic_core import core_schema

        inner = handler.generate_schema(source.__args__[0]) if hasattr(source, "__args__") else core_schema.any_schema()
        return core_schema.no_info_after_validator_function(cls, inner)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """Marks the field in the JSON Schema of a pydantic model, as pydantic does with its own."""
        return {**handler(schema), "writeOnly": True}


@dataclass(frozen=True)
class Shown:
    """Says that a field is no secret, whatever its name sounds like: `auth_mode: Annotated[str, Shown()]`.

    On a free table (`Annotated[dict[str, str], Shown()]`) it holds for every name in it. The fields of a record
    inside are judged by their own names again, and a `Secret` stays hidden.
    """
