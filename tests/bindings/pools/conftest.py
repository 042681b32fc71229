"""Real servers for the pools."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reactive_config.testing.postgres_server import PostgresServer, postgres_programs, postgres_server
from reactive_config.testing.redis_server import RedisServer, redis_program, redis_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if postgres_programs() is None:
        pytest.skip("there is no PostgreSQL here")
    with postgres_server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """One that a test may end and start."""
    if postgres_programs() is None:
        pytest.skip("there is no PostgreSQL here")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    if redis_program() is None:
        pytest.skip("there is no Redis here")
    with redis_server() as server:
        yield server
