"""Log levels over HTTP: all to read, one to set for a time, by those who may, and back again by itself."""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from reactive_config import Live, Memory, Secret, open_config
from reactive_config._web.asgi import EndpointRequest
from reactive_config.bindings import Level, LogRule, ManualClock, log_levels
from reactive_config.web import Operations
from reactive_config.web.aiohttp import operations_app

TOKEN = [(b"Authorization", b"Bearer t0ken")]
DEBUG = {"level": "DEBUG", "for": "10m"}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def a():
    logger = logging.getLogger("rc_web.a")
    logger.setLevel(logging.ERROR)
    logging.getLogger("rc_web.a.below.leaf")
    yield logger
    logger.setLevel(logging.NOTSET)


class App(msgspec.Struct, frozen=True):
    log: dict[str, LogRule] = {}


@asynccontextmanager
async def serving(clock, rules=None, token=Secret("t0ken")):  # noqa: B008 - frozen
    operations = Operations(levels_token=token)
    async with (
        open_config(App, Memory()) as config,
        log_levels(Live.constant(rules or {}), clock=clock) as levels,
        operations.serving(config, levels),
    ):
        yield operations


def ask(operations, path, method="GET", body=None, headers=TOKEN):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = operations.answer(EndpointRequest(method, path, headers, raw))
    return answer.status, json.loads(answer.body), dict(answer.headers)


async def test_every_logger_is_shown_with_its_own_and_its_effective_level(a, clock):
    async with serving(clock) as operations:
        _, told, _ = ask(operations, "/loggers", headers=[])
        loggers = told["loggers"]
        assert next(iter(loggers)) == "root"
        assert loggers["rc_web.a"] == {"level": "ERROR", "effective": "ERROR", "remaining_seconds": None}
        assert loggers["rc_web.a.below.leaf"]["level"] is None
        assert loggers["rc_web.a.below.leaf"]["effective"] == "ERROR"
        assert loggers["rc_web.a.below"]["effective"] == "ERROR"  # only a name between two loggers
        a.setLevel(7)
        assert ask(operations, "/loggers/rc_web.a")[1]["level"] == 7
        assert ask(operations, "/loggers/root")[1]["level"] == logging.getLevelName(logging.root.level)
    assert not isinstance(logging.root.manager.loggerDict["rc_web.a.below"], logging.Logger)


async def test_a_level_set_by_hand_goes_back_by_itself(a, clock):
    async with serving(clock, {"rc_web.a": Level.INFO}) as operations:
        status, told, _ = ask(operations, "/loggers/rc_web.a", "POST", DEBUG)
        assert (status, told) == (
            200,
            {"name": "rc_web.a", "level": "DEBUG", "effective": "DEBUG", "remaining_seconds": 600.0},
        )
        assert ask(operations, "/loggers/rc_web.a.below")[1]["effective"] == "DEBUG"
        clock.advance(timedelta(minutes=4))
        assert ask(operations, "/loggers/rc_web.a")[1]["remaining_seconds"] == 360.0
        clock.advance(timedelta(minutes=6))
        assert a.level == logging.INFO
    assert a.level == logging.ERROR


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 4000, None, [], "DEBUG", 5, {}, {"level": "DEBUG"},
    {"for": "1m"}, {"level": "loud", "for": "1m"}, {"level": 0, "for": "1m"}, {"level": True, "for": "1m"},
    {"level": "DEBUG", "for": "soon"}, {"level": "DEBUG", "for": 0}, {"level": "DEBUG", "for": "-1s"},
    {"level": "DEBUG", "for": "24h1s"}, {"level": "DEBUG", "for": None}, {"level": "DEBUG", "for": 1e300},
    {"level": "DEBUG", "for": "1m", "more": 1}])  # fmt: skip
async def test_what_is_no_temporary_level_is_refused_and_changes_nothing(a, clock, body):
    async with serving(clock) as operations:
        status, told, _ = ask(operations, "/loggers/rc_web.a", "POST", body)
        assert (status, a.level) == (400, logging.ERROR)
        assert told["error"].startswith(
            'body: expected {"level": "DEBUG", "for": "10m"} with a time above 0 and up to 24h'
        )


async def test_the_fault_is_named_by_path(a, clock):
    async with serving(clock) as operations:
        _, told, _ = ask(operations, "/loggers/rc_web.a", "POST", {"level": "DEBUG", "for": "soon"})
        assert told["problems"] == ["for: expected a duration (seconds, 30s, 10m, PT30S), got 'soon'"]


async def test_a_body_that_is_too_long_is_not_read(a, clock):
    async with serving(clock) as operations:
        status, told, _ = ask(operations, "/loggers/rc_web.a", "POST", b" " * 5000)
        assert (status, told["error"]) == (413, "body: expected up to 4096 bytes, got more")


