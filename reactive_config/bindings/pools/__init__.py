"""Pools and clients that follow a live value: one file for each library, each loaded when it is asked for."""

from reactive_config.bindings.pools.asyncpg_pool import asyncpg_pool
from reactive_config.bindings.pools.grpc_channel import grpc_channel
from reactive_config.bindings.pools.live_pool import LivePool, live_pool
from reactive_config.bindings.pools.options import arguments_of

__all__ = ["LivePool", "arguments_of", "asyncpg_pool", "grpc_channel", "live_pool"]
