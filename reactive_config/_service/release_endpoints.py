"""`/releases`, `/blame`: the past of an environment, and changes of several paths at once."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response

from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT
from reactive_config._releases.applied_names import AppliedNames
from reactive_config._releases.change_requests import Plan
from reactive_config._releases.client_views import changes_json
from reactive_config._releases.contents import KeyEdits
from reactive_config._releases.environment_name import InvalidName
from reactive_config._releases.path_changes import changes_between, value_at
from reactive_config._releases.path_edits import edits_of_several
from reactive_config._releases.releases import Releases
from reactive_config._releases.replica import EnvironmentState
from reactive_config._service.config_endpoints import (
    JSON,
    body_hash,
    change_request,
    environment_of_request,
    known_up_to,
    outcome_response,
    release_json,
    wants_new,
)
from reactive_config._service.problems import ProblemError
from reactive_config._service.request_parts import check_query, config_path, matches, query_number, read_document
from reactive_config._service.views import View

MOST_LISTED = 200
"""Releases in one answer."""

MOST_PATHS = 1_000
"""Paths in one change."""


class ReleaseEndpoints:
    """The methods below `/v1/NAMESPACE/ENVIRONMENT/` that are not `/config`."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    async def list(self, request: Request) -> Response:
        """GET /releases: newest first."""
        check_query(request, "before", "limit", "min_revision")
        before = query_number(request, "before", most=10**12) or 0
        limit = query_number(request, "limit", most=MOST_LISTED) or 50
        state = await self._state(request)
        # Not those that this process does not know of yet: it could not tell what they changed.
        newest = state.released.number if state.released is not None else 0
        before = min(before or newest + 1, newest + 1)
        found = await self._releases.history.releases(state.name, before=before, limit=limit)
        last = found[-1].number if found else 0
        more = len(found) == limit and last > 1
        following = f"/v1/{state.name}/releases?before={last}&limit={limit}" if more else None
        return _json({"releases": [release_json(release) for release in found], "next": following}, state)

    async def show(self, request: Request) -> Response:
        """GET /releases/N: one release, and what it changed."""
        check_query(request, "min_revision")
        state, number = await self._state(request), _number(request, "number")
        release, _ = await self._releases.history.release(state.name, number)
        after = await self._releases.contents_at(state.name, number)
        before = await self._releases.contents_before(state.name, number, after)
        return _json({**release_json(release), "changes": changes_json(changes_between(before, after))}, state)

    async def diff(self, request: Request) -> Response:
        """GET /releases/N/diff?to=M: what differs between two releases; without `to`, from N to now."""
        check_query(request, "to", "min_revision")
        state, number = await self._state(request), _number(request, "number")
        to = query_number(request, "to", most=10**12)
        before = await self._releases.contents_at(state.name, number)
        after = state.contents if to is None else await self._releases.contents_at(state.name, to)
        return _json({"from": number, "to": to, "changes": changes_json(changes_between(before, after))}, state)

    async def blame(self, request: Request) -> Response:
        """GET /blame/a/b: the release that set what stands there."""
        check_query(request, "min_revision")
        path = config_path(request)
        state = await self._state(request)
        if value_at(state.contents, path) is ABSENT:
            raise ProblemError(404, "no-such-path", "there is nothing at this path")
        release = await self._releases.who_set(state, path)
        return _json({"release": None if release is None else release_json(release)}, state)

    async def create(self, request: Request) -> Response:
        """POST /releases: several paths at once."""
        check_query(request, "dry_run", "message", "author", "force")
        body = await read_document(request, JSON)
        wanted = _read(body)
        applied = _read_applied(body, wanted)

        async def plan(state: EnvironmentState) -> KeyEdits:
            return edits_of_several(state.contents, wanted)

        return await self._change(request, body, plan, applied=applied)

    async def restore(self, request: Request) -> Response:
        """POST /releases/N/restore: make all as it was after a release."""
        check_query(request, "dry_run", "message", "author", "force")
        number = _number(request, "number")
        return await self._change(request, number, _never, number)

    async def _change(
        self, request: Request, body: Any, plan: Plan, number: int = 0, applied: AppliedNames | None = None
    ) -> Response:
        name = environment_of_request(request)
        if_match, if_none_match = request.headers.get("if-match"), request.headers.get("if-none-match")

        def check(state: EnvironmentState) -> None:
            view = View((state,), False, ())
            new = wants_new(if_none_match)
            if new and view.exists:
                raise ProblemError(412, "changed-meanwhile", "there is such an environment already")
            if not new and not view.exists:
                detail = f"there is no environment {name}"
                raise ProblemError(404, "no-such-environment", detail)
            if if_match is not None and not (view.exists and matches(if_match, view.tag("json"))):
                current = {"etag": view.tag("json"), "revision": view.revision}
                raise ProblemError(412, "changed-meanwhile", "it is not what If-Match names", current=current)

        wanted = change_request(request, plan, check, body_hash(request, body))
        wanted = msgspec.structs.replace(wanted, applied=applied)
        if number:
            outcome = await self._releases.restore(name, number, wanted)
        else:
            outcome = await self._releases.change(name, wanted)
        after = EnvironmentState(name, outcome.contents, None, outcome.revision)
        return outcome_response(name, outcome, wanted.dry_run, View((after,), False, ()))

    async def _state(self, request: Request) -> EnvironmentState:
        await known_up_to(self._releases.replica, query_number(request, "min_revision"))
        name = environment_of_request(request)
        if not self._releases.replica.state(name).exists:
            raise ProblemError(404, "no-such-environment", f"there is no environment {name}")
        return await self._releases.settled(name)


