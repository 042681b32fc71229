"""Paths as text. Files are looked up name by name, as the kernel does; pathlib would tidy the names away."""
# ruff: noqa: PTH109, PTH112, PTH115, PTH117, PTH118, PTH119, PTH120, PTH122, PTH206, PTH208

from __future__ import annotations

import os


def join(directory: str, name: str) -> str:
    return os.path.join(directory, name)


def parent(path: str) -> str:
    return os.path.dirname(path)


def split(path: str) -> tuple[str, str]:
    """The directory and the name."""
    return os.path.split(path)


def parts(path: str) -> tuple[str, list[str]]:
    """The root (empty if relative) and the names, as they stand."""
    drive, rest = os.path.splitdrive(path)
    return (drive + os.sep if os.path.isabs(path) else ""), rest.split(os.sep)


def suffix(path: str) -> str:
    """The suffix that decides the format, in lower case; a file named exactly `.env` has it too."""
    base = os.path.basename(path)
    return ".env" if base == ".env" else os.path.splitext(base)[1].lower()


def stem(name: str) -> str:
    """A name without its suffix."""
    return os.path.splitext(name)[0]


def absolute(path: str) -> str:
    """Against the working directory, and not tidied: `link/..` is not where the link stands."""
    return os.path.join(os.getcwd(), path)


def tidy(path: str) -> str:
    """The same place in the fewest characters; `..` stays, for what it means depends on links."""
    root, names = parts(path)
    return root + os.sep.join(name for name in names if name not in ("", os.curdir))


def target(link: str) -> str:
    return os.readlink(link)


def names(directory: str) -> list[str]:
    return os.listdir(directory)


def is_directory(path: str) -> bool:
    return os.path.isdir(path)


def shown(text: str) -> str:
    """A name for a person, whatever its bytes are."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
