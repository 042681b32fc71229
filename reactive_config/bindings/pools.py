"""Pools and clients that follow a live value: one file for each library, each loaded when it is asked for."""

from reactive_config._bindings.pools.aiohttp_session import aiohttp_session
from reactive_config._bindings.pools.asyncpg_pool import asyncpg_pool
from reactive_config._bindings.pools.grpc_channel import grpc_channel
from reactive_config._bindings.pools.httpx_client import httpx_client
from reactive_config._bindings.pools.live_pool import LivePool, live_pool
from reactive_config._bindings.pools.options import arguments_of
from reactive_config._bindings.pools.psycopg_pool import psycopg_pool
from reactive_config._bindings.pools.redis_client import redis_client
from reactive_config._bindings.pools.sqlalchemy_engine import sqlalchemy_engine

__all__ = [
    "LivePool",
    "aiohttp_session",
    "arguments_of",
    "asyncpg_pool",
    "grpc_channel",
    "httpx_client",
    "live_pool",
    "psycopg_pool",
    "redis_client",
    "sqlalchemy_engine",
]
