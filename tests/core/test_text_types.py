"""Paths, addresses, patterns and time zones: what they are read from, what is refused, and in which words."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import time
import zoneinfo
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from reactive_config import ByteSize, Memory, Rejected, Secret, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.redaction import show, spot_of
from reactive_config._core.types.text_types import _zone, text_type
from reactive_config.errors import InvalidValue, TypeNotSupported
from reactive_config.sources import Bare
from tests.core.decoding import made

VALUES = [
    (Path, "var/shop", Path("var/shop")),
    (PurePath, "a", PurePath("a")),
    (PurePosixPath, "/a", PurePosixPath("/a")),
    (PureWindowsPath, r"C:\a", PureWindowsPath(r"C:\a")),
    (ipaddress.IPv4Address, "10.0.0.1", ipaddress.IPv4Address("10.0.0.1")),
    (ipaddress.IPv6Address, "fd00::1", ipaddress.IPv6Address("fd00::1")),
    (ipaddress.IPv4Network, "10.0.0.0/8", ipaddress.IPv4Network("10.0.0.0/8")),
    (ipaddress.IPv6Network, "fd00::/8", ipaddress.IPv6Network("fd00::/8")),
    (ipaddress.IPv4Interface, "10.0.0.1/8", ipaddress.IPv4Interface("10.0.0.1/8")),
    (ipaddress.IPv6Interface, "fd00::1/8", ipaddress.IPv6Interface("fd00::1/8")),
    (re.Pattern[str], "[a-z]+", re.compile("[a-z]+")),
    (re.Pattern, "a|b", re.compile("a|b")),
    (zoneinfo.ZoneInfo, "Europe/Berlin", zoneinfo.ZoneInfo("Europe/Berlin")),
]


def fault(kind: Any, tree: Any) -> tuple[str, str]:
    """What was expected under a name, and what was there."""
    part, faults = decode(compile_plan(dict[str, kind]), {"k": tree}, None, None)
    assert part is None
    (only,) = faults
    return only.expected, only.got


@pytest.mark.parametrize(("kind", "text", "value"), VALUES)
def test_a_text_becomes_a_value_in_a_document_and_as_a_bare_value(kind, text, value):
    for tree in (text, Bare(text)):
        assert made(kind, tree) == value
        assert type(made(kind, tree)) is type(value)
        assert made(kind | None, tree) == value
        assert made(Secret[kind], tree).reveal() == value
    assert made(list[kind], [text]) == [value]
    assert made(tuple[kind, int], [text, 1]) == (value, 1)
    assert made(frozenset[kind], [text]) == {value}
    assert made(dict[str, kind], {"a": text}) == {"a": value}
    assert made(kind | None, None) is None
    assert made(kind | None, Bare("null")) is None


class Named(TypedDict):
    value: Any


@pytest.mark.parametrize(("kind", "text", "value"), VALUES)
def test_it_may_be_a_field_of_every_kind_of_record(kind, text, value):
    records = [
        msgspec.defstruct("Record", [("value", kind)]),
        msgspec.defstruct("Record", [("value", kind)], tag=True),
        dataclasses.make_dataclass("Record", [("value", kind)]),
        attrs.define(type("Record", (), {"__annotations__": {"value": kind}})),
        pydantic.create_model("Record", value=(kind, ...)),
        TypedDict("Record", {"value": kind}),
    ]
    for record in records:
        for given in (text, Bare(text)):
            found = made(record, {"value": given, "type": "Record"} if record is records[1] else {"value": given})
            found = found["value"] if isinstance(found, dict) else found.value
            assert (found, type(found)) == (value, type(value)), record


@pytest.mark.parametrize(("kind", "text", "value"), VALUES)
def test_it_is_shown_as_the_text_from_which_it_is_read_again(kind, text, value):
    shown = show(spot_of({"k": value}, dict[str, kind]))
    assert unchanged(made(kind, shown["k"]), value)
    assert show(spot_of({"k": text}, dict[str, kind])) == {"k": text}  # as `explain` has it
    assert show(spot_of({"token": value}, dict[str, kind])) == {"token": "***"}


@pytest.mark.parametrize(
    ("kind", "tree", "expected"),
    [
        (Path, "", "a path, not the empty text"),
        (Path, "s3://bucket/a", "a path, not a URL"),
        (Path, "a\0b", "a path without a NUL character"),
        (Path, "x" * 4097, "a path of at most 4,096 characters"),
        (Path, 5, "a path"),
        (ipaddress.IPv4Address, "10.0.0.256", "an IPv4 address (10.0.0.1)"),
        (ipaddress.IPv4Address, 5, "an IPv4 address (10.0.0.1)"),
        (ipaddress.IPv4Address, "fd00::1", "an IPv4 address (10.0.0.1)"),
        (ipaddress.IPv4Network, "10.0.0.1/8", "an IPv4 network without host bits (10.0.0.0/8)"),
        (re.Pattern[str], "[a-", "a valid regular expression (unterminated character set at character 1)"),
        (re.Pattern[str], "(?<=a+)b", "a valid regular expression (look-behind requires fixed-width pattern)"),
        (re.Pattern[str], "a" * 1001, "a regular expression of at most 1,000 characters"),
        (re.Pattern[str], "(" * 900, "a regular expression"),
        (re.Pattern[str], "a{99999999999}", "a regular expression"),
        (re.Pattern[str], None, "a regular expression"),
    ],
)
def test_what_is_none_is_refused_in_the_words_of_its_type(kind, tree, expected):
    assert fault(kind, tree)[0] == expected
    assert fault(kind, Bare(tree) if type(tree) is str else tree)[0] == expected


def test_the_value_that_does_not_fit_is_quoted_unless_it_is_a_secret():
    assert fault(re.Pattern[str], "[a-")[1] == "'[a-'"
    assert fault(Secret[re.Pattern[str]], "(canary")[1] == "str"
    part, faults = decode(compile_plan(dict[str, Path]), {"password": "canary://"}, None, None)
    assert part is None
    assert "canary" not in repr(faults)


@pytest.mark.parametrize(
    ("kind", "tree", "expected"),
    [
        (Path, 5, "a path"),
        (ipaddress.IPv4Address, "10.0.0.256", "an IPv4 address (10.0.0.1)"),
        (re.Pattern[str], "[a-", "a valid regular expression (unterminated character set at character 1)"),
        (zoneinfo.ZoneInfo | None, "../UTC", "the name of a time zone that this system knows, such as Europe/Berlin"),
        (ByteSize, "10M", "a byte size (1048576, 10MB, 1.5GiB)"),
    ],
)
def test_a_pydantic_model_refuses_in_the_same_words(kind, tree, expected):
    model = pydantic.create_model("Model", value=(kind, ...))
    part, faults = decode(compile_plan(dict[str, model]), {"k": {"value": tree}}, None, None)
    assert part is None
    assert [fault[:3] for fault in faults] == [(("k", "value"), "", expected)]
    assert faults[0].got == repr(tree)


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd", "America", "Europe/Atlantis", "zone.tab", "\0"])
def test_a_name_that_is_no_time_zone_leads_nowhere(place):
    assert fault(zoneinfo.ZoneInfo, place)[0].startswith("the name of a time zone that this system knows")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "Europe/../../x", "a.b", "a//b", "a/", "", "\u00e9"]
)
def test_such_a_name_does_not_reach_the_file_system(name):
    opened: list[str] = []
    with pytest.raises(InvalidValue):
        _zone(opened.append, name)
    assert opened == []


@pytest.mark.parametrize(
    "text",
    [
        "(?i)" + "[!-\uffff]" * 150,
        "[!-\uffff]" * 199,
        "(?i)[" + "!-\uffff" * 300 + "]",
        "[漢字]" * 250,
        r"[\u0001-\uffff]" * 60,
    ],
)
def test_no_pattern_holds_the_loop_for_long(text):
    """A set or a range of all characters costs Python milliseconds each."""
    re.purge()
    begun = time.process_time()
    fault(re.Pattern[str], text[:1000])
    assert time.process_time() - begun < 0.5


def test_patterns_of_other_scripts_are_served():
    assert made(re.Pattern[str], "^[一-龥々ぁ-んァ-ヶa-z0-9_-]+$").match("漢字")
    assert made(re.Pattern[str], "[\\w.-]+@[a-z-]+" * 20)


def test_the_texts_of_mistakes_in_patterns_are_those_of_this_python():
    """Each begins with words of ours, or else it is just a mistake."""
    for text in (
        "[a-",
        "(a",
        "a)",
        "*a",
        "a**",
        "a{3,1}",
        "[z-a]",
        r"\q",
        "(?x",
        "(?P<1>a)",
        "(?P<n>a)(?P<n>b)",
        r"(?P=n)",
    ):
        assert "a mistake" not in fault(re.Pattern[str], text)[0], text


# Equality


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Path, "a/b", "./a//b"),
        (ipaddress.IPv6Address, "fd00::1", "fd00:0:0::1"),
        (ipaddress.IPv4Network, "10.0.0.0/8", "10.0.0.0/255.0.0.0"),
    ],
)
async def test_another_spelling_of_the_same_value_wakes_nobody(kind, one, other):
    memory = Memory({"value": one})
    async with open_config(msgspec.defstruct("App", [("value", kind)]), memory) as config:
        before = config.snapshot
        await memory.patch({"value": other})
        assert config.snapshot.value.value is before.value.value
        assert config.snapshot.changed <= before.changed


def test_values_that_only_their_own_equality_takes_for_equal_differ():
    assert not unchanged(PureWindowsPath("C:/A"), PureWindowsPath("c:/a"))
    assert not unchanged(re.compile("a"), re.compile("a", re.IGNORECASE))
    assert not unchanged(ipaddress.IPv4Address("10.0.0.1"), ipaddress.IPv4Interface("10.0.0.1/32"))


def test_a_time_zone_that_was_forgotten_and_loaded_again_is_the_same():
    old = zoneinfo.ZoneInfo("Europe/Berlin")
    new = zoneinfo.ZoneInfo.no_cache("Europe/Berlin")
    assert old != new
    assert unchanged(old, new)
    assert not unchanged(old, zoneinfo.ZoneInfo("Europe/Paris"))


# What is not served


@pytest.mark.parametrize(("kind", "text", "value"), VALUES)
@pytest.mark.parametrize("names", [lambda kind: kind, lambda kind: kind | None])
def test_none_of_them_is_a_name_of_a_table(kind, text, value, names):
    """msgspec would leave the names as they are, whatever the type says."""
    with pytest.raises(TypeNotSupported, match=r"^a: .*names of a table as they are; write dict\[str, ...\]"):
        compile_plan(msgspec.defstruct("App", [("a", list[dict[names(kind), int]])]))


@pytest.mark.parametrize("kind", [re.Pattern[bytes], PosixPath if os.name == "nt" else WindowsPath])
def test_types_whose_values_cannot_be_made_are_refused(kind):
    with pytest.raises(TypeNotSupported):
        compile_plan(dict[str, kind])


def test_a_class_derived_from_one_is_another_type():
    class Own(PosixPath): ...

    assert text_type(Own) is None
    assert text_type(msgspec.defstruct("IPv4Address", [], module="ipaddress")) is None


async def test_a_bad_pattern_is_held_and_the_program_goes_on():
    class App(msgspec.Struct):
        allowed: re.Pattern[str]

    memory = Memory({"allowed": "a+"})
    async with open_config(App, memory) as config:
        with pytest.raises(Rejected) as caught:
            await memory.patch({"allowed": "a["})
        assert caught.value.problems[0].path == "allowed"
        assert config.current.allowed.pattern == "a+"
