"""What needs a person: one clear error, FAILED, few tries, and back by itself once it is mended."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack

import pytest
import trustme

from reactive_config._core.status import SourceState
from reactive_config._etcd.auth import Credentials
from reactive_config._sources.etcd import TLS
from reactive_config._testing.etcd_server import ServerTLS, running_etcd

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

USER = {"username": "app", "password": "app-password"}


@pytest.fixture(scope="module")
def guarded(binary):
    """A server with authentication on; `app` may read /app/ only."""
    with running_etcd(binary, auth={"app": ("app-password", ["/app/"])}) as server:
        yield server


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Certificates by name; a CA and one that nobody trusts."""
    folder = tmp_path_factory.mktemp("pki")
    ca, stranger = trustme.CA(), trustme.CA()
    old = {"not_before": dt.datetime(2023, 1, 1), "not_after": dt.datetime(2024, 1, 1)}  # noqa: DTZ001
    made = {
        "server": ca.issue_cert("127.0.0.1", "localhost"),
        "elsewhere": ca.issue_cert("etcd.example"),
        "expired": ca.issue_cert("127.0.0.1", **old),
        "client": ca.issue_cert("client"),
        "strange": stranger.issue_cert("client"),
    }
    ca.cert_pem.write_to_path(folder / "ca.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    for name, cert in made.items():
        cert.private_key_pem.write_to_path(folder / f"{name}.key")
        cert.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return lambda name: str(folder / name)


@pytest.fixture(scope="module")
def tls_server(binary, pki):
    """Starts a TLS server with the named certificate, once for each kind."""
    with ExitStack() as stack:
        running = {}

        def start(name, mutual=False):
            if (name, mutual) not in running:
                client = TLS(ca=pki("ca.pem"), cert=pki("client.pem"), key=pki("client.key"))
                tls = ServerTLS(pki(f"{name}.pem"), pki(f"{name}.key"), client, pki("ca.pem") if mutual else "")
                running[name, mutual] = stack.enter_context(running_etcd(binary, tls=tls))
            return running[name, mutual]

        yield start


def failed(feed):
    return feed.states and feed.states[-1][0] is SourceState.FAILED


async def refusal(follow, *endpoints, **options):
    """The reason of the only state that is told: FAILED, at once."""
    options.setdefault("prefix", "/app/")
    async with follow(*endpoints, **options) as feed:
        await feed.wait(failed, timeout=3)
        assert [state for state, _ in feed.states] == [SourceState.FAILED]
        assert not feed.deltas
        return feed.states[-1][1]


async def test_user_and_password_open_the_prefix(guarded, follow, synced, values):
    revision = await guarded.put("/app/a", "1")
    async with follow(guarded.endpoint, prefix="/app/", **USER) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.revision >= revision)
        revision = await guarded.put("/app/a", "2")
        await feed.wait(lambda feed: values(feed) == {"/app/a": "<2>"})


async def test_a_forbidden_prefix_is_one_clear_error(guarded, follow):
    reason = await refusal(follow, guarded.endpoint, prefix="/other/", **USER)
    assert reason == f"{guarded.endpoint}: user 'app' has no permission to read keys below /other/"
    reason = await refusal(follow, guarded.endpoint, prefix=None, key="/other/a", **USER)
    assert reason == f"{guarded.endpoint}: user 'app' has no permission to read the key /other/a"
    reason = await refusal(follow, guarded.endpoint, prefix="", **USER)
    assert reason == f"{guarded.endpoint}: user 'app' has no permission to read all keys"


@pytest.mark.parametrize(("name", "password"), [("app", "wrong-secret"), ("nobody", "wrong-secret")])
async def test_a_wrong_user_or_password_is_one_clear_error(guarded, follow, name, password):
    reason = await refusal(follow, guarded.endpoint, username=name, password=password)
    assert reason == f"{guarded.endpoint}: wrong user or password: user {name!r}"


async def test_no_user_where_one_is_needed_is_one_clear_error(guarded, follow):
    reason = await refusal(follow, guarded.endpoint)
    assert reason == f"{guarded.endpoint}: authentication is on; username= and password= are needed"


async def test_a_user_where_none_is_needed_does_no_harm(server, prefix, follow, synced):
    async with follow(server.endpoint, prefix=prefix, **USER) as feed:
        await feed.wait(synced)


async def test_permission_taken_and_given_back_is_followed_without_a_storm(
    guarded, follow, synced, values, monkeypatch
):
    asked = []
    real = Credentials._authenticate

    async def counted(self, *args):
        asked.append(self.username)
        return await real(self, *args)

    await guarded.put("/app/a", "1")
    async with follow(guarded.endpoint, prefix="/app/", keepalive=2.0, **USER) as feed:
        await feed.wait(synced)
        monkeypatch.setattr(Credentials, "_authenticate", counted)
        guarded.ctl("role", "revoke-permission", "app", "--prefix=true", "/app/")
        await feed.wait(failed)
        guarded.ctl("role", "grant-permission", "app", "--prefix=true", "read", "/app/")
        revision = await guarded.put("/app/a", "2")
        await feed.wait(lambda feed: synced(feed) and feed.revision >= revision)
        assert asked.count("app") <= 2


