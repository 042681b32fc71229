"""One generation of the configuration, complete and immutable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from reactive_config._core.decoding.decode import changed_paths
from reactive_config._core.decoding.plans import DecodedPart
from reactive_config._core.paths import Path, format_path

T = TypeVar("T")


class Snapshot(Generic[T]):
    """What was in force from one moment on.

    Two snapshots share every part that did not change between them: the same objects, not equal ones.

    Attributes:
        value: The typed configuration.
        generation: Counts the snapshots that this process published, from 1, without holes.
        revisions: Source name to the store's revision that was taken; 0 where a source has none.
        published_at: UTC.
    """

    __slots__ = ("_changed", "_part", "generation", "published_at", "revisions", "value")

    value: T

    def __init__(
        self,
        part: DecodedPart,
        generation: int,
        revisions: Mapping[str, int],
        changed: list[Path],
        published_at: datetime,
    ) -> None:
        self.value = part.value
        self.generation: int = generation
        self.revisions: MappingProxyType[str, int] = MappingProxyType(dict(revisions))
        self.published_at: datetime = published_at
        self._part = part
        self._changed = changed

    @property
    def changed(self) -> frozenset[str]:
        """The dotted paths that differ from the generation before; the empty text stands for all of it."""
        return frozenset(map(format_path, self._changed))

    def changed_since(self, older: Snapshot[T]) -> frozenset[str]:
        """The dotted paths that differ from an older snapshot of the same configuration.

        For those who skipped generations. Costs a comparison of the tables on the way to a change.
        """
        return frozenset(map(format_path, changed_paths(older._part, self._part, None)))

    def __repr__(self) -> str:  # not the value: it may be untyped and hold a secret
        return f"<Snapshot generation={self.generation} revisions={dict(self.revisions)} changed={len(self._changed)}>"
