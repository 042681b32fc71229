"""Top-level names that come from files: who applied them, and which of them may go if the files have them no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from reactive_config._core.trees import ABSENT
from reactive_config._releases.contents import Contents, KeyEdits
from reactive_config._releases.document_edits import plan_edits
from reactive_config._releases.environment_name import EnvironmentName, InvalidName, is_name
from reactive_config._releases.key_store import CONTROL, KeyStore, Write

MOST_OWNERS = 1000
"""Of one environment."""


class AppliedNames(msgspec.Struct, frozen=True):
    """What somebody applies as a whole.

    Attributes:
        names: Top-level names that are written.
        owner: Who says so, as a repository; empty for nobody in particular.
        prune: Delete the owner's other names, that no other owner has; without an owner all other names.

    Raises:
        InvalidName: No owner can be called so.
    """

    names: frozenset[str]
    owner: str = ""
    prune: bool = False

    def __post_init__(self) -> None:
        if self.owner and not is_name(self.owner):
            raise InvalidName("expected an owner of lower-case letters, digits and `-`, 63 at most")


class Owned(msgspec.Struct, frozen=True):
    """The names of one owner, as the store has them."""

    names: frozenset[str]
    revision: int


async def read_owners(store: KeyStore, name: EnvironmentName) -> dict[str, Owned]:
    """The owners of an environment's names."""
    prefix = _prefix(name)
    rows = await store.scan(prefix, "", "~", MOST_OWNERS)
    return {key.removeprefix(prefix): Owned(_read_names(stored.value), stored.revision) for key, stored in rows}


def _read_names(raw: bytes) -> frozenset[str]:
    """The names of an owner; none if somebody has damaged them, so that nothing is pruned for it."""
    try:
        return msgspec.json.decode(raw, type=frozenset[str])
    except msgspec.DecodeError:
        return frozenset()


def pruned(contents: Contents, edits: KeyEdits, applied: AppliedNames, owners: Mapping[str, Owned]) -> KeyEdits:
    """The edits, and those that delete what is pruned."""
    if not applied.prune:
        return edits
    after = contents.edited(edits)
    there = {name for name, top in after.names.items() if top.tree is not ABSENT}  # what nobody can read stays
    gone = [name for name in _may_go(there, applied, owners) if name not in applied.names and name in there]
    return {**edits, **plan_edits(after, dict.fromkeys(gone, ABSENT))}


def _may_go(names: Iterable[str], applied: AppliedNames, owners: Mapping[str, Owned]) -> Iterable[str]:
    if not applied.owner:
        return list(names)
    mine = owners[applied.owner].names if applied.owner in owners else frozenset()
    others = [owned.names for owner, owned in owners.items() if owner != applied.owner]
    return sorted(mine.difference(*others))


def claimed(name: EnvironmentName, applied: AppliedNames, owners: Mapping[str, Owned]) -> Write | None:
    """What to write so that the owner has these names; None if it has them already, or is nobody."""
    if not applied.owner:
        return None
    before = owners.get(applied.owner, Owned(frozenset(), 0))
    names = applied.names if applied.prune else applied.names | before.names
    if before.revision and names == before.names:
        return None
    key = _prefix(name) + applied.owner
    return Write({key: msgspec.json.encode(sorted(names))}, unchanged={key: before.revision})


def _prefix(name: EnvironmentName) -> str:
    return f"{CONTROL}owners/{name}/"
