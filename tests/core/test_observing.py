"""What observers are told, and that they cannot break anything."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager, suppress

import anyio
import msgspec
import pytest

from reactive_config import Memory, Rejected, Secret, open_config
from reactive_config.bindings import rebuilt
from reactive_config.observability import Observer


class App(msgspec.Struct, frozen=True):
    size: int = 1
    token: Secret[str] = Secret("canary")


class Notebook(Observer):
    def __init__(self):
        self.applied, self.rebuilt, self.ages, self.inside = [], [], [], 0

    @contextmanager
    def applying(self, apply):
        self.inside += 1
        yield
        self.inside -= 1
        self.applied.append(apply)

    @contextmanager
    def rebuilding(self, rebuild):
        try:
            yield
        finally:
            self.rebuilt.append(rebuild)

    def in_force(self, binding, age):
        self.ages.append((binding, age))


async def until(condition):
    with anyio.fail_after(5):
        while not condition():
            await asyncio.sleep(0)


async def test_every_apply_is_told_with_what_it_published_or_held():
    memory, notebook = Memory({}), Notebook()
    async with open_config(App, memory) as config:
        with config.observe(notebook):
            await memory.patch({"size": 2})
            with pytest.raises(Rejected):
                await memory.patch({"size": "canary"})
            await memory.patch({"size": 2})
        await memory.patch({"size": 3})
    published, held, nothing = notebook.applied
    assert (published.sources, published.generation, published.held) == (("memory",), 2, ())
    assert held.generation == 0
    ((source, unit),) = held.held
    assert source == "memory"
    assert unit.problems[0].path == "size"
    assert (nothing.generation, nothing.held) == (0, ())
    assert 0 < published.heard <= held.heard


async def test_every_try_of_a_binding_is_told_and_the_age_when_it_is_in_force():
    memory, notebook = Memory({}), Notebook()
    hanging = asyncio.Event()
    tries = []

    async def build(size):
        tries.append(size)
        if size == 2:
            raise ConnectionError("canary")
        if size == 3:
            await hanging.wait()
        return size

    async with open_config(App, memory) as config:
        with config.observe(notebook):
            async with rebuilt(config.select("size"), build, name="pool"):
                await memory.patch({"size": 2})
                await until(lambda: [rebuild for rebuild in notebook.rebuilt if rebuild.error])
                await memory.patch({"size": 3})
                await until(lambda: 3 in tries)
                await memory.patch({"size": 4})
                await until(lambda: notebook.ages)
    first, failed, *_, superseded, last = notebook.rebuilt
    assert {rebuild.binding for rebuild in notebook.rebuilt} == {"pool"}
    assert (first.error, failed.error, last.error) == ("", "ConnectionError", "")
    assert (superseded.superseded, superseded.error, last.superseded) == (True, "", False)
    ((name, age),) = notebook.ages
    assert name == "pool"
    assert age > 0


class Broken(Observer):
    @contextmanager
    def applying(self, apply):
        yield
        raise RuntimeError("canary")

    def rebuilding(self, rebuild):
        raise RuntimeError("canary")

    def in_force(self, binding, age):
        raise RuntimeError("canary")


async def test_a_broken_observer_is_logged_without_its_text_and_changes_nothing(caplog):
    memory, notebook = Memory({}), Notebook()

    async def build(size):
        return size

    async with open_config(App, memory) as config:
        with config.observe(Broken()), config.observe(notebook):
            async with rebuilt(config.select("size"), build) as binding:
                await memory.patch({"size": 2})
                await until(lambda: binding.value == 2)
    assert len(notebook.applied) == 1
    assert len(notebook.ages) == 1
    assert "an observer raised RuntimeError" in caplog.text
    assert "canary" not in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


class Swallowing(Observer):
    @contextmanager
    def rebuilding(self, rebuild):
        with suppress(LookupError):
            yield


async def test_an_observer_cannot_swallow_what_a_build_raised():
    async def build(size):
        raise LookupError

    async with open_config(App, Memory({})) as config:
        with config.observe(Swallowing()), pytest.raises(LookupError):
            async with rebuilt(config.select("size"), build):
                pass


async def test_what_a_binding_counted_is_told_when_it_leaves_the_status():
    class Last(Observer):
        def __init__(self):
            self.statuses = []

        def closed(self, status):
            self.statuses.append(status)

    async def build(size):
        return size

    last = Last()
    async with open_config(App, Memory()) as config:
        with config.observe(last):
            async with rebuilt(config.select("size"), build, name="pool"):
                assert last.statuses == []
    assert [(status.name, status.changes) for status in last.statuses] == [("pool", 1)]
