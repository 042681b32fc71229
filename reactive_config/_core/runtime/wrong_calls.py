"""What `open_config` says at once to a call that cannot be meant, in words that show no value."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping

_TYPES_OWN_MODULES = ("typing", "types", "typing_extensions")
"""Where the classes of `dict[str, int]`, `int | None` and the like are: types that are no classes."""

_OTHERS = (
    ((str, bytes, os.PathLike), "a path", 'write Files("config")'),
    (Mapping, "a mapping", 'write Memory({"log": {"root": "INFO"}})'),
)

_SEVERAL = (list, tuple, set, frozenset, Generator)


def check_sources(sources: Iterable[object]) -> None:
    """Refuse what is no source, and say what to write.

    Raises:
        TypeError: One is none, or there is none at all.
    """
    some = False
    for source in sources:
        some = True
        _require_source(source)
    if not some:
        raise TypeError("open_config: expected at least one source, got none")


def _require_source(source: object) -> None:
    wanted = "open_config: expected a source, got"
    if isinstance(source, type):
        raise TypeError(f"{wanted} the class {source.__name__}: write {source.__name__}(...)")
    for kinds, what, instead in _OTHERS:
        if isinstance(source, kinds):
            raise TypeError(f"{wanted} {what}: {instead}")
    if isinstance(source, _SEVERAL):
        raise TypeError(f"{wanted} a {type(source).__name__}: write the sources themselves, or * before it")
    lacks = _lacks(source)
    if lacks:
        raise TypeError(f"{wanted} {type(source).__name__}, which has no {lacks[0]}")


def _lacks(source: object) -> list[str]:
    """What a source has, and this has not."""
    return [name for name in ("name", "layers", "run") if not hasattr(source, name)]


def check_kind(kind: object) -> None:
    """Refuse what is no type for a configuration, and say what to write.

    Raises:
        TypeError: It is a source, or an instance.
    """
    if isinstance(kind, type) or type(kind).__module__ in _TYPES_OWN_MODULES:
        return
    got = type(kind).__name__
    if not _lacks(kind):
        write = f"write open_config(App, {got}(...))"
        raise TypeError(f"open_config: expected the configuration's type first, got the source {got}: {write}")
    write = "write a class, or dict for an untyped one" if type(kind).__module__ == "builtins" else f"write {got}"
    raise TypeError(f"open_config: expected the configuration's type, got an instance of {got}: {write}")


def check_timeout(seconds: object) -> None:
    """Refuse a `startup_timeout` that is no number of seconds.

    Raises:
        TypeError: It is no number, and not None.
        ValueError: It is below 0, or no number that can be compared.
    """
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"startup_timeout: expected a number of seconds, or None, got {type(seconds).__name__}")
    if not seconds >= 0:
        raise ValueError(f"startup_timeout: expected seconds, 0 or more, or None, got {seconds}")
