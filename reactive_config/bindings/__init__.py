"""Floor 2: snapshots to live things.

Adapters for other libraries: pools and clients in `reactive_config.bindings.pools`, the OpenFeature provider in
`reactive_config.bindings.openfeature`.
"""

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.capacity import Capacity, capacity
from reactive_config.bindings.clocks import Clock, ManualClock
from reactive_config.bindings.cron import Cron, Every
from reactive_config.bindings.flag import Flag, FlagRule, Percentage
from reactive_config.bindings.levels import Level, LogRule, TemporaryLevel
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
from reactive_config.bindings.log_levels import LogLevels, log_levels
from reactive_config.bindings.loguru_levels import loguru_filter
from reactive_config.bindings.pools.live_pool import LivePool, live_pool
from reactive_config.bindings.rebuilt import Rebuilt, rebuilt
from reactive_config.bindings.schedule import Tick
from reactive_config.bindings.side_by_side import Bindings, bindings
from reactive_config.bindings.structlog_levels import structlog_processor
from reactive_config.bindings.switch import Switch, switch
from reactive_config.bindings.timer import Timer, timer
from reactive_config.bindings.together import Together, together
from reactive_config.bindings.workers import Workers, workers

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