@pytest.mark.parametrize("mount", [lambda operations: operations, operations_app])
async def test_a_body_that_comes_in_pieces_is_put_together_and_one_that_is_too_long_is_cut_off(a, clock, mount, served):
    async def pieces():
        for byte in json.dumps(DEBUG).encode():
            yield bytes([byte])

    async def long():
        for _ in range(20):
            yield b" " * 1000

    show = {"Authorization": "Bearer t0ken"}
    async with serving(clock) as operations, served(mount(operations)) as client:
        set_ = await client.post("/loggers/rc_web.a", content=pieces(), headers=show)
        assert (set_.status_code, a.level) == (200, logging.DEBUG)
        assert (await client.post("/loggers/rc_web.a", content=long(), headers=show)).status_code == 413
        assert (await client.get("/healthz")).status_code == 200


async def test_a_name_that_nobody_uses_is_refused_and_made_by_nobody(a, clock):
    async with serving(clock) as operations:
        for method in ("GET", "POST"):
            status, told, _ = ask(operations, "/loggers/asynci", method, DEBUG)
            assert (status, told["error"]) == (
                404,
                "logger: expected the name of one that exists, got asynci; /loggers shows them",
            )
        assert ask(operations, "/loggers/rc_web.a.nobody.here")[1]["error"].endswith(
            "; the nearest above it is rc_web.a"
        )
    assert "asynci" not in logging.root.manager.loggerDict


@pytest.mark.parametrize(
    "headers",
    [[], [(b"authorization", b"t0ken")], [(b"authorization", b"Basic t0ken")], [(b"authorization", b"Bearer")],
     [(b"authorization", b"Bearer wrong")], [(b"authorization", b"Bearer t0ken2")], [*TOKEN, *TOKEN],
     [(b"authorization", b"Bearer \xff")]],
)  # fmt: skip
async def test_only_who_shows_the_token_may_set(a, clock, headers):
    async with serving(clock) as operations:
        status, told, given = ask(operations, "/loggers/rc_web.a", "POST", DEBUG, headers)
        assert (status, a.level) == (401, logging.ERROR)
        assert given["WWW-Authenticate"].startswith("Bearer")
        assert "t0ken" not in json.dumps(told)


async def test_without_a_token_nobody_may_set(a, clock):
    async with serving(clock, token=None) as operations:
        status, told, given = ask(operations, "/loggers/rc_web.a", "POST", DEBUG)
        assert (status, given["Allow"], a.level) == (405, "GET, HEAD", logging.ERROR)
        assert told["error"] == "method: expected GET, HEAD, got POST"


async def test_without_a_binding_that_brings_levels_back_they_can_only_be_read(a):
    operations = Operations(levels_token=Secret("t0ken"))
    async with open_config(App, Memory()) as config, operations.serving(config):
        assert ask(operations, "/loggers/rc_web.a")[0] == 200
        status, told, _ = ask(operations, "/loggers/rc_web.a", "POST", DEBUG)
        assert (status, a.level) == (409, logging.ERROR)
        assert "expected serving(config, levels) with a log_levels binding" in told["error"]


@pytest.fixture
def many():
    """As many loggers as a program has that makes one for each of its objects."""
    names = [f"rc_many.object_{number:06}" for number in range(20_000)]
    for name in names:
        logging.getLogger(name)
    yield names
    for name in [*names, "rc_many"]:
        del logging.root.manager.loggerDict[name]


def count_lookups(monkeypatch):
    """Counts how many loggers are looked at; the dict is copied in one step, which costs microseconds."""

    class Counting(dict):
        looks = 0

        def get(self, *key):
            Counting.looks += 1
            return super().get(*key)

        def __contains__(self, key):
            Counting.looks += 1
            return super().__contains__(key)

        def copy(self):
            return Counting(self)

        def __iter__(self):
            for key in super().__iter__():
                Counting.looks += 1
                yield key

    monkeypatch.setattr(logging.root.manager, "loggerDict", Counting(logging.root.manager.loggerDict))
    return Counting


@pytest.mark.parametrize(
    "name", ["rc_many.object_00000", "rc_many." + "object_000" * 5000, "a." * 30_000, "a" * 60_000]
)
def test_a_name_that_does_not_exist_costs_the_same_whatever_its_length_and_however_many_there_are(
    many, name, monkeypatch
):
    counting = count_lookups(monkeypatch)
    status, told, _ = ask(Operations(), f"/loggers/{name}", headers=[])
    assert (status, counting.looks <= 50) == (404, True)
    assert len(told["error"]) < 600


async def test_of_very_many_loggers_a_thousand_are_shown_and_those_of_the_binding_are_among_them(
    many, clock, monkeypatch
):
    async with serving(clock, {many[-1]: Level.DEBUG, "root": Level.INFO}) as operations:
        counting = count_lookups(monkeypatch)
        _, told, _ = ask(operations, "/loggers", headers=[])
        assert counting.looks < 10_000
        assert len(told["loggers"]) == 1000
        assert told["left_out"] == len(logging.root.manager.loggerDict) + 1 - 1000
        assert next(iter(told["loggers"])) == "root"
        assert told["loggers"][many[-1]]["level"] == "DEBUG"
        assert ask(operations, f"/loggers/{many[-2]}", headers=[])[0] == 200
