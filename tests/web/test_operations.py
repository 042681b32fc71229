"""The endpoints under every mount: what they answer, when the process is ready, and that no garbage breaks them."""

from __future__ import annotations

import asyncio
import json

import anyio
import msgspec
import pytest
from aiohttp import web
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.routing import Mount

from reactive_config import Live, Memory, Rejected, Secret, open_config
from reactive_config._web.asgi import EndpointRequest
from reactive_config._web.health import NOT_OPEN
from reactive_config.bindings import log_levels, rate_limiter, rebuilt
from reactive_config.status import SourceState
from reactive_config.testing import Scripted
from reactive_config.web import Operations, lifespan
from reactive_config.web.aiohttp import cleanup_ctx, operations_app


class App(msgspec.Struct, frozen=True):
    size: int = 1
    password: Secret[str] = Secret("canary-default")


def starlette_app(operations, memory):
    return Starlette(
        routes=[Mount("/deep", Starlette(routes=[Mount("/ops", operations)]))],
        lifespan=lifespan(lambda: open_config(App, memory), operations.serving),
    )


def fastapi_app(operations, memory):
    app = FastAPI(lifespan=lifespan(lambda: open_config(App, memory), operations.serving))
    app.mount("/deep/ops", operations)
    return app


def litestar_app(operations, memory):
    return Litestar(
        [asgi("/deep/ops", is_mount=True, copy_scope=True)(operations)],
        lifespan=[lifespan(lambda: open_config(App, memory), operations.serving)],
        logging_config=None,
    )


def aiohttp_app(operations, memory):
    deep, app = web.Application(), web.Application()
    deep.add_subapp("/ops", operations_app(operations))
    app.add_subapp("/deep", deep)
    app.cleanup_ctx.append(cleanup_ctx(lambda: open_config(App, memory), operations.serving))
    return app


@pytest.mark.parametrize("make", [starlette_app, fastapi_app, litestar_app, aiohttp_app])
async def test_they_answer_the_same_wherever_they_are_mounted(make, served):
    operations = Operations(levels_token=Secret("t"), config_token=Secret("t"))
    async with served(make(operations, Memory({"size": 7}))) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/loggers", "/loggers/asyncio", "/healthz/"):
            got = await client.get("/deep/ops" + path)
            head = await client.head("/deep/ops" + path)
            assert (got.status_code, head.status_code, head.content) == (200, 200, b""), path
            assert got.headers["cache-control"] == head.headers["cache-control"] == "no-store"
            assert got.headers["content-type"] == head.headers["content-type"]
            assert int(head.headers["content-length"]) > 0
        assert (await client.get("/deep/ops/nothing")).status_code == 404
        wrong = await client.post("/deep/ops/healthz")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
        shown = await client.get("/deep/ops/config", headers={"Authorization": "Bearer t"})
        assert shown.json()["settings"]["size"]["value"] == 7
        large = await client.post(
            "/deep/ops/loggers/asyncio", content=b"x" * 9999, headers={"Authorization": "Bearer t"}
        )
        assert large.status_code == 409  # without a binding nothing is read


async def test_alone_under_a_server_it_needs_no_framework(served):
    operations = Operations()
    async with served(operations) as client:
        assert (await client.get("/readyz")).json()["troubles"] == [NOT_OPEN]
        async with open_config(App, Memory()) as config, operations.serving(config):
            assert (await client.get("/readyz")).json()["ready"]


