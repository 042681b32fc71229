"""The pytest plugin: a configuration for a test, changed in one line.

    async def test_the_log_level_follows(live_config):
        config = await live_config(App, {"log": {"root": "INFO"}})
        await config.patch({"log": {"root": "DEBUG"}})
        assert config.current.log["root"] == "DEBUG"

Works with anyio's plugin and with pytest-asyncio, because the fixture itself is an ordinary one. Installed
with the package; `-p no:reactive_config` turns it off. It loads next to nothing until a test asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reactive_config._testing.configs import ConfigFactory

_SUITE = "reactive_config._testing.conformance"

if _SUITE not in sys.modules:  # so that a failing check of the suite shows its values
    pytest.register_assert_rewrite(_SUITE)


@pytest.fixture
def live_config() -> Iterator[ConfigFactory]:
    """Opens configurations whose content the test decides: `config = await live_config(App, {...})`.

    Each is a real one, closed after the test. Change it by `await config.patch({...})`, `replace` and
    `delete`, which return when `config.current` has it and raise `Rejected` where it does not fit; for an
    outage or unreadable content there is `config.source`, a `reactive_config.testing.Scripted`. With
    Hypothesis, where one test runs often, use `reactive_config.testing.open_test_config` inside the test.
    """
    from reactive_config._testing.configs import ConfigFactory

    factory = ConfigFactory()
    yield factory
    factory.close()
