"""What a source of your own imports: the contract with the runtime, and what a source sends.

    class Table(Source):
        name, layers = "table", ("table",)

        async def run(self, feed: Feed) -> None:
            entries = {"table": Entry((), {"log": {"level": "INFO"}}, unit="read 1", revision=1)}
            feed.send(Replace(entries, revision=1))
            feed.state(SourceState.SYNCED)

`reactive_config.testing.ConformanceSuite` tests whether it keeps the contract.
"""

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Bare, Delta, Entry, Malformed, Patch, Replace
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState
from reactive_config.errors import Origin, SourceError

__all__ = [
    "Bare",
    "ChangeLimits",
    "Delta",
    "Entry",
    "Feed",
    "Malformed",
    "Origin",
    "Patch",
    "Replace",
    "Source",
    "SourceError",
    "SourceState",
]
