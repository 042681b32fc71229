"""Keys that nobody should write, in a real etcd: held or noted, and the mirror still starts a program beside them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from reactive_config import Etcd, StartupError, open_config

pytestmark = pytest.mark.etcd

DEEP = "a/" * 5_000 + "a"
ODD = {
    f"/odd/{DEEP}": "1",
    "/odd/" + "b/" * 100 + "b": "[" * 100 + "]" * 100,
    "/odd/size": "9" * 400,
    "/odd/wait/x": "1s" * 20_000,
    "/odd/\x1b[2J": '["' + '\\"' * 20_000,
    "/odd/free": "1e400",
}


async def until(config, holds):
    async for snapshot in config:
        if holds(snapshot.value):
            return


class App(msgspec.Struct, frozen=True):
    size: int = 0
    wait: dict[str, float] = {}
    free: Any = None
    beat: int = 0


@pytest.mark.parametrize("kind", [App, dict])
async def test_odd_keys_are_held_good_ones_followed_and_a_mirror_starts_the_next_program(own, kind, tmp_path):
    def source():
        return Etcd(own.endpoint, prefix="/odd/", mirror=tmp_path / "mirror.json")

    def beat(value):
        return int(value["beat"] if isinstance(value, dict) else value.beat)

    await own.put("/odd/beat", "1")
    async with open_config(kind, source()) as config:
        for number, (key, value) in enumerate(ODD.items(), 2):
            await own.put(key, value)
            await own.put("/odd/beat", str(number))
            await until(config, lambda value, number=number: beat(value) == number)
        told = [str(problem) for held in config.status().sources[0].held for problem in held.problems]
        assert any("got 5,001 names" in text for text in told)
        assert any("a deeper document below 101 names" in text for text in told)
        assert all(text.isprintable() and len(text) < 1_500 for text in told)
        assert len(told) >= (5 if kind is App else 3)
    with pytest.raises(StartupError, match="nested at most 128 deep"):
        async with open_config(kind, Etcd(own.endpoint, prefix="/odd/")):
            pass
    async with open_config(kind, source()) as config:
        assert beat(config.current) == len(ODD) + 1
        await own.put("/odd/beat", "99")
        await until(config, lambda value: beat(value) == 99)
        for key in ODD:
            await own.delete(key)
        await own.put("/odd/beat", "100")
        await until(config, lambda value: beat(value) == 100)
        assert config.status().sources[0].held == ()
