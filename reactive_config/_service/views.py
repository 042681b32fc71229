"""What a client reads: a view of an environment in a format, and the tag that names it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Any

import anyio.to_thread
import msgspec
import orjson

from reactive_config._core.delta import Bare
from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT, get, overlay
from reactive_config._formats.writing import Inexpressible, WriterMissing, write_document
from reactive_config._releases.environment_name import COMMON, EnvironmentName
from reactive_config._releases.path_changes import value_at
from reactive_config._releases.replica import EnvironmentState, Replica
from reactive_config._service.problems import ProblemError

MEDIA_TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "toml": "application/toml",
    "env": "text/plain; charset=utf-8",
    "properties": "text/x-java-properties",
}

MOST_CACHED = 32 << 20
"""Bytes of answers that are kept."""

SLOW = 32 << 10
"""Bytes of stored documents from which other formats than JSON are written in a thread."""

_OVERHEAD = 500
"""Bytes that an answer takes beside its own."""


class View(msgspec.Struct, frozen=True):
    """A view at one moment.

    Attributes:
        states: The environments that it is made of, lowest first.
        effective: Whether it is all of them, laid over one another.
        path: The part of it.
    """

    states: tuple[EnvironmentState, ...]
    effective: bool
    path: Path

    @property
    def exists(self) -> bool:
        """Whether the environment itself was ever written to."""
        return self.states[-1].exists

    @property
    def revision(self) -> int:
        """Of the store."""
        return self.states[-1].revision

    def value(self) -> Any:
        """What stands at the path; ABSENT for nothing."""
        values = [value_at(state.contents, self.path) for state in self.states]
        if len(values) == 1:
            return values[0]
        if not self.path:
            return overlay(values[0], values[1])
        # A single value above the path in the higher layer hides what is below it in the lower one.
        low, high = (state.contents.names.get(self.path[0]) for state in self.states)
        return get(overlay(low.tree if low else ABSENT, high.tree if high else ABSENT), self.path[1:])

    @property
    def size(self) -> int:
        """Bytes of the documents that it is made of; of all of a top-level name, where the path goes deeper."""
        names = [state.contents.names for state in self.states]
        tops = [top for these in names for name, top in these.items() if not self.path or name == self.path[0]]
        return sum(len(document.raw) for top in tops for document in top.documents.values())

    @property
    def name(self) -> str:
        """How the view is called."""
        return "effective" if self.effective else "layer"

    def tag(self, kind: str) -> str:
        """The strong tag of what is read: by content, view and format, and known without making anything."""
        return f'"{self._digest()}.{kind}"'

    def _digest(self) -> str:
        summed = hashlib.sha256(self.name.encode() + b"\0")
        if len(self.path) > 1:
            summed.update(_bytes_of(self.value()))
            return summed.hexdigest()[:40]
        for state in self.states:
            if not self.path:
                summed.update(state.contents.digest)
            else:
                top = state.contents.names.get(self.path[0])
                summed.update(top.digest if top is not None else _NO_DIGEST)
        return summed.hexdigest()[:40]


_NO_DIGEST = bytes(hashlib.sha256().digest_size)
"""As long as every other one, so that two layers cannot be cut in another place."""


def _bytes_of(tree: Any) -> bytes:
    if tree is ABSENT:
        return b"-"
    return orjson.dumps(tree, default=_unusual, option=orjson.OPT_SORT_KEYS)


def _unusual(value: object) -> Any:
    if isinstance(value, Bare):
        return value.text  # as a client sees it
    raise TypeError


def view_of(replica: Replica, name: EnvironmentName, path: Path, *, effective: bool) -> View:
    """A view as it is now."""
    states = [replica.state(name)]
    if effective and name.environment != COMMON:
        states.insert(0, replica.state(EnvironmentName(name.namespace, COMMON)))
    return View(tuple(states), effective, path)


class Rendered:
    """Answers that were made, by their tags; those that were not asked for longest are forgotten first."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, Path, EnvironmentName], bytes] = OrderedDict()
        self._size = 0

    async def get(self, view: View, kind: str) -> bytes:
        """The view in a format.

        Raises:
            ProblemError: 406 with the path that the format cannot say; 404 if nothing is there.
        """
        key = (view.tag(kind), view.path, view.states[-1].name)
        made = self._made.get(key)
        if made is not None:
            self._made.move_to_end(key)
            return made
        if kind != "json" and view.size > SLOW:
            made = await anyio.to_thread.run_sync(rendered, view.value(), kind)
        else:
            made = rendered(view.value(), kind)
        self._keep(key, made)
        return made

    def _keep(self, key: tuple[str, Path, EnvironmentName], made: bytes) -> None:
        if key in self._made:
            return  # another request was faster
        self._made[key] = memoryview(made).tobytes()  # a copy without the room that its writer had
        self._size += len(made) + _OVERHEAD
        while self._size > MOST_CACHED:
            _, gone = self._made.popitem(last=False)
            self._size -= len(gone) + _OVERHEAD


def rendered(value: Any, kind: str) -> bytes:
    """A value in a format.

    Raises:
        ProblemError: 406 with the path that the format cannot say; 404 if there is no value.
    """
    if value is ABSENT:
        raise ProblemError(404, "no-such-path", "there is nothing at this path")
    try:
        return write_document(in_order(value), f".{kind}")
    except Inexpressible as error:
        raise ProblemError(406, "not-in-this-format", str(error), path=".".join(error.path)) from None
    except WriterMissing as error:
        raise ProblemError(406, "not-in-this-format", str(error)) from None


def in_order(tree: Any) -> Any:
    """The same with sorted names: what one tag names is the same bytes at every service, whoever wrote what first."""
    if type(tree) is dict:
        return {name: in_order(tree[name]) for name in sorted(tree)}
    return [in_order(value) for value in tree] if type(tree) is list else tree


def negotiated(accept: str | None, wanted: str | None) -> str:
    """The format to answer in: that of the query, else the first one that `Accept` takes, by its weights.

    Raises:
        ProblemError: 406, none of ours is wanted; 400 for a format that is none.
    """
    if wanted is not None:
        if wanted not in MEDIA_TYPES:
            raise ProblemError(400, "bad-query", f"format: expected one of {', '.join(MEDIA_TYPES)}")
        return wanted
    best = _wanted_most(accept or "*/*")
    if not best:
        raise ProblemError(406, "not-acceptable", f"expected one of {', '.join(MEDIA_TYPES.values())}")
    return best


@lru_cache(maxsize=64)
def _wanted_most(accept: str) -> str:
    """The first format that has the most weight; empty if none has any."""
    best, weight = "", 0.0
    for kind, media in MEDIA_TYPES.items():
        told = _weight(accept, media.partition(";")[0])
        if told > weight:
            best, weight = kind, told
    return best


def _weight(accept: str, media: str) -> float:
    """How much a media type is wanted; the most specific range counts."""
    found = (-1, 0.0)
    for part in accept.split(","):
        kind, *parameters = [piece.strip().lower() for piece in part.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = min(1.0, max(0.0, float(parameter[2:])))
                except ValueError:
                    quality = 0.0
        rank = {media: 2, f"{media.partition('/')[0]}/*": 1, "*/*": 0}.get(kind)
        if rank is not None and rank > found[0]:
            found = (rank, quality)
    return found[1]
