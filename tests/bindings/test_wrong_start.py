"""What a program is told whose binding cannot start: the call was wrong, or the first thing could not be made."""

from __future__ import annotations

import logging

import msgspec
import pytest

from reactive_config import InvalidValue, Memory, open_config
from reactive_config.bindings import (
    capacity,
    log_levels,
    rate_limiter,
    rebuilt,
    redis_rate_limiter,
    switch,
    timer,
    together,
    workers,
)
from reactive_config.bindings.openfeature import flag_provider
from reactive_config.bindings.pools import aiohttp_session, asyncpg_pool, httpx_client, live_pool, redis_client


class Pool(msgspec.Struct, frozen=True):
    dsn: str = "postgresql://shop:canary@db/shop"


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    cache: int = 1


async def build(value):
    return value


VALUE = Pool()
CALLS = {
    "rebuilt": lambda: rebuilt(VALUE, build, name="database"),
    "live_pool": lambda: live_pool(VALUE, open=build, close=None, name="database"),
    "asyncpg_pool": lambda: asyncpg_pool(VALUE),
    "httpx_client": lambda: httpx_client(VALUE),
    "aiohttp_session": lambda: aiohttp_session(VALUE, name="session"),
    "redis_client": lambda: redis_client(VALUE),
    "rate_limiter": lambda: rate_limiter(VALUE),
    "redis_rate_limiter": lambda: redis_rate_limiter(VALUE, "redis://127.0.0.1", space="shop"),
    "capacity": lambda: capacity(VALUE),
    "workers": lambda: workers(VALUE, build, take=build),
    "timer": lambda: timer(VALUE, name="refresh"),
    "log_levels": lambda: log_levels(VALUE),
    "switch": lambda: switch(VALUE, salt="checkout"),
    "flag_provider": lambda: flag_provider(VALUE),
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_value_in_place_of_a_live_value_is_refused_with_what_to_write_and_without_the_value(kind):
    with pytest.raises(TypeError) as caught:
        CALLS[kind]()
    way_out = 'write config.select("pool"), not config.current.pool'
    assert str(caught.value) == f"{kind}: expected a Live, got Pool: {way_out}"


def failing(error):
    async def fail(_):
        raise error

    return fail


async def test_a_first_build_that_fails_names_its_binding_and_keeps_its_error(caplog):
    error = ConnectionRefusedError(111, "canary")
    async with open_config(App, Memory()) as config:
        with pytest.raises(ConnectionRefusedError) as caught:
            async with rebuilt(config.select("pool"), failing(error)):
                pass
    assert caught.value is error
    assert error.__notes__ == ["rebuilt(select(pool)): the first one could not be made"]
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.levelno > logging.INFO]
    assert told == [("ERROR", "rebuilt(select(pool)): the first one could not be made: ConnectionRefusedError")]


async def test_what_can_never_fit_is_told_in_its_own_words(caplog):
    async with open_config(App, Memory()) as config:
        with pytest.raises(InvalidValue):
            async with rebuilt(config.select("pool"), failing(InvalidValue("a longer name")), name="database"):
                pass
    assert "database: the first one could not be made: the value: expected a longer name" in caplog.messages


async def test_of_several_that_begin_together_the_one_that_failed_is_named():
    async with open_config(App, Memory()) as config:
        good = rebuilt(config.select("pool"), build, name="database")
        bad = rebuilt(config.select("cache"), failing(OSError("canary")), name="cache")
        with pytest.raises(OSError, match="canary") as caught:
            async with together(good, bad):
                pass
    assert caught.value.__notes__ == ["cache: the first one could not be made"]
