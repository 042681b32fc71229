"""Passwords inside of URLs are hidden wherever a text is shown."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import pytest

from reactive_config import Memory, Shown, open_config
from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.redaction import show, spot_of
from reactive_config._core.sensitive import hide_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://u:S@h/d", "postgres://u:***@h/d"),
        ("redis://:S@h:6379/0", "redis://:***@h:6379/0"),
        ("jdbc:postgresql://u:S@h/d", "jdbc:postgresql://u:***@h/d"),
        ("postgres://u:S/S?S#S@S:S@h/d", "postgres://u:***@h/d"),
        ("postgres://u:S\x85S@h", "postgres://u:***@h"),
        ("postgres://u:S S@h", "postgres://u:***@h"),
        ("smtp://me@corp.com:S@h", "smtp://me@corp.com:***@h"),
        ("postgres://u:8080/S@h", "postgres://u:***@h"),
        ("mongodb://u:S@a:1,b:2/d", "mongodb://u:***@a:1,b:2/d"),
        ("amqp://u:S@a,amqp://v:S@b;amqps://w:S@c", "amqp://u:***@a,amqp://v:***@b;amqps://w:***@c"),
        ("a http://u:S@a\nb 'http://v:S@b'", "a http://u:***@a\nb 'http://v:***@b'"),
        ("http://h:80/x http://u:S@h", "http://h:80/x http://u:***@h"),
        ("postgres://u:S,S;S@h", "postgres://u:***@h"),
    ],
)
def test_a_password_is_hidden_up_to_the_host(text, shown):
    assert hide_passwords(text) == shown
    assert hide_passwords(shown) == shown


@pytest.mark.parametrize(
    "text",
    """
    https://h:8080/a https://h/a@b ssh://git@h/r.git https://h:4873/@scope/pkg https://[::1]:80/a@b me@corp.com a:b@c
    http://h/?a=b:c@d ://@ :// @ https://h/a:b@c
    """.split(),  # noqa: SIM905
)
def test_what_has_none_is_left_alone(text):
    assert hide_passwords(text) == text


def test_no_text_takes_long():
    start = time.thread_time()
    for text in (
        "a" * 100_000 + "://@",
        "://" * 50_000 + "@",
        "a://" * 50_000 + "@",
        " a://b:" * 30_000 + "@" * 50_000,
    ):
        hide_passwords(text)
    assert time.thread_time() - start < 1


class App(msgspec.Struct):
    url: str = "http://u:S@default"
    urls: list[str] = []
    free: Any = None


async def test_it_is_hidden_in_every_output():
    url, shown = "http://u:S@h", "http://u:***@h"
    tree = {"url": url, "urls": [url], "free": {"a": url, "b": f'{{"a": "{url}"}}'}}
    expected = {"url": shown, "urls": [shown], "free": {"a": shown, "b": "***"}}
    assert show(spot_of(tree, App)) == expected
    async with open_config(App, Memory(tree)) as config:
        assert {s.path: s.value for s in config.describe()} == {
            "url": shown, "urls": [shown], "free.a": shown, "free.b": "***",
        }  # fmt: skip
        assert [e.value for e in config.explain("url")] == [shown]
    assert [f.got for f in faults(url, int, ("url",))] == [f"'{shown}'"]
    assert show(spot_of({"token": url}, dict[str, Annotated[str, Shown()]])) == {"token": shown}
