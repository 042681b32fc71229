"""Who may use the service: random tokens, of which the store knows only a hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime

import msgspec

from reactive_config._printable import printable
from reactive_config._releases.key_store import TOKENS, KeysMoved, KeyStore, Stored, StoreError, Write
from reactive_config._releases.replica import Replica

PREFIX = "rc_"

_BYTES = 32
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_LONGEST = 200


class NoSuchToken(StoreError, LookupError):
    """No token has this name."""


class TokenRecord(msgspec.Struct, frozen=True):
    """What the store knows of a token.

    Attributes:
        name: Whom it stands for, as the author of changes.
        created: When it was made.
    """

    name: str
    created: datetime


def new_token() -> str:
    """A token of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def token_key(token: str) -> str:
    """Where the store has the record of a token."""
    return TOKENS + hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


class AccessTokens:
    """The tokens of one store."""

    def __init__(self, store: KeyStore, replica: Replica) -> None:
        self._store = store
        self._replica = replica

    async def identify(self, token: str) -> str | None:
        """Whom a token stands for; None if it is not known.

        The store is asked only for one that looks like a token and that nobody has told us of yet.
        """
        if not _TOKEN.fullmatch(token):
            return None
        key = token_key(token)
        record = self._replica.tokens.get(key) or await self._store.get(key)
        read = None if record is None else _read(record)
        return None if read is None else read.name

    def list(self) -> list[TokenRecord]:
        """All tokens, by their names."""
        records = map(_read, self._replica.tokens.values())
        return sorted((record for record in records if record is not None), key=lambda record: record.name)

    async def create(self, name: str, now: datetime) -> str:
        """Make a token; it cannot be shown again.

        Raises:
            ValueError: No such name, or it is taken.
        """
        _check_name(name)
        if any(record.name == name for record in self.list()):
            raise ValueError(f"there is a token named '{printable(name)}' already")
        token = new_token()
        record = msgspec.json.encode(TokenRecord(name, now))
        await self._write(Write({token_key(token): record, _name_key(name): b""}, unchanged={_name_key(name): 0}))
        return token

    async def create_first(self, now: datetime, keep: Callable[[str], object] | None = None) -> str | None:
        """Make the token `admin`, if there never was any token; None otherwise.

        Of several processes that start at once one makes it: the store compares.

        Args:
            now: When it is made.
            keep: Called with the token before it counts. What it raises is raised here, and no token is made.
        """
        if await self._store.get(FIRST) is not None:
            return None
        token = new_token()
        if keep is not None:
            keep(token)
        record = msgspec.json.encode(TokenRecord("admin", now))
        puts = {token_key(token): record, _name_key("admin"): b"", FIRST: b""}
        try:
            await self._write(Write(puts, unchanged={FIRST: 0}))
        except KeysMoved:
            return None
        return token

    async def revoke(self, name: str) -> None:
        """End a token: from then on no process that follows the store takes it.

        Raises:
            NoSuchToken: There is none of this name.
        """
        for key, stored in self._replica.tokens.items():
            record = _read(stored)
            if record is not None and record.name == name:
                await self._write(Write({}, frozenset([key, _name_key(name)])))
                return
        raise NoSuchToken(f"there is no token named '{printable(name)}'")

    async def _write(self, write: Write) -> None:
        await self._replica.wait(await self._store.commit(write), 5.0)


FIRST = "_control/first-token"


def _read(stored: Stored) -> TokenRecord | None:
    """What the store knows of a token; None if somebody has damaged it, so that it opens nothing."""
    try:
        return msgspec.json.decode(stored.value, type=TokenRecord)
    except msgspec.DecodeError:
        return None


def _name_key(name: str) -> str:
    return f"_control/token-names/{hashlib.sha256(name.encode()).hexdigest()}"


def _check_name(name: str) -> None:
    if not name or len(name) > _LONGEST or not name.isprintable() or name != name.strip():
        raise ValueError(f"expected a name of 1 to {_LONGEST} printable characters, got '{printable(name)}'")
