"""gRPC writes nothing to standard error: the status says it. Who wants to read it sets GRPC_VERBOSITY."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import trustme

from reactive_config._sources.etcd import TLS
from reactive_config._testing.etcd_server import ServerTLS, running_etcd

pytestmark = [pytest.mark.slow, pytest.mark.half_grid]

FOLLOW = """
import asyncio, sys
from reactive_config._sources.etcd import TLS, Etcd
from reactive_config._testing.recording_feed import RecordingFeed

seconds, ca, cert, key, *endpoints = sys.argv[1:]

class Printing(RecordingFeed):
    def state(self, state, reason="", **more):
        print(state.name, reason, flush=True)

async def main():
    tls = TLS(ca=ca, cert=cert, key=key) if ca else None
    running = asyncio.create_task(Etcd(*endpoints, prefix="/s/", tls=tls, keepalive=2.0, timeout=1.0).run(Printing()))
    await asyncio.wait([running], timeout=float(seconds))
    running.cancel()
    await asyncio.wait([running])

asyncio.run(main())
"""

NOISE = """
import grpc
channel = grpc.secure_channel("127.0.0.1:1", grpc.ssl_channel_credentials(None, b"no key", b"no certificate"))
try:
    channel.unary_unary("/a/b")(b"", timeout=0.5)
except grpc.RpcError:
    pass
"""


def start(*arguments, code=FOLLOW, **environment):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**variables, **environment},
    )


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")
    for name in ("server", "client"):
        cert = ca.issue_cert("127.0.0.1")
        cert.private_key_pem.write_to_path(folder / f"{name}.key")
        cert.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return lambda name: str(folder / name)


@pytest.mark.etcd
def test_nothing_is_written_while_certificates_are_wrong(binary, pki):
    client = TLS(ca=pki("ca.pem"), cert=pki("client.pem"), key=pki("client.key"))
    tls = ServerTLS(pki("server.pem"), pki("server.key"), client, pki("ca.pem"))
    with running_etcd(binary, tls=tls) as server:
        wrong = {
            "the private key": (client.ca, client.cert, pki("server.key"), server.endpoint),
            "its certificate does not descend": (pki("stranger.pem"), client.cert, client.key, server.endpoint),
            "it refused our certificate": (client.ca, "", "", server.endpoint),
            "the connection": ("", "", "", server.endpoint),
        }
        running = {reason: start("3", *arguments) for reason, arguments in wrong.items()}
        for reason, process in running.items():
            out, err = process.communicate(timeout=20)
            assert (err, reason in out) == ("", True)
            assert "FAILED" in out or reason == "the connection"


@pytest.mark.etcd
def test_nothing_is_written_while_a_server_dies_comes_back_and_stops(binary):
    with running_etcd(binary) as server:
        process = start("5", "", "", "", server.endpoint, "127.0.0.1:1")
        assert process.stdout.readline() == "SYNCED \n"
        server.kill()
        assert process.stdout.readline().startswith("STALE")
        server.start_blocking()
        while "SYNCED" not in process.stdout.readline():
            pass
        server.stop()
        out, err = process.communicate(timeout=20)
        server.cont()
        assert "STALE" in out
        assert err == ""


@pytest.mark.parametrize(("environment", "loud"), [({}, False), ({"GRPC_VERBOSITY": "ERROR"}, True)])
def test_whoever_sets_the_verbosity_gets_it(environment, loud):
    code = "import os, reactive_config._etcd.rpc; print(os.environ.get('GRPC_VERBOSITY'))" + NOISE
    out, err = start(code=code, **environment).communicate(timeout=20)
    assert out.split()[0] == str(environment.get("GRPC_VERBOSITY"))  # and other processes are not silenced
    assert bool(err) == loud
