"""Requests about one environment.

All targets speak HTTP. A store is opened by the command itself, and its service answers in this process, as the person
who sits there: one way to change configuration, whoever asks.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from reactive_config._cli.etcd_login import EtcdLoginOptions
from reactive_config._cli.failures import Failure, UsageError
from reactive_config._cli.release_target import TARGET_FORMS, ReleaseTarget
from reactive_config._extras import install
from reactive_config._printable import printable

TOKEN_VARIABLE = "REACTIVE_CONFIG_TOKEN"  # noqa: S105 - a variable's name

_TOKEN = re.compile(r"rc_[!-~]+")
_LONGEST_TOKEN = 1_000
_TIMEOUT = 60.0
_LAST_PORT = 65_535


class ReleaseClient:
    """Requests about one environment.

    Attributes:
        target: Which.
    """

    def __init__(self, http: Any, target: ReleaseTarget) -> None:
        self.target = target
        self._http = http

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        """Send a request; return the answer, whose status is below 400.

        Args:
            method: HTTP's.
            path: After `/v1/NAMESPACE/ENVIRONMENT`.
            request: As httpx takes it.

        Raises:
            ProblemAnswer: The service refuses.
            Failure: It cannot be reached.
        """
        import httpx

        try:
            answer = await self._http.request(method, self.target.base + path, **request)
        except (httpx.HTTPError, UnicodeError) as error:  # UnicodeError: a host's name that no resolver takes
            raise Failure(f"{self.target.store}: {_reason(error)}") from None
        if not is_answer_of_service(answer, method, path):
            raise Failure(f"{self.target.store}: it does not answer as a configuration service")
        if answer.status_code < 400:
            return answer
        problem = problem_answer(answer)
        if answer.status_code == 404 and problem.word in ("failed", "no-such-resource"):
            problem.message = f"{printable(self.target.text)}: the server there has no such environment or path"
            problem.hints = (f"TARGET is {TARGET_FORMS}",)
        raise problem


def _reason(error: Exception) -> str:
    """Why a request got no answer, by the error of the socket that is behind httpx's."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {_TIMEOUT:g} s"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", "") or (cause.reason or "failed").lower().replace("_", " ")
            return f"no connection over TLS: {why}"
        if isinstance(cause, socket.gaierror):
            return f"no connection: no such host ({cause.strerror})"
        if isinstance(cause, OSError) and cause.errno:
            return f"no connection: {os.strerror(cause.errno)}"
        cause = cause.__cause__ or cause.__context__
    return f"no answer: the connection broke ({type(error).__name__})"


_BY_OTHERS = frozenset({401, 403, 407, 408, 413, 429})
"""Refusals that a proxy before the service may answer by itself, as it may any status from 500 on."""


def is_answer_of_service(answer: Any, method: str, path: str) -> bool:
    """Whether an answer can be the service's: what listens at a mistyped URL answers, too.

    Args:
        answer: As httpx has it.
        method: Of the request.
        path: After `/v1/NAMESPACE/ENVIRONMENT`.
    """
    status = answer.status_code
    if status in _BY_OTHERS or status >= 500:
        return True
    try:
        body = answer.json()
    except ValueError:
        return False
    if not isinstance(body, dict):
        return False
    if status >= 400:
        return str(body.get("type", "")).startswith("urn:reactive-config:")
    if path == "/config":
        return "ETag" in answer.headers
    return body.keys() >= _members(method, path)


def _members(method: str, path: str) -> frozenset[str]:
    """What the answer of the service has at least."""
    if method == "POST":
        return frozenset({"release", "changes", "dry_run"})
    if path == "/releases":
        return frozenset({"releases"})
    if path.startswith("/blame/"):
        return frozenset({"release"})
    return frozenset({"changes"})


