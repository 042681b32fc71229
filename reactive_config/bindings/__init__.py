"""Floor 2: snapshots to live things.

Adapters for other libraries: pools and clients in `reactive_config.bindings.pools`, the OpenFeature provider in
`reactive_config.bindings.openfeature`.
"""

from reactive_config._bindings.binding import Binding
from reactive_config._bindings.capacity import Capacity, capacity
from reactive_config._bindings.clocks import Clock, ManualClock
from reactive_config._bindings.cron import Cron, Every
from reactive_config._bindings.flag import Flag, FlagRule, Percentage
from reactive_config._bindings.lease import Lease
from reactive_config._bindings.levels import Level, LogRule, TemporaryLevel
from reactive_config._bindings.log_levels import LogLevels, log_levels
from reactive_config._bindings.loguru_levels import loguru_filter
from reactive_config._bindings.pools.live_pool import LivePool, live_pool
from reactive_config._bindings.rebuilt import Rebuilt, rebuilt
from reactive_config._bindings.schedule import Tick
from reactive_config._bindings.structlog_levels import structlog_processor
from reactive_config._bindings.switch import Switch, switch
from reactive_config._bindings.timer import Timer, timer
from reactive_config._bindings.together import Bindings, Together, bindings, together
from reactive_config._bindings.workers import Workers, workers
from reactive_config.bindings.limits import (
    Decision,
    Rate,
    RateLimiter,
    RateRule,
    RedisRateLimiter,
    TooCostly,
    rate_limiter,
    redis_rate_limiter,
)

__all__ = [
    "Binding",
    "Bindings",
    "Capacity",
    "Clock",
    "Cron",
    "Decision",
    "Every",
    "Flag",
    "FlagRule",
    "Lease",
    "Level",
    "LivePool",
    "LogLevels",
    "LogRule",
    "ManualClock",
    "Percentage",
    "Rate",
    "RateLimiter",
    "RateRule",
    "Rebuilt",
    "RedisRateLimiter",
    "Switch",
    "TemporaryLevel",
    "Tick",
    "Timer",
    "Together",
    "TooCostly",
    "Workers",
    "bindings",
    "capacity",
    "live_pool",
    "log_levels",
    "loguru_filter",
    "rate_limiter",
    "rebuilt",
    "redis_rate_limiter",
    "structlog_processor",
    "switch",
    "timer",
    "together",
    "workers",
]
