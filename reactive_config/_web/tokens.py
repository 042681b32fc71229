"""Who may do what needs a token."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Any, Protocol

from reactive_config import Config, Secret
from reactive_config._core.runtime.operator_log import logger
from reactive_config._web.asgi import EndpointRequest, ErrorResponse


class SecretText(Protocol):
    """pydantic's `SecretStr`, which need not be installed."""

    def get_secret_value(self) -> str: ...


Token = Secret[str] | SecretText | Callable[[Any], Secret[str] | SecretText | None] | None
"""A token, or a function from the configuration in force to it, so that it may change; None is none."""

Check = Callable[[EndpointRequest], None]
"""Returns if the call shows the token. Raises `ErrorResponse`."""


class NoToken(TypeError):
    """What was given for a token is none; the text is its kind."""


class TokenGate:
    """What one token opens. A token whose function raises opens nothing, and breaks nothing else.

    Args:
        name: `levels_token` or `config_token`.
        token: As given to `Operations`.
        config: Gives the open configuration; None if there is none.

    Raises:
        ValueError: The token is empty.
        TypeError: It is neither a Secret of a text nor a function.
    """

    def __init__(self, name: str, token: Token, config: Callable[[], Config[Any] | None]) -> None:
        if token is not None and not callable(token):
            try:
                text = _text(token)
            except NoToken as error:
                raise TypeError(f"{name}: expected a Secret of a text, or a function, got {error}") from None
            if not text:
                raise ValueError(f"{name}: expected a token, got an empty one")
        self._name = name
        self._token = token
        self._config = config
        self._failed = False

    def check(self) -> Check | None:
        """What a call has to pass; None if there is no token, so that what it opens is off."""
        try:
            shown = self._in_force()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a user's function; its text may quote a value
            self._log_once(str(error) if isinstance(error, NoToken) else type(error).__name__)
            return self._refuse
        self._failed = False
        return None if not shown else lambda call: require(shown, call)

    def _in_force(self) -> bytes | None:
        token = self._token
        if callable(token):
            config = self._config()
            token = token(config.current) if config is not None else None
        return None if token is None else _text(token).encode("utf-8", "surrogatepass")

    def _refuse(self, call: EndpointRequest) -> None:
        raise ErrorResponse(
            500, f"{self._name}: expected a token, got an error from the function that gives it; it is logged"
        )

    def _log_once(self, error: str) -> None:
        if not self._failed:
            logger.error(
                "%s: expected a Secret of a text, or None, got %s from the function that gives it", self._name, error
            )
        self._failed = True


def _text(token: object) -> str:
    """A token's text.

    Raises:
        NoToken: It is something else.
    """
    reveal = token.reveal if isinstance(token, Secret) else getattr(token, "get_secret_value", None)
    if reveal is None:
        raise NoToken(type(token).__name__)
    text: object = reveal()
    if not isinstance(text, str):
        raise NoToken(f"a {type(token).__name__} of {type(text).__name__}")
    return text


def require(token: bytes, call: EndpointRequest) -> None:
    """Let pass who shows the token as `Authorization: Bearer ...`; compared in constant time.

    Raises:
        Refused: 401.
    """
    scheme, _, shown = call.header(b"authorization").partition(b" ")
    if scheme.lower() != b"bearer":
        got = "another scheme" if scheme else "nothing"
        raise ErrorResponse(
            401, f"Authorization: expected Bearer and a token, got {got}", {"WWW-Authenticate": "Bearer"}
        )
    if not hmac.compare_digest(shown.strip(), token):
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise ErrorResponse(
            401, "Authorization: expected the token that this application was given, got another", challenge
        )
