"""The service over a file, asked without a network."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")

from reactive_config._service.serving import OpenService, open_service

CONFIG = "/v1/shop/production/config"
NEW = {"If-None-Match": "*"}
ANY = {"If-Match": "*"}
MERGE = {"Content-Type": "application/merge-patch+json"}
PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[OpenService]:
    async with open_service(f"sqlite:{tmp_path}/releases.db") as service:
        yield service


@contextlib.asynccontextmanager
async def client_of(service: OpenService, token: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service.app)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client


@pytest.fixture
async def client(service: OpenService) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the token of admin."""
    token = await service.tokens.create_first(datetime.now(UTC))
    assert token is not None
    async with client_of(service, token) as client:
        yield client


@pytest.fixture
async def shop(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same, and an environment with something in it."""
    answer = await client.put(CONFIG, json={"pool": {"size": 1, "min": 0}, "debug": False, "names": ["a"]}, headers=NEW)
    assert answer.status_code == 201, answer.text
    return client


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a problem, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["type"].removeprefix("urn:reactive-config:problem:")
