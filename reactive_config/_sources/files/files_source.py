"""`Files`: local files and directories as layers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Self

import anyio

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Replace
from reactive_config._core.source import Feed, check_flag
from reactive_config._formats import registry
from reactive_config._sources.files import os_paths
from reactive_config._sources.files.environments import LOCAL_LAYERS, environment_paths, layer_name, stems
from reactive_config._sources.files.notifiers.base import Notifier, Polling
from reactive_config._sources.files.notifiers.fallback import FallbackNotifier, NotifierName, choose
from reactive_config._sources.files.poller import Poller
from reactive_config._sources.files.reader import WaitLimits
from reactive_config._sources.files.scan import GivenPath

_NOTIFIERS = ("auto", "inotify", "watchfiles", "polling")
_BREATHER = 0.002  # a look that took longer is followed by a rest as long as itself, so that a storm of events
_LONGEST_BREATHER = 0.05  # never takes more than half of the loop


class Files:
    """Files that become layers, followed through every way of saving them.

    Each path is one layer, the lowest first. A path with a known suffix (JSON, YAML, TOML, dotenv; a file
    named `.env`) is that file. Every other path, and one that ends in `/`, is a directory: its files with a
    known suffix merge at the layer's root in byte order of their names. Hidden names and `*~` are skipped
    silently; other suffixes, names that are not UTF-8 and subdirectories are listed in the notes.

    Every file is one entry and one unit; its id and place are its path as given. Where files are reached
    through a `..data` link, all that one swap of the link changes share a unit and come in one delta.
    Content that cannot be used comes as `Malformed`, and after `settle` seconds if time may mend it (empty,
    permission, not a file); it is tried again. A file that is gone for `settle` seconds is deleted. If a directory
    is gone, or has lost all of its files, and is not optional, then none of them is deleted: the directory itself
    is `Malformed` until it has files again. What is not there at the start is followed when it appears.

    What is promised: no file is seen half written, as far as the notifier can tell.

    - inotify knows when a writer closes a file. One that was changed and not closed is waited for, up to
      `max_wait` seconds after its first write, however often the writer stalls; after that it is read as it is,
      once its stat stands still, because a program may keep its file open for good. One that was opened again
      after its close, by a reader or a writer, waits for that close, or for quiet. A writer that began before
      the file was watched, or whose events a queue overflow lost, and writes through mmap, a hard link
      elsewhere, or from another machine are judged by quiet, as below.
    - watchfiles and polling cannot see a close: a file is read after `settle` seconds without a change of
      its stat. A writer that stalls for longer in the middle is seen half done where the half can be parsed
      (YAML and TOML often can). Under saves without a pause of `settle` the file is read every `max_wait` seconds.
    - An empty file is never taken, for values neither: a line break alone is the empty text.

    Not promised: to see every one of several quick saves, or a change that left the stat equal.

    Args:
        paths: Text or `os.PathLike`; relative ones are taken against the directory of the moment.
        optional: Whether the layers may be without a file.
        notifier: `auto` is inotify on Linux and watchfiles elsewhere. One that cannot work (watches or instances
            exhausted, a name that is not UTF-8 for watchfiles) is replaced by polling and tried again every
            30 s; the notes say so.
        max_bytes: Of one file; a larger one is refused.
        values: Every path is a directory of one bare value a file, at the file's name, less one final line break.
        name: In the status.
        poll_interval: Seconds between two looks at all files without being told, whatever the notifier.
        settle: Seconds that must pass without a change before what may be a passing state is taken for meant.
        max_wait: Seconds after which waiting for a writer, or for quiet, ends.
        change_limits: How far the files' content may jump at once.
        clock: Seconds, monotonic.

    Raises:
        TypeError: A path or an argument is of another type.
        ValueError: No path, a path twice, or an argument out of range.
    """

    def __init__(
        self,
        *paths: str | os.PathLike[str],
        optional: bool = False,
        notifier: NotifierName = "auto",
        max_bytes: int = 8 * 2**20,
        values: bool = False,
        name: str | None = None,
        poll_interval: float = 2.0,
        settle: float = 0.25,
        max_wait: float = 10.0,
        change_limits: ChangeLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if notifier not in _NOTIFIERS:
            raise ValueError(f"expected a notifier of {', '.join(_NOTIFIERS)}, got {notifier!r}")
        check_flag("optional", optional)
        check_flag("values", values)
        if max_bytes < 1 or poll_interval <= 0 or settle < 0 or max_wait < settle:
            raise ValueError("expected max_bytes >= 1, poll_interval > 0 and max_wait >= settle >= 0")
        self.layers: tuple[str, ...] = tuple(os.fspath(path) for path in paths)
        self.name: str = name or "files"
        self.places: tuple[str, ...] = ()
        self.optional = optional
        self.optional_layers: frozenset[int] = frozenset()
        self.change_limits: ChangeLimits = change_limits or ChangeLimits()
        self._layers = _layers(self.layers, values)
        self._notifier: NotifierName = notifier
        self._max_bytes = max_bytes
        self._poll_interval = poll_interval
        self._limits = WaitLimits(settle, max_wait)
        self._clock = clock

    @classmethod
    def environment(
        cls,
        directory: str | os.PathLike[str],
        env: str,
        *,
        optional: bool = False,
        notifier: NotifierName = "auto",
        max_bytes: int = 8 * 2**20,
        name: str | None = None,
        poll_interval: float = 2.0,
        settle: float = 0.25,
        max_wait: float = 10.0,
        change_limits: ChangeLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """The files of one environment, of a directory with those of all: `Files.environment("config", "production")`.

        Four layers, the lowest first. Each is every file of its name with a known suffix, and the files in a directory
        of its name; they merge in byte order of their paths.

        - `common`, for all environments; must be there.
        - The environment's own; must be there. If it is not, the error names those that are.
        - `common.local` and `production.local`, what a developer has on one machine and does not commit; may be there.

        Args:
            directory: Where the files are.
            env: The environment's name: a part of a path, other than `common` and `local`.
            optional: Whether the first two may be missing too.
            notifier, max_bytes, name, poll_interval, settle, max_wait, change_limits, clock: As of `Files`.

        Raises:
            ValueError: No environment can be called so, or an argument is out of range.
        """
        text = os.fspath(directory)
        paths = environment_paths(text, env, optional=optional)
        source = cls(
            text,
            optional=optional,
            notifier=notifier,
            max_bytes=max_bytes,
            name=name,
            poll_interval=poll_interval,
            settle=settle,
            max_wait=max_wait,
            change_limits=change_limits,
            clock=clock,
        )
        source._layers = paths
        source.layers = tuple(layer_name(text, stem) for stem in stems(env))
        source.optional_layers = LOCAL_LAYERS
        return source

    async def run(self, feed: Feed) -> None:
        """Send deltas until cancelled. It ends when its thread does: a parse, or some 10 ms of watchfiles."""
        wake = asyncio.Event()
        async with anyio.create_task_group() as group:
            notifier = FallbackNotifier(lambda: self._make(wake.set, feed, group), self._clock)
            looker = Poller(
                self._layers,
                feed,
                notifier,
                self._limits,
                self._max_bytes,
                self._clock,
                self._poll_interval,
                # Each layer of an environment says by itself what it must have.
                optional=self.optional or bool(self.optional_layers),
            )
            try:
                while True:
                    await self._look_and_wait(looker, wake)
            finally:
                notifier.close()

    async def last_good(self) -> Replace | None:
        """None: the files are all there is."""
        return None

    async def _look_and_wait(self, looker: Poller, wake: asyncio.Event) -> None:
        wake.clear()
        start = self._clock()
        at = await looker.look()
        end = self._clock()
        if end - start > _BREATHER:
            await asyncio.sleep(min(end - start, _LONGEST_BREATHER))
        if wake.is_set():  # waiting for it would not give the others a turn
            await asyncio.sleep(0)
            return
        pause = max(0.0, at - self._clock())
        timer = asyncio.get_running_loop().call_later(pause, wake.set)
        try:
            await wake.wait()
        finally:
            timer.cancel()

    def _make(self, poke: Callable[[], None], feed: Feed, group: anyio.abc.TaskGroup) -> Notifier:
        wanted = choose(self._notifier)
        if wanted == "inotify":
            from reactive_config._sources.files.notifiers.inotify import InotifyNotifier

            return InotifyNotifier(poke, feed.count, self._clock)
        if wanted == "watchfiles":
            from reactive_config._sources.files.notifiers.watchfiles import WatchfilesNotifier

            return WatchfilesNotifier(poke, feed.count, group)
        return Polling()


def _layers(paths: tuple[str, ...], values: bool) -> tuple[GivenPath, ...]:
    if not paths:
        raise ValueError("expected at least one path")
    layers: list[GivenPath] = []
    directories = set()
    for index, text in enumerate(paths):
        absolute = os_paths.absolute(text)
        twin = next((layer for layer in layers if os_paths.tidy(layer.absolute) == os_paths.tidy(absolute)), None)
        if twin is not None:
            raise ValueError(f"expected each path once, got {twin.text!r} and {text!r}")
        is_file = not values and not text.endswith(os.sep) and os_paths.suffix(text) in registry.SUFFIXES
        if not is_file:
            directories.add(text.rstrip(os.sep))
        suffix = os_paths.suffix(text) if is_file else ""
        layers.append(GivenPath(index, text, absolute, suffix, values, registry.SUFFIXES.__contains__, text, index))
    # A file that stands in a directory layer too is two entries, and ids are unique.
    return tuple(
        layer._replace(id=f"{layer.text} (layer {layer.number})")
        if layer.suffix and os_paths.parent(layer.text) in directories
        else layer
        for layer in layers
    )
