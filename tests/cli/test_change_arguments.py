"""Arguments of the verbs of releases: what is none is refused before anything is asked, and is not said again."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"
NOWHERE = "http://127.0.0.1:1/shop/production"
DEEP = ".".join(["d"] * 2_000)
NO_TEXT = "\udcff"


@pytest.fixture(autouse=True)
def no_target(monkeypatch):
    monkeypatch.delenv("REACTIVE_CONFIG_TARGET", raising=False)
    monkeypatch.setenv("REACTIVE_CONFIG_TOKEN", "rc_token")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "a=1", "password:S3CRET"], "argument 3: expected PATH=VALUE, got a text without an equals sign"),
        (["set", "S3CRET..=1"], 'argument 2: expected a dotted path such as log."a.b".level, got none'),
        (["unset", 'a."S3CRET'], "argument 2: expected a dotted path"),
        (["rollback", "S3CRET"], "argument 2: expected the number of a release, got other text"),
        (["show", "S3CRET"], "argument 2: expected the number of a release, got other text"),
        (["diff", "1", "S3CRET"], "argument 3: expected the number of a release, got other text"),
        (["diff"], "expected the number of one release or of two, got none"),
        (["history", "S3CRET"], "expected TARGET alone, got 1 more"),
        (["set", f"{DEEP}=5"], "argument 2: expected a path of at most 128 names, got 2,000"),
        (["unset", DEEP], "argument 2: expected a path of at most 128 names, got 2,000"),
        (["blame", DEEP], "argument 2: expected a path of at most 128 names, got 2,000"),
        (["set", f"a=x{NO_TEXT}"], "argument 2: expected UTF-8 text, got other bytes"),
        (["set", f"a{NO_TEXT}=x"], "argument 2: expected UTF-8 text, got other bytes"),
        (["set", r'a."\ud800"=x'], "argument 2: expected UTF-8 text, got other bytes"),
        (["unset", f"a{NO_TEXT}"], "argument 2: expected UTF-8 text, got other bytes"),
        (["blame", f"a{NO_TEXT}"], "argument 2: expected UTF-8 text, got other bytes"),
        (["set", "a=1", "-m", NO_TEXT], "--message: expected UTF-8 text, got other bytes"),
        (["set", "a=1", "--force", NO_TEXT], "--force: expected UTF-8 text, got other bytes"),
        (["blame", '".."."..".ns.other.blame.x'], "argument 2: expected names that are not empty, `.` or `..`"),
        (["blame", '"a/../b"'], "argument 2: expected names that are not empty, `.` or `..`"),
        (["blame", '""'], "argument 2: expected names that are not empty"),
    ],
)
@pytest.mark.parametrize("target", [TARGET, NOWHERE])
def test_what_is_no_argument_is_refused_without_quoting_it(quick, target, arguments, message):
    command, *rest = arguments
    done = quick(command, target, *rest)
    assert done.code == 2, done.err
    assert message in done.err
    assert "S3CRET" not in done.err + done.out


def test_the_first_argument_counts_as_one_where_the_target_comes_from_the_environment(quick, monkeypatch):
    monkeypatch.setenv("REACTIVE_CONFIG_TARGET", TARGET)
    assert "argument 1: expected PATH=VALUE" in quick("set", "S3CRET").err


def test_what_is_not_there_is_not_quoted(quick):
    quick("set", TARGET, "db.password=x", "--create")
    done = quick("unset", TARGET, "db.password", "S3CRET")
    assert (done.code, done.err) == (1, "error: argument 3: there is nothing at this path\n")
    (told,) = quick("unset", TARGET, "S3CRET", "--json").records
    assert (told["error"], told["message"]) == ("no-such-path", "argument 2: there is nothing at this path")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("http://127.0.0.1:99999/ns/env", "got another host or port: http://127.0.0.1:99999/ns/env"),
        ("http://[::1/ns/env", "got another host or port: "),
        ("http://:80/ns/env", "got another host or port: "),
        ("sqlite:x.db/ns/..", "where ENVIRONMENT is .."),
        ("sqlite:x.db/../env", "where NAMESPACE is .."),
        ("sqlite:x.db/ns/env?x", "where ENVIRONMENT is env?x"),
        (f"http://h{NO_TEXT}/ns/env", "TARGET: expected UTF-8 text, got other bytes"),
        (f"sqlite:x{NO_TEXT}.db/ns/env", "TARGET: expected UTF-8 text, got other bytes"),
    ],
)
def test_a_target_that_cannot_be(quick, target, message):
    done = quick("history", target)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_host_that_no_resolver_takes_gives_no_answer(quick):
    done = quick("history", f"http://{'a' * 70}.example/ns/env")
    assert (done.code, "error: http://aaa" in done.err) == (1, True), done.err


@pytest.fixture(params=[(200, "[]"), (200, "<html></html>"), (200, "{}"), (404, "<html></html>"), (302, "")])
def stranger(request):
    """A server that is no service, and answers everything."""
    status, body = request.param

    class Handler(BaseHTTPRequestHandler):
        def _answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = _answer

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "arguments",
    [
        ["set", "a=1"], ["set", "a=1", "--create"], ["unset", "a"], ["history"], ["show", "1"], ["diff", "1"],
        ["blame", "a"], ["export", "out"], ["rollback", "1"],
    ],
)  # fmt: skip
def test_a_server_that_is_no_service_is_called_so(quick, stranger, arguments):
    command, *rest = arguments
    done = quick(command, f"{stranger}/ns/env", *rest)
    message = f"error: {stranger}: it does not answer as a configuration service\n"
    assert (done.code, done.err) == (1, message)


def test_a_name_that_no_path_holds_is_refused(quick):
    done = quick("set", TARGET, f"{'n' * 5_000}=1", "--create")
    assert done.code == 1
    assert "expected names of at most 1,024 characters together" in done.err
    longest = "\U0001f600" * 1_024
    assert quick("set", TARGET, f"{longest}=1", "--create").code == 0
    assert quick("blame", TARGET, longest).out.startswith("release 1 by ")
