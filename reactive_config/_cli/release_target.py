"""TARGET: one environment of a service, of a store in etcd, or of one in a file; or a prefix of etcd."""

from __future__ import annotations

import os
import re

import msgspec

from reactive_config._cli.change_arguments import check_text
from reactive_config._cli.failures import UsageError
from reactive_config._cli.quoting import may_hold_login
from reactive_config._printable import printable

TARGET_VARIABLE = "REACTIVE_CONFIG_TARGET"

TARGET_FORMS = (
    "http://HOST:PORT/NAMESPACE/ENVIRONMENT, etcd://HOST:PORT/PREFIX/NAMESPACE/ENVIRONMENT "
    "or sqlite:FILE/NAMESPACE/ENVIRONMENT"
)
"""How one environment is written."""

_TARGET = re.compile(r"(?P<store>(?:https?://|etcds?://|sqlite:).+)/(?P<namespace>[^/]+)/(?P<environment>[^/]+)/?")


class ReleaseTarget(msgspec.Struct, frozen=True):
    """One environment.

    Attributes:
        text: As it was written.
        store: Where it is: a URL, or a store's name.
        namespace: Its namespace.
        environment: Its name there.
    """

    text: str
    store: str
    namespace: str
    environment: str

    @property
    def base(self) -> str:
        """What the paths of its requests begin with."""
        return f"/v1/{self.namespace}/{self.environment}"


def is_target(text: str) -> bool:
    """Whether an argument names a target, not a path."""
    return text.startswith(("http://", "https://", "etcd://", "etcds://", "sqlite:"))


def read_target(text: str) -> ReleaseTarget:
    """The environment that TARGET means.

    Raises:
        UsageError: It means none.
    """
    if may_hold_login(text):
        raise UsageError(f"TARGET: expected {TARGET_FORMS}, got what may hold a password")
    if is_prefix(text):
        raise UsageError(
            f"TARGET: expected {TARGET_FORMS}, got a prefix of etcd, which has no releases: {printable(text)}",
            hints=["set and unset change a prefix; an environment of a store is written without a slash at the end"],
        )
    found = _TARGET.fullmatch(text)
    if found is None:
        raise UsageError(f"TARGET: expected {TARGET_FORMS}, got {printable(text)}")
    target = ReleaseTarget(text, found["store"], found["namespace"], found["environment"])
    _check_names(target)
    if text.startswith(("etcd:", "etcds:")):
        return msgspec.structs.replace(target, store=f"{target.store}/")
    return target


def _check_names(target: ReleaseTarget) -> None:
    """Refuse a file or a URL in which something else stands where the names belong."""
    from reactive_config._releases.environment_name import LONGEST_NAME, is_name

    for what, name in (("NAMESPACE", target.namespace), ("ENVIRONMENT", target.environment)):
        if not is_name(name):
            raise UsageError(
                f"TARGET: expected {TARGET_FORMS}, got {printable(target.text)}, where {what} is {printable(name)}",
                hints=[f"a name is of lower-case letters, digits and -, {LONGEST_NAME} at most"],
            )


def is_prefix(text: str) -> bool:
    """Whether a target is an ordinary prefix of etcd, of which no store keeps releases."""
    return text.startswith(("etcd://", "etcds://")) and text.endswith("/")


def target_text(texts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The target as it is written, which comes first or from the environment, and what follows it.

    Raises:
        UsageError: There is none.
    """
    if texts and is_target(texts[0]):
        check_text("TARGET", texts[0])
        return texts[0], texts[1:]
    later = next(filter(is_target, texts), None)
    named = os.environ.get(TARGET_VARIABLE, "")
    check_text(TARGET_VARIABLE, named)
    if named and later is None:
        return named, texts
    first = printable(texts[0]) if texts and "=" not in texts[0] and not may_hold_login(texts[0]) else "none"
    if later is not None:
        first = f"{first} before it" if first != "none" else "it later"
    raise UsageError(f"TARGET: expected {TARGET_FORMS} first, got {first}", hints=[f"or set {TARGET_VARIABLE}"])


def target_and_rest(texts: tuple[str, ...]) -> tuple[ReleaseTarget, tuple[str, ...]]:
    """One environment, and what follows it on the command line.

    Raises:
        UsageError: There is none.
    """
    text, rest = target_text(texts)
    return read_target(text), rest
