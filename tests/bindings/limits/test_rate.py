"""What a configuration may say about a rate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from reactive_config import Env, Memory, Rejected, StartupError, open_config
from reactive_config._bindings.limits.rate import rate_of
from reactive_config.bindings.limits import Rate, RateRule
from reactive_config.sources import Bare


class App(msgspec.Struct, frozen=True):
    requests: RateRule = None


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/s", Rate(100)),
        ("5000/h", Rate(5000, timedelta(hours=1))),
        ("100/10s", Rate(100, timedelta(seconds=10))),
        ("0.5/m", Rate(0.5, timedelta(minutes=1))),
        ("0/s", Rate(0)),
        ("1/250ms", Rate(1, timedelta(milliseconds=250))),
    ],
)
async def test_a_text_is_a_rate_in_every_kind_of_source(text, rate):
    async with (
        open_config(App, Memory({"requests": text})) as typed,
        open_config(App, Memory({"requests": Bare(text)})) as bare,
        open_config(dict, Memory({"requests": text})) as untyped,
    ):
        assert rate_of(typed.current.requests) == rate
        assert rate_of(bare.current.requests) == rate
        assert rate_of(untyped.current["requests"]) == rate


async def test_a_table_is_a_rate_typed_and_untyped():
    tree = {"requests": {"limit": 20, "per": "10s", "burst": 5}}
    rate = Rate(20, timedelta(seconds=10), 5)
    async with open_config(App, Memory(tree)) as typed, open_config(dict, Memory(tree)) as untyped:
        assert typed.current.requests == rate
        assert rate_of(untyped.current["requests"]) == rate


@pytest.mark.parametrize("null", [None, Bare("null")])
async def test_null_is_no_limit(null):
    async with open_config(App, Memory({"requests": null})) as config:
        assert config.current.requests is None


async def test_the_environment_says_it_in_short_or_name_by_name(monkeypatch):
    monkeypatch.setenv("SHOP_REQUESTS", "7/m")
    async with open_config(App, Memory({}), Env("SHOP_")) as config:
        assert rate_of(config.current.requests) == Rate(7, timedelta(minutes=1))
    monkeypatch.delenv("SHOP_REQUESTS")
    monkeypatch.setenv("SHOP_REQUESTS__LIMIT", "7")
    monkeypatch.setenv("SHOP_REQUESTS__PER", "90s")
    async with open_config(App, Memory({}), Env("SHOP_")) as config:
        assert config.current.requests == Rate(7, timedelta(seconds=90))


@pytest.mark.parametrize(
    "unfit",
    ["100", "100/", "/s", "100/x", "-1/s", "100/0s", "100/s\n", "1e3/s", "١/s", "100 / s", "9" * 20 + "/s", "",
     100, True, [1]],
)  # fmt: skip
async def test_what_is_no_rate_is_refused_with_expected_and_got(unfit):
    with pytest.raises(StartupError) as caught:
        async with open_config(App, Memory({"requests": unfit})):
            pass
    assert "requests: expected a rate such as 100/s, 100/10s or 5/m, " in str(caught.value)
    assert ", got " in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"limit": -1}, "requests.limit: expected float >= 0.0"),
        ({"limit": 1, "burst": 0}, "requests.burst: expected int >= 1"),
        ({"limit": 1, "per": "soon"}, "requests.per: expected"),
        ({"limit": 1, "per": 0}, "requests.per: expected a duration above 0, got 0"),
        ({"per": "1s"}, "requests"),
        ({"limit": 1, "brust": 3}, "requests"),
    ],
)
async def test_a_table_that_is_no_rate_is_held_and_the_one_before_stays(table, said):
    memory = Memory({"requests": "1/s"})
    async with open_config(App, memory) as config:
        with pytest.raises(Rejected) as caught:
            await memory.patch({"requests": table})
        assert said in str(caught.value)
        assert config.current.requests == "1/s"


@pytest.mark.parametrize("bad", ["hunter2", 5, {"limit": -1}, {"limit": float("nan")}, [1], True])
def test_of_an_untyped_value_that_is_none_no_text_is_said(bad):
    with pytest.raises(ValueError, match=r"rate: expected a rate such as 100/s, .*, got") as caught:
        rate_of(bad)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [{"limit": -1}, {"limit": float("inf")}, {"limit": True}, {"limit": "1"}, {"limit": 1, "per": 1},
     {"limit": 1, "per": timedelta(0)}, {"limit": 1, "burst": 0}, {"limit": 1, "burst": 1.5}],
)  # fmt: skip
def test_a_program_cannot_make_one_that_is_none(bad: dict[str, Any]):
    with pytest.raises(ValueError, match="expected"):
        Rate(**bad)


def test_a_limit_is_what_is_written_not_the_float_next_to_it():
    assert Rate(0.1).exact * 10 == 1
    assert Rate(1e-7).exact * 10**7 == 1
