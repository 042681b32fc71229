"""The documents that cases write: a configuration as services have them, of a given size, with a number."""

from __future__ import annotations

import msgspec


class Pool(msgspec.Struct, frozen=True):
    """A part that is read by path."""

    min_size: int = 1
    max_size: int = 10


class Service(msgspec.Struct, frozen=True):
    """What documents are filled with."""

    host: str
    port: int
    pool: Pool
    tags: tuple[str, ...]
    timeout: float


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One write of a round.

    Attributes:
        round, number: The round's number; the write's within it, from 1.
        of: Writes in the round.
        services: The filling.
    """

    round: int = 0
    number: int = 0
    of: int = 0
    services: dict[str, Service] = {}

    @property
    def last(self) -> bool:
        """Whether it is the last of its round."""
        return self.number == self.of


def filling(size: int) -> dict[str, Service]:
    """Services whose document, as JSON, has about `size` bytes: never more, but where none would fit."""
    services: dict[str, Service] = {}
    room = size - len(msgspec.json.encode(Document()))
    while True:
        number = len(services)
        service = Service(f"host-{number}.shop.example", 8000 + number, Pool(2, 20), ("blue", "stable"), 2.5)
        room -= len(msgspec.json.encode({f"service-{number}": service})) - 1
        if room < 0:
            return services
        services[f"service-{number}"] = service
