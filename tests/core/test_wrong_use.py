"""What is said to those who use `open_config` in another way than it is meant."""

from __future__ import annotations

import copy
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from reactive_config import Etcd, Files, Memory, StartupError, open_config
from reactive_config.testing import open_test_config


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("config", 'got a path: write Files("config")'),
        (Path("config"), 'got a path: write Files("config")'),
        (b"config", 'got a path: write Files("config")'),
        ({"a": 1}, "got a mapping: write Memory({"),
        (Files, "got the class Files: write Files(...)"),
        (None, "got NoneType, which has no name"),
        (7, "got int, which has no name"),
        ([Memory({})], "got a list: write the sources themselves, or * before it"),
        ((Memory({}),), "got a tuple: write the sources themselves, or * before it"),
    ],
)
def test_what_is_no_source_is_refused_at_once(given, said):
    with pytest.raises(TypeError, match="^open_config: expected a source, " + re.escape(said)):
        open_config(dict, Memory({}), given)


def test_a_path_that_may_hold_a_password_is_not_quoted():
    with pytest.raises(TypeError) as caught:
        open_config(dict, "etcd://root:hunter2@host/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("opened", [lambda: open_config(dict, Memory({})), lambda: open_test_config(dict, {})])
async def test_without_async_with_it_says_what_to_write(opened):
    opening = opened()
    with pytest.raises(AttributeError, match="has no current before it is entered: write `async with"):
        _ = opening.current
    with pytest.raises(TypeError, match="is entered, not awaited: write `async with"):
        await opening
    with pytest.raises(TypeError, match="is entered by `async with`: write `async with"), opening:
        pass
    assert not hasattr(opening, "__deepcopy__")
    assert not hasattr(opening, "_nothing")
    async with opening as config:
        assert config.current == {}


def test_it_can_be_looked_at():
    assert "open_config object" in repr(open_config(dict, Memory({})))
    assert copy.copy(open_config(dict, Memory({})))


class App(msgspec.Struct, frozen=True):
    password: str = "canary"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Memory({}), "type first, got the source Memory: write open_config(App, Memory(...))"),
        (App(), "type, got an instance of App: write App"),
        ("App", "type, got an instance of str: write a class, or dict for an untyped one"),
        ({"a": 1}, "type, got an instance of dict: write a class, or dict for an untyped one"),
    ],
)
def test_what_is_no_type_is_refused_at_once_and_not_shown(given, said):
    with pytest.raises(TypeError) as caught:
        open_config(given, Memory({}))
    assert str(caught.value) == f"open_config: expected the configuration's {said}"
    with pytest.raises(TypeError):
        open_config(given, App)


@pytest.mark.parametrize("kind", [dict[str, int], int | None, dict, App])
async def test_a_type_that_is_no_class_is_one_all_the_same(kind):
    with_content = Memory({"a": 1} if kind is not App else {})
    try:
        async with open_config(kind, with_content):
            pass
    except StartupError:
        assert kind == int | None  # the content is at fault, not the call


@pytest.mark.parametrize("seconds", ["5s", timedelta(seconds=5), True, [5]])
def test_a_timeout_that_is_no_number_is_refused_at_once(seconds):
    said = f"startup_timeout: expected a number of seconds, or None, got {type(seconds).__name__}"
    with pytest.raises(TypeError, match=re.escape(said)):
        open_config(dict, Memory({}), startup_timeout=seconds)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_timeout_below_nothing_is_refused_at_once(seconds):
    with pytest.raises(ValueError, match="startup_timeout: expected seconds, 0 or more, or None"):
        open_config(dict, Memory({}), startup_timeout=seconds)


def test_decoders_that_are_no_mapping_are_refused_at_once():
    said = "decoders: expected a dict of functions by class, {CLASS: FUNCTION}, got list"
    with pytest.raises(TypeError, match=re.escape(said)):
        open_config(dict, Memory({}), decoders=[App])


async def test_a_live_value_says_how_it_is_followed():
    async with open_config(App, Memory({})) as config:
        live = config.select("password")
        with pytest.raises(TypeError, match="^" + re.escape("select(password): expected `async for value in live`")):
            for _ in live:
                pass
        with pytest.raises(TypeError, match=re.escape("write live.current, await live.wait_changed()")):
            await live


@pytest.mark.parametrize("option", ["optional", "values"])
def test_files_take_truth_values_only(option):
    with pytest.raises(TypeError, match=f"^{option}=: expected True or False, got a value of type str$"):
        Files("config", **{option: "no"})


@pytest.mark.parametrize("option", ["optional", "discover"])
def test_etcd_takes_truth_values_only(option):
    with pytest.raises(TypeError, match=f"^{option}=: expected True or False, got a value of type str$"):
        Etcd("127.0.0.1:2379", prefix="/shop/", **{option: "no"})


async def test_a_file_of_an_unknown_kind_names_the_suffixes_that_are_known(tmp_path):
    (tmp_path / "app.ini").write_text("[log]\nroot=INFO\n")
    said = "expected a directory, or a file that ends in .env, .json, .toml, .yaml, .yml, got another file"
    with pytest.raises(StartupError, match=re.escape(said)):
        async with open_config(dict, Files(tmp_path / "app.ini")):
            pass


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("127.0.0.1", "as host:port, such as 127.0.0.1:2379, got '127.0.0.1'"),
        ("http://etcd", "as host:port, such as http://etcd:2379, got 'http://etcd'"),
        (
            "http://h:1/x",
            "as host:port (what to read goes into prefix= or key=), got one with a path, which may hold a password",
        ),
        (
            "h:1/canary",
            "as host:port (what to read goes into prefix= or key=), got one with a path, which may hold a password",
        ),
        ("http://root:canary@h:1/x", "as host:port, got one that may hold a password (use username= and password=)"),
    ],
)
def test_an_endpoint_of_etcd_says_what_it_lacks(endpoint, said):
    with pytest.raises(ValueError, match="^" + re.escape(f"expected an etcd endpoint {said}") + "$"):
        Etcd(endpoint, prefix="/shop/")
