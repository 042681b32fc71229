"""Errors keep their data on their way between processes, and nothing hidden leaves with them."""

from __future__ import annotations

import concurrent.futures
import copy
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil

import msgspec
import pytest

import reactive_config
from reactive_config import Memory, Secret, open_config
from reactive_config._formats.writing import Inexpressible
from reactive_config._releases.document_edits import UnwritableContent
from reactive_config._releases.key_store import KeysMoved
from reactive_config._releases.patches import PatchRefused
from reactive_config._releases.path_edits import NothingThere
from reactive_config.errors import (
    ConfigError,
    InvalidValue,
    Origin,
    ParseError,
    Problem,
    ReactiveConfigError,
    Rejected,
    StartupError,
    StrayCancellation,
)

PROBLEM = Problem("a.b", "int", "text", Origin("etcd", "/shop/a/b", 7, 2, 3))
MADE = {
    ParseError: lambda: ParseError("valid JSON", "something else", 3, 7),
    ConfigError: lambda: ConfigError([PROBLEM]),
    Rejected: lambda: Rejected([PROBLEM, Problem("", "a table", "null")]),
    StartupError: lambda: StartupError([PROBLEM], {"etcd": "no answer"}),
    InvalidValue: lambda: InvalidValue("a port above 1023", at="port"),
    StrayCancellation: lambda: StrayCancellation("build"),
    Inexpressible: lambda: Inexpressible(("a", "b"), "null", "TOML"),
    KeysMoved: lambda: KeysMoved("a key has changed meanwhile", 7),
    PatchRefused: lambda: PatchRefused("the test failed", 3, missing=True),
    NothingThere: lambda: NothingThere(("a", "b")),
    UnwritableContent: lambda: UnwritableContent(("a", "b"), "there is no document that can say this"),
}
"""How to make those whose constructor takes more than a text."""

ROOMS = tuple(f"reactive_config.{room}" for room in ("_core", "_etcd", "_formats.writing", "_releases", "errors"))
"""Where errors are defined, and what needs no extra to be imported."""


def all_errors():
    """Every error of the package, found by importing all that can be imported."""
    for module in pkgutil.walk_packages(reactive_config.__path__, "reactive_config."):
        if module.name.startswith(ROOMS):
            importlib.import_module(module.name)
    found, left = [], [ReactiveConfigError]
    while left:
        kind = left.pop()
        found.append(kind)
        left += [sub for sub in kind.__subclasses__() if sub.__module__.startswith("reactive_config")]
    return sorted(set(found), key=lambda kind: (kind.__module__, kind.__name__))


def make(kind):
    error = MADE[kind]() if kind in MADE else kind("no token", 5)
    error.add_note("seen at noon")
    return error


def data(error):
    return type(error), str(error), error.args, vars(error)


class Wild(StartupError):
    """One of a program, whose constructor takes what it likes."""

    def __init__(self, *, color: str) -> None:
        super().__init__([PROBLEM], {"x": "y"})
        self.color = color


def fail(kind):
    raise make(kind)


def fail_together():
    raise ExceptionGroup("several", [make(ParseError), ExceptionGroup("more", [make(StartupError)])])


def test_every_public_error_is_among_those_that_are_tested():
    named = {kind for _, kind in inspect.getmembers(reactive_config.errors, inspect.isclass)}
    assert {kind for kind in named if issubclass(kind, BaseException)} <= set(all_errors())
    assert len(all_errors()) > 20  # those of etcd too


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", all_errors())
def test_an_error_comes_out_of_pickle_as_it_went_in(kind, protocol):
    error = make(kind)
    assert data(pickle.loads(pickle.dumps(error, protocol))) == data(error)


@pytest.mark.parametrize("kind", all_errors())
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_has_the_data(kind, copied):
    error = make(kind)
    assert data(copied(error)) == data(error)
    assert copied(error) is not error


def test_an_error_class_of_a_program_keeps_its_data_too():
    loaded = pickle.loads(pickle.dumps(Wild(color="red")))
    assert (loaded.color, loaded.troubles, loaded.problems) == ("red", {"x": "y"}, (PROBLEM,))


def test_errors_in_a_group_keep_their_data():
    with pytest.raises(ExceptionGroup) as caught:
        fail_together()
    one, inner = pickle.loads(pickle.dumps(caught.value)).exceptions
    assert data(one) == data(make(ParseError))
    assert data(inner.exceptions[0]) == data(make(StartupError))


@pytest.mark.slow
def test_errors_reach_the_program_from_the_processes_of_a_pool():
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        futures = {kind: pool.submit(fail, kind) for kind in [ParseError, Rejected, StartupError, InvalidValue]}
        for kind, future in futures.items():
            assert data(future.exception(60)) == data(make(kind))
        assert data(pool.submit(fail_together).exception(60).exceptions[0]) == data(make(ParseError))
    with spawn.Pool(1) as pool, pytest.raises(ParseError) as caught:
        pool.apply_async(fail, [ParseError]).get(60)
    assert data(caught.value) == data(make(ParseError))


class App(msgspec.Struct, frozen=True):
    key: Secret[int] = Secret(0)


@pytest.mark.parametrize("wrong", ["canary", ["canary"], {"a": "canary"}])
async def test_no_secret_leaves_with_a_pickled_error(wrong):
    memory = Memory()
    async with open_config(App, memory) as config:
        with pytest.raises(Rejected) as caught:
            await memory.patch({"key": wrong})
        assert config.current.key.reveal() == 0
    assert b"canary" not in pickle.dumps(caught.value)
    assert caught.value.problems == pickle.loads(pickle.dumps(caught.value)).problems
