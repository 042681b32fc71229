"""`/config`: read an environment, or change it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio.to_thread
import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response

from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT
from reactive_config._releases.change_requests import ChangeOutcome, ChangeRequest, Plan
from reactive_config._releases.client_views import changes_json, shown
from reactive_config._releases.contents import KeyEdits
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.idempotency import IdempotencyKey
from reactive_config._releases.key_store import StoreError
from reactive_config._releases.patches import merged, patched
from reactive_config._releases.path_changes import value_at
from reactive_config._releases.path_edits import NothingThere, check_bytes, check_nothing_unreadable, edits_at
from reactive_config._releases.release import LONGEST_AUTHOR, LONGEST_MESSAGE, Release
from reactive_config._releases.releases import Releases
from reactive_config._releases.replica import EnvironmentState, Replica
from reactive_config._service.problems import RETRY, ProblemError, problem_of
from reactive_config._service.request_parts import (
    check_query,
    config_path,
    matches,
    matches_exactly,
    media_type,
    query_flag,
    query_number,
    query_text,
    read_document,
)
from reactive_config._service.views import MEDIA_TYPES, Rendered, View, negotiated, view_of

MIN_REVISION_WAIT = 5.0
"""Seconds that a read waits for the revision that it asks for."""

LARGE = 20_000
"""Bytes of a patched document from which patching runs in a thread."""

JSON, YAML, TOML = "application/json", "application/yaml", "application/toml"
MERGE_PATCH, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"

WRITE_QUERY = ("dry_run", "message", "author", "force", "view")


def environment_of_request(request: Request) -> EnvironmentName:
    """The environment in the path.

    Raises:
        InvalidName: There can be none.
    """
    return EnvironmentName(request.path_params["namespace"], request.path_params["environment"])


async def known_up_to(replica: Replica, wanted: int | None) -> None:
    """Return once the wanted revision is known.

    Raises:
        ProblemError: 503, it is not known in time: an older answer is never given.
    """
    if wanted is not None and not await replica.wait(wanted, MIN_REVISION_WAIT):
        detail = f"revision {wanted} has not arrived here; the newest is {replica.revision}"
        raise ProblemError(503, "not-there-yet", detail, headers=RETRY, revision=replica.revision)


class ConfigEndpoints:
    """The methods of `/v1/NAMESPACE/ENVIRONMENT/config/...`."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases
        self._replica = releases.replica
        self._rendered = Rendered()

    async def read(self, request: Request) -> Response:
        """GET and HEAD."""
        check_query(request, "format", "view", "min_revision")
        name, path = environment_of_request(request), config_path(request)
        effective = _is_effective(request)
        kind = negotiated(request.headers.get("accept"), query_text(request, "format"))
        await known_up_to(self._replica, query_number(request, "min_revision"))
        view = view_of(self._replica, name, path, effective=effective)
        if not view.exists:
            raise _no_environment(name)
        tag = view.tag(kind)
        headers = {"ETag": tag, "Revision": str(view.revision), "Vary": "Accept, Authorization"}
        if matches_exactly(request.headers.get("if-none-match"), tag, lambda: view.value() is not ABSENT):
            return Response(None, 304, headers)
        return Response(await self._rendered.get(view, kind), 200, headers, MEDIA_TYPES[kind])

    async def put(self, request: Request) -> Response:
        """PUT: the path says exactly the body, and nothing else."""
        value = await read_document(request, JSON, YAML, TOML)
        check_bytes(value)

        async def plan(state: EnvironmentState, path: Path) -> KeyEdits:
            return edits_at(state.contents, path, value)

        return await self._write(request, plan, body_hash(request, value))

    async def patch(self, request: Request) -> Response:
        """PATCH: a merge patch or a JSON Patch of what stands at the path."""
        patch = await read_document(request, MERGE_PATCH, JSON_PATCH)
        merging = media_type(request) == MERGE_PATCH

        async def plan(state: EnvironmentState, path: Path) -> KeyEdits:
            before = value_at(state.contents, path)
            if before is ABSENT:
                raise NothingThere(path)
            if merging:
                return edits_at(state.contents, path, merged(before, patch))
            target = shown(before)
            if len(orjson.dumps(target)) * len(patch) < LARGE if isinstance(patch, list) else True:
                return edits_at(state.contents, path, patched(target, patch))
            return edits_at(state.contents, path, await anyio.to_thread.run_sync(patched, target, patch))

        return await self._write(request, plan, body_hash(request, patch))

    async def delete(self, request: Request) -> Response:
        """DELETE: nothing stands at the path any more."""

        async def plan(state: EnvironmentState, path: Path) -> KeyEdits:
            if not state.exists:
                raise _no_environment(state.name)
            return edits_at(state.contents, path, ABSENT)

        return await self._write(request, plan, body_hash(request, None))

    async def _write(self, request: Request, plan: Any, body: str) -> Response:
        check_query(request, *WRITE_QUERY)
        name, path = environment_of_request(request), config_path(request)
        if _is_effective(request):
            raise ProblemError(
                405, "read-only-view", "the effective view can only be read", headers={"Allow": "GET, HEAD"}
            )
        if_match, if_none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
        if if_match is None and if_none_match is None:
            detail = "expected If-Match with the ETag that was read, or If-None-Match: * for what is new"
            raise ProblemError(428, "precondition-required", detail)

        def check(state: EnvironmentState) -> None:
            _check_preconditions(View((state,), False, path), if_match, if_none_match)

        wanted = change_request(request, partial(plan, path=path), check, body)
        outcome = await self._releases.change(name, wanted)
        return outcome_response(name, outcome, wanted.dry_run, View((_after(outcome, name),), False, path))


