"""The service and its stores as processes, which are killed, stopped, cut off, and given no room."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One loop: all that is tested runs in other processes."""
    return "asyncio", {"use_uvloop": False}
