"""Passwords that rotate under a source that runs."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config._core.status import SourceState
from reactive_config._testing.etcd_server import etcd_server

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]


@pytest.fixture
async def guarded(binary):
    async with etcd_server(binary, auth={"app": ("first", ["/app/"])}) as server:
        await server.put("/app/a", "1")
        yield server


async def rotate(server, password):
    await asyncio.to_thread(server.ctl, "user", "passwd", "app", "--interactive=false", stdin=f"{password}\n")


async def written(server, feed):
    revision = await server.put("/app/a", "2")
    await feed.wait(lambda feed: feed.revision >= revision)


@pytest.mark.parametrize("kind", ["file", "function", "async function"])
async def test_a_password_that_rotates_where_it_comes_from_first_leaves_no_gap(guarded, tmp_path, follow, synced, kind):
    file = tmp_path / "password"
    file.write_text("first\n")
    asked = []

    def function():
        asked.append(file.read_text().strip())
        return asked[-1]

    async def later():
        return function()

    login = {"file": {"password_file": file}, "function": {"password": function}, "async function": {"password": later}}
    async with follow(guarded.endpoint, prefix="/app/", username="app", keepalive=2.0, **login[kind]) as feed:
        await feed.wait(synced)
        file.write_text("second\n")
        await rotate(guarded, "second")
        foreign = await guarded.put("/other/x", "1")  # a heartbeat finds it, with the new login
        await feed.wait(lambda feed: feed.revision >= foreign)
        await written(guarded, feed)
        assert [state for state, _ in feed.states] == [SourceState.SYNCED]
        assert asked in ([], ["first", "second"])


async def test_a_password_that_rotates_in_etcd_first_is_refused_until_it_is_there(guarded, tmp_path, follow, synced):
    file = tmp_path / "password"
    file.write_text("first\n")
    async with follow(guarded.endpoint, prefix="/app/", username="app", password_file=file, keepalive=2.0) as feed:
        await feed.wait(synced)
        await rotate(guarded, "second")
        await feed.wait(lambda feed: feed.states[-1][0] is SourceState.FAILED)
        assert feed.states[-1][1] == f"{guarded.endpoint}: wrong user or password: user 'app', password_file= {file}"
        file.write_text("second\n")
        await feed.wait(synced)
        await written(guarded, feed)


async def test_a_password_file_that_is_missing_is_one_clear_error(guarded, tmp_path, follow, synced):
    file = tmp_path / "password"
    async with follow(guarded.endpoint, prefix="/app/", username="app", password_file=file) as feed:
        await feed.wait(lambda feed: feed.states)
        expected = f"{guarded.endpoint}: password_file= {file}: No such file or directory"
        assert feed.states == [(SourceState.FAILED, expected)]
        file.write_text("first")
        await feed.wait(synced)
