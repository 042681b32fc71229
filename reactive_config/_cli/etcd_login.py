"""Who the command is for etcd: options, and the password, which never comes from the command line."""

# No annotations as text here: classes of other modules inherit these options, and cyclopts evaluates them there.
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from reactive_config._cli.failures import UsageError
from reactive_config._printable import printable

if TYPE_CHECKING:
    from reactive_config._etcd.settings import TLS
    from reactive_config._releases.opening_store import EtcdLogin

    FileText = str
else:
    # cyclopts gives the text as it is, and lets shells complete files because of the second type.
    FileText = str | Path

PASSWORD_VARIABLE = "REACTIVE_CONFIG_PASSWORD"  # noqa: S105 - the variable's name

_LONGEST_PASSWORD = 64 << 10  # bytes

ETCD = Group("etcd", sort_key=3)


def etcd_option(metavar: str) -> Parameter:
    """An option that means something to etcd only."""
    return Parameter(metavar=metavar, group=ETCD)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EtcdLoginOptions:
    """Who one is for etcd."""

    username: Annotated[str | None, etcd_option("NAME")] = None
    """Its password comes from $REACTIVE_CONFIG_PASSWORD or --password-file, never from the command line."""
    password_file: Annotated[FileText | None, etcd_option("FILE")] = None
    """A file with the password; one line break at its end does not count."""
    ca: Annotated[FileText | None, etcd_option("FILE")] = None
    """Certificates (PEM) that the servers' must descend from; for etcds:// and https://."""
    cert: Annotated[FileText | None, etcd_option("FILE")] = None
    """The client's certificate, for mutual TLS."""
    cert_key: Annotated[FileText | None, etcd_option("FILE")] = None
    """Its private key."""

    @property
    def tls(self) -> list[str]:
        """The options that are about TLS and were given, as they are spelled."""
        given = {"--ca": self.ca, "--cert": self.cert, "--cert-key": self.cert_key}
        return [name for name, value in given.items() if value]

    def check(self) -> None:
        """Refuse options that do not fit together.

        Raises:
            UsageError: They do not.
        """
        if self.username and ":" in self.username:
            raise UsageError(
                "--username: expected a name, got one with a colon, and maybe a password",
                hints=[f"use --password-file or {PASSWORD_VARIABLE}"],
            )
        if self.password_file and not self.username:
            raise UsageError("--password-file: expected --username beside it, got none")

    def check_files(self) -> None:
        """Refuse certificates that are not there, for what does not wait for them.

        Raises:
            UsageError: One is not.
        """
        for option, name in (("--ca", self.ca), ("--cert", self.cert), ("--cert-key", self.cert_key)):
            if name and not Path(name).exists():
                raise UsageError(f"{option} {printable(str(name))}: there is no such file")

    def certificates(self) -> "TLS | None":
        """The certificates; None if no option names one.

        Raises:
            ValueError: They do not fit together, or one cannot be read.
        """
        if not self.tls:
            return None
        from reactive_config._etcd.settings import TLS

        return TLS(ca=self.ca or "", cert=self.cert or "", key=self.cert_key or "")

    def login(self) -> "EtcdLogin":
        """All of it.

        Raises:
            UsageError: The options do not fit together, or there is no password.
            ValueError: Certificates do not fit together.
        """
        from reactive_config._releases.opening_store import EtcdLogin

        self.check()
        self.check_files()
        username = self.username or ""
        return EtcdLogin(username, self.password() if username else "", self.certificates())

    def password(self) -> str:
        """The password of `username`.

        Raises:
            UsageError: There is none, or its file cannot be read.
        """
        if self.password_file:
            return _password_in(self.password_file)
        if (password := os.environ.get(PASSWORD_VARIABLE)) is None:
            raise UsageError(
                f"expected the password of {self.username} in {PASSWORD_VARIABLE} or --password-file, got neither",
                hints=["it is not taken from the command line, where other users could read it"],
            )
        return password


NOBODY = EtcdLoginOptions()


def _password_in(name: str) -> str:
    try:
        with Path(name).open("rb") as file:  # a pipe will do, so its size is not asked for
            data = file.read(_LONGEST_PASSWORD + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no file can have this name"
        why = "expected UTF-8 text, got other bytes" if isinstance(error, UnicodeError) else why
        raise UsageError(f"--password-file {name}: {why}") from None
    if len(data) > _LONGEST_PASSWORD:
        raise UsageError(f"--password-file {name}: expected at most {_LONGEST_PASSWORD} bytes, got more")
    return text.removesuffix("\n").removesuffix("\r")
