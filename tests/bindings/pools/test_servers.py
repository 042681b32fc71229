"""The real servers that tests start."""

from __future__ import annotations

import pytest

from reactive_config._testing.postgres_server import postgres_server
from reactive_config._testing.redis_server import redis_server


async def test_postgres_keeps_its_data_over_a_restart_and_a_crash(own_postgres):
    asyncpg = pytest.importorskip("asyncpg")
    connection = await asyncpg.connect(own_postgres.dsn)
    await connection.execute("CREATE TABLE kept (number int)")
    await own_postgres.restart()
    assert connection.is_closed()
    own_postgres.kill()
    assert not own_postgres.running
    with pytest.raises(RuntimeError, match="does not run"):
        _ = own_postgres.pid
    await own_postgres.start()
    with pytest.raises(RuntimeError, match="runs already"):
        await own_postgres.start()
    connection = await asyncpg.connect(own_postgres.dsn)
    assert await connection.fetch("SELECT * FROM kept") == []
    await connection.close()


async def test_redis_comes_back_empty(redis):
    clients = pytest.importorskip("redis.asyncio")
    with redis_server() as server:
        async with clients.Redis.from_url(server.url) as client:
            await client.set("key", "value")
        await server.restart()
        async with clients.Redis.from_url(server.url) as client:
            assert await client.get("key") is None
    assert not server.running
    assert not server.home.exists()


def test_a_setting_that_postgres_does_not_know_is_told(postgres):
    with pytest.raises(RuntimeError, match="no_such_setting"), postgres_server("no_such_setting=1"):
        pass


@pytest.mark.parametrize(("server", "package"), [(postgres_server, "postgresql"), (redis_server, "redis-server")])
def test_a_server_that_is_not_installed_is_named(server, package, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("reactive_config._testing.postgres_server.DEBIAN", tmp_path)
    with pytest.raises(RuntimeError, match=f"apt-get install {package}"), server():
        pass
