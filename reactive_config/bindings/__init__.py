"""Floor 2: snapshots to live things."""

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.rebuilt import Rebuilt, rebuilt
from reactive_config.bindings.together import Together, together

__all__ = ["Binding", "Rebuilt", "Together", "rebuilt", "together"]
