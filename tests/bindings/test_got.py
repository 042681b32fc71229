"""What a binding says of a value that it cannot follow: the value, unless it may be a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reactive_config import Config, Live, Memory, Secret, open_config
from reactive_config._bindings.binding import got
from reactive_config.bindings import capacity, rate_limiter, timer, workers

S = "hunter2"
Select = Callable[[Config[Any]], Live[Any]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-5, "-5"),
        (1.5, "1.5"),
        (True, "True"),
        (timedelta(seconds=-90), "-1m30s"),
        ("5 a second", "'5 a second'"),
        (f"http://u:{S}@h", "'http://u:***@h'"),
        ("x" * 100, "'" + "x" * 76 + "..."),
        (10**100, "1" + "0" * 76 + "..."),
        (None, "null"),
        (f'{{"password": "{S}"}}', "str"),
        (f' ["{S}"]', "str"),
        ({"a": S}, "table"),
        ([S], "list"),
        (Secret(S), "Secret"),
        (S.encode(), "bytes"),
        (float("nan"), "float"),
    ],
)
async def test_a_value_at_a_path_is_shown(value: Any, shown: str) -> None:
    async with open_config(dict, Memory({"a": {"rate": 1}})) as config:
        assert got(value, config.select("a.rate")) == shown


@pytest.mark.parametrize("value", [S, 5, timedelta(seconds=1), [S]])
@pytest.mark.parametrize("path", ["secrets.rate", "db.password", 'db."api key"'])
async def test_nothing_is_shown_where_a_name_sounds_like_a_secrets(value: Any, path: str) -> None:
    async with open_config(dict, Memory({"a": 1})) as config:
        shown = got(value, config.select(path))
        assert shown in ("str", "int", "timedelta", "list")


async def test_a_text_is_not_shown_if_nobody_knows_its_name() -> None:
    async with open_config(dict, Memory({"a": S})) as config:
        for live in (config.select(lambda tree: tree["a"]), config.select("a").map(str), Live.constant(S), None):
            assert (got(S, live), got(5, live)) == ("str", "5")


async def test_every_binding_names_what_it_got() -> None:
    async def handle(item: object) -> None: ...

    async def take() -> object:
        return None

    async with open_config(dict, Memory({"rate": "5 a second", "many": -3, "every": -5})) as config:
        with pytest.raises(ValueError, match=r"(?m)or null, got '5 a second'$"):
            await rate_limiter(config.select("rate")).__aenter__()
        with pytest.raises(ValueError, match=r"(?m)a whole number, 0 or more, or None, got -3$"):
            await capacity(config.select("many")).__aenter__()
        with pytest.raises(ValueError, match=r"(?m)a whole number, 0 or more, got -3$"):
            await workers(config.select("many"), handle, take=take).__aenter__()
        with pytest.raises(ValueError, match=r"(?m)or None, got -5$"):
            timer(config.select("every"))
        with pytest.raises(ValueError, match=r"(?m)got -1s$"):
            timer(config.select("missing"), jitter=timedelta(seconds=-1))
