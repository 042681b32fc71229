"""How a namespace and its environments are called, and which keys of a store are theirs."""

from __future__ import annotations

import re

import msgspec

from reactive_config._printable import printable
from reactive_config._releases.key_store import CONTROL, HEADS
from reactive_config.errors import ReactiveConfigError

COMMON = "common"
"""The environment that the others of its namespace are laid over. It may be absent, and is an empty layer then."""

LONGEST_NAME = 63

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def is_name(text: str) -> bool:
    """Whether a namespace, an environment or an owner can be called so."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


class InvalidName(ReactiveConfigError, ValueError):
    """No namespace, environment or owner can be called so."""


class EnvironmentName(msgspec.Struct, frozen=True, order=True):
    """An environment of a namespace: `shop/production`.

    Raises:
        InvalidName: One of the names is none.
    """

    namespace: str
    environment: str

    def __post_init__(self) -> None:
        for what, name in (("a namespace", self.namespace), ("an environment", self.environment)):
            if not is_name(name):
                wanted = f"{what} of lower-case letters, digits and `-`, {LONGEST_NAME} at most"
                raise InvalidName(f"expected {wanted}, got '{printable(name)}'")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.environment}"

    @property
    def prefix(self) -> str:
        """What its keys begin with in the store."""
        return f"{self.namespace}/{self.environment}/"

    @property
    def head(self) -> str:
        """The key of what was released last."""
        return f"{HEADS}{self}"

    @property
    def history(self) -> str:
        """What the keys of its releases begin with."""
        return f"{CONTROL}releases/{self}/"

    def release(self, number: int) -> str:
        """The key of a release. Keys sort as their numbers do."""
        return f"{self.history}{number:012}"

    @property
    def wholes(self) -> str:
        """What the keys begin with that keep all contents after a release."""
        return f"{CONTROL}contents/{self}/"


def environment_of(key: str) -> tuple[EnvironmentName, str] | None:
    """Whose configuration a key is, and what it is called there; None for one that is nobody's."""
    namespace, _, rest = key.partition("/")
    environment, _, name = rest.partition("/")
    if not name or name.startswith("_"):
        return None
    try:
        return EnvironmentName(namespace, environment), name
    except InvalidName:
        return None


def environment_of_head(key: str) -> EnvironmentName | None:
    """Whose head stands at a key; None if none does."""
    if not key.startswith(HEADS):
        return None
    namespace, _, environment = key.removeprefix(HEADS).partition("/")
    try:
        return EnvironmentName(namespace, environment)
    except InvalidName:
        return None
