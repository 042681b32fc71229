"""What is in force, with its origins, for those who show the token; a secret for nobody."""

from __future__ import annotations

import json

import msgspec
import pydantic
import pytest

from reactive_config import Memory, Rejected, Secret, open_config
from reactive_config._web.asgi import EndpointRequest
from reactive_config.web import Operations


class App(msgspec.Struct, frozen=True):
    size: int = 1
    ops_token: Secret[str] | None = None
    database: Secret[str] = Secret("canary-default")
    extra: dict = {}


def ask(operations, token=None, path="/config"):
    headers = [(b"authorization", b"bearer " + token)] if token is not None else []
    answer = operations.answer(EndpointRequest("GET", path, headers))
    return answer.status, json.loads(answer.body) if path != "/metrics" else answer.body.decode(), dict(answer.headers)


async def test_everything_in_force_is_shown_with_where_it_stands():
    memory, over = Memory({"size": 2, "extra": {"password": "canary-1"}}), Memory({"size": 3}, name="over")
    operations = Operations(config_token=Secret("t"))
    async with open_config(App, memory, over) as config, operations.serving(config):
        status, told, headers = ask(operations, b"t")
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert told["settings"]["size"] == {
            "value": 3,
            "origin": {"source": "over", "place": "size", "revision": 1, "line": 0, "column": 0},
        }
        assert told["settings"]["database"] == {"value": "***", "origin": None}
        assert told["settings"]["extra.password"]["value"] == "***"
        assert (told["generation"], told["revisions"]) == (1, {"memory": 1, "over": 1})


async def test_what_is_held_is_shown_with_the_reason():
    memory, operations = Memory(), Operations(config_token=Secret("t"))
    async with open_config(App, memory) as config, operations.serving(config):
        with pytest.raises(Rejected):
            await memory.patch({"size": "big", "database": {"canary": 1}})
        (held,) = ask(operations, b"t")[1]["held"]
        assert (held["source"], held["unit"]["unit"]) == ("memory", "revision 2")
        assert {problem["path"] for problem in held["unit"]["problems"]} == {"size", "database"}


@pytest.mark.slow
async def test_no_secret_shows_at_any_endpoint():
    tree = {"database": "canary-1", "ops_token": "canary-t", "extra": {"api_key": "canary-2", "tokens": ["canary-3"]}}
    memory, operations = Memory(tree), Operations(config_token=Secret("canary-t"), levels_token=Secret("canary-t"))
    async with open_config(App, memory) as config, operations.serving(config):
        with pytest.raises(Rejected):
            await memory.patch({"size": "x", "database": ["canary-4"]})
        for path in ("/config", "/readyz", "/metrics", "/loggers"):
            for token in (b"canary-t", b"wrong", None):
                assert "canary" not in str(ask(operations, token, path)), path
        assert ask(operations, b"canary-t")[0] == 200


async def test_without_a_token_it_does_not_exist():
    operations = Operations()
    async with open_config(App, Memory()) as config, operations.serving(config):
        status, told, _ = ask(operations, b"")
        assert (status, told["error"]) == (
            404,
            "path: expected one of /healthz, /readyz, /metrics, /loggers, got /config",
        )


async def test_who_does_not_show_the_token_is_told_how_to():
    operations = Operations(config_token=Secret("t"))
    async with open_config(App, Memory()) as config, operations.serving(config):
        status, told, headers = ask(operations)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert told["error"] == "Authorization: expected Bearer and a token, got nothing"
        status, _, headers = ask(operations, b"x")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


class Model(pydantic.BaseModel):
    ops_token: pydantic.SecretStr | None = None


async def test_a_token_may_be_a_secret_of_pydantic():
    memory, operations = Memory({"ops_token": "one"}), Operations(config_token=lambda config: config.ops_token)
    async with open_config(Model, memory) as config, operations.serving(config):
        assert (ask(operations, b"one")[0], ask(operations, b"two")[0]) == (200, 401)
        fixed = Operations(config_token=pydantic.SecretStr("two"))
        async with fixed.serving(config):
            assert (ask(fixed, b"one")[0], ask(fixed, b"two")[0]) == (401, 200)
    with pytest.raises(TypeError, match=r"got a SecretBytes of bytes$"):
        Operations(config_token=pydantic.SecretBytes(b"t"))


async def test_a_token_of_the_configuration_changes_with_it():
    memory, operations = Memory(), Operations(config_token=lambda config: config.ops_token)
    assert ask(operations, b"one")[0] == 404
    async with open_config(App, memory) as config, operations.serving(config):
        assert ask(operations, b"one")[0] == 404
        await memory.patch({"ops_token": "one"})
        assert (ask(operations, b"one")[0], ask(operations, b"two")[0]) == (200, 401)
        await memory.patch({"ops_token": "zwei-\u00e4"})
        assert (ask(operations, b"one")[0], ask(operations, "zwei-\u00e4".encode())[0]) == (401, 200)
        await memory.patch({"ops_token": ""})
        assert (ask(operations, b"")[0], ask(operations, b"one")[0]) == (404, 404)


async def test_before_the_configuration_opens_there_is_nothing_to_see():
    operations = Operations(config_token=Secret("t"))
    assert (ask(operations)[0], ask(operations, b"t")[0]) == (401, 503)
