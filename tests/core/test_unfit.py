"""What a type's own validation says is what the rejection says, wherever in the type it stands."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from reactive_config import Memory, Rejected, Secret, open_config
from reactive_config.errors import InvalidValue


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int = 80
    token: Secret[str] | None = None

    def __post_init__(self) -> None:
        if self.number < 0:
            raise InvalidValue("a port above 0", at="number")
        if self.number == 1:
            raise InvalidValue("another port than tcpmux")
        if self.token is not None and self.token.reveal() == "short":
            raise InvalidValue("a longer one", at="token")


class App(msgspec.Struct, frozen=True):
    alone: Port = Port()
    either: int | Port = 0
    several: tuple[Port, ...] = ()
    named: dict[str, bool | Port] = {}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"alone": {"number": -1}}, "alone.number: expected a port above 0, got -1 ("),
        ({"either": {"number": -1}}, "either.number: expected a port above 0, got -1 ("),
        ({"named": {"a": {"number": -1}}}, "named.a.number: expected a port above 0, got -1 ("),
        ({"several": [{}, {"number": -1}]}, "several[1].number: expected a port above 0, got -1 ("),
        ({"alone": {"number": 1}}, "alone: expected another port than tcpmux, got table ("),
        ({"alone": {"token": "short"}}, "alone.token: expected a longer one, got str ("),
        ({"either": {"token": "short"}}, "either.token: expected a longer one, got str ("),
        ({"either": {"number": "x"}}, "either.number: expected int, got 'x' ("),
        (
            {"either": {"nmber": 1}},
            "either.nmber: expected one of the names number, token, got an unknown name, did you mean number? (",
        ),
    ],
)
async def test_a_rejection_says_what_the_type_expects_and_where(tree: dict[str, Any], said: str) -> None:
    memory = Memory({})
    async with open_config(App, memory):
        with pytest.raises(Rejected) as refused:
            await memory.patch(tree)
    assert said in str(refused.value)
    assert "short" not in str(refused.value)
