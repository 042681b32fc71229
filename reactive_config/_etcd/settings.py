"""What a connection is made from: endpoints, certificates, deadlines. Plain data, nothing imported."""

from __future__ import annotations

import os
import re
import socket

import msgspec

from reactive_config._printable import printable
from reactive_config.errors import SourceError

LONGEST = 86_400
"""Seconds that any option may say: a day. gRPC has milliseconds of 32 bits."""

SHORTEST = 0.001
"""Seconds that a call must have at least."""

_SHOWN_NUMBER = 10**15


def check_seconds(option: str, value: object, least: float) -> None:
    """Refuse what is no number of seconds from `least` to `LONGEST`.

    Raises:
        ValueError: Names the option, what was expected, and what was there.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        got = f"a value of type {type(value).__name__}"
    elif least <= value <= LONGEST:
        return
    else:
        got = f"{value!r}" if isinstance(value, float) or abs(value) < _SHOWN_NUMBER else "a larger number"
    raise ValueError(f"{option}=: expected {least:g} to {LONGEST:,} seconds, got {got}")


def file_path(option: str, value: object) -> str:
    """The path of a file, as a text that the system can take.

    Raises:
        ValueError: Names the option, what was expected, and what was there.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        raise ValueError(f"{option}=: expected a path as a str or Path, got a value of type {type(path).__name__}")
    if "\0" in path:
        raise ValueError(f"{option}=: expected a path without a NUL character, got '{printable(path)}'")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ValueError(f"{option}=: expected a path that the system can have, got '{printable(path)}'") from None
    return path


class TLS(msgspec.Struct, frozen=True, kw_only=True):
    """Encrypt the connection. The files are read again at every attempt, so rotated ones are picked up.

    Attributes:
        ca: File with the certificates (PEM) that the server's must descend from; empty: the ones gRPC ships.
        cert: File with the client's certificate, for mutual TLS.
        key: File with its private key.
        server_name: The name that the server's certificate carries, where it is not the endpoint's host.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""

    def __post_init__(self) -> None:
        if bool(self.cert) != bool(self.key):
            raise ValueError("mutual TLS needs both cert= and key=")
        for option in ("ca", "cert", "key"):
            if path := getattr(self, option):
                file_path(option, path)


class Endpoint(msgspec.Struct, frozen=True):
    """One member's client address.

    Attributes:
        target: `host:port`, or `unix:PATH`.
        secure: What its scheme said; None without one.
    """

    target: str
    secure: bool | None = None

    @property
    def socket(self) -> str:
        """The path of a Unix socket; empty for an address."""
        return self.target[len(_UNIX) :] if self.target.startswith(_UNIX) else ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; those of a Unix socket are what gRPC takes them for."""
        if self.socket:
            return "localhost", 0
        host, port = self.target.rsplit(":", 1)
        return host.strip("[]"), int(port)

    def __str__(self) -> str:
        return printable(self.target, None)


_UNIX = "unix:"
_LONGEST_SOCKET = 107
"""Bytes that Linux has for a socket's path; other systems have a few less."""

