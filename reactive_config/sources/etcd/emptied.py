"""Which layers have no key left, and were meant to have none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence


class Emptied:
    """Counts documents by layer, and looks at how the last one of a layer went.

    Attributes:
        layers: Those without a document whose last one was deleted by a transaction that deleted nothing else. A
            list does not tell how the last one went, so it adds none, and keeps those that are still empty.
    """

    def __init__(self) -> None:
        self.layers: frozenset[int] = frozenset()
        self._documents: Counter[int] = Counter()

    def listed(self, layers: Iterable[int]) -> None:
        """A list brought these documents, told by their layers, and no others."""
        self._documents = Counter(layers)
        self.layers -= self._documents.keys()

    def put(self, layer: int) -> None:
        """A layer has one document more."""
        self._documents[layer] += 1

    def deleted(self, layer: int) -> None:
        """A layer has one document less; `settle` follows."""
        self._documents[layer] -= 1

    def settle(self, deleted: Mapping[int, Sequence[int]]) -> None:
        """Take what transactions deleted: revision to the layers of its documents, in the order of the revisions."""
        if deleted or self.layers:
            last = {layer: revision for revision, layers in deleted.items() for layer in layers}
            alone = {layer for layer, revision in last.items() if len(deleted[revision]) == 1}
            self.layers = frozenset(layer for layer in alone | self.layers if not self._documents[layer])
