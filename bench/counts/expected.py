"""The numbers that it should be, a set for each minor version of Python, and what of it grew."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.counts.tally import Counts

EXPECTED = Path(__file__).with_name("expected.json")

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Of Python: each minor version compiles to other instructions."""

SLACK = {"instructions": 0.03, "c_calls": 0.03, "kilobytes": 0.15}
"""The share by which a number may differ without a word; numbers that are not here may not."""

All = Mapping[str, Counts]
"""Scenario to counts."""


class Difference(NamedTuple):
    """One number that is not as expected."""

    scenario: str
    what: str
    expected: int
    got: int

    @property
    def grew(self) -> bool:
        """Whether it got worse."""
        return self.got > self.expected

    def __str__(self) -> str:
        return f"{self.scenario}: {self.what}: expected {self.expected:,}, got {self.got:,}"


def load(file: Path = EXPECTED) -> All:
    """What is expected of this version of Python.

    Raises:
        LookupError: Nobody has counted with it yet.
    """
    versions = _versions(file)
    if VERSION not in versions:
        known = ", ".join(versions) or "none"
        raise LookupError(f"{file.name}: expected counts of Python {VERSION}, got those of {known}; add them: --update")
    return versions[VERSION]


def store(counts: All, file: Path = EXPECTED) -> None:
    """Expect these from now on, of this version of Python."""
    text = msgspec.json.encode({**_versions(file), VERSION: counts}, order="sorted")
    file.write_bytes(msgspec.json.format(text, indent=2) + b"\n")


def differences(expected: All, got: All) -> Iterator[Difference]:
    """Where numbers differ by more than the slack. A scenario that nobody expected is expected to do nothing."""
    for scenario, counts in got.items():
        before = expected.get(scenario, Counts(0, 0, 0, 0, 0, 0))
        for what in Counts.__struct_fields__:
            wanted, found = getattr(before, what), getattr(counts, what)
            if abs(found - wanted) > wanted * SLACK.get(what, 0.0):
                yield Difference(scenario, what, wanted, found)


def _versions(file: Path) -> dict[str, dict[str, Counts]]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, Counts]]) if file.exists() else {}
