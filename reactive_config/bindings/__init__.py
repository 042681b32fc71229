"""Floor 2: snapshots to live things."""

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.capacity import Capacity, capacity
from reactive_config.bindings.flag import Flag, FlagRule, Percentage
from reactive_config.bindings.rebuilt import Rebuilt, rebuilt
from reactive_config.bindings.switch import Switch, switch
from reactive_config.bindings.together import Together, together
from reactive_config.bindings.workers import Workers, workers

__all__ = [
    "Binding",
    "Capacity",
    "Flag",
    "FlagRule",
    "Percentage",
    "Rebuilt",
    "Switch",
    "Together",
    "Workers",
    "capacity",
    "rebuilt",
    "switch",
    "together",
    "workers",
]
