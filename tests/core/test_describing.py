"""Everything in force as people may see it: complete, with its origin, and without a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import pytest

from reactive_config import Env, Files, Memory, Secret, open_config


class Pool(msgspec.Struct, frozen=True, rename="kebab"):
    max_size: int = 10
    idle: timedelta = timedelta(seconds=30)


class App(msgspec.Struct, frozen=True):
    dsn: Secret[str] = Secret("canary-default")
    pool: Pool = Pool()
    tags: frozenset[str] = frozenset()
    extra: dict = {}
    keys: list[Secret[str]] = []


def by_path(config):
    return {setting.path: setting for setting in config.describe()}


async def test_every_value_is_there_with_its_origin_or_as_a_default(tmp_path):
    (tmp_path / "app.toml").write_text('dsn = "canary-1"\ntags = ["b", "a"]\n[pool]\nmax-size = 5\n')
    over = Memory({"pool": {"max-size": 7}}, name="over")
    async with open_config(App, Files(tmp_path / "app.toml"), over) as config:
        found = by_path(config)
    assert {path: setting.value for path, setting in found.items()} == {
        "dsn": "***", "pool.max-size": 7, "pool.idle": "PT30S", "tags": ["a", "b"], "extra": {}, "keys": [],
    }  # fmt: skip
    assert found["pool.max-size"].origin.source == "over"
    assert found["tags"].origin.place.endswith("app.toml")
    assert found["pool.idle"].origin is None
    assert found["extra"].origin is None


async def test_what_one_text_says_of_a_whole_table_stands_where_the_text_does(monkeypatch):
    monkeypatch.setenv("RC_DESCRIBE_POOL", '{"max-size": 3}')
    async with open_config(App, Env("RC_DESCRIBE_")) as config:
        setting = by_path(config)["pool.max-size"]
    assert (setting.value, setting.origin.place) == (3, "RC_DESCRIBE_POOL")


async def test_no_secret_shows_by_type_or_where_no_type_says_what_it_is_by_name():
    tree = {"dsn": "canary-1", "keys": ["canary-2"], "extra": {"password": "canary-3", "tokens": {"a": ["canary-4"]}}}
    async with open_config(App, Memory(tree)) as config:
        text = repr(config.describe())
        assert "canary" not in text
        assert by_path(config)["extra.password"].value == "***"


@dataclass(frozen=True)
class Plain:
    token: Secret[str] | None = None
    sizes: dict[str, int] = field(default_factory=dict)


async def test_a_dataclass_and_an_untyped_configuration_are_described_too():
    async with open_config(Plain, Memory({"sizes": {"a.b": 1}})) as config:
        assert [(s.path, s.value) for s in config.describe()] == [("token", None), ('sizes."a.b"', 1)]
    async with open_config(dict, Memory({"a": {"b": None}, "secret": 1})) as config:
        assert [(s.path, s.value) for s in config.describe()] == [("a.b", None), ("secret", "***")]
    async with open_config(dict, Memory({})) as config:
        assert config.describe() == ()


async def test_a_pydantic_model_is_described_and_its_own_secrets_are_hidden():
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        size: int = 1

    class Model(pydantic.BaseModel):
        key: pydantic.SecretStr = pydantic.SecretStr("canary")
        inner: Inner = Inner()

    async with open_config(Model, Memory({"inner": {"size": 2}})) as config:
        assert {s.path: s.value for s in config.describe()} == {"key": "***", "inner.size": 2}
