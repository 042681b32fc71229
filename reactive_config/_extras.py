"""What each extra brings, for the messages about a library that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXTRAS: Final[Mapping[str, str]] = {
    "aiohttp": "aiohttp",
    "asyncpg": "asyncpg",
    "cli": "cyclopts httpx jsonpatch rich ryaml starlette tomli-w",
    "cron": "cronsim",
    "grpc": "grpcio",
    "httpx": "httpx httpcore",
    "limits": "limits redis",
    "openfeature": "openfeature-sdk",
    "otel": "opentelemetry-api",
    "prometheus": "prometheus-client",
    "psycopg": '"psycopg[binary,pool]"',
    "redis": "redis",
    "service": "jsonpatch prometheus-client ryaml starlette tomli-w uvicorn",
    "sqlalchemy": '"sqlalchemy[asyncio]"',
    "yaml": "ryaml pyyaml",
    "yaml-pure": "pyyaml",
}
"""Extra to the packages that it brings, as pip takes them; a test compares it with `pyproject.toml`."""


def install(extra: str) -> str:
    """How to get what an extra brings. Its packages are named too: then no index has to have this project."""
    return f'install the extra "{extra}" of reactive-config, or: pip install {EXTRAS[extra]}'
