"""Errors as RFC 9457 has them: one JSON object with a place, what was expected, and what was there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from reactive_config._core.paths import format_path
from reactive_config._printable import printable
from reactive_config._releases.document_edits import UnwritableContent
from reactive_config._releases.environment_name import InvalidName
from reactive_config._releases.history import NoSuchRelease
from reactive_config._releases.idempotency import OtherRequest
from reactive_config._releases.key_store import StoreAway, StoreError, StoreTooLarge
from reactive_config._releases.patches import PatchRefused
from reactive_config._releases.path_changes import NeedsForce
from reactive_config._releases.path_edits import NothingThere
from reactive_config._releases.release import DamagedHistory
from reactive_config._releases.releases import Contended

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that cannot be served. Raised anywhere below an endpoint, and answered.

    Args:
        status: HTTP's.
        kind: The last part of the problem's type, for programs.
        detail: For people; no value in it.
        headers: Of the answer.
        more: Members of the object: `path`, `expected`, `got`, `current`.
    """

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> Response:
        """The answer."""
        body = {
            "type": f"urn:reactive-config:problem:{self.kind}",
            "title": self.kind.replace("-", " "),
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return Response(orjson.dumps(body), self.status, self.headers, MEDIA_TYPE)


RETRY = {"Retry-After": "1"}


def problem_of(error: Exception) -> ProblemError | None:
    """What to answer for an error of the rooms below; None for one that is a defect of ours."""
    for kind, status, name in _STATUS:
        if isinstance(error, kind):
            headers = RETRY if isinstance(error, (StoreAway, Contended)) else {}
            return ProblemError(status, name, printable(str(error), 1000), headers=headers, **_place(error))
    return None


_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (InvalidName, 404, "no-such-name"),
    (NoSuchRelease, 404, "no-such-release"),
    (NothingThere, 404, "no-such-path"),
    (NeedsForce, 409, "needs-force"),
    (StoreTooLarge, 413, "too-large"),
    (OtherRequest, 422, "key-used-for-another-request"),
    (UnwritableContent, 422, "cannot-be-written"),
    (PatchRefused, 422, "patch-does-not-apply"),
    (Contended, 503, "contended"),
    (DamagedHistory, 503, "damaged-history"),
    (StoreAway, 503, "store-away"),
    (StoreError, 503, "store-refuses"),
)
"""The first that fits counts."""


def _place(error: Exception) -> dict[str, Any]:
    if isinstance(error, (UnwritableContent, NothingThere)):
        return {"path": format_path(error.path)}
    if isinstance(error, PatchRefused) and error.index is not None:
        return {"operation": error.index}
    return {}
