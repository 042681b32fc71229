"""What a start loads: a program pays for it before its first configuration, and in memory for ever."""

from __future__ import annotations

import asyncio
import sys

import pytest

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

START = """
import asyncio, sys
from reactive_config._sources.etcd import Etcd
from reactive_config._testing.recording_feed import RecordingFeed

async def main():
    feed = RecordingFeed()
    endpoints, mirror = sys.argv[1].split(","), dict(mirror=sys.argv[2]) if sys.argv[2:] else {}
    task = asyncio.create_task(Etcd(*endpoints, prefix="/s/", **mirror).run(feed))
    await feed.wait(lambda feed: feed.states and feed.states[-1][0].name == "SYNCED")
    costly = ("anyio._backends", "hashlib", "reactive_config._sources.etcd.mirror")
    print([name for name in sys.modules if name.startswith(costly)])
    task.cancel()
    await asyncio.wait([task])

asyncio.run(main())
"""


async def started(*args):
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", START, *args, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def test_a_start_loads_neither_a_mirror_s_parts_nor_a_backend_of_anyio(server):
    assert await started(server.endpoint) == "[]"
    assert await started(f"127.0.0.1:1,{server.endpoint}") == "[]"


async def test_a_mirror_loads_its_parts(server, tmp_path):
    """So the test above looks at what is there."""
    loaded = await started(server.endpoint, str(tmp_path / "mirror.json"))
    assert "reactive_config._sources.etcd.mirror" in loaded
    assert "anyio._backends" in loaded
