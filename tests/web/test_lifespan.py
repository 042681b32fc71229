"""The configuration opens before the first request and closes after the last, as often as the application starts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from aiohttp import web
from fastapi import FastAPI
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

import reactive_config.web.aiohttp as for_aiohttp
from reactive_config import Files, Memory, StartupError, open_config
from reactive_config.bindings import rebuilt
from reactive_config.web import attach, configuration, current, lifespan, running


class App(msgspec.Struct, frozen=True):
    name: str = ""


async def name(request: Request) -> JSONResponse:
    return JSONResponse(current(request).name)


class Diary:
    """Makes contexts that write down when they open and close."""

    def __init__(self):
        self.lines = []

    def context(self, what, gives=None):
        @asynccontextmanager
        async def run(config):
            self.lines.append(f"open {what} {config.current.name}")
            yield gives
            self.lines.append(f"close {what} {config.current.name}")

        return run


def opening(text):
    return lambda: open_config(App, Memory({"name": text}))


async def test_what_goes_within_opens_in_order_closes_in_reverse_and_gives_by_name():
    diary, pool = Diary(), object()
    app = Starlette(lifespan=lifespan(opening("a"), diary.context("one", {"pool": pool}), diary.context("two", "text")))
    async with app.router.lifespan_context(app) as state:
        assert state["pool"] is app.state.pool is pool
        assert state["reactive_config"] is app.state.reactive_config
    assert diary.lines == ["open one a", "open two a", "close two a", "close one a"]
    assert not hasattr(app.state, "pool")
    assert not hasattr(app.state, "reactive_config")


async def test_a_binding_is_a_context_of_its_own():
    async def build(text):
        return text.upper()

    app = Starlette(lifespan=lifespan(opening("a"), lambda config: rebuilt(config.select("name"), build, name="upper")))
    async with app.router.lifespan_context(app):
        assert [binding.name for binding in app.state.reactive_config.status().bindings] == ["upper"]


async def test_named_bindings_are_given_by_name_and_released_side_by_side_after_the_rest():
    diary, both = Diary(), asyncio.Barrier(2)

    def follow(config):
        async def build(text):
            return text.upper()

        async def close(_):
            assert diary.lines[-1] == "close rest a"
            await both.wait()  # passes only if the other one closes at the same time

        return rebuilt(config.select("name"), build, close=close)

    run = lifespan(opening("a"), diary.context("rest"), bindings={"one": follow, "two": follow}, leave_within=5)
    app = Starlette(lifespan=run)
    async with app.router.lifespan_context(app) as state:
        assert state["one"].current == app.state.two.current == "A"
    assert both.broken is False
    assert not hasattr(app.state, "one")


async def test_named_bindings_of_aiohttp():
    async def build(text):
        return text.upper()

    one = web.AppKey("one", object)
    app = web.Application()
    follow = {one: lambda config: rebuilt(config.select("name"), build)}
    app.cleanup_ctx.append(for_aiohttp.cleanup_ctx(opening("a"), bindings=follow))
    runner = web.AppRunner(app)
    await runner.setup()
    assert app[one].current == "A"
    await runner.cleanup()


async def test_what_fails_within_closes_what_was_open_and_is_raised():
    diary = Diary()

    @asynccontextmanager
    async def failing(config):
        raise ConnectionError("no database")
        yield

    app = Starlette(lifespan=lifespan(opening("a"), diary.context("one"), failing))
    with pytest.raises(ConnectionError, match="no database"):
        async with app.router.lifespan_context(app):
            pass
    assert diary.lines == ["open one a"]  # it was thrown into, so it did not go on
    assert not hasattr(app.state, "reactive_config")


async def test_a_configuration_that_cannot_open_keeps_the_application_from_starting(tmp_path):
    app = FastAPI(lifespan=lifespan(lambda: open_config(App, Files(tmp_path / "absent.toml"))))
    with pytest.raises(StartupError, match=r"absent\.toml"):
        async with app.router.lifespan_context(app):
            pass


async def test_an_application_may_start_more_than_once_as_it_does_for_every_test_client(served):
    app = FastAPI(routes=[Route("/", name)], lifespan=lifespan(opening("again")))
    for _ in range(2):
        async with served(app) as client:
            assert (await client.get("/")).json() == "again"


async def test_several_applications_in_one_process_keep_to_themselves(served):
    apps = [Starlette(routes=[Route("/", name)], lifespan=lifespan(opening(text))) for text in "ab"]
    async with served(apps[0]) as first, served(apps[1]) as second:
        assert [(await first.get("/")).json(), (await second.get("/")).json()] == ["a", "b"]


async def test_mounted_applications_see_the_one_around_them_and_one_of_their_own_if_they_have_it(served):
    plain, own = Starlette(routes=[Route("/", name)]), Starlette(routes=[Route("/", name)])

    @asynccontextmanager
    async def run(app):
        async with open_config(App, Memory({"name": "outer"})) as config:
            with attach(app, config) as state:
                yield state

    class Look:
        """A middleware that looks first, at the outer one."""

        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            assert scope["type"] == "lifespan" or current(scope).name == "outer"
            await self.app(scope, receive, send)

    routes = [Mount("/plain", plain), Mount("/own", own)]
    app = Starlette(routes=routes, lifespan=run, middleware=[Middleware(Look)])
    async with served(app) as client:
        assert (await client.get("/plain/")).json() == "outer"
        assert (await client.get("/own/")).json() == "outer"
        async with open_config(App, Memory({"name": "inner"})) as config:
            with attach(own, config):
                assert (await client.get("/own/")).json() == "inner"
                assert (await client.get("/plain/")).json() == "outer"
        assert (await client.get("/own/")).json() == "outer"


async def test_a_second_configuration_for_one_application_is_refused():
    app = Starlette()
    async with open_config(App, Memory()) as config:
        with attach(app, config):
            with (
                pytest.raises(RuntimeError, match="without a configuration, got one that has one"),
                attach(app, config),
            ):
                pass
            assert configuration({"type": "http", "app": app}) is config


async def test_litestar_finds_what_was_given_in_its_state():
    @get("/")
    async def handler(request: LitestarRequest) -> str:
        return f"{current(request).name} {request.app.state.pool}"

    diary = Diary()
    app = Litestar([handler], lifespan=[lifespan(opening("a"), diary.context("one", {"pool": "p"}))])
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/")).text == "a p"
    assert diary.lines == ["open one a", "close one a"]


async def test_aiohttp_opens_gives_and_closes_in_order(served):
    diary, pool = Diary(), web.AppKey("pool", str)

    async def handler(request):
        return web.json_response([for_aiohttp.current(request).name, request.app[pool]])

    async def own(app):
        diary.lines.append(f"own {app[for_aiohttp.CONFIG].current.name}")
        yield
        diary.lines.append("own ends")

    app = web.Application()
    app.router.add_get("/", handler)
    app.cleanup_ctx.extend([for_aiohttp.cleanup_ctx(opening("a"), diary.context("one", {pool: "p"})), own])
    async with served(app) as client:
        assert (await client.get("/")).json() == ["a", "p"]
    assert diary.lines == ["open one a", "own a", "own ends", "close one a"]


async def test_aiohttp_without_a_configuration_says_what_is_missing(served):
    async def handler(request):
        with pytest.raises(RuntimeError, match=r"got one without: append cleanup_ctx\(...\)"):
            for_aiohttp.current(request)
        return web.json_response("told")

    app = web.Application()
    app.router.add_get("/", handler)
    async with served(app) as client:
        assert (await client.get("/")).json() == "told"


async def test_what_the_program_kept_under_a_name_comes_back():
    diary, mine, theirs = Diary(), object(), object()
    app = Starlette(lifespan=lifespan(opening("a"), diary.context("one", {"pool": theirs, "cache": theirs})))
    app.state.pool = mine
    for _ in range(2):
        async with app.router.lifespan_context(app):
            assert app.state.pool is app.state.cache is theirs
        assert app.state.pool is mine
        assert not hasattr(app.state, "cache")


async def test_what_the_program_put_in_its_place_meanwhile_stays():
    diary, mine = Diary(), object()
    app = Starlette(lifespan=lifespan(opening("a"), diary.context("one", {"pool": 1, "cache": 2})))
    async with app.router.lifespan_context(app):
        app.state.pool = mine
        del app.state.cache
    assert app.state.pool is mine
    assert not hasattr(app.state, "cache")


@pytest.mark.parametrize(
    ("given", "twice"), [({"pool": 1, "b": 2, "a": 3}, "a, pool"), ({"reactive_config": 1}, "reactive_config")]
)
async def test_one_name_for_two_things_is_refused_by_name(given, twice):
    diary = Diary()
    contexts = diary.context("one", {"pool": 1, "a": 1}), diary.context("two", given)
    app = Starlette(lifespan=lifespan(opening("a"), *contexts))
    with pytest.raises(RuntimeError, match=f"a name of its own for each thing that is given, got {twice} twice"):
        async with app.router.lifespan_context(app):
            pass
    assert not hasattr(app.state, "pool")


def asking(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def pool_of_request(request: Request) -> JSONResponse:
    return JSONResponse([request.state.pool, request.app.state.pool])


@pytest.mark.parametrize("make", [Starlette, FastAPI])
async def test_what_goes_within_is_in_the_state_of_requests_under_a_server_and_in_tests(make, served):
    app = make(
        routes=[Route("/", pool_of_request)], lifespan=lifespan(opening("a"), Diary().context("x", {"pool": "p"}))
    )
    async with served(app) as client:
        assert (await client.get("/")).json() == ["p", "p"]
    async with running(app) as started, asking(started) as client:
        assert (await client.get("/")).json() == ["p", "p"]
    assert not hasattr(app.state, "pool")


async def test_litestar_runs_too_and_keeps_it_in_its_own_state():
    @get("/")
    async def handler(request: LitestarRequest) -> list[str | bool]:
        return [request.app.state.pool, hasattr(request.state, "pool")]

    app = Litestar([handler], lifespan=[lifespan(opening("a"), Diary().context("one", {"pool": "p"}))])
    async with running(app) as started, asking(started) as client:
        assert (await client.get("/")).json() == ["p", False]


class TestRunning:
    async def test_what_a_lifespan_raises_is_raised(self):
        @asynccontextmanager
        async def failing(config):
            raise ConnectionError("no database")
            yield

        for make in (Starlette, FastAPI):
            with pytest.raises(ConnectionError, match="no database"):
                async with running(make(lifespan=lifespan(opening("a"), failing))):
                    pass

    async def test_what_a_lifespan_raises_at_its_end_is_raised(self):
        @asynccontextmanager
        async def failing(config):
            yield
            raise ConnectionError("no goodbye")

        with pytest.raises(ConnectionError, match="no goodbye"):
            async with running(Starlette(lifespan=lifespan(opening("a"), failing))):
                pass

    @pytest.mark.parametrize(
        ("answer", "text"), [({"type": "lifespan.startup.failed", "message": "no disk"}, "no disk"), (None, "nothing")]
    )
    async def test_an_application_that_does_not_start_and_raises_nothing_is_an_error(self, answer, text):
        async def app(scope, receive, send):
            await receive()
            if answer is not None:
                await send(answer)

        with pytest.raises(RuntimeError, match=f"expected lifespan.startup.complete, got {text}"):
            async with running(app):
                pass

    async def test_the_body_s_exception_leaves_as_it_is_and_the_application_is_shut_down(self):
        diary = Diary()
        with pytest.raises(ZeroDivisionError):
            async with running(Starlette(lifespan=lifespan(opening("a"), diary.context("one")))):
                raise ZeroDivisionError
        assert diary.lines == ["open one a", "close one a"]


async def test_a_server_that_sends_no_lifespan_events_is_named_once_in_the_log_and_in_the_error(caplog):
    """As daphne: requests, and nothing before them."""
    app = Starlette(routes=[Route("/", name)], lifespan=lifespan(opening("a")))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for _ in range(3):
            assert (await client.get("/")).status_code == 500
    (record,) = [record for record in caplog.records if record.name == "reactive_config"]
    assert record.levelname == "ERROR"
    assert "the server sent no lifespan events (daphne and uvicorn --lifespan off send none" in record.getMessage()
    assert "Use uvicorn, hypercorn or granian" in record.getMessage()
