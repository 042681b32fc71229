"""Values become keyword arguments."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from datetime import timedelta
from typing import Any

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config import Live, Secret
from reactive_config._extras import install
from reactive_config.bindings import pools
from reactive_config.bindings.pools import arguments_of


class AsStruct(msgspec.Struct, frozen=True, rename="camel"):
    dsn: Secret[str]
    max_size: int | None = None
    settings: dict[str, Any] = {}


@dataclasses.dataclass(frozen=True)
class AsDataclass:
    dsn: Secret[str]
    max_size: int | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@attrs.frozen
class AsAttrs:
    dsn: Secret[str]
    max_size: int | None = None
    settings: dict[str, Any] = attrs.field(factory=dict)


class AsModel(pydantic.BaseModel):
    dsn: Secret[str]
    max_size: int | None = None
    settings: dict[str, Any] = {}


@pytest.mark.parametrize("kind", [AsStruct, AsDataclass, AsAttrs, AsModel.model_construct, dict])
def test_fields_are_arguments_by_their_names_in_python(kind):
    inside = {"token": Secret("b"), "idle": timedelta(minutes=1), "absent": None}
    value = kind(dsn=Secret("a"), max_size=None, settings=inside)
    assert arguments_of(value) == {"dsn": "a", "settings": {"token": "b", "idle": 60.0}}
    assert arguments_of(kind(dsn=Secret("a"), max_size=7, settings={})) == {"dsn": "a", "max_size": 7, "settings": {}}


def test_what_is_inside_is_plain_too():
    inner = AsStruct(Secret("in"))
    value = {"list": [inner, Secret("x")], "tuple": (Secret("y"), 1), "unset": msgspec.UNSET, "set": {timedelta(0)}}
    assert arguments_of(value) == {
        "list": [{"dsn": "in", "settings": {}}, "x"],
        "tuple": ("y", 1),
        "set": {0.0},
    }


class Theirs(pydantic.BaseModel):
    dsn: pydantic.SecretStr
    key: pydantic.SecretBytes = pydantic.SecretBytes(b"k")
    inner: list[pydantic.SecretStr] = []
    size: pydantic.Secret[int] = pydantic.Secret[int](3)
    both: Secret[pydantic.SecretStr] | None = None


def test_the_secrets_of_pydantic_are_plain_too():
    value = Theirs.model_validate({"dsn": "a", "inner": ["b"], "both": "c"})
    assert arguments_of(value) == {"dsn": "a", "key": b"k", "inner": ["b"], "size": 3, "both": "c"}
    assert arguments_of({"dsn": pydantic.SecretStr("a")}) == {"dsn": "a"}


def test_other_objects_stay_the_same():
    thing = object()
    assert arguments_of({"thing": thing})["thing"] is thing


plain = st.recursive(
    st.integers() | st.text() | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), plain))
def test_plain_trees_are_copied_so_that_a_library_cannot_change_the_configuration(tree):
    made = arguments_of(tree)
    assert made == tree
    assert made is not tree
    assert not {id(part) for part in containers(made)} & {id(part) for part in containers(tree)}


def containers(tree):
    if isinstance(tree, (dict, list)):
        yield tree
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from containers(part)


@pytest.mark.parametrize("value", [7, "canary", Secret("canary"), ["canary"], None])
async def test_a_value_without_fields_is_refused_without_showing_it(value):
    with pytest.raises(TypeError, match="options: expected a Struct, a dataclass or a mapping, got") as caught:
        arguments_of(value)
    assert "canary" not in str(caught.value)


async def test_a_function_makes_other_arguments():
    live = Live.constant("https://example.org/")
    async with pools.httpx_client(live, options=lambda url: {"base_url": url, "timeout": None}) as client:
        assert client.current.base_url == "https://example.org/"
        assert client.current.timeout.connect == 5.0  # None is nothing: httpx's own default


LIBRARIES = {
    "aiohttp_session": ("aiohttp", "aiohttp"),
    "asyncpg_pool": ("asyncpg", "asyncpg"),
    "grpc_channel": ("grpc", "grpc"),
    "httpx_client": ("httpx", "httpx"),
    "psycopg_pool": ("psycopg", "psycopg"),
    "redis_client": ("redis", "redis"),
    "sqlalchemy_engine": ("sqlalchemy", "sqlalchemy"),
}


@pytest.mark.parametrize("adapter", LIBRARIES)
def test_a_missing_library_names_its_extra(adapter, monkeypatch):
    library, extra = LIBRARIES[adapter]
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=re.escape(install(extra))):
        getattr(pools, adapter)(Live.constant({}))


def test_importing_the_pools_brings_no_library():
    libraries = {library for library, _ in LIBRARIES.values()} | {"psycopg_pool"}
    code = "import sys, reactive_config.bindings.pools as p; print(sorted(name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not libraries & set(eval(done.stdout))
