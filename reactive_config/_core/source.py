"""The contract between a source and the runtime.

A source is a task that turns something outside into deltas. The runtime gives it a `Feed`; sending
never waits, because deltas that wait are merged entry by entry: the inbox is bounded by the number of
entries, however fast the source is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Delta, Entry, Replace
from reactive_config._core.lookup import Shape
from reactive_config._core.paths import Path
from reactive_config._core.status import SourceState


def no_variable(path: Path) -> str:  # noqa: ARG001
    """Empty: the source has no variables."""
    return ""


class Feed(Protocol):
    """What a source sees of the runtime. Used from the runtime's loop only."""

    def send(self, delta: Delta) -> None:
        """Hand over a delta. Never waits, never raises for content.

        A source's first delta is a `Replace`; until it came, and the source has said that it is no longer
        CONNECTING, `open_config` waits. A delta is taken whole: it may be merged with others that wait, but
        never split.
        """

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        """Say where the source stands. FAILED before the first delta ends `open_config` with this reason."""

    def notes(self, notes: Sequence[str]) -> None:
        """Replace the source's notes in the status."""

    def count(self, counter: str, by: int = 1) -> None:
        """Count something for the status: `reconnects`, `relists`, `events`, ..."""

    def gauge(self, name: str, value: float) -> None:
        """Replace a measured value in the status, one that goes up and down: `lag`, ..."""

    def resolve(self, names: Path) -> Path:
        """The configuration's path for names in any case, as environment variables spell them.

        Fields of the type are matched without case; names that the type leaves open are lower-cased.
        """

    def shape(self, path: Path) -> Shape:
        """What fits at a path: only a `table`, only another `value`, or `any`, as where no type says what it is."""

    def knows(self, path: Path) -> bool:
        """Whether something may stand at a path of the type, or the type leaves that open."""

    def named_variables(self) -> Sequence[tuple[str, Path]]:
        """The environment variables that fields of the type name by `EnvName`, and the paths of those fields.

        Of several at one path, the one that wins comes last.
        """

    def leave_out(self, keys: Mapping[Path, str], variable: Callable[[Path], str] = no_variable) -> None:
        """Say what the source leaves out because the type does not know it: path to what a person calls its place.

        Replaces what was said before. The status notes it, and the log tells of what is new.

        Args:
            keys: What is left out.
            variable: How the source spells a path, for what somebody may have meant.
        """

    @property
    def holds_secret(self) -> bool:
        """Whether the configuration's type has a Secret anywhere: what keeps copies should say that it does."""

    @property
    def accepted(self) -> Mapping[str, Entry]:
        """The entries of this source in force, by id: a live view, to be copied before any await."""

    @property
    def accepted_revision(self) -> int:
        """The newest revision whose content is completely in `accepted` or was superseded."""

    async def wait_revision(self, revision: int) -> None:
        """Return once a revision that was sent is taken.

        Raises:
            Rejected: What it brought is held.
            Closed: The configuration's context ended first.
        """

    async def wait_accepted(self) -> None:
        """Return once `accepted` has changed since the last call returned (at once if it already has)."""

    async def wait_taken(self) -> bool:
        """Return once all that was sent is taken, in force or held, and whether all of it is in force.

        Never before the first configuration.

        Raises:
            Closed: The configuration's context ended first.
        """

    async def wait_in_force(self) -> None:
        """Return once all that was sent is in force, so that nothing is held."""


def check_flag(option: str, value: object) -> None:
    """Refuse a text such as "no" where a truth value is wanted: it would count as true.

    Raises:
        TypeError: It is no bool.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{option}=: expected True or False, got a value of type {type(value).__name__}")


class Source(Protocol):
    """Something outside that becomes layers.

    Attributes:
        name: What the status calls it; the runtime makes it unique by a suffix.
        layers: The names of its layers, lowest first; at least one.
        optional: Whether a layer may be without a single entry. Where not, an empty layer is an error
            at the start, and held later.
        optional_layers: Those (indexes) that may be without an entry where the source as a whole is not optional.
        change_limits: How far what it says may jump at once.
        places: What a person calls each layer where it stands (a directory, a prefix); empty: the layers' names.
    """

    name: str
    layers: tuple[str, ...]
    optional: bool = False
    optional_layers: frozenset[int] = frozenset()
    places: tuple[str, ...] = ()
    change_limits: ChangeLimits = ChangeLimits()

    @abstractmethod
    async def run(self, feed: Feed) -> None:
        """Send deltas until cancelled. Returning says that nothing more will come.

        Raises:
            SourceError: A person is needed; becomes FAILED.
            StartupError: Before the first delta: the program must not start like this, even if the source is optional.
                Any other exception is taken for a bug and ends the configuration.
        """

    async def last_good(self) -> Replace | None:
        """A state that was accepted once, to start from when the first one sent does not fit; None if there is none."""
        return None
