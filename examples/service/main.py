"""A web service whose PostgreSQL pool, log levels and page size follow config/app.toml.

    pip install "reactive-config[asyncpg,prometheus]" fastapi uvicorn
    SHOP_DATABASE__DSN=postgresql://me@localhost/me python examples/service/main.py

    curl -X POST localhost:8000/orders/tea     # one more order
    curl localhost:8000/orders                 # the newest page_size of them
    curl localhost:8000/ops/readyz             # where files, pool and log levels stand

Save the file with another max_size while requests run: a pool of the new size is made beside the old one, requests that
have begun finish on the old one, and then it is closed. Nobody gets an error.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import uvicorn
from fastapi import Depends, FastAPI, Request
from msgspec import Meta

from reactive_config import Config, Env, Files, Secret, open_config
from reactive_config.bindings import LogRule, log_levels
from reactive_config.bindings.pools import asyncpg_pool
from reactive_config.web import Operations, lifespan
from reactive_config.web.fastapi import current

logger = logging.getLogger("service")


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Its fields are the arguments of `asyncpg.create_pool`."""

    dsn: Secret[str]
    min_size: Annotated[int, Meta(ge=0)] = 1
    max_size: Annotated[int, Meta(ge=1, le=100)] = 10


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: Database
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 20
    log: dict[str, LogRule] = {}


def configuration() -> open_config[App]:
    return open_config(App, Files(Path(__file__).parent / "config"), Env("SHOP_"))


@asynccontextmanager
async def resources(config: Config[App]) -> AsyncIterator[dict[str, Any]]:
    """What lives as long as the application, and follows the configuration; requests find it in their state."""
    async with (
        log_levels(config.select("log")) as levels,
        asyncpg_pool(config.select("database"), name="database") as database,
        operations.serving(config, levels),
    ):
        async with database.use() as pool:
            await pool.execute("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, what text NOT NULL)")
        yield {"database": database}


operations = Operations()
app = FastAPI(lifespan=lifespan(configuration, resources))
app.mount("/ops", operations)


@app.get("/orders")
async def newest(request: Request, config: Annotated[App, Depends(current)]) -> list[dict[str, Any]]:
    async with request.state.database.use() as pool:
        rows = await pool.fetch("SELECT id, what FROM orders ORDER BY id DESC LIMIT $1", config.page_size)
    logger.debug("%d orders of at most %d", len(rows), config.page_size)
    return [dict(row) for row in rows]


@app.post("/orders/{what}", status_code=201)
async def order(request: Request, what: str) -> dict[str, int]:
    async with request.state.database.use() as pool:
        number = await pool.fetchval("INSERT INTO orders (what) VALUES ($1) RETURNING id", what)
    logger.info("order %d", number)
    return {"id": number}


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
