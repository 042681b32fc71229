"""How an etcd of a test is asked whether it serves."""

from __future__ import annotations

import http.server
import threading

import pytest

from reactive_config._testing.etcd_installed import EtcdBinary
from reactive_config._testing.etcd_server import EtcdProcess


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"health": "true"}')

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_asked(tmp_path, monkeypatch, variable):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    process = EtcdProcess(EtcdBinary("etcd", "3.5.0"), tmp_path)
    with http.server.HTTPServer(("127.0.0.1", process._metrics_port), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            assert process.serves()
        finally:
            server.shutdown()
            thread.join()
