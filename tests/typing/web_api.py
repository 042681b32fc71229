"""Checked by mypy, never run: web applications and bindings as their users write them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any, assert_type

import asyncpg
import httpx
import msgspec
from aiohttp import web
from fastapi import Depends, FastAPI, Request
from litestar import Litestar, asgi
from litestar.di import Provide
from starlette.applications import Starlette
from starlette.routing import Mount

from reactive_config import Config, Files, Live, Secret, Snapshot, open_config
from reactive_config.bindings import (
    Decision,
    Every,
    LivePool,
    LogRule,
    RateRule,
    Tick,
    capacity,
    log_levels,
    rate_limiter,
    rebuilt,
    timer,
    together,
)
from reactive_config.bindings.pools import asyncpg_pool
from reactive_config.web import Operations, attach, current, lifespan, live, running, until_shutdown
from reactive_config.web import aiohttp as with_aiohttp
from reactive_config.web import configuration as configuration_of
from reactive_config.web import fastapi as with_fastapi
from reactive_config.web import litestar as with_litestar


class Pool(msgspec.Struct, frozen=True):
    size: int = 1


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    token: Secret[str] | None = None
    log: dict[str, LogRule] = {}
    refresh: timedelta = timedelta(seconds=30)
    nightly: Every | None = None
    requests: RateRule = None


class Thing:
    async def close(self) -> None: ...


async def build(pool: Pool) -> Thing:
    return Thing()


async def use_bindings(config: Config[App]) -> None:
    pool = config.select(lambda c: c.pool)
    things = rebuilt(pool, build, close=Thing.close)
    async with together(things, capacity(pool.map(lambda p: p.size))):
        assert_type(things.current, Thing)
        assert_type(things.value, Pool)
        async with things.use() as thing:
            assert_type(thing, Thing)
    database = asyncpg_pool(pool, options=lambda p: {"max_size": p.size})
    assert_type(database, LivePool[Pool, asyncpg.Pool[Any]])
    async with rate_limiter(config.select(lambda c: c.requests)) as limiter:
        assert_type(limiter.try_acquire("client"), Decision)
    async for tick in timer(config.select(lambda c: c.nightly)):
        assert_type(tick, Tick)
    async for tick in timer(config.select(lambda c: c.refresh)):
        assert_type(tick, Tick)
    rebuilt(pool, build, close=5)  # type: ignore[arg-type]


operations = Operations(config_token=lambda config: config.token, levels_token=Secret("x"))


def configuration() -> open_config[App]:
    return open_config(App, Files("config"))


@asynccontextmanager
async def resources(config: Config[App]) -> AsyncIterator[dict[str, object]]:
    async with log_levels(config.select("log")) as levels, operations.serving(config, levels):
        yield {"levels": levels}


fastapi = FastAPI(lifespan=lifespan(configuration, resources, operations.serving))
fastapi.mount("/ops", operations)
starlette = Starlette(routes=[Mount("/ops", operations)], lifespan=lifespan(configuration, resources))
litestar = Litestar(
    [asgi("/ops", is_mount=True)(operations)],
    lifespan=[lifespan(configuration, resources)],
    dependencies={"config": Provide(with_litestar.current)},
)
aiohttp = web.Application()
aiohttp.add_subapp("/ops", with_aiohttp.operations_app(operations))
aiohttp.cleanup_ctx.append(with_aiohttp.cleanup_ctx(configuration, resources))


@fastapi.get("/")
def handler(
    request: Request,
    config: Annotated[App, Depends(with_fastapi.current)],
    pool: Annotated[Live[Pool], Depends(with_fastapi.live("pool"))],
) -> int:
    same: App = current(request)
    return config.pool.size + same.pool.size


@asynccontextmanager
async def own(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    async with configuration() as config:
        with attach(app, config) as state:
            yield state


another = FastAPI(lifespan=own)


async def streams(request: Request) -> None:
    async for snapshot in until_shutdown(request, configuration_of(request)):
        assert_type(snapshot, Snapshot[Any])
    async for _ in live(request, lambda config: config.pool).map(str):
        pass


async def tests() -> None:
    for app in (fastapi, starlette, litestar):
        async with running(app) as started:
            httpx.ASGITransport(started)
