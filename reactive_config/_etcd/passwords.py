"""Where a password comes from: a text, a file, or a function of the program. The latter two may change."""

from __future__ import annotations

import asyncio
import inspect
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from reactive_config._core.secret import Secret
from reactive_config._etcd.errors import BadLogin, Unavailable

Text = str | Secret[str]

Password = Text | Path | Callable[[], Text | Awaitable[Text]]
"""A text; a file that holds it, and maybe a line break after it; or what returns it, at once or awaited."""

LONGEST = 64 << 10
"""Bytes that a file may have."""

WITHIN = 30.0
"""Seconds that a function has."""


def password_text(value: object) -> str:
    """The text of a password, out of its `Secret` (or pydantic's `SecretStr`).

    Raises:
        ValueError: It is something else, or no text that can be sent. Says what was there, and quotes nothing.
    """
    reveal = value.reveal if isinstance(value, Secret) else getattr(value, "get_secret_value", None)
    text: object = value if reveal is None else reveal()
    if not isinstance(text, str):
        raise ValueError(f"{'' if reveal is None else f'a {type(value).__name__} of '}{type(text).__name__}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("one with lone surrogates, which UTF-8 does not have")
    return text


async def read_password(password: Password, subject: str) -> str:
    """The password as it is now. Its function is called in a thread; what has to be awaited, is awaited in the loop.

    Args:
        password: Where it comes from.
        subject: Whom it is for, for messages; they quote neither the password nor what its function raised.

    Raises:
        BadLogin: The file cannot be used, or there is no text that can be sent.
        Unavailable: The function raised an exception, or returned nothing in time: another try may do better.
    """
    if isinstance(password, Path):
        found = await anyio.to_thread.run_sync(_read_file, password, abandon_on_cancel=True)
        if found.trouble:
            raise BadLogin(f"{subject}: password_file= {password}: {found.trouble}")
        return str(found.text)
    given: object = password
    if callable(password):
        try:
            async with asyncio.timeout(WITHIN):
                found = await _call(password)
        except TimeoutError:
            raise Unavailable(f"{subject}: password= returned nothing within {WITHIN:g} s") from None
        if found.trouble:
            raise Unavailable(f"{subject}: password= raised {found.trouble}")
        given = found.text
    try:
        return password_text(given)
    except ValueError as error:
        wanted = "expected to return a str" if callable(password) else "expected a str"
        raise BadLogin(f"{subject}: password= {wanted}, got {error}") from None


class _PasswordFound(NamedTuple):
    """A text (or what a function returned in its place), or why there is none."""

    text: object
    trouble: str = ""


def _read_file(path: Path) -> _PasswordFound:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would block for ever
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return _PasswordFound("", "expected a file, got something else")
            content = file.read(LONGEST + 1)
        text = content.decode()
    except OSError as error:
        return _PasswordFound("", error.strerror or type(error).__name__)
    except ValueError:
        return _PasswordFound("", "expected UTF-8 text, got other bytes")
    if len(content) > LONGEST:
        return _PasswordFound("", f"expected {LONGEST} bytes at most, got more")
    text = text.removesuffix("\n").removesuffix("\r")
    return _PasswordFound(text) if text else _PasswordFound("", "expected a password, got an empty file")


async def _call(function: Callable[[], Text | Awaitable[Text]]) -> _PasswordFound:
    def returned() -> Text | Awaitable[Text] | _PasswordFound:
        try:
            return function()
        except BaseException as error:  # noqa: BLE001 - SystemExit, too, would end the program
            return _PasswordFound("", type(error).__name__)

    value = await anyio.to_thread.run_sync(returned, abandon_on_cancel=True)
    if isinstance(value, _PasswordFound):
        return value
    if not inspect.isawaitable(value):
        return _PasswordFound(value)
    # A task of its own: what it raises, a stray cancellation included, says nothing about ours.
    task = asyncio.ensure_future(_awaited(value))
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    return task.result() if not task.cancelled() else _PasswordFound("", "CancelledError")


async def _awaited(value: Awaitable[Text]) -> _PasswordFound:
    try:
        return _PasswordFound(await value)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001
        return _PasswordFound("", type(error).__name__)
