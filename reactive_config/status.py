"""What operators read: frozen descriptions of where everything stands.

`config.status()` gives a `Status`, `config.describe()` a `Setting` for each value, and `config.explain(path)` an
`Explanation` for each layer.
"""

from reactive_config._core.runtime.config import Explanation
from reactive_config._core.runtime.describing import Setting
from reactive_config._core.status import BindingState, BindingStatus, HeldUnit, SourceState, SourceStatus, Status
from reactive_config.errors import Origin, Problem

__all__ = [
    "BindingState",
    "BindingStatus",
    "Explanation",
    "HeldUnit",
    "Origin",
    "Problem",
    "Setting",
    "SourceState",
    "SourceStatus",
    "Status",
]