async def _never(_: EnvironmentState) -> KeyEdits:
    raise AssertionError("a restore has a plan of its own")


def _read(body: Any) -> dict[Path, Any]:
    """What a body of `POST /releases` says: path to value, ABSENT to delete it."""
    if type(body) is not dict or not body.keys() <= _MEMBERS:
        members = "expected an object with `set` and `delete`, and `owner` and `prune` for what is applied as a whole"
        raise ProblemError(422, "bad-body", members, expected=sorted(_MEMBERS))
    setting, deleting = body.get("set", {}), body.get("delete", [])
    if type(setting) is not dict or type(deleting) is not list:
        raise ProblemError(
            422, "bad-body", "expected `set` to be an object of JSON Pointers, and `delete` a list of them"
        )
    count = len(setting) + len(deleting)
    if count > MOST_PATHS or not (count or body.get("prune") is True):
        raise ProblemError(422, "bad-body", f"expected 1 to {MOST_PATHS:,} paths")
    wanted = {_pointer(pointer): value for pointer, value in setting.items()}
    for pointer in deleting:
        path = _pointer(pointer)
        if path in wanted:
            raise ProblemError(422, "bad-body", "expected each path once", path=list(path))
        wanted[path] = ABSENT
    return wanted


_MEMBERS = {"set", "delete", "owner", "prune"}


def _read_applied(body: dict[str, Any], wanted: dict[Path, Any]) -> AppliedNames | None:
    """What a body of `POST /releases` says of who applies it; None for a change of single paths."""
    owner, prune = body.get("owner", ""), body.get("prune", False)
    if type(owner) is not str or type(prune) is not bool:
        raise ProblemError(422, "bad-body", "expected `owner` to be a name, and `prune` true or false")
    if not owner and not prune:
        return None
    if any(len(path) != 1 or value is ABSENT for path, value in wanted.items()):
        raise ProblemError(
            422, "bad-body", "expected whole top-level names in `set`, and no `delete`, beside `owner` or `prune`"
        )
    try:
        return AppliedNames(frozenset(path[0] for path in wanted), owner, prune)
    except InvalidName as error:
        raise ProblemError(422, "bad-body", str(error)) from None


def _pointer(pointer: Any) -> Path:
    if type(pointer) is not str or not re.fullmatch(r"(/([^/~]|~[01])*)+", pointer, re.DOTALL):
        raise ProblemError(422, "bad-body", "expected JSON Pointers, as /database/pool/max_size")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text):
        raise ProblemError(404, "no-such-release", "expected the number of a release")
    return int(text)


def _json(body: Any, state: EnvironmentState) -> Response:
    return Response(orjson.dumps(body, default=str), 200, {"Revision": str(state.revision)}, JSON)
