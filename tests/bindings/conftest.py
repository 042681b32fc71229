from __future__ import annotations

import asyncio

import pytest

from tests.bindings.stubborn import Shop


@pytest.fixture
def shop():
    return Shop()


def running_tasks():
    return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task.get_coro())}


@pytest.fixture
async def no_task_left():
    before = running_tasks()
    yield
    assert running_tasks() <= before
