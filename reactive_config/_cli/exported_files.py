"""What `export` writes: one file for each top-level name, all of them or none."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reactive_config._cli.failures import Failure, UsageError
from reactive_config._core.sensitive import is_sensitive
from reactive_config._formats import registry
from reactive_config._formats.writing import Inexpressible, write_document
from reactive_config._printable import printable
from reactive_config._sources.files import os_paths
from reactive_config._sources.files.read_whole import irregular


def write_tree(tree: dict[str, Any], directory: Path, suffix: str) -> list[Path]:
    """Write one file for each name. A file that is there already is replaced, and so is a link.

    Everything is written beside its place first, and then renamed, so that no file is ever half written, and a full
    disk changes nothing.

    Args:
        tree: The environment.
        directory: Where to; it is made.
        suffix: Of the format, as `.json`.

    Raises:
        UsageError: The directory is a file.
        Failure: The format cannot say it, something stands in the way, or the files cannot be written.
    """
    documents = _documents(tree, directory, suffix)
    secret = {file for file, name in zip(documents, tree, strict=True) if _sounds_secret({name: tree[name]})}
    try:
        _make(directory)
        modes = {file: _mode(file) or (0o600 if file in secret else None) for file in documents}
        with contextlib.ExitStack() as stack:
            beside = {file: _written_beside(file, raw, modes[file], stack) for file, raw in documents.items()}
            for file, written in beside.items():
                written.replace(file)
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else directory
        raise Failure(f"{printable(str(place))}: expected to write, got {error.strerror}") from None
    return list(documents)


def _documents(tree: dict[str, Any], directory: Path, suffix: str) -> dict[Path, bytes]:
    try:
        return {directory / f"{_file_name(name)}{suffix}": write_document({name: tree[name]}, suffix) for name in tree}
    except Inexpressible as error:
        raise Failure(str(error), hints=["--format json says everything"]) from None


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{printable(str(directory))}: expected a directory, got a file") from None


def _sounds_secret(tree: Any) -> bool:
    """Whether a name somewhere in a tree sounds like that of a secret."""
    if type(tree) is dict:
        return any(is_sensitive(name) or _sounds_secret(value) for name, value in tree.items())
    return type(tree) is list and any(map(_sounds_secret, tree))


def others(directory: Path, written: set[Path]) -> list[Path]:
    """The files of a directory that `apply` would read, and that were not written just now."""
    return sorted(
        file
        for file in directory.iterdir()
        if file not in written
        and not file.name.startswith(".")
        and os_paths.suffix(file.name) in registry.SUFFIXES
        and file.is_file()
    )


def _file_name(name: str) -> str:
    return quote(name, safe=" ").replace(".", "%2E")  # hidden names and suffixes of their own would not be read back


def _mode(file: Path) -> int | None:
    """The permissions of a file that is replaced; None where there is none.

    Raises:
        Failure: What is there is no file.
        OSError: No file can be called so.
    """
    try:
        mode = file.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return None
    if not stat.S_ISREG(mode):
        trouble = irregular(mode)
        raise Failure(f"{printable(str(file))}: expected {trouble.expected}, got {trouble.got}")
    return stat.S_IMODE(mode)


def _written_beside(file: Path, raw: bytes, mode: int | None, stack: contextlib.ExitStack) -> Path:
    """A new hidden file in the same directory; it goes with the stack unless it is renamed."""
    beside = file.with_name(f".{secrets.token_hex(8)}.tmp")
    stack.callback(beside.unlink, missing_ok=True)
    with beside.open("xb") as opened:
        opened.write(raw)
        opened.flush()
        os.fsync(opened.fileno())
    if mode is not None:
        beside.chmod(mode)
    return beside
