"""The fuzzer of the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

# Last, so that `bench` is found and `reactive_config` is still the installed one.
sys.path.append(str(Path(__file__).parents[2]))
