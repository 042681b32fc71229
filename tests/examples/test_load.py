"""The load generator, as a person would use it: run it, edit its file, read what it prints."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

EXAMPLE = Path(__file__).parents[2] / "examples/load"


class Handler(BaseHTTPRequestHandler):
    """`/slow` answers when it is let go."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.hits[self.path] += 1
        if self.path == "/slow":
            self.server.go.wait(30)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.hits, server.go = Counter(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.go.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def load(tmp_path, run):
    """Start it with these settings; `edit` changes some of them."""

    class Load:
        def __init__(self, **settings):
            self._settings = {"report": '"200ms"'}
            self.edit(**settings)
            self.running = run("load", tmp_path)
            self.until, self.end = self.running.until, self.running.end

        def edit(self, **settings):
            self._settings |= settings
            text = "".join(f"{name} = {value}\n" for name, value in self._settings.items())
            (tmp_path / "load.toml").write_text(text)

    return Load


def test_it_gets_the_rate_that_it_is_asked_for_and_follows_a_new_one(server, load):
    program = load(target=f'"{server.url}/"', rate="{ limit = 20, burst = 1 }")
    program.until(r"^asked 20/s  got (1\d|2[0-5])\.\d/s  p50 [\d.]+ ms  p99 [\d.]+ ms  errors 0  on their way \d")
    program.edit(rate="{ limit = 150, burst = 10 }")
    program.until(r"^asked 150/s  got (1[0-9]\d|200)\.\d/s .* errors 0 ")
    program.edit(rate='"0/s"')
    program.until(r"^asked 0/s  got 0.0/s")
    program.edit(rate='"20/s"', concurrency=0)
    program.until(r"^asked 20/s  got 0.0/s")
    program.edit(concurrency=2)
    program.until(r"^asked 20/s  got [1-9]")
    assert program.end()[-1] == "ended"


def test_another_target_gets_the_next_requests_and_those_on_their_way_finish(server, load):
    program = load(target=f'"{server.url}/slow"', rate='"50/s"', concurrency=3, timeout=60)
    program.until("on their way 3")
    program.edit(target=f'"{server.url}/new"', concurrency=6)
    program.until(r"got [1-9].*/new$")
    assert server.hits["/slow"] == 3
    server.go.set()
    said = program.until("on their way 0 .*/new$")
    assert server.hits["/slow"] == 3
    assert all(" errors 0 " in line for line in said + program.end()[:-1])


def test_ending_it_lets_requests_finish(server, load):
    program = load(target=f'"{server.url}/slow"', rate='"50/s"', concurrency=2, timeout=60)
    program.until("on their way 2")
    threading.Timer(0.3, server.go.set).start()
    assert program.end()[-1] == "ended"


def test_what_cannot_be_is_shown_and_the_load_goes_on(server, load):
    program = load(target=f'"{server.url}/"', rate='"50/s"')
    program.until("^asked 50/s  got [1-9]")
    program.edit(rate='"fast"')
    program.until(r"^    held: rate: expected .*, got 'fast' .*load.toml:3:")
    program.until("^asked 50/s  got [1-9]")
    program.edit(rate='"40/s"', target='"http://127.0.0.1:1/"')
    program.until("^asked 40/s .* errors [0-9]+ ClientConnectorError")


def test_the_configuration_that_comes_with_it_works(server, run, tmp_path):
    text = (EXAMPLE / "config/load.toml").read_text()
    assert "http://127.0.0.1:8080" in text
    (tmp_path / "load.toml").write_text(text.replace("http://127.0.0.1:8080", server.url))
    run("load", tmp_path).until("^asked 50/s  got [1-9].* errors 0 ")
