"""What it costs to wait: etcd and a file watched, nothing happens."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases.many_keys import App, ByHand, ManyKeys
from bench.harness import Case, NotHere, Params, Round, Subject


class Quiet(ManyKeys):
    """Keys in etcd and a file for each subject."""

    async def place(self, subject: str) -> Params:
        place = await super().place(subject)
        home = Path(self.stack.enter_context(TemporaryDirectory(prefix="idle-")))
        (home / "app.toml").write_text("[limits.tenant-0.route-0]\nrate = 1.0\nburst = 1\n")
        return {**place, "file": str(home / "app.toml")}


class Waits(Subject):
    """Sleeps `params["seconds"]`; percent of one core, all threads."""

    async def measure(self, work: Round) -> list[float]:
        begin, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(float(self.params["seconds"]))
        return [(time.process_time() - cpu) / (time.monotonic() - begin) * 100]


class Ours(Waits):
    """Both sources as they come: keepalive and heartbeat of etcd, inotify and the reconciler of files."""

    async def open(self) -> None:
        from reactive_config import Etcd, Files, open_config

        etcd = Etcd(str(self.params["endpoint"]), prefix=str(self.params["prefix"]))
        await self.stack.enter_async_context(open_config(App, Files(str(self.params["file"])), etcd))


class RawStub(Waits):
    """A watch that nothing keeps alive, and watchdog's thread, which does not look whether inotify has gone deaf."""

    async def open(self) -> None:
        try:
            from watchdog.events import FileSystemEventHandler
            from watchdog.observers import Observer
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None

        state = ByHand(self.params)
        await state.open(self.stack)
        following = asyncio.create_task(state.follow())
        self.stack.callback(following.cancel)
        observer = Observer()
        observer.schedule(FileSystemEventHandler(), str(Path(str(self.params["file"])).parent))
        observer.start()
        self.stack.callback(observer.stop)


CASES = (
    Case(
        name="idle",
        title="idle, etcd and a file watched",
        unit="% of a core",
        subjects={"reactive_config": Ours, "raw stub and watchdog": RawStub},
        stage=Quiet,
    ),
)
