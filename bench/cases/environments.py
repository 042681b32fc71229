"""Environments as large as a case asks, and the releases over a store that hold them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from reactive_config._releases.change_requests import ChangeRequest
    from reactive_config._releases.releases import Releases
    from reactive_config._releases.replica import EnvironmentState

NAMESPACE, ENVIRONMENT = "shop", "production"

CHANGED = ("group-0", "key-0")
"""The path of the value that changes."""


def trees(keys: int, documents: int) -> dict[str, dict[str, int]]:
    """Top-level name to its document: as many, of equal size, with so many keys in all.

    Values have as many digits as those that the cases write, so that a changed document has the size of the others.
    """
    width = keys // documents
    return {
        f"group-{group}": {f"key-{key}": 100_000 + group * width + key for key in range(width)}
        for group in range(documents)
    }


class Document:
    """The document that changes, as bytes; a new one is made by hand in one step."""

    def __init__(self, keys: int, documents: int) -> None:
        raw = orjson.dumps(trees(keys, documents)[CHANGED[0]])
        self._begin, self._rest = b'{"key-0":', raw[raw.index(b",") :] if b"," in raw else b"}"

    def raw(self, value: int) -> bytes:
        """With this value at `CHANGED`."""
        return self._begin + str(value).encode() + self._rest


async def open_releases(store: str, stack: AsyncExitStack) -> Releases:
    """Releases over a store that a task of ours follows until `stack` ends. Loads reactive_config."""
    from reactive_config._releases.opening_store import open_store
    from reactive_config._releases.releases import Releases
    from reactive_config._releases.replica import Replica

    keys = await stack.enter_async_context(open_store(store))
    replica = Replica(keys)
    following = asyncio.create_task(replica.run())

    async def end() -> None:
        following.cancel()
        await asyncio.wait([following])

    stack.push_async_callback(end)
    await replica.listed.wait()
    return Releases(keys, replica)


async def fill(releases: Releases, environment: str, wanted: dict[str, dict[str, int]]) -> None:
    """Make an environment of `NAMESPACE` that holds these documents."""
    from reactive_config._releases.change_requests import ChangeRequest
    from reactive_config._releases.document_edits import plan_edits
    from reactive_config._releases.environment_name import EnvironmentName

    async def plan(state: EnvironmentState) -> Any:
        return plan_edits(state.contents, wanted)

    request = ChangeRequest(plan=plan, author="bench", message="the first one")
    await releases.change(EnvironmentName(NAMESPACE, environment), request)


def change_to(value: int) -> ChangeRequest:
    """Put a value at `CHANGED`, as a PUT there does."""
    from reactive_config._releases.change_requests import ChangeRequest
    from reactive_config._releases.document_edits import placed, plan_edits

    name, *inner = CHANGED

    async def plan(state: EnvironmentState) -> Any:
        return plan_edits(state.contents, {name: placed(state.contents.names[name].tree, tuple(inner), value)})

    return ChangeRequest(plan=plan, author="bench", message="one value")
