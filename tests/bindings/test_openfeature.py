"""Flags asked for through the real OpenFeature SDK: what it answers, why, and what it is told of changes."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading
from uuid import uuid4

import anyio
import msgspec
import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config._extras import install
from reactive_config.bindings import Flag, FlagRule, switch
from reactive_config.bindings.openfeature import flag_provider

COLOURS = {"blue": 1, "green": 1}
TABLE = {
    "yes": True,
    "no": False,
    "nothing": None,
    "half": 50,
    "all": 100,
    "some": Flag(percentage=30),
    "off": Flag(on=False, allow=frozenset({"ada"}), variants=COLOURS),
    "lists": Flag(allow=frozenset({"ada"}), deny=frozenset({"eve"}), percentage=0),
    "colour": Flag(variants=COLOURS, deny=frozenset({"eve"})),
    "one": Flag(variants={"blue": 1, "green": 0}),
}


class Flags(msgspec.Struct, frozen=True):
    checkout: FlagRule = False
    dark_mode: FlagRule = msgspec.field(default=True, name="dark-mode")


class App(msgspec.Struct, frozen=True):
    flags: dict[str, FlagRule] = {}
    fixed: Flags = Flags()
    other: int = 0


@pytest.fixture
def domain():
    """A name of its own, so that tests do not see one another's providers."""
    yield str(uuid4())
    api.clear_providers()


@pytest.fixture
def client(domain):
    api.set_provider_and_wait(flag_provider(Live.constant(TABLE)), domain)
    return api.get_client(domain)


def user(key):
    return EvaluationContext(targeting_key=key)


@pytest.mark.parametrize(
    ("flag", "key", "value", "reason"),
    [
        ("yes", None, True, Reason.STATIC),
        ("no", None, False, Reason.STATIC),
        ("nothing", None, False, Reason.STATIC),
        ("all", None, True, Reason.STATIC),
        ("off", "ada", False, Reason.DISABLED),
        ("lists", "ada", True, Reason.TARGETING_MATCH),
        ("lists", "eve", False, Reason.TARGETING_MATCH),
        ("lists", "bob", False, Reason.DEFAULT),
        ("lists", None, False, Reason.DEFAULT),
        ("one", None, True, Reason.STATIC),
    ],
)
async def test_a_boolean_and_its_reason(client, flag, key, value, reason):
    for default in (True, False):
        found = client.get_boolean_details(flag, default, user(key))
        assert (found.value, found.reason, found.error_code) == (value, reason, None)
        assert await client.get_boolean_details_async(flag, default, user(key)) == found


@pytest.mark.parametrize("flag", ["half", "some"])
def test_a_percentage_splits_the_keys_as_the_switch_of_that_salt_does(client, flag):
    mine = switch(Live.constant(TABLE[flag]), salt=flag)
    answers = set()
    for number in range(200):
        found = client.get_boolean_details(flag, False, user(f"user-{number}"))
        assert (found.value, found.reason) == (mine.on(f"user-{number}"), Reason.SPLIT)
        answers.add(found.value)
    assert answers == {True, False}
    assert client.get_boolean_details(flag, False, user("a")).flag_metadata == {
        "percentage": 50 if flag == "half" else 30
    }


async def test_a_string_is_the_name_of_the_variant(client):
    mine = switch(Live.constant(TABLE["colour"]), salt="colour")
    for number in range(50):
        found = client.get_string_details("colour", "grey", user(f"user-{number}"))
        assert found.value == found.variant == mine.variant(f"user-{number}")
        assert found.reason == Reason.SPLIT
        assert await client.get_string_details_async("colour", "grey", user(f"user-{number}")) == found
    only = client.get_string_details("one", "grey")
    assert (only.value, only.reason) == ("blue", Reason.STATIC)


def test_where_a_flag_is_off_a_string_is_the_caller_s_default(client):
    for flag, key, reason in (("off", "ada", Reason.DISABLED), ("colour", "eve", Reason.TARGETING_MATCH)):
        found = client.get_string_details(flag, "grey", user(key))
        assert (found.value, found.variant, found.reason) == ("grey", None, reason)


@pytest.mark.parametrize(
    ("ask", "flag", "key", "default", "error"),
    [
        ("boolean", "absent", "ada", True, ErrorCode.FLAG_NOT_FOUND),
        ("string", "absent", "ada", "grey", ErrorCode.FLAG_NOT_FOUND),
        ("integer", "absent", "ada", 7, ErrorCode.FLAG_NOT_FOUND),
        ("string", "yes", "ada", "grey", ErrorCode.TYPE_MISMATCH),
        ("integer", "colour", "ada", 7, ErrorCode.TYPE_MISMATCH),
        ("float", "half", "ada", 0.5, ErrorCode.TYPE_MISMATCH),
        ("object", "colour", "ada", {"a": 1}, ErrorCode.TYPE_MISMATCH),
        ("boolean", "half", None, True, ErrorCode.TARGETING_KEY_MISSING),
        ("boolean", "some", "", True, ErrorCode.TARGETING_KEY_MISSING),
        ("string", "colour", None, "grey", ErrorCode.TARGETING_KEY_MISSING),
        ("boolean", "half", 5, True, ErrorCode.INVALID_CONTEXT),
    ],
)
async def test_what_cannot_be_answered_gives_the_default_and_says_why(client, ask, flag, key, default, error):
    found = getattr(client, f"get_{ask}_details")(flag, default, user(key))
    assert (found.value, found.reason, found.error_code) == (default, Reason.ERROR, error)
    assert "expected" in found.error_message
    assert await getattr(client, f"get_{ask}_details_async")(flag, default, user(key)) == found


