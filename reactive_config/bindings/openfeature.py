"""Feature flags that follow the configuration, for programs that ask for them through OpenFeature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reactive_config._core.runtime.live import Live
from reactive_config._extras import install

if TYPE_CHECKING:
    from reactive_config._bindings.openfeature_provider import FlagProvider


def flag_provider(live: Live[Any] | Live[Mapping[str, Any]], *, name: str = "") -> FlagProvider:
    """An OpenFeature provider whose flags are a live table.

        async with flag_provider(config.select("flags")) as provider:
            api.set_provider_and_wait(provider)
            client = api.get_client()
            client.get_boolean_value("checkout", False, EvaluationContext(user.id))

    Args:
        live: Flag's name to `FlagRule`: a dict, or a Struct or dataclass whose fields are flags.
        name: For the status.

    Raises:
        ImportError: openfeature-sdk is not installed.
    """
    try:
        from reactive_config._bindings.openfeature_provider import FlagProvider
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "openfeature":
            raise
        message = f"flag_provider needs openfeature-sdk: {install('openfeature')}"
        raise ImportError(message) from None
    return FlagProvider(live, name)
