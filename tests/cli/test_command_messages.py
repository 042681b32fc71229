"""docs/troubleshooting.md: what the commands about releases say is what the page has."""

from __future__ import annotations

import json

import pytest

from tests.test_troubleshooting import compare

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"


def test_every_message_of_the_page_is_said_by_a_command(quick, cli, shop, monkeypatch):
    many = json.dumps(dict.fromkeys(map(str, range(50)), 1))
    (shop / "wrong.yaml").write_text("workers: many\n")
    (shop / "two").write_text("rc_one\nrc_two\n")
    said: list[str] = []

    def refused(*arguments: str) -> None:
        done = quick(*arguments)
        assert done.code != 0, arguments
        said.append(next(line.removeprefix("error: ") for line in done.err.splitlines() if line.startswith("error: ")))

    assert quick("set", "sqlite:shop.db/shop/staging", "x=1", "--create").code == 0
    refused("set", TARGET, "x=1")
    assert quick("set", TARGET, f"many={many}", "x=1", "--create").code == 0
    refused("unset", TARGET, "many")
    refused("unset", TARGET, "never")
    refused("set", TARGET, "x=2", "--at", "7")
    refused("show", TARGET, "9")
    refused("show", "1")
    refused("history", "sqlite:../shop/reactive-config.db")
    refused("set", TARGET, "x=[1, 2")
    refused("set", TARGET, "x=1e999")
    refused("set", TARGET, "x=3", "x=4")
    refused("set", TARGET, "x=3", "x.y=4")
    refused("set", TARGET, "x", "3")
    refused("apply", TARGET, "gone.yaml")
    refused("apply", TARGET, "wrong.yaml", "--type", "settings:App")
    refused("export", TARGET, "settings.py")
    refused("history", "http://127.0.0.1:1/shop/production")
    refused("history", "http://127.0.0.1:1/shop/production", "--token-file", "two")
    monkeypatch.setenv("REACTIVE_CONFIG_TOKEN", "rc_wrong")
    refused("history", "http://127.0.0.1:1/shop/production")
    with cli.start_any("sh", "-c", f"exec {cli.script} serve --listen 127.0.0.1:0 2>&1") as service:
        url = service.wait_line("serving sqlite").rpartition(" ")[2]
        refused("history", f"{url}/shop/production")
        refused("history", f"{url}/v1/shop/production", "--token-file", "admin-token")
    compare(said, "## A command about releases is refused")
