"""Floor 2: snapshots to live things."""

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.capacity import Capacity, capacity
from reactive_config.bindings.clocks import Clock, ManualClock
from reactive_config.bindings.flag import Flag, FlagRule, Percentage
from reactive_config.bindings.levels import Level, LogRule, TemporaryLevel
from reactive_config.bindings.log_levels import LogLevels, log_levels
from reactive_config.bindings.loguru_levels import loguru_filter
from reactive_config.bindings.rebuilt import Rebuilt, rebuilt
from reactive_config.bindings.schedule import Tick
from reactive_config.bindings.structlog_levels import structlog_processor
from reactive_config.bindings.switch import Switch, switch
from reactive_config.bindings.timer import Timer, timer
from reactive_config.bindings.together import Together, together
from reactive_config.bindings.workers import Workers, workers

__all__ = [
    "Binding",
    "Capacity",
    "Clock",
    "Flag",
    "FlagRule",
    "Level",
    "LogLevels",
    "LogRule",
    "ManualClock",
    "Percentage",
    "Rebuilt",
    "Switch",
    "TemporaryLevel",
    "Tick",
    "Timer",
    "Together",
    "Workers",
    "capacity",
    "log_levels",
    "loguru_filter",
    "rebuilt",
    "structlog_processor",
    "switch",
    "timer",
    "together",
    "workers",
]
