"""Whoever stands between a source and the runtime passes on everything that the contract has."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil

import pytest

import reactive_config
from reactive_config import ChangeLimits, Memory, Rejected, open_config
from reactive_config._core.delta import Replace
from reactive_config._core.observed_source import ObservedSource, SourceListener, _ObservedFeed
from reactive_config._core.source import Feed, Source
from reactive_config._testing.awaited_source import AwaitedSource
from reactive_config.status import SourceState

WRAPPERS = {"AwaitedSource": AwaitedSource, "ObservedSource": lambda source: ObservedSource(source, SourceListener())}


class Unlike(Source):
    """A source that is unlike the contract's defaults in everything."""

    name = "unlike"
    layers = ("one", "two")
    optional = True
    change_limits = ChangeLimits(growth=3.0, removal=0.5)
    optional_layers = frozenset({1})
    places = ("first", "second")
    good = Replace({}, 7)

    async def run(self, feed: Feed) -> None:
        feed.send(Replace({}, 1))
        feed.state(SourceState.SYNCED)
        await asyncio.Event().wait()

    async def last_good(self) -> Replace | None:
        return self.good


def public(protocol):
    """Names of a protocol's members, attributes without a default included."""
    return {name for name in {*vars(protocol), *inspect.get_annotations(protocol)} if not name.startswith("_")}


def subclasses(base):
    for module in pkgutil.walk_packages(reactive_config.__path__, "reactive_config."):
        importlib.import_module(module.name)
    found = set(base.__subclasses__())
    return found | {below for one in found for below in one.__subclasses__()}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_attribute_of_the_wrapped_source_is_the_wrappers(wrapper):
    """Also those that the contract gets later: the wrapped one must differ from the defaults in all of them."""
    wrapped = WRAPPERS[wrapper](Unlike())
    attributes = inspect.get_annotations(Source)
    assert {"name", "layers", "optional", "change_limits"} <= set(attributes)
    for name in attributes:
        assert getattr(Unlike, name) != getattr(Source, name, None), name
        assert getattr(wrapped, name) == getattr(Unlike, name), name


@pytest.mark.parametrize(("base", "protocol"), [(ObservedSource, Source), (_ObservedFeed, Feed)])
def test_every_method_of_the_contract_is_forwarded(base, protocol):
    """A default that a wrapper inherits from the protocol would answer in place of the wrapped one."""
    methods = public(protocol) - set(inspect.get_annotations(protocol))
    assert methods
    assert methods <= vars(base).keys()


def test_every_class_that_wraps_a_source_is_one_of_these():
    ours = {one for one in subclasses(ObservedSource) if one.__module__.startswith("reactive_config.")}
    assert {one.__name__ for one in ours} == set(WRAPPERS) - {"ObservedSource"}


@pytest.mark.parametrize("wrapper", WRAPPERS)
async def test_last_good_is_the_wrapped_sources(wrapper):
    assert await WRAPPERS[wrapper](Unlike()).last_good() is Unlike.good


@pytest.mark.parametrize("wrapper", WRAPPERS)
async def test_the_guard_of_the_wrapped_source_is_in_force(wrapper):
    memory = Memory({"a": 1, "b": 2, "c": 3})
    memory.change_limits = ChangeLimits(removal=0.5)
    async with open_config(dict, WRAPPERS[wrapper](memory)) as config:
        with pytest.raises(Rejected, match="50% of 3 entries"):
            await memory.replace({"a": 1})
        assert config.current == {"a": 1, "b": 2, "c": 3}


async def test_a_source_without_a_guard_gets_the_contracts_own():
    class Bare:
        name, layers = "bare", ("bare",)

    assert AwaitedSource(Bare()).change_limits == ChangeLimits()
