"""The mark of a field that an environment variable of some name of its own gives its value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EnvName:
    """Says which environment variable gives a field its value: `dsn: Annotated[str, EnvName("DB_DSN")]`.

    `Env` reads this variable, whatever the source's prefix, and so does a dotenv file. The field keeps its usual
    variable too (`SHOP_DATABASE__DSN`), which wins in the environment. Of several marks on one field the first wins.

    Args:
        name: The whole name, exact in case.

    Raises:
        ValueError: No variable can have this name.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"EnvName: expected a name, got a value of type {type(self.name).__name__}")
        if not self.name or "=" in self.name or "\0" in self.name:
            raise ValueError(f"EnvName: expected a name without '=' and NUL, got {self.name!r}")
