"""What metrics and traces hang on: `config.observe(observer)` tells an `Observer` of every apply and every rebuild."""

from reactive_config._core.runtime.observing import ApplyEvent, Observer, RebuildEvent

__all__ = ["ApplyEvent", "Observer", "RebuildEvent"]
