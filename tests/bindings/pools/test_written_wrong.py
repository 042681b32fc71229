"""URLs whose password is not escaped: whatever a library takes its pieces for, none is shown. No server is asked."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactive_config import Memory, open_config
from reactive_config.bindings.pools import aiohttp_session, asyncpg_pool, httpx_client, redis_client, sqlalchemy_engine
from tests.chained import chained

SEPARATORS = ["/", "@", "?", "#", ":", "%", "@@", "/@:", " ", "[", "]", "\\", "%zz", "1/", "@1:2/"]
POOLS: list[tuple[Callable[..., Any], str, str]] = [
    (sqlalchemy_engine, "url", "postgresql+asyncpg"),
    (asyncpg_pool, "dsn", "postgresql"),
    (redis_client, "url", "redis"),
    (httpx_client, "base_url", "http"),
    (aiohttp_session, "base_url", "http"),
]


def everything(error: BaseException) -> Iterator[str]:
    for one in chained(error):
        yield from (repr(one), str(one), repr(vars(one)), repr(getattr(one, "__notes__", ())))
    yield "".join(traceback.format_exception(error))


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize(("pool", "argument", "scheme"), POOLS)
async def test_no_piece_of_a_password_shows(
    pool: Callable[..., Any], argument: str, scheme: str, separator: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    tree = {"it": {argument: f"{scheme}://user:canary{separator}yranac@127.0.0.1:1/0"}}
    async with open_config(dict, Memory(tree)) as config:
        try:
            async with pool(config.select("it"), deadline=1) as opened:
                told.append(repr(opened))
        except Exception as error:  # noqa: BLE001 - whatever the libraries make of it
            told += everything(error)
        told += [repr(config.status()), caplog.text]
    assert not [text for text in told if "canary" in text or "yranac" in text]
