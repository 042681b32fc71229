"""Paths, addresses, sizes and the like on the command line: what is shown can be read again; decoders by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import Meta

from reactive_config import ByteSize
from reactive_config._cli.schema import schema_of

Run = Callable[..., Any]

SETTINGS = """
import re
from ipaddress import IPv4Network
from pathlib import Path
from zoneinfo import ZoneInfo
import msgspec
from reactive_config import ByteSize

class Money:
    def __init__(self, value):
        self.amount, self.currency = value.split()

class Types(msgspec.Struct):
    root: Path = Path("var/shop")
    inside: IPv4Network = IPv4Network("10.0.0.0/8")
    allowed: re.Pattern[str] = re.compile("[a-z]+")
    zone: ZoneInfo = ZoneInfo("Europe/Berlin")
    body: ByteSize = ByteSize(10_000_000)
    hosts: list[str] = []

class Shop(msgspec.Struct):
    fee: Money

DECODERS = {Money: Money}
WRONG = {int: int}
"""

TEXTS = {"root": "srv", "inside": "10.1.0.0/16", "allowed": "[0-9]+", "zone": "UTC", "body": "1.5GiB"}


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typed_settings.py").write_text(SETTINGS)
    (tmp_path / "app.json").write_text(json.dumps(TEXTS))
    return tmp_path


def test_what_get_shows_can_be_read_again(typed: Path, quick: Run) -> None:
    result = quick("get", ".", "app.json", "--type", "typed_settings:Types", "--json")
    shown = json.loads(result.out)["value"]
    assert shown == {**TEXTS, "body": 3 * 2**29, "hosts": []}
    (typed / "again.json").write_text(json.dumps(shown))
    again = quick("get", ".", "again.json", "--type", "typed_settings:Types", "--json")
    assert json.loads(again.out)["value"] == shown


def test_explain_shows_what_the_sources_say_or_the_default(typed: Path, quick: Run) -> None:
    (typed / "app.json").write_text('{"allowed": "[0-9]+"}')
    for path, text in (("allowed", "[0-9]+"), ("zone", "Europe/Berlin"), ("body", "10000000"), ("root", "var/shop")):
        result = quick("explain", path, "app.json", "--type", "typed_settings:Types")
        assert text in result.out


def test_what_does_not_fit_is_told(typed: Path, quick: Run) -> None:
    (typed / "app.json").write_text('{"allowed": "[0-", "body": "10M", "zone": "../UTC"}')
    result = quick("check", "app.json", "--type", "typed_settings:Types")
    assert result.code == 1
    for part in (
        "allowed: expected a valid regular expression",
        "body: expected a byte size (1048576, 10MB, 1.5GiB)",
        "zone:",
    ):
        assert part in result.out + result.err


def test_decoders_are_named_by_an_option(typed: Path, quick: Run) -> None:
    (typed / "shop.json").write_text('{"fee": "5 EUR"}')
    with_type = ("shop.json", "--type", "typed_settings:Shop")
    without = quick("check", *with_type)
    assert without.code == 2
    assert "fee: expected a type that can be decoded, got Money" in without.err
    assert "open_config" not in without.err
    way_out = "write {Money: FUNCTION} into the dict that --decoders MODULE:NAME names"
    assert way_out in " ".join(without.err.split())
    assert quick("check", *with_type, "--decoders", "typed_settings:DECODERS").code == 0
    explained = quick("explain", "fee", *with_type, "--decoders", "typed_settings:DECODERS")
    assert "5 EUR" in explained.out
    schema = quick("schema", "--type", "typed_settings:Shop", "--decoders", "typed_settings:DECODERS")
    assert "what the decoder of Money takes" in schema.out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("typed_settings:Types", "expected a dict of functions by class, got StructMeta"),
        ("typed_settings:WRONG", "int is decoded without one"),
        ("typed_settings:DECODER", "did you mean DECODERS"),
        ("typed_settings", "--decoders: expected MODULE:NAME"),
        ("nowhere:DECODERS", "--decoders: there is no module nowhere"),
    ],
)
def test_what_are_no_decoders_is_the_command_line_s_fault(typed: Path, quick: Run, name: str, said: str) -> None:
    result = quick("check", "app.json", "--type", "typed_settings:Types", "--decoders", name)
    assert result.code == 2
    assert said in result.err


def test_the_schema_has_what_a_configuration_may_say() -> None:
    class App(msgspec.Struct):
        root: Path = Path("a")
        inside: IPv4Network | None = None
        allowed: re.Pattern[str] = re.compile("[a-z]")
        zone: ZoneInfo = ZoneInfo("UTC")
        body: Annotated[ByteSize, Meta(ge=1024)] = ByteSize(2048)
        sizes: dict[str, ByteSize | None] = {}
        count: int = 0

    fields = schema_of(App)["$defs"]["App"]["properties"]
    assert fields["root"] == {"type": "string", "format": "path", "default": "a"}
    assert fields["inside"]["anyOf"][0] == {"type": "string", "format": "ipv4network"}
    assert fields["allowed"] == {"type": "string", "format": "regex", "default": "[a-z]"}
    assert fields["zone"] == {"type": "string", "default": "UTC"}
    assert fields["body"]["type"] == ["integer", "string"]
    assert (fields["body"]["minimum"], fields["body"]["default"]) == (1024, 2048)
    assert fields["sizes"]["additionalProperties"]["anyOf"][0]["type"] == ["integer", "string"]
    assert fields["count"] == {"type": "integer", "default": 0}
