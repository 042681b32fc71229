"""Checked by mypy and pyright, never run: what a type checker knows of the public API."""

from __future__ import annotations

from typing import Annotated, Any, assert_type

import msgspec

from reactive_config import (
    ByteSize,
    ChangeCallback,
    Config,
    EnvName,
    Etcd,
    Files,
    Gap,
    Live,
    Memory,
    Secret,
    Snapshot,
    open_config,
)


class Pool(msgspec.Struct, frozen=True):
    size: int = 1


class App(msgspec.Struct, frozen=True):
    token: Annotated[Secret[str], EnvName("API_TOKEN")]
    pool: Pool = Pool()
    body: ByteSize = ByteSize(1024)


def take_pool(pool: Pool) -> None: ...


async def take_pool_async(pool: Pool) -> None: ...


async def use() -> None:
    async with open_config(App, Files("a", "b"), Etcd("h:1", prefix="/p/"), Memory({}), startup_timeout=1) as config:
        assert_type(config, Config[App])
        assert_type(Files.environment("config", "production"), Files)
        Etcd("h:1", prefix="/p/", format="yaml")
        Etcd("h:1", prefix="/p/", format="xml")  # type: ignore[arg-type]
        assert_type(config.current, App)
        assert_type(config.current.token.reveal(), str)
        assert_type(config.snapshot, Snapshot[App])
        assert_type(config.snapshot.changed, frozenset[str])
        async for snapshot in config:
            assert_type(snapshot, Snapshot[App])
        async for update in config.updates(buffer=10):
            assert_type(update, Snapshot[App] | Gap)
        pool = config.select(lambda c: c.pool)
        assert_type(pool, Live[Pool])
        assert_type(pool.map(lambda p: p.size), Live[int])
        assert_type(await pool.wait_changed(), Pool)
        assert_type(config.select("pool.size"), Live[Any])
        async for value in pool:
            assert_type(value, Pool)
        config.current.pool.size = 5  # type: ignore[misc]
        config.select(5)  # type: ignore[call-overload]
        assert_type(config.on_change("pool.size", print), ChangeCallback)
        config.on_change(lambda c: c.pool, take_pool).cancel()
        config.on_change(lambda c: c.pool, take_pool_async)
        config.on_change(lambda c: c.pool.size, take_pool)  # type: ignore[misc]
    async with open_config(dict[str, Any], Memory()) as untyped:
        assert_type(untyped.current, dict[str, Any])
    open_config(App, Memory(), decoders={Pool: lambda value: Pool(int(value))})
    open_config(App, Memory(), decoders={"Pool": int})  # type: ignore[dict-item]
    open_config(App, Memory(), decoders={Pool: 5})  # type: ignore[dict-item]
    assert_type(Live.constant(5), Live[int])
