"""A directory with files for all environments, and for each one: what is read for the one that a program runs in."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from typing import Any

from reactive_config._core.delta import Malformed
from reactive_config._formats import registry
from reactive_config._sources.files import os_paths
from reactive_config._sources.files.read_whole import unusable
from reactive_config._sources.files.scan import GivenPath, Listing

COMMON = "common"
LOCAL = ".local"

LOCAL_LAYERS = frozenset({2, 3})
"""Those that a developer may have on one machine."""

_TOLD = 10
"""Environments that a message names; the rest is counted."""


def stems(env: str) -> tuple[str, ...]:
    """The names of the layers of an environment, lowest first.

    Raises:
        ValueError: No environment can be called so.
    """
    if not isinstance(env, str):
        raise ValueError(f"env=: expected a name such as production, got a value of type {type(env).__name__}")
    odd = not env or "\0" in env or env != os_paths.split(env)[1] or env.startswith(".") or env.endswith(("~", LOCAL))
    if odd or env in (COMMON, LOCAL[1:]) or os_paths.suffix(env) in registry.SUFFIXES:
        raise ValueError(f"env=: expected a name such as production, other than common and local, got {env!r}")
    return COMMON, env, f"{COMMON}{LOCAL}", f"{env}{LOCAL}"


def environment_paths(directory: str, env: str, *, optional: bool) -> tuple[GivenPath, ...]:
    """Where the layers of an environment stand: for each, files of its name in the directory, and a directory below.

    Args:
        directory: As given.
        env: The environment.
        optional: Whether the common layer and that of the environment may be without a file.

    Raises:
        ValueError: No environment can be called so.
    """
    paths: list[GivenPath] = []
    absolute = os_paths.absolute(directory)
    for layer, stem in enumerate(stems(env)):
        missing = None if optional or layer in LOCAL_LAYERS else partial(_missing, directory, absolute, stem)
        below = os_paths.join(directory, stem)
        number = len(paths)
        paths += [
            _path(number, layer, directory, layer_name(directory, stem), stem=stem, missing=missing, quiet=number > 0),
            _path(number + 1, layer, below, below, quiet=True),
        ]
    return tuple(paths)


def _path(number: int, layer: int, text: str, id: str, **more: Any) -> GivenPath:  # noqa: A002  the contract's word
    known = registry.SUFFIXES.__contains__
    return GivenPath(number, text, os_paths.absolute(text), "", False, known, id, layer, **more)


def layer_name(directory: str, stem: str) -> str:
    """What a person calls a layer of an environment."""
    return os_paths.join(directory, f"{stem}.*")


def _missing(directory: str, absolute: str, stem: str, names: Listing) -> Malformed:
    """What is told where a layer has no file, given the names in the directory."""
    if isinstance(names, int):
        gone = names in (errno.ENOENT, errno.ENOTDIR)
        return Malformed(f"a directory {directory}", "nothing") if gone else unusable(names, "directory")
    there = sorted(set(_environments(absolute, names))) if stem != COMMON else []
    got = f"none; there is {', '.join(there[:_TOLD])}" if there else "none"
    more = f" and {len(there) - _TOLD} more" if len(there) > _TOLD else ""
    return Malformed(f"a file {stem}.* with a known suffix, or one in a directory {stem}", got + more)


def _environments(directory: str, names: frozenset[str]) -> Iterator[str]:
    """The environments that files and directories are named for."""
    for name in names:
        is_file = os_paths.suffix(name) in registry.SUFFIXES
        env = os_paths.shown(os_paths.stem(name) if is_file else name)
        if env.startswith(".") or env.endswith(("~", LOCAL)) or env in (COMMON, LOCAL[1:]):
            continue
        if is_file or os_paths.is_directory(os_paths.join(directory, name)):
            yield env