@pytest.mark.parametrize("app", [Operations(), Starlette(routes=[Mount("/ops", Operations())])])
async def test_a_prefix_that_a_proxy_took_away_does_not_matter(app, served):
    prefix = "/ops" if isinstance(app, Starlette) else ""
    async with served(app, root_path="/behind/proxy") as client:
        assert (await client.get(prefix + "/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("path", "prefix", "status"),
    [("/healthz", "", 200), ("/ops/healthz", "/ops", 200), ("/ops/healthz", "/ops/", 200), ("/healthz", "/ops", 200),
     ("/opshealthz", "/ops", 404), ("/ops", "/ops", 404), ("", "", 404)],
)  # fmt: skip
async def test_the_prefix_may_stand_in_the_path_or_not(path, prefix, status):
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": prefix, "headers": []}
    await Operations()(scope, receive, send)
    assert sent[0]["status"] == status


async def test_a_websocket_is_refused_and_who_went_away_is_not_answered():
    sent = []

    async def send(message):
        sent.append(message)

    async def connect():
        return {"type": "websocket.connect"}

    async def gone():
        return {"type": "http.disconnect"}

    await Operations()({"type": "websocket"}, connect, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
    headers = [(b"authorization", b"Bearer t")]
    operations = Operations(levels_token=Secret("t"))
    async with (
        open_config(App, Memory()) as config,
        log_levels(Live.constant({})) as levels,
        operations.serving(config, levels),
    ):
        await operations({"type": "http", "method": "POST", "path": "/loggers/root", "headers": headers}, gone, send)
    assert len(sent) == 1


def get(operations, path="/readyz"):
    answer = operations.answer(EndpointRequest("GET", path))
    return answer.status, json.loads(answer.body)


async def test_it_is_ready_while_a_configuration_is_open_and_alive_until_that_ends():
    operations = Operations()
    assert (get(operations)[0], get(operations, "/healthz")) == (503, (200, {"status": "ok"}))
    async with open_config(App, Memory()) as config:
        async with operations.serving(config):
            assert (get(operations)[0], get(operations, "/healthz")[0]) == (200, 200)
            with pytest.raises(RuntimeError, match="one configuration at a time"):
                async with operations.serving(config):
                    pass
            assert get(operations)[0] == 200
        assert (get(operations)[0], get(operations, "/healthz")) == (503, (503, {"status": "ended"}))
        async with operations.serving(config):
            assert (get(operations)[0], get(operations, "/healthz")[0]) == (200, 200)


async def test_a_bug_that_ends_the_configuration_under_the_application_is_a_case_for_a_restart(served, caplog):
    source, operations = Scripted({"size": 1}), Operations()
    async with served(starlette_app(operations, source)) as client:
        assert (await client.get("/deep/ops/healthz")).status_code == 200
        await source.crash(KeyError("a bug"))
        with anyio.fail_after(5):
            while (await client.get("/deep/ops/healthz")).status_code != 503:
                pass
        assert (await client.get("/deep/ops/readyz")).status_code == 503
    assert "a bug" in caplog.text


@pytest.mark.parametrize("strict", [False, True])
async def test_what_cannot_be_seen_or_does_not_fit_is_told_and_is_a_503_only_where_that_is_asked_for(strict):
    source, operations = Scripted({"size": 1}), Operations(strict=strict)
    bad = 503 if strict else 200
    async with open_config(App, source) as config, operations.serving(config):
        assert get(operations)[0] == 200
        source.state(SourceState.STALE, "no route")
        status, told = get(operations)
        assert (status, told["ready"], told["troubles"]) == (bad, not strict, ["scripted: stale"])
        assert (told["sources"][0]["state"], told["sources"][0]["reason"]) == ("stale", "no route")
        source.state(SourceState.SYNCED)
        with pytest.raises(Rejected):
            await source.set({"size": "canary"})
        status, told = get(operations)
        assert (status, told["troubles"], told["sources"][0]["held"]) == (bad, ["scripted: 1 held"], 1)
        await source.set({"size": 2})
        assert get(operations)[0] == 200


@pytest.mark.parametrize("strict", [False, True])
async def test_a_binding_that_cannot_follow_is_told(strict):
    async def build(size):
        if size == 2:
            raise ConnectionError("canary")
        return size

    memory, operations = Memory(), Operations(strict=strict)
    async with (
        open_config(App, memory) as config,
        operations.serving(config),
        rebuilt(config.select("size"), build, name="pool"),
    ):
        await memory.patch({"size": 2})
        with anyio.fail_after(5):
            while not get(operations)[1]["troubles"]:
                await asyncio.sleep(0)
        status, told = get(operations)
        assert (status, told["ready"]) == (503 if strict else 200, not strict)
        assert told["troubles"] == ["pool: the new one could not be made: ConnectionError"]
        assert told["bindings"][0]["name"] == "pool"
        assert "canary" not in json.dumps(told)


async def test_a_selector_that_raises_is_told():
    memory, operations = Memory(), Operations(strict=True)
    async with open_config(App, memory) as config, operations.serving(config):
        halves = config.select(lambda app: 10 // (app.size - 3))
        await memory.patch({"size": 3})
        status, told = get(operations)
        assert (status, len(told["troubles"])) == (503, 1)
        assert "ZeroDivisionError" in told["troubles"][0]
        assert halves.current == -5


async def test_a_callback_that_raises_is_told_and_counted():
    memory, operations = Memory(), Operations(strict=True)

    def apply(size):
        if size == 3:
            raise LookupError("canary")

    async with open_config(App, memory) as config, operations.serving(config):
        config.on_change("size", apply)
        for size, trouble in ((3, True), (4, False)):
            await memory.patch({"size": size})
            async with asyncio.timeout(5):
                while bool(config.status().callbacks) != trouble:
                    await asyncio.sleep(0)
            status, told = get(operations)
            assert (status, len(told["troubles"])) == ((503, 1) if trouble else (200, 0))
            assert "canary" not in json.dumps(told)


def raising(config):
    raise LookupError("canary")


def stray(config):
    raise asyncio.CancelledError("canary")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (raising, "LookupError"),
        (stray, "CancelledError"),
        (lambda config: "canary", "str"),
        (lambda config: Secret(5), "a Secret of int"),
    ],
)
@pytest.mark.parametrize("show", [[], [(b"authorization", b"Bearer canary")]])
async def test_a_token_whose_function_raises_opens_nothing_is_logged_once_and_breaks_nothing_else(
    function, error, show, caplog
):
    operations = Operations(config_token=function, levels_token=function)
    async with open_config(App, Memory()) as config, operations.serving(config):
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/loggers/root", 200), ("/x", 404)):
            assert get(operations, path)[0] == status
        for _ in range(3):
            for method, path, name in (("GET", "/config", "config_token"), ("POST", "/loggers/root", "levels_token")):
                answer = operations.answer(EndpointRequest(method, path, show))
                assert (answer.status, json.loads(answer.body)["error"]) == (
                    500,
                    f"{name}: expected a token, got an error from the function that gives it; it is logged",
                )
        assert dict(operations.answer(EndpointRequest("PUT", "/loggers/root")).headers)["Allow"] == "GET, POST, HEAD"
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"{name}: expected a Secret of a text, or None, got {error} from the function that gives it"
        for name in ("config_token", "levels_token")
    ]
    assert "canary" not in caplog.text