class Heard:
    """What handlers were told; they run in threads of the SDK."""

    def __init__(self, client, *events):
        self.told = queue.Queue()
        for event in events:
            client.add_handler(event, self.told.put)

    async def next(self):
        return await anyio.to_thread.run_sync(lambda: self.told.get(timeout=5))


async def test_the_flags_that_change_are_announced_and_in_force_by_then(domain):
    memory = Memory({"flags": {"checkout": False, "search": 10, "old": True}})
    async with (
        open_config(App, memory) as config,
        flag_provider(config.select("flags")) as provider,
    ):
        api.set_provider_and_wait(provider, domain)
        client = api.get_client(domain)
        ready = Heard(client, ProviderEvent.PROVIDER_READY)
        assert (await ready.next()).provider_name == "reactive_config"
        heard = Heard(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        await memory.patch({"other": 1, "flags": {"search": 10}})  # nothing of the table
        await memory.replace({"flags": {"checkout": True, "search": 10, "new": 5}})
        assert client.get_boolean_value("checkout", False)
        assert (await heard.next()).flags_changed == ["checkout", "new", "old"]
        assert client.get_boolean_details("old", True).error_code is ErrorCode.FLAG_NOT_FOUND
        await memory.patch({"flags": {"search": 20}})
        assert (await heard.next()).flags_changed == ["search"]
        assert heard.told.empty()
        assert [(b.name, b.state, b.changes) for b in config.status().bindings] == [
            ("flag_provider(select(flags))", BindingState.IN_FORCE, 2)
        ]


async def test_leaving_it_is_stale_and_answers_what_held_last(domain):
    async with open_config(App, Memory({"flags": {"checkout": True}})) as config:
        async with flag_provider(config.select("flags"), name="mine") as provider:
            api.set_provider_and_wait(provider, domain)
            client = api.get_client(domain)
            heard = Heard(client, ProviderEvent.PROVIDER_STALE)
            assert [b.name for b in config.status().bindings] == ["mine"]
        assert config.status().bindings == ()
        assert (await heard.next()).message == "the configuration is no longer followed"
    assert client.get_provider_status() is ProviderStatus.STALE
    assert client.get_boolean_value("checkout", False)


async def test_a_configuration_that_ends_first_is_stale_too(domain):
    config = open_config(App, Memory({"flags": {"checkout": True}}))
    opened = await config.__aenter__()
    async with flag_provider(opened.select("flags")) as provider:
        api.set_provider_and_wait(provider, domain)
        heard = Heard(api.get_client(domain), ProviderEvent.PROVIDER_STALE)
        await config.__aexit__(None, None, None)
        await heard.next()
        assert provider.status().state is BindingState.CLOSED
    provider.emit_provider_stale(ProviderEventDetails(message="after all others"))
    assert (await heard.next()).message == "after all others"


async def test_the_fields_of_a_struct_are_flags_by_their_names_in_the_configuration(domain):
    memory = Memory({"fixed": {"dark-mode": False}})
    async with open_config(App, memory) as config, flag_provider(config.select("fixed")) as provider:
        api.set_provider_and_wait(provider, domain)
        client = api.get_client(domain)
        heard = Heard(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        assert client.get_boolean_value("dark-mode", True) is False
        assert client.get_boolean_details("dark_mode", True).error_code is ErrorCode.FLAG_NOT_FOUND
        await memory.patch({"fixed": {"checkout": True}})
        assert (await heard.next()).flags_changed == ["checkout"]


async def test_a_handler_that_fails_disturbs_nothing(domain):
    memory = Memory({"flags": {"checkout": False}})
    async with open_config(App, memory) as config, flag_provider(config.select("flags")) as provider:
        api.set_provider_and_wait(provider, domain)
        client = api.get_client(domain)
        client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda details: 1 / 0)
        heard = Heard(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        for step in range(3):
            await memory.patch({"flags": {"checkout": step}})
            await heard.next()


@pytest.mark.slow
async def test_threads_read_while_the_table_changes(domain):
    memory = Memory({"flags": {"checkout": {"variants": {"a": 1, "b": 1}}}})
    wrong, stop = [], threading.Event()

    def ask(client):
        while not stop.is_set():
            found = client.get_string_details("checkout", "default", user("ada"))
            if found.error_code is not None or found.value not in ("a", "b", "default"):
                wrong.append(found)

    async with open_config(App, memory) as config, flag_provider(config.select("flags")) as provider:
        api.set_provider_and_wait(provider, domain)
        threads = [threading.Thread(target=ask, args=(api.get_client(domain),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for step in range(300):
            await memory.patch({"flags": {"checkout": {"percentage": step % 101}, f"flag-{step}": True}})
        stop.set()
        await asyncio.gather(*(anyio.to_thread.run_sync(thread.join) for thread in threads))
    assert wrong == []


def test_without_the_sdk_it_names_the_extra_and_with_it_only_its_use_imports_it():
    program = """
import sys
import reactive_config.bindings
from reactive_config import Live
from reactive_config.bindings.openfeature import flag_provider
assert not any(name.partition(".")[0] == "openfeature" for name in sys.modules)
sys.modules["openfeature"] = None
try:
    flag_provider(Live.constant({}))
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"flag_provider needs openfeature-sdk: {install('openfeature')}\n"
