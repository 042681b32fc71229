"""Groups of held units that may need one another, to be tried together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reactive_config.core.accounts import GONE, Account
from reactive_config.core.holding import Holding
from reactive_config.core.linked import Linked
from reactive_config.core.paths import Path
from reactive_config.core.trial import UnitKey

FEW = 8
"""How many held units are tried together however many entries they have."""
LINKED = 2000
"""How many entries at most are tried together again, if more than `FEW` held units brought them."""


class Groups:
    """Finds the group of a held unit.

    Args:
        accounts: Lowest first.
        holding: The held units.
        linked: What they touch.

    Attributes:
        large: Units that belong to groups too large to be tried; the owner clears it once all are rechecked.
    """

    def __init__(self, accounts: Sequence[Account], holding: Holding, linked: Linked) -> None:
        self.large: set[UnitKey] = set()
        self._accounts = accounts
        self._holding = holding
        self._linked = linked
        self._relists: dict[int, Sequence[UnitKey]] = {}  # `_belonging` by source, until `forget`

    def forget(self) -> None:
        """Units came, were held, or are held no longer."""
        self._relists.clear()

    def is_relisted(self, key: UnitKey) -> bool:
        """Whether a unit is held from a relist: what that found gone may belong to it."""
        return key[1] is not GONE and any(change.relist for change in self._accounts[key[0]].units[key[1]].values())

    def around(self, start: UnitKey) -> list[UnitKey]:
        """A held unit, its neighbours, theirs, and so on, without those that cannot fit whatever others do.

        Empty if it is such a unit, or if there are too many of them; then they are noted in `large`.
        """
        if self._is_hopeless(start) or start in self.large:
            return []
        found, waiting, entries = {start: None}, [start], self._size(start)
        seen: set[Path | int] = set()
        while waiting:
            for other in self._near(waiting.pop(), seen):
                if other in found or self._is_hopeless(other):
                    continue
                found[other] = None
                waiting.append(other)
                entries += self._size(other)
                if other in self.large or (entries > LINKED and len(found) > FEW):
                    self.large.update(found)
                    return []
        return list(found)

    def _near(self, key: UnitKey, seen: set[Path | int]) -> Iterator[UnitKey]:
        """The neighbours of a unit, except at places and of sources whose units were found before."""
        for path in self._linked.regions_of(key):
            if path not in seen:
                seen.add(path)
                yield from self._linked.at(path)
        if key[0] not in seen and (belonging := self._belonging(key)):
            seen.add(key[0])
            yield from belonging

    def _size(self, key: UnitKey) -> int:
        return len(self._accounts[key[0]].units[key[1]])

    def _belonging(self, key: UnitKey) -> Sequence[UnitKey]:
        """What a relist found changed, if a unit is of that, and what it found gone: all or nothing."""
        index = key[0]
        if (index, GONE) not in self._holding.held or not (key[1] is GONE or self.is_relisted(key)):
            return ()
        if index not in self._relists:
            relisted = [other for other in self._holding.of(index) if self.is_relisted(other)]
            hopeless = any(map(self._is_hopeless, relisted))
            self._relists[index] = () if hopeless else (*relisted, (index, GONE))
        return self._relists[index]

    def _is_hopeless(self, key: UnitKey) -> bool:
        """Whether a held unit cannot fit before something comes for it.

        That is so if it cannot be read, goes too far, or if nobody else touches a place where it does not fit.
        """
        if key[1] is GONE:
            return not self._belonging(key)
        regions = self._holding.regions_of(key)
        return not regions or any(self._linked.alone_at(key, path) for path in regions)