@pytest.mark.parametrize("token", ["canary", 5, b"canary", Secret(5)])
def test_a_token_that_is_none_is_refused_where_it_is_given(token):
    with pytest.raises(
        TypeError,
        match=r"^config_token: expected a Secret of a text, or a function, got (str|int|bytes|a Secret of int)$",
    ):
        Operations(config_token=token)


async def test_a_token_whose_function_works_again_is_a_token_again(caplog):
    memory = Memory({"size": 0})
    operations = Operations(config_token=lambda config: Secret(f"t{1 // config.size}"))
    async with open_config(App, memory) as config, operations.serving(config):
        for _ in range(2):
            await memory.patch({"size": 0})
            assert get(operations, "/config")[0] == 500
            await memory.patch({"size": 1})
            assert get(operations, "/config")[0] == 401
            assert (
                operations.answer(EndpointRequest("GET", "/config", [(b"authorization", b"Bearer t1")])).status == 200
            )
    assert len(caplog.records) == 2


@pytest.mark.parametrize("mount", [lambda operations: operations, operations_app])
@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 401), ("PUT", 405)])
async def test_nobody_without_a_token_has_a_body_read_however_slowly_it_comes(mount, method, status, served):
    operations = Operations(levels_token=Secret("t"))
    async with served(mount(operations)) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(f"{method} /loggers/root HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n{{".encode())
        with anyio.fail_after(5):
            assert (await reader.readline()).split()[1] == str(status).encode()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("strict", [False, True])
async def test_everybody_is_told_that_a_value_is_refused_and_not_which(strict, caplog):
    memory, operations = Memory({"rate": "1/s"}), Operations(strict=strict)
    async with (
        open_config(dict, memory) as config,
        rate_limiter(config.select("rate"), name="limit") as limiter,
        operations.serving(config),
    ):
        await memory.patch({"rate": "canary"})
        with anyio.fail_after(5):
            while not limiter.failures:
                await asyncio.sleep(0)
        status, told = get(operations, "/readyz")[:2]
    assert (status, told["troubles"]) == (
        503 if strict else 200,
        ["limit: its newest value is refused; the log says why"],
    )
    assert told["bindings"][0]["state"] == "refused"
    assert "canary" not in json.dumps(told)
    assert "canary" in caplog.text


def test_an_empty_token_is_refused():
    for name in ("levels_token", "config_token"):
        with pytest.raises(ValueError, match=f"{name}: expected a token, got an empty one"):
            Operations(**{name: Secret("")})


HEADERS = st.lists(st.tuples(st.sampled_from([b"Authorization", b"accept", b"x"]), st.binary(max_size=20)), max_size=3)
PATHS = st.one_of(
    st.text(max_size=40), st.sampled_from(["/loggers/root", "/loggers/asyncio", "/config", "/metrics", "//healthz//"])
)


@given(st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "", "\ud800"]), PATHS, HEADERS, st.binary(max_size=60))
def test_no_garbage_breaks_them(method, path, headers, body):
    operations = Operations(levels_token=Secret("t"), config_token=Secret("t"))
    answer = operations.answer(EndpointRequest(method, path, headers, body))
    assert answer.status in (200, 401, 404, 405, 409, 503)
    if ("Content-Type", "application/json") in answer.headers:
        json.loads(answer.body)
