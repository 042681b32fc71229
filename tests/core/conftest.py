"""An acceptance without a runtime, for tests that send it deltas by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import SourceRecord
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config._core.paths import parse_path
from reactive_config._core.runtime import callbacks


class Accepting:
    """Sources whose entries are single values at dotted paths, and what is accepted of them.

    Every call of `send` is one transaction, and a unit by its revision, counted over all sources.
    """

    def __init__(self, kind: Any, start: Mapping[str, Any] | None = None, *, sources: int = 1) -> None:
        self.records = [SourceRecord(f"source {number}", ["layer"], optional=True) for number in range(sources)]
        self.acceptance = Acceptance(compile_plan(kind), self.records)
        self.revision = 1
        for number, record in enumerate(self.records):
            record.take(Replace(entries(start or {}, 1) if number == 0 else {}, 1))
        assert self.acceptance.start() == []

    def send(self, values: Mapping[str, Any], *deleted: str, source: int = 0) -> int:
        """Say a transaction; it is not tried before `attempt`. Returns its revision."""
        self.revision += 1
        gone = dict.fromkeys(deleted, self.revision)
        self.records[source].take(Patch(entries(values, self.revision), gone, self.revision))
        return self.revision

    def attempt(self, values: Mapping[str, Any] | None = None, *deleted: str, source: int = 0) -> int:
        """Say a transaction and try what there is, as often as it takes. Returns the number of turns."""
        if values is not None or deleted:
            self.send(values or {}, *deleted, source=source)
        self.acceptance.attempt()
        turns = 1
        while self.acceptance.unsettled:
            self.acceptance.attempt()
            turns += 1
        return turns

    @property
    def value(self) -> Any:
        """The configuration in force."""
        assert self.acceptance.part is not None
        return self.acceptance.part.value

    @property
    def held(self) -> list[Any]:
        """The names of the held units of all sources, in order."""
        return sorted((unit for _, unit in self.acceptance.held), key=str)


def entries(values: Mapping[str, Any], revision: int) -> dict[str, Entry]:
    """Dotted path to an entry of one value."""
    return {path: Entry(parse_path(path), value, revision, revision) for path, value in values.items()}


@pytest.fixture
def accepting() -> type[Accepting]:
    """Makes an acceptance of a type and the values at its start."""
    return Accepting


def running_tasks():
    return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task.get_coro())}


@pytest.fixture
async def no_task_left():
    before = running_tasks()
    yield
    assert running_tasks() <= before


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(callbacks, "PATIENCE", 0.02)
    monkeypatch.setattr(callbacks, "CANCEL_WITHIN", 0.1)
