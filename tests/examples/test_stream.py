"""Consumers of a Redis stream, as a process: they move with the address, and every entry is handled once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reactive_config.testing import MissingServer, redis_server

redis = pytest.importorskip("redis")

EXAMPLE = Path(__file__).parents[2] / "examples/stream"


@pytest.fixture
def servers():
    try:
        with redis_server() as first, redis_server() as second:
            clients = [redis.Redis.from_url(server.url, decode_responses=True) for server in (first, second)]
            yield (first, second), clients
            for client in clients:
                client.close()
    except MissingServer as missing:
        pytest.skip(str(missing))


@pytest.fixture
def start(tmp_path, run):
    """Start it with these settings; `edit` writes others."""

    class Stream:
        def __init__(self, url, **settings):
            self.edit(url, **settings)
            self.running = run("stream", "--config", tmp_path)
            self.until, self.end = self.running.until, self.running.end
            self.until("ready")

        def edit(self, url, **settings):
            lines = [f"{name} = {value}\n" for name, value in settings.items()]
            new = tmp_path / ".new"
            new.write_text("".join(lines) + f'[redis]\nurl = "{url}"\n')
            new.replace(tmp_path / "stream.toml")

    return Stream


def consumers(client):
    """Connections other than the one that asks."""
    return [one for one in client.client_list() if one["cmd"] != "client|list"]


def until(condition):
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.01)


def test_consumers_move_to_the_new_redis_and_leave_the_old_one(servers, start):
    (first, second), (at_first, at_second) = servers
    program = start(first.url, workers=3)
    at_first.xadd("jobs", {"text": "one"})
    program.until("done one$")
    until(lambda: len(consumers(at_first)) >= 3)  # all of them wait there
    program.edit(second.url, workers=3)
    at_second.xadd("jobs", {"text": "two"})
    program.until("done two$")
    until(lambda: not consumers(at_first))  # long before the drain of 30 s
    assert at_first.xpending("jobs", "shop")["pending"] == 0
    assert program.end()[-1] == "INFO stream: ended"


def test_an_entry_under_way_is_acknowledged_where_it_came_from(servers, start):
    (first, second), (at_first, at_second) = servers
    program = start(first.url, workers=2, rest='"1s"')
    at_first.xadd("jobs", {"text": "busy"})
    until(lambda: at_first.xinfo_groups("jobs") and at_first.xpending("jobs", "shop")["pending"] == 1)
    program.edit(second.url, workers=2, rest='"0s"')
    at_second.xadd("jobs", {"text": "new"})
    said = program.until("done new$")
    if not any("done busy" in line for line in said):
        program.until("done busy$")
    assert at_first.xpending("jobs", "shop")["pending"] == 0
    program.end()


def test_a_hundred_entries_while_it_moves_to_and_fro_are_handled_once_each(servers, start):
    (first, second), (at_first, at_second) = servers
    program = start(first.url, workers=2, reclaim='"3s"')
    for number in range(100):
        (at_first if number % 2 else at_second).xadd("jobs", {"text": f"entry-{number}"})
        if number % 10 == 9:
            program.edit((second if number % 20 == 19 else first).url, workers=2, reclaim='"3s"')
    for server, client in ((first, at_first), (second, at_second)):
        program.edit(server.url, workers=2, reclaim='"3s"')
        until(lambda client=client: all_done(client))
    handled = [line.rsplit(" ", 1)[1] for line in program.end() if " done " in line]
    assert sorted(handled) == sorted(f"entry-{number}" for number in range(100))


def test_it_waits_for_an_entry_longer_than_redis_py_waits_for_an_answer(servers, start):
    (first, _), (at_first, _) = servers
    program = start(first.url, workers=2)
    time.sleep(6.5)
    at_first.xadd("jobs", {"text": "late"})
    assert not [line for line in program.until("done late$") if "WARNING" in line]
    program.end()


def test_a_redis_that_is_away_as_an_entry_is_finished_ends_nothing(start):
    try:
        with redis_server() as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
            program = start(server.url, workers=2, rest='"1s"', reclaim='"3s"')
            client.xadd("jobs", {"text": "busy"})
            until(lambda: client.xinfo_groups("jobs") and client.xpending("jobs", "shop")["pending"] == 1)
            server.kill()
            program.until("busy is not acknowledged$")
            server.start_blocking()
            client.xadd("jobs", {"text": "new"})
            program.until("done new$")
            assert program.end()[-1] == "INFO stream: ended"
    except MissingServer as missing:
        pytest.skip(str(missing))


def all_done(client):
    """What was sent to a consumer that was cut in the middle of its call is reclaimed, and acknowledged then."""
    return [(group["lag"], group["pending"]) for group in client.xinfo_groups("jobs")] == [(0, 0)]


def test_the_configuration_that_comes_with_it_works(servers, start, run, tmp_path):
    (first, _), (at_first, _) = servers
    text = (EXAMPLE / "config/stream.toml").read_text()
    assert "redis://127.0.0.1:6379/0" in text
    (tmp_path / "stream.toml").write_text(text.replace("redis://127.0.0.1:6379/0", first.url))
    program = run("stream", "--config", tmp_path)
    program.until("ready")
    at_first.xadd("jobs", {"text": "hello"})
    program.until("done hello$")
