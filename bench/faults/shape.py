"""The configuration of a run: groups of keys that are always written together, and one key for each writer.

<prefix>groups/g3/k0 ... k3    the number of the transaction that wrote them, in all of them
<prefix>writers/w1             the number of the writer's last transaction
<prefix>ballast/b1             nothing: keys that make the range large
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from bench.faults.history import TORN, State
from reactive_config._etcd.messages import Item


class App(msgspec.Struct, frozen=True):
    """What the followers open."""

    groups: dict[str, dict[str, int]] = {}
    writers: dict[str, int] = {}
    ballast: dict[str, int] = {}


@dataclass(frozen=True)
class Shape:
    """How many of everything; slots are the groups first, then the writers."""

    prefix: str = "/faults/"
    groups: int = 10
    keys: int = 4
    writers: int = 9

    @property
    def slots(self) -> int:
        return self.groups + self.writers

    @property
    def empty(self) -> State:
        return (0,) * self.slots

    def names(self, slot: int) -> list[str]:
        """The keys of a slot."""
        if slot >= self.groups:
            return [f"{self.prefix}writers/w{slot - self.groups}"]
        return [f"{self.prefix}groups/g{slot}/k{number}" for number in range(self.keys)]

    def ballast(self, keys: int) -> list[str]:
        """So many keys that are in no slot."""
        return [f"{self.prefix}ballast/b{number:05}" for number in range(keys)]

    def state(self, app: App) -> State:
        """The state that a configuration shows."""
        groups = [self.group(app.groups.get(f"g{slot}")) for slot in range(self.groups)]
        return (*groups, *(app.writers.get(f"w{number}", 0) for number in range(self.writers)))

    def group(self, keys: Mapping[str, int] | None) -> int:
        """The number of a group; 0 where it is absent, TORN where its keys differ or some are missing."""
        if not keys:
            return 0
        numbers = set(keys.values())
        return numbers.pop() if len(numbers) == 1 and len(keys) == self.keys else TORN

    def state_of_items(self, items: Iterable[Item]) -> State:
        """The state that a list shows."""
        app = App({}, {})
        for item in items:
            _, *names = item.key.decode().removeprefix(self.prefix[:-1]).split("/")
            if names[0] == "groups":
                app.groups.setdefault(names[1], {})[names[2]] = int(item.value)
            elif names[0] == "writers":
                app.writers[names[1]] = int(item.value)
        return self.state(app)
