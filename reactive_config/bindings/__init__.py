"""Floor 2: snapshots to live things."""

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.capacity import Capacity, capacity
from reactive_config.bindings.clocks import Clock, ManualClock
from reactive_config.bindings.flag import Flag, FlagRule, Percentage
from reactive_config.bindings.rebuilt import Rebuilt, rebuilt
from reactive_config.bindings.schedule import Tick
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
    "ManualClock",
    "Percentage",
    "Rebuilt",
    "Switch",
    "Tick",
    "Timer",
    "Together",
    "Workers",
    "capacity",
    "rebuilt",
    "switch",
    "timer",
    "together",
    "workers",
]
