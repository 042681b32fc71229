"""Checked by mypy and pyright, never run: what a type checker infers of constants and bindings without being told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_type

import anyio
import msgspec

from reactive_config import Config, Live, Secret
from reactive_config.bindings import (
    Capacity,
    Decision,
    Lease,
    LivePool,
    LogLevels,
    LogRule,
    RateLimiter,
    RateRule,
    Rebuilt,
    Switch,
    TemporaryLevel,
    Tick,
    Timer,
    Together,
    Workers,
    bindings,
    capacity,
    live_pool,
    log_levels,
    rate_limiter,
    rebuilt,
    switch,
    timer,
    together,
    workers,
)


class App(msgspec.Struct, frozen=True):
    size: int = 1
    log: dict[str, LogRule] = {}
    refresh: timedelta = timedelta(seconds=30)
    requests: RateRule = None
    token: Secret[str] = Secret("x")


class Thing:
    async def close(self) -> None: ...


async def build(size: int) -> Thing:
    return Thing()


async def resize(thing: Thing, old: int, new: int) -> bool:
    return True


def size_of(app: App) -> int:
    return app.size


async def use_constants() -> None:
    number = Live.constant(5)
    assert_type(number, Live[int])
    assert_type(number.current, int)
    assert_type(number.map(str), Live[str])
    assert_type(Live.constant(App()).map(lambda app: app.refresh), Live[timedelta])
    wide: Live[int | None] = Live.constant(5)
    assert_type(wide, Live[int | None])
    assert_type(Live.constant(None), Live[None])
    async with capacity(Live.constant(5)) as limit:
        assert_type(limit, Capacity[int])
        assert_type(limit.limiter, anyio.CapacityLimiter)
    async for value in number:
        assert_type(value, int)


async def use_bindings(config: Config[App], queue: asyncio.Queue[bytes]) -> None:
    size = config.select(lambda app: app.size)
    assert_type(size, Live[int])
    assert_type(config.select(size_of), Live[int])
    assert_type(config.select("size"), Live[Any])
    assert_type(config.select(lambda app: app.token).current.reveal(), str)
    thing = rebuilt(size, build, close=Thing.close)
    assert_type(thing, Rebuilt[int, Thing])
    pool = live_pool(size, open=build, close=Thing.close, resize=resize)
    assert_type(pool, LivePool[int, Thing])
    group = together(thing, pool)
    assert_type(group, Together[Rebuilt[int, Thing], LivePool[int, Thing]])
    async with group as members:
        assert_type(members, tuple[Rebuilt[int, Thing], LivePool[int, Thing]])
        async with thing.use() as one:
            assert_type(one, Thing)
        lease = pool.use()
        assert_type(lease, Lease[Thing])
        async with lease as another:
            assert_type(another, Thing)
            assert_type(lease.replaced, bool)
            await lease.wait_replaced()
    async with bindings(rebuilt(size, build), group, leave_within=5) as (first, second):
        assert_type(first.current, Thing)
        assert_type(second, Together[Rebuilt[int, Thing], LivePool[int, Thing]])
    ticks = timer(config.select(lambda app: app.refresh))
    assert_type(ticks, Timer)
    async for tick in ticks:
        assert_type(tick, Tick)

    async def handle(item: bytes) -> None: ...

    async with workers(size, handle, take=queue.get) as crew:
        assert_type(crew, Workers[bytes])

    async def take(thing: Thing) -> bytes:
        return b""

    async def handle_with(item: bytes, thing: Thing) -> None: ...

    async with workers(size, handle_with, take=take, using=pool) as crew:
        assert_type(crew, Workers[bytes])
    workers(size, handle_with, take=take)  # type: ignore[arg-type]
    levels = log_levels(config.select(lambda app: app.log))
    assert_type(levels, LogLevels[dict[str, LogRule]])
    assert_type(levels.in_force, Mapping[str, int])
    assert_type(log_levels(Live.constant({"root": "INFO"})), LogLevels[dict[str, str]])
    assert_type(log_levels(Live.constant(None)), LogLevels[None])
    limiter = rate_limiter(config.select(lambda app: app.requests))
    assert_type(limiter, RateLimiter[RateRule])
    assert_type(limiter.try_acquire("client"), Decision)
    assert_type(switch(Live.constant(True)), Switch)
    levels.override("shop", TemporaryLevel(level=10, duration=timedelta(minutes=1)))
