"""What the author of a source writes, so that `ConformanceSuite` can test it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from reactive_config._core.secret import Secret
from reactive_config._core.source import Source


class Pool(Struct, frozen=True):
    """A table of the suite's type."""

    size: Annotated[int, Meta(ge=1, le=100_000)] = 10


class Shop(Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration's type in the suite. The source is asked for nothing else than this."""

    name: str = "default"
    pool: Pool = Pool()
    log: dict[str, str] = {}
    password: Secret[str] = Secret("default")
    left: int = 0
    right: int = 0


class SourceHarness(ABC):
    """One outside (a directory, a prefix of a store) and the sources over it. Each test gets a new one.

    The source under test is one layer; the suite puts a layer below it.

    Attributes:
        follows: The source follows changes while it runs. Where not, `write` comes before `source`.
        atomic: What one `write` changes is one unit.
        quoted: A name may have dots in it.
        corruptible: `corrupt` is there.
        patience: Seconds that one change may take to arrive.
    """

    follows = True
    atomic = True
    quoted = True
    corruptible = False
    patience: float = 10.0

    @abstractmethod
    def source(self) -> Source:
        """A new source over the outside, which has been written to."""

    @abstractmethod
    async def write(self, tree: Mapping[str, Any]) -> None:
        """Make a tree all that stands outside, valid or not; returns when it stands there, not when it arrived.

        Args:
            tree: Nested mappings with str keys; values are str and int. Not to be changed.
        """

    async def corrupt(self, text: str) -> None:
        """Make what stands outside at `pool` (or all of it) unreadable, with this text in it; `write` mends it."""
        raise NotImplementedError
