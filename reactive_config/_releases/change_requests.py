"""What somebody wants to change, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from reactive_config._releases.applied_names import AppliedNames
from reactive_config._releases.contents import Contents, KeyEdits
from reactive_config._releases.idempotency import IdempotencyKey
from reactive_config._releases.key_store import StoreError
from reactive_config._releases.path_changes import PathChange
from reactive_config._releases.release import Release
from reactive_config._releases.replica import EnvironmentState

Plan = Callable[[EnvironmentState], Awaitable[KeyEdits]]
"""From what an environment holds to the keys to write and delete."""


class ChangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to change.

    Attributes:
        plan: From what the environment holds to the keys to write and delete. It may be asked more than once, and
            may raise: then nothing is written.
        check: Is asked before the plan; raises if the change must not be made on this state.
        author: Who wants it.
        identity: Who is known to have asked for it, as the name of an access token; empty where nobody asked who it is.
        message: Why.
        kind: As in `Release`.
        restores: As in `Release`.
        forced: Why the change may be larger than usual; empty for no reason.
        dry_run: Only tell what would happen.
        repeat: Makes the change happen once, however often it is asked for.
        applied: The names that are applied as a whole; None for a change of single paths.
    """

    plan: Plan
    check: Callable[[EnvironmentState], object] = id
    author: str
    identity: str = ""
    message: str = ""
    kind: Literal["change", "restore"] = "change"
    restores: int = 0
    forced: str = ""
    dry_run: bool = False
    repeat: IdempotencyKey | None = None
    applied: AppliedNames | None = None


class ChangeOutcome(msgspec.Struct, frozen=True):
    """What became of a change.

    Attributes:
        release: What was made; None if nothing had to be changed, or nothing was to be written.
        contents: What the environment holds after it.
        changes: Path by path; empty for one that is answered again.
        created: There was no such environment before.
        revision: Of the store, at which all of this is so.
        repeated: It was made before, with the same idempotency key.
        violations: Of a dry run: why the change would be refused.
    """

    release: Release | None
    contents: Contents
    changes: list[PathChange]
    created: bool
    revision: int
    repeated: bool = False
    violations: Sequence[StoreError] = ()
