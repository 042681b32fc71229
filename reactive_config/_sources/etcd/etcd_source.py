"""The source over etcd: what users write, and what the runtime runs."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Replace
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.secret import Secret
from reactive_config._core.source import Feed, check_flag
from reactive_config._etcd.passwords import Password, Text, password_text
from reactive_config._etcd.settings import (
    SHORTEST,
    TLS,
    Settings,
    check_seconds,
    file_path,
    parse_endpoint,
    tls_for,
)
from reactive_config._printable import printable
from reactive_config._sources.etcd.etcd_options import EtcdOptions
from reactive_config._sources.etcd.key_layout import KeyLayout
from reactive_config._sources.etcd.run_state import Copied, RunState
from reactive_config._sources.etcd.store import Store
from reactive_config.errors import StartupError

if TYPE_CHECKING:  # most have no mirror, and need not load what one needs
    from reactive_config._sources.etcd.mirror import Mirror
    from reactive_config._sources.etcd.mirror_runner import MirrorRunner


class Etcd:
    """A prefix of etcd, or one key, as layers of the configuration. Nothing connects before it runs.

        Etcd("10.0.0.1:2379", "10.0.0.2:2379", prefix="/shop/production/", mirror="var/shop.json")
        Etcd("10.0.0.1:2379", prefix="/shop/", layers=["common", "production"])
        Etcd("10.0.0.1:2379", key="/myapp/config")

    Args:
        *endpoints: host:port of the members, tried in this order and then in turn; or unix:/path.
        prefix: Ends in "/"; every key below it is a path. Names that begin with "_" directly below it (and
            below a layer) are the control area and left out.
        key: One key that holds the whole document, in place of a prefix.
        layers: Names below the prefix that become layers, lowest first; other keys are left out and noted.
        format: What documents in keys without a suffix are written in. What is JSON stays JSON. Other values that look
            like a document of this format are read as one, and all others are bare, as they are without it.
        discover: Ask etcd for its members, and try the addresses that they advertise for clients, too. The given
            endpoints stay. Off by default, because members often advertise `localhost`.
        tls: Certificates; None for plain text.
        username: With `password` or `password_file`, where etcd has authentication on.
        password: Its password, a str or a `Secret` of one, or what returns it: a function that may block, or be async,
            and has 30 s. It is called for every login, so the password may rotate. Never shown. A source with
            one is not pickled or copied.
        password_file: A file that holds it, read for every login; one line break at its end is left out.
        mirror: A file that keeps the last accepted state and starts the program while etcd is away.
        mirror_after: Seconds without etcd before the mirror speaks; 0 to a day.
        keepalive: Seconds within which a connection that died without a word is found; 2 to a day.
        timeout: Seconds that etcd has for one answer; 0.001 to a day.
        optional: Whether there may be no key at all, or no etcd: then a start waits for it only one second
            longer than `mirror_after`. Say so for overrides above other sources, whose last key may be removed.
        name: What the status calls it.
        change_limits: How far etcd's content may jump at once.
        rng: Where the jitter comes from.

    Attributes:
        name, layers, places, optional, optional_layers: See `core.source.Source`.

    Raises:
        ValueError: Arguments that contradict each other or cannot be read.
        SourceError: An endpoint says http:// although tls= is given.
    """

    def __init__(
        self,
        *endpoints: str,
        prefix: str | None = None,
        key: str | None = None,
        layers: Sequence[str] = (),
        format: Literal["json", "yaml", "toml"] = "json",  # noqa: A002
        discover: bool = False,
        tls: TLS | None = None,
        username: str | None = None,
        password: Text | Callable[[], Text | Awaitable[Text]] | None = None,
        password_file: str | os.PathLike[str] | None = None,
        mirror: str | os.PathLike[str] | None = None,
        mirror_after: float = 2.0,
        keepalive: float = 10.0,
        timeout: float = 5.0,
        optional: bool = False,
        name: str | None = None,
        change_limits: ChangeLimits | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("expected one endpoint or more, as host:port")
        check_flag("optional", optional)
        check_flag("discover", discover)
        check_seconds("mirror_after", mirror_after, 0)
        check_seconds("timeout", timeout, SHORTEST)
        settings = Settings(tls=tls, timeout=timeout, connect_timeout=min(3.0, timeout), keepalive=keepalive)
        parsed = tuple(parse_endpoint(endpoint) for endpoint in endpoints)
        for endpoint in parsed:
            tls_for(endpoint, settings)
        self._keys = KeyLayout(prefix=prefix, key=key, layers=layers, format=format)
        login = _login(username, password, password_file)
        self._plan = EtcdOptions(parsed, settings, self._keys, login, rng or random.Random(), optional, discover)
        self._mirror = None if mirror is None else _mirror(mirror, self._keys.label)
        self._mirror_after = mirror_after
        self.name: str = name or "etcd"
        self.layers: tuple[str, ...] = self._keys.layers
        self.places: tuple[str, ...] = self._keys.places
        self.optional = optional
        self.optional_layers: frozenset[int] = frozenset()
        self.change_limits: ChangeLimits = change_limits or ChangeLimits()

    def __repr__(self) -> str:
        endpoints = ", ".join(map(str, self._plan.endpoints))
        return f"Etcd({endpoints}, '{printable(self._keys.label)}')"

    def __getstate__(self) -> object:
        if self._plan.login is not None:
            raise TypeError("an Etcd with a password is not pickled: make the source in the process that uses it")
        return super().__getstate__()

    async def run(self, feed: Feed) -> None:
        """Deliver until cancelled; see `core.source.Source`. Loads grpc.

        Raises:
            StartupError: The mirror's file is something else. An optional source does not start either: without its
                mirror it would not be what was asked for.
        """
        from reactive_config._sources.etcd.session_loop import SessionLoop

        stand, store = RunState(feed), Store()
        standby: MirrorRunner | None = None
        if self._mirror is not None:
            from reactive_config._sources.etcd.mirror import NotOurs
            from reactive_config._sources.etcd.mirror_runner import MirrorRunner

            standby = MirrorRunner(self._mirror, self._keys, stand, store, self._mirror_after)
            try:
                await standby.prepare()
            except NotOurs as error:
                raise StartupError((), {self.name: f"mirror= {error}"}) from None
        async with asyncio.TaskGroup() as group:
            group.create_task(stand.run())
            group.create_task(SessionLoop(self._plan, store, stand, standby).run())
            if standby is not None:
                group.create_task(standby.run())
            if self.optional:  # the mirror has its say first
                await stand.wait(lambda: stand.delivered, self._mirror_after + 1.0)
                stand.let_start()

    async def last_good(self) -> Replace | None:
        """What the mirror holds, hand-edited or not; None without one that can be used."""
        if self._mirror is None:
            return None
        from reactive_config._sources.etcd.mirror import MirrorError
        from reactive_config._sources.etcd.mirror_runner import replace_from

        try:
            copy = await anyio.to_thread.run_sync(self._mirror.load)
            replace = (await replace_from(copy, self._keys, self._mirror.path)).replace
        except MirrorError:
            return None  # the run has noted why
        copied = Copied(self._mirror.path, copy.revision, copy.edited, copy.newest)
        logger.warning("%s: its last good state is %s", printable(self.name), copied)
        return replace


def _login(
    username: str | None,
    password: Text | Callable[[], Text | Awaitable[Text]] | None,
    file: str | os.PathLike[str] | None,
) -> tuple[str, Password] | None:
    if password is not None and file is not None:
        raise ValueError("expected either password= or password_file=, got both")
    source = password if file is None else Path(file_path("password_file", file))
    if username is None or source is None:
        if username is not None or source is not None:
            raise ValueError("username= and password= (or password_file=) belong together")
        return None
    try:
        password_text(username)
    except ValueError as error:
        raise ValueError(f"expected username= as a str, got {error}") from None
    if isinstance(source, Path) or callable(source):
        return username, source
    try:
        return username, Secret(password_text(source))
    except ValueError as error:
        raise ValueError(
            f"expected password= as a str, a Secret of one or a function that returns one, got {error}"
        ) from None


def _mirror(path: str | os.PathLike[str], of: str) -> Mirror:
    from reactive_config._sources.etcd.mirror import Mirror

    return Mirror(Path(file_path("mirror", path)), of)