async def test_a_mirror_serves_before_the_failure_is_told(guarded, follow, synced, tmp_path):
    file = tmp_path / "mirror.json"
    await guarded.put("/app/a", "1")
    async with follow(guarded.endpoint, prefix="/app/", mirror=file, **USER) as feed:
        await feed.wait(lambda feed: synced(feed) and feed.counters["mirror_writes"])
    async with follow(guarded.endpoint, prefix="/app/", mirror=file, username="app", password="wrong") as feed:
        await feed.wait(failed)
        assert len(feed.deltas) == 1
        assert "wrong user or password: user 'app'; running on the mirror" in feed.states[-1][1]


async def test_tls_and_mutual_tls(tls_server, pki, follow, synced):
    server = tls_server("server")
    for endpoint in (server.endpoint, f"https://{server.endpoint}", server.endpoint.replace("127.0.0.1", "localhost")):
        async with follow(endpoint, prefix="/app/", tls=TLS(ca=pki("ca.pem"))) as feed:
            await feed.wait(synced)
    mutual = tls_server("server", mutual=True)
    async with follow(mutual.endpoint, prefix="/app/", tls=mutual.tls.client) as feed:
        await feed.wait(synced)


async def test_a_server_name_stands_in_for_the_host(tls_server, pki, follow, synced):
    server = tls_server("elsewhere")
    tls = TLS(ca=pki("ca.pem"), server_name="etcd.example")
    async with follow(server.endpoint, prefix="/app/", tls=tls) as feed:
        await feed.wait(synced)


@pytest.mark.parametrize(
    ("name", "mutual", "files", "reason"),
    [
        ("server", False, {"ca": "stranger.pem"}, "TLS: its certificate does not descend from the given CA"),
        ("expired", False, {"ca": "ca.pem"}, "TLS: its certificate has expired"),
        ("elsewhere", False, {"ca": "ca.pem"}, "TLS: its certificate is for another host name"),
        ("server", True, {"ca": "ca.pem"}, "TLS: it refused our certificate (or that we show none)"),
        (
            "server",
            True,
            {"ca": "ca.pem", "cert": "strange.pem", "key": "strange.key"},
            "TLS: it refused our certificate (or that we show none)",
        ),
    ],
)
async def test_each_trouble_with_certificates_has_its_own_words(tls_server, pki, follow, name, mutual, files, reason):
    server = tls_server(name, mutual)
    tls = TLS(**{field: pki(file) for field, file in files.items()})
    assert (await refusal(follow, server.endpoint, tls=tls)).startswith(f"{server.endpoint}: {reason}")


@pytest.mark.parametrize("user", [{}, USER])
async def test_an_unknown_certificate_where_no_ca_was_given_says_so(tls_server, follow, user):
    endpoint = tls_server("server").endpoint
    reason = await refusal(follow, f"https://{endpoint}", **user)
    assert reason == (
        f"{endpoint}: TLS: its certificate does not descend from a CA that gRPC knows, and no other CA was given: "
        "tls=TLS(ca=...)"
    )


async def test_files_that_cannot_be_used_are_named(tls_server, pki, follow, tmp_path):
    (tmp_path / "no.pem").write_text("nothing")
    assert "CA file /no/such cannot be read" in await refusal(follow, "127.0.0.1:1", tls=TLS(ca="/no/such"))
    pair = TLS(ca=pki("ca.pem"), cert=pki("client.pem"), key=pki("strange.key"))
    assert "strange.key does not belong to the certificate" in await refusal(follow, "127.0.0.1:1", tls=pair)
    assert "no.pem holds no PEM block" in await refusal(follow, "127.0.0.1:1", tls=TLS(ca=str(tmp_path / "no.pem")))


async def test_one_endpoint_with_a_bad_certificate_does_not_matter(tls_server, pki, follow, synced):
    endpoints = tls_server("expired").endpoint, tls_server("server").endpoint
    async with follow(*endpoints, prefix="/app/", tls=TLS(ca=pki("ca.pem"))) as feed:
        await feed.wait(synced)
        assert [state for state, _ in feed.states] == [SourceState.SYNCED]


async def test_a_bad_certificate_beside_endpoints_that_are_away_is_no_refusal(tls_server, pki, follow):
    """Those that are away may come back and serve."""
    bad = tls_server("expired").endpoint
    async with follow("127.0.0.1:1", bad, prefix="/app/", tls=TLS(ca=pki("ca.pem"))) as feed:
        await feed.wait(lambda feed: feed.states)
        state, reason = feed.states[0]
        assert state is SourceState.CONNECTING
        assert f"{bad}: TLS: its certificate has expired" in reason
        assert "127.0.0.1:1: " in reason


async def test_plain_text_to_a_tls_server_says_what_to_look_at(tls_server, follow):
    async with follow(tls_server("server").endpoint, prefix="/app/") as feed:
        await feed.wait(lambda feed: feed.states)
        state, reason = feed.states[0]
        assert state is SourceState.CONNECTING
        assert "does it want TLS?" in reason