class ProblemAnswer(Failure):
    """The service refuses.

    Attributes:
        status: HTTP's.
        body: The problem, as RFC 9457 has it.
    """

    def __init__(self, message: str, status: int, body: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.word = str(body.get("type", "")).rpartition(":")[2] or "failed"


class ConflictAnswer(ProblemAnswer):
    """Somebody else has changed it meanwhile."""

    code = 3


def problem_answer(answer: Any) -> ProblemAnswer:
    """The failure that an answer tells of."""
    try:
        body = answer.json()
        assert isinstance(body, dict)
    except (ValueError, AssertionError):
        body = {}
    detail = str(body.get("detail", f"the service answers {answer.status_code}"))
    kind = ConflictAnswer if answer.status_code == 412 else ProblemAnswer
    problem = kind(detail, answer.status_code, body)
    if answer.status_code == 401:
        problem.hints = (f"the token comes from {TOKEN_VARIABLE} or --token-file FILE",)
    else:
        problem.hints = _HINTS.get(problem.word, ())
    return problem


FORCE_HINT = "--force REASON, if it is meant"
"""What to do about a change that is larger than usual."""

_HINTS = {"needs-force": (FORCE_HINT,)}


@contextlib.asynccontextmanager
async def opened_target(
    target: ReleaseTarget, token_file: str | None, access: EtcdLoginOptions, *, create: bool = False
) -> AsyncIterator[ReleaseClient]:
    """A client for a target.

    Args:
        target: One environment.
        token_file: Of the service's token; None for the environment's variable.
        access: For a store in etcd; its certificates also for a service behind https://.
        create: Make the file of a SQLite store, if there is none.

    Raises:
        UsageError: There is no token, or the target cannot be.
        Failure: The store cannot be read.
    """
    try:
        import httpx
    except ImportError:
        raise UsageError(f"expected httpx, got none: {install('cli')}") from None
    access.check_files()
    if target.store.startswith("http"):
        _check_url(target)
        headers = {"Authorization": f"Bearer {_token(token_file)}"}
        verify = _certificates(access) if target.store.startswith("https") else False
        async with httpx.AsyncClient(base_url=target.store, headers=headers, timeout=_TIMEOUT, verify=verify) as http:
            yield ReleaseClient(http, target)
        return
    from reactive_config._releases.retention import WITHOUT_COUNT
    from reactive_config._service.serving import open_service

    try:
        async with open_service(
            target.store, WITHOUT_COUNT, login=access.login(), local=_person(), create=create
        ) as service:
            transport = httpx.ASGITransport(service.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://local", timeout=_TIMEOUT) as http:
                yield ReleaseClient(http, target)
    except ValueError as error:
        raise UsageError(f"TARGET: {error}") from None


def _check_url(target: ReleaseTarget) -> None:
    """Refuse what can be no URL of a service, before anything is asked.

    Raises:
        UsageError: It is none.
    """
    import httpx

    try:
        url = httpx.URL(target.store)
        valid = bool(url.host) and (url.port is None or 0 < url.port <= _LAST_PORT)
    except httpx.InvalidURL:
        valid = False
    if not valid:
        raise UsageError(f"TARGET: expected {TARGET_FORMS}, got another host or port: {printable(target.text)}")


def _certificates(access: EtcdLoginOptions) -> ssl.SSLContext:
    """What a service behind https:// is checked by, and the client's certificate."""
    named, wanted = f"--ca {access.ca}", "certificates (PEM)"
    try:
        context = ssl.create_default_context(cafile=access.ca)
        if access.cert is not None:
            named, wanted = f"--cert {access.cert}", "a certificate and its private key (PEM)"
            context.load_cert_chain(access.cert, access.cert_key)
    except ssl.SSLError:
        raise UsageError(f"{printable(named)}: expected {wanted}, got other content") from None
    except OSError as error:
        raise UsageError(f"{printable(named)}: {error.strerror}") from None
    return context


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def _token(token_file: str | None) -> str:
    if token_file is not None:
        try:
            with Path(token_file).open("rb") as file:  # it may be a pipe, or have no end
                text = file.read(_LONGEST_TOKEN).decode()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "expected UTF-8 text"
            raise UsageError(f"--token-file {printable(token_file)}: {why}") from None
    else:
        text = os.environ.get(TOKEN_VARIABLE, "")
    token = text.strip()
    if not token:
        raise UsageError(
            f"expected a token in {TOKEN_VARIABLE} or --token-file, got none",
            hints=[
                "the first start of the service leaves one in the file admin-token; `tokens create NAME` makes others",
                "it is not taken from the command line, where other users could read it",
            ],
        )
    if not _TOKEN.fullmatch(token):
        place = TOKEN_VARIABLE if token_file is None else printable(token_file)
        raise UsageError(f"expected a token, rc_..., in {place}, got other text")
    return token