def _after(outcome: ChangeOutcome, name: EnvironmentName) -> EnvironmentState:
    return EnvironmentState(name, outcome.contents, None, outcome.revision)


def _is_effective(request: Request) -> bool:
    view = query_text(request, "view")
    if view not in (None, "layer", "effective"):
        raise ProblemError(400, "bad-query", "view: expected layer or effective")
    return view == "effective"


def _check_preconditions(view: View, if_match: str | None, if_none_match: str | None) -> None:
    value = view.value()
    if wants_new(if_none_match):
        if view.exists if not view.path else value is not ABSENT:
            raise _moved(view, value)
        if view.path:
            check_nothing_unreadable(view.states[-1].contents, view.path)
    elif not view.exists:
        raise _no_environment(view.states[-1].name)
    there = view.exists and value is not ABSENT
    if if_match is not None and not (there and matches(if_match, view.tag("json"))):
        raise _moved(view, value)


def wants_new(if_none_match: str | None) -> bool:
    """Whether a write is to make what is not there yet.

    Raises:
        ProblemError: 400 for an `If-None-Match` that says something else.
    """
    if if_none_match is not None and if_none_match.strip() != "*":
        raise ProblemError(400, "bad-precondition", "If-None-Match: expected * in a write")
    return if_none_match is not None


def _moved(view: View, value: Any) -> ProblemError:
    current: dict[str, Any] = {"revision": view.revision}
    if value is not ABSENT:
        current |= {"etag": view.tag("json"), "value": shown(value)}
    return ProblemError(412, "changed-meanwhile", "what is there is not what the precondition names", current=current)


def _no_environment(name: EnvironmentName) -> ProblemError:
    return ProblemError(404, "no-such-environment", f"there is no environment {name}")


def change_request(
    request: Request, plan: Plan, check: Callable[[EnvironmentState], object], body: str
) -> ChangeRequest:
    """A change, with what query and headers say of it."""
    return ChangeRequest(
        plan=plan,
        check=check,
        author=query_text(request, "author", longest=LONGEST_AUTHOR) or request.scope["identity"],
        identity=request.scope["identity"],
        message=query_text(request, "message", longest=LONGEST_MESSAGE) or "",
        forced=query_text(request, "force", longest=LONGEST_MESSAGE) or "",
        dry_run=query_flag(request, "dry_run"),
        repeat=_repeat(request, body),
    )


def _repeat(request: Request, body: str) -> IdempotencyKey | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key or len(key) > 255:
        raise ProblemError(400, "bad-idempotency-key", "Idempotency-Key: expected 1 to 255 characters")
    return IdempotencyKey(request.scope["identity"], key, body)


def body_hash(request: Request, value: Any) -> str:
    """Differs for requests that ask for something else."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()  # an encoded slash is another name
    what = [request.method, path.decode("latin-1"), str(request.query_params), media_type(request)]
    summed = hashlib.sha256(orjson.dumps(what))
    summed.update(msgspec.json.encode(value))
    return summed.hexdigest()


def outcome_response(name: EnvironmentName, outcome: ChangeOutcome, dry_run: bool, after: View) -> Response:
    """What a write answers: the release, and path by path what it changed."""
    body = {
        "release": None if outcome.release is None else release_json(outcome.release),
        "changes": changes_json(outcome.changes),
        "dry_run": dry_run,
        "repeated": outcome.repeated,
    }
    if dry_run:
        body["violations"] = [_violation(error) for error in outcome.violations]
    headers = {"Revision": str(outcome.revision)}
    if not (dry_run or outcome.repeated or (after.path and after.value() is ABSENT)):  # what is not there has no tag
        headers["ETag"] = after.tag("json")
    created = outcome.created and not dry_run
    if created:
        headers["Location"] = f"/v1/{name}/config"
    return Response(orjson.dumps(body, default=str), 201 if created else 200, headers, JSON)


def _violation(error: StoreError) -> dict[str, Any]:
    problem = problem_of(error)
    assert problem is not None
    return {"kind": problem.kind, "detail": problem.detail, **problem.more}


def release_json(release: Release) -> dict[str, Any]:
    """A release as clients see it."""
    told: dict[str, Any] = msgspec.to_builtins(release)
    return told