_ENDPOINT = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<target>(?:\[[0-9a-fA-F:.]+\]|[^\s:/\[\]@?#&=%]+):(?P<port>-?[0-9]+))/?"
)
_BARE_IPV6 = re.compile(r"(?:https?://)?[0-9a-fA-F:.]*:[0-9a-fA-F.]*:[0-9]+/?")
_WITH_PATH = re.compile(r"(?:https?://)?[^\s:/\[\]@?#&=%]+:[0-9]+/[^@?#&=%]+")
_HARMLESS = re.compile(
    r"unix:[^:@?#&=%]*|(?:\w+://)?[^:/@?#&=%]*(?::-?[\d.]*)?/?|(?:https?://)?[0-9a-fA-F:.\[\]]*(?::-?\d+)?/?"
)
"""Without a user, a query, or anything but a number after a colon."""

_UNSAID = "one that may hold a password"

_HIGHEST_PORT, _ETCDS_PORT = 65535, 2379


def parse_endpoint(text: object) -> Endpoint:
    """Read `host:port`, `http://host:port`, `https://host:port`, or `unix:/path`; IPv6 as `[::1]:2379`.

    Raises:
        ValueError: It is none of these. The text is quoted only when it cannot hold a password.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected an etcd endpoint as a str, host:port, got a value of type {type(text).__name__}")
    stripped = text.strip()
    shown = f"'{printable(text)}'" if _HARMLESS.fullmatch(stripped) else _UNSAID
    if stripped.startswith(_UNIX):
        return _unix_endpoint(stripped.removeprefix(_UNIX), shown)
    found = _ENDPOINT.fullmatch(stripped)
    if found is None or not found["target"].isprintable():
        wanted = "as host:port"
        if _BARE_IPV6.fullmatch(stripped):
            wanted = "with its IPv6 address in brackets, as [::1]:2379"
        elif shown != _UNSAID and _ENDPOINT.fullmatch(f"{stripped}:{_ETCDS_PORT}"):
            wanted = f"as host:port, such as {printable(stripped)}:{_ETCDS_PORT}"
        if _WITH_PATH.fullmatch(stripped):
            wanted, shown = (
                "as host:port (what to read goes into prefix= or key=)",
                "one with a path, which may hold a password",
            )
        elif shown == _UNSAID:
            shown += " (use username= and password=)"
        raise ValueError(f"expected an etcd endpoint {wanted}, got {shown}")
    digits = found["port"].lstrip("0")
    if len(digits) > len(str(_HIGHEST_PORT)) or not 1 <= int(digits or 0) <= _HIGHEST_PORT:
        raise ValueError(f"expected an etcd endpoint with a port from 1 to {_HIGHEST_PORT}, got {shown}")
    if found["target"].startswith("[") and not _is_ipv6(found["target"].rpartition(":")[0][1:-1]):
        raise ValueError(f"expected an etcd endpoint with an IPv6 address in its brackets, as [::1]:2379, got {shown}")
    scheme = found["scheme"]
    return Endpoint(found["target"], None if scheme is None else scheme == "https")


def _is_ipv6(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        return False
    return True


def _unix_endpoint(path: str, shown: str) -> Endpoint:
    path = "/" + path.lstrip("/") if path.startswith("///") else path
    if not path.startswith("/") or path.startswith("//") or "\0" in path:
        raise ValueError(f"expected a Unix socket as unix:/path, got {shown}")
    if os.name != "posix":
        raise ValueError(f"expected an etcd endpoint as host:port (no Unix sockets here), got {shown}")
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        raise ValueError(f"expected a Unix socket at a path that the system can have, got {shown}") from None
    if len(name) > _LONGEST_SOCKET:
        raise ValueError(f"expected a Unix socket of {_LONGEST_SOCKET} bytes at most, got {shown}")
    return Endpoint(_UNIX + path)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How connections behave. All times in seconds.

    Attributes:
        tls: None for plain text.
        timeout: Deadline of one call; a page of a list counts as one.
        connect_timeout: Deadline of reaching one endpoint, TLS included.
        keepalive: A connection that died without a word is found within this; 2 or more.
        ping_timeout: gRPC ends a connection on which a ping was not answered for so long, whatever is on its way: the
            answer waits behind what the server's kernel has taken, on 250 kB/s for 4.6 s.
    """

    tls: TLS | None = None
    timeout: float = 5.0
    connect_timeout: float = 3.0
    keepalive: float = 10.0
    ping_timeout: float = 15.0

    def __post_init__(self) -> None:
        check_seconds("keepalive", self.keepalive, 2)
        check_seconds("timeout", self.timeout, SHORTEST)
        check_seconds("connect_timeout", self.connect_timeout, SHORTEST)


def tls_for(endpoint: Endpoint, settings: Settings) -> TLS | None:
    """What this endpoint is spoken to with; `https://` alone means TLS with gRPC's own roots.

    Raises:
        SourceError: The endpoint says http:// and certificates are given: one of them is a mistake.
    """
    if endpoint.secure is False and settings.tls is not None:
        raise SourceError(f"{endpoint} is given as http://, and tls= is set: remove one of them")
    return settings.tls or (TLS() if endpoint.secure else None)
