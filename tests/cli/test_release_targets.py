"""TARGET, the way to a service and its token: what a person reads where one of them is at fault."""

from __future__ import annotations

import http.server
import threading

import pytest

from reactive_config._testing.etcd_installed import free_ports

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"
FORMS = (
    "TARGET: expected http://HOST:PORT/NAMESPACE/ENVIRONMENT, etcd://HOST:PORT/PREFIX/NAMESPACE/ENVIRONMENT "
    "or sqlite:FILE/NAMESPACE/ENVIRONMENT"
)


@pytest.fixture
def port():
    """Of a server that knows nothing."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "2", TARGET], f"{FORMS} first, got 2 before it"),
        (["set", "password=hunter2", TARGET], f"{FORMS} first, got it later"),
        (["history", "127.0.0.1:8471/web/dev"], f"{FORMS} first, got 127.0.0.1:8471/web/dev"),
        (["set", "password=hunter2"], f"{FORMS} first, got none"),
        (
            ["history", "sqlite:../w2/reactive-config.db"],
            f"{FORMS}, got sqlite:../w2/reactive-config.db, where ENVIRONMENT is reactive-config.db",
        ),
        (["history", "sqlite:x.db/Shop/dev"], f"{FORMS}, got sqlite:x.db/Shop/dev, where NAMESPACE is Shop"),
        (["history", "http://127.0.0.1:99999/a/b"], f"{FORMS}, got another host or port: http://127.0.0.1:99999/a/b"),
        (["history", "http://[::1/a/b"], f"{FORMS}, got another host or port: http://[::1/a/b"),
        (["history", "https://127.0.0.1:1/a/b", "--ca", "gone.pem"], "--ca gone.pem: there is no such file"),
        (["history", "etcds://127.0.0.1:1/a/b/c", "--cert", "gone.pem"], "--cert gone.pem: there is no such file"),
        (["set", "etcds://127.0.0.1:1/a/", "x=1", "--ca", "gone.pem"], "--ca gone.pem: there is no such file"),
        (["history", TARGET, "--limit", "0"], "--limit"),
        (["history", TARGET, "--limit", "201"], "--limit"),
        (["tokens", "lst"], "expected create NAME, list, or revoke NAME, got lst"),
        (["set", TARGET, "x=1", "--at", "-1"], "--at"),
    ],
)
def test_a_command_line_at_fault(quick, arguments, message):
    refused = quick(*arguments)
    assert (refused.code, message in refused.err) == (2, True), refused.err
    assert "hunter" not in refused.err


def test_the_target_may_not_come_twice(quick, monkeypatch):
    monkeypatch.setenv("REACTIVE_CONFIG_TARGET", TARGET)
    refused = quick("show", "2", "sqlite:other.db/shop/production")
    assert (refused.code, "first, got 2 before it" in refused.err) == (2, True)


def test_what_is_no_certificate_is_told(quick, shop, monkeypatch):
    monkeypatch.setenv("REACTIVE_CONFIG_TOKEN", "rc_x")
    where = ("history", "https://127.0.0.1:1/a/b")
    wrong = quick(*where, "--ca", "settings.py")
    assert (wrong.code, wrong.err) == (
        2,
        "error: --ca settings.py: expected certificates (PEM), got other content\n",
    )
    wrong = quick(*where, "--cert", "settings.py", "--cert-key", "settings.py")
    assert (wrong.code, wrong.err) == (
        2,
        "error: --cert settings.py: expected a certificate and its private key (PEM), got other content\n",
    )


def test_no_connection_says_why(quick, port, monkeypatch):
    monkeypatch.setenv("REACTIVE_CONFIG_TOKEN", "rc_x")
    (closed,) = free_ports(1)
    refused = quick("history", f"http://127.0.0.1:{closed}/a/b")
    assert (refused.code, refused.err) == (
        1,
        f"error: http://127.0.0.1:{closed}: no connection: Connection refused\n",
    )
    nowhere = quick("history", "http://nowhere.invalid/a/b").err
    assert nowhere.startswith("error: http://nowhere.invalid: no connection: no such host (")
    plain = quick("history", f"https://127.0.0.1:{port}/a/b").err
    assert f"error: https://127.0.0.1:{port}: no connection over TLS: " in plain  # after what the server logs


def test_a_url_that_nobody_knows_says_the_form(quick, port, monkeypatch, cli):
    monkeypatch.setenv("REACTIVE_CONFIG_TOKEN", "rc_x")
    other = quick("history", f"http://127.0.0.1:{port}/a/b")
    assert (other.code, "the service answers 501" in other.err) == (1, True)
    with cli.start_any("sh", "-c", f"exec {cli.script} serve --listen 127.0.0.1:0 2>&1") as service:
        url = service.wait_line("serving sqlite").rpartition(" ")[2]
        where = f"{url}/v1/web/production"
        refused = quick("set", where, "x=1", "--token-file", "admin-token", "--create")
    assert (refused.code, refused.err.splitlines()) == (
        1,
        [
            f"error: {where}: the server there has no such environment or path",
            f"  hint: TARGET is {FORMS.removeprefix('TARGET: expected ')}",
        ],
    )


def test_only_what_may_create_says_so(quick):
    assert quick("set", "sqlite:shop.db/shop/staging", "x=1", "--create").code == 0
    assert "--create makes it" in quick("set", TARGET, "x=1").err
    for arguments in (["history"], ["show", "1"], ["export", "out"], ["rollback", "1"]):
        verb, *rest = arguments
        refused = quick(verb, TARGET, *rest)
        assert (refused.code, "there is no" in refused.err, "--create" in refused.err) == (1, True, False), verb


def test_a_token_file_without_an_end_is_none(quick, shop):
    (shop / "endless").symlink_to("/dev/zero")
    refused = quick("history", "http://127.0.0.1:1/a/b", "--token-file", "endless")
    assert (refused.code, "expected a token, rc_..., in endless" in refused.err) == (2, True), refused.err


def test_what_is_no_token_is_not_sent(quick, shop, monkeypatch):
    where = "http://127.0.0.1:1/a/b"
    absent = quick("history", where).err.splitlines()
    assert absent[0] == "error: expected a token in REACTIVE_CONFIG_TOKEN or --token-file, got none"
    assert absent[1] == (
        "  hint: the first start of the service leaves one in the file admin-token; `tokens create NAME` makes others"
    )
    (shop / "two").write_text("rc_one\nrc_two\n")
    refused = quick("history", where, "--token-file", "two")
    assert (refused.code, refused.err) == (2, "error: expected a token, rc_..., in two, got other text\n")
    monkeypatch.setenv("REACTIVE_CONFIG_TOKEN", "hunter2")
    assert quick("history", where).err == "error: expected a token, rc_..., in REACTIVE_CONFIG_TOKEN, got other text\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", TARGET], ["export", TARGET, "out"], ["set", TARGET, "a=1"], ["set", TARGET, "a=1", "--dry-run"],
        ["tokens", "list"], ["tokens", "create", "bob"],
    ],
)  # fmt: skip
def test_a_store_is_made_only_by_those_who_say_so(quick, shop, arguments):
    """A token of a store that a slip of the pen has made opens nothing."""
    refused = quick(*arguments)
    assert (refused.code, "there is no such store; serve makes one" in refused.err) == (1, True), refused.err
    assert list(shop.glob("*.db*")) == []
