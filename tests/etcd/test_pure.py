"""Ranges and endpoints; and that none of it loads grpc."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._etcd.channel import channel_options
from reactive_config._etcd.messages import KeyRange, prefix_range, prefix_range_end
from reactive_config._etcd.settings import TLS, Endpoint, Settings, parse_endpoint, tls_for
from reactive_config._sources.etcd import Etcd
from reactive_config.errors import SourceError


def within(key, keys):
    return key >= keys.start and (keys.end == b"\0" or key < keys.end)


@given(st.binary(max_size=4), st.binary(min_size=1, max_size=6))
def test_a_prefix_range_holds_the_keys_that_begin_so_and_no_others(prefix, key):
    assert within(key, prefix_range(prefix)) == key.startswith(prefix)
    assert within(prefix + key, prefix_range(prefix))


@pytest.mark.parametrize(
    ("prefix", "end"), [(b"a", b"b"), (b"a\xff", b"b"), (b"\xff\xff", b"\0"), (b"", b"\0"), (b"/s/", b"/s0")]
)
def test_the_end_of_a_prefix(prefix, end):
    assert prefix_range_end(prefix) == end


def test_a_range_is_shown_as_people_write_it():
    assert (str(prefix_range(b"/s/")), str(KeyRange(b"/k\xff"))) == ("/s/*", "/k\\xff")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("a:2379", Endpoint("a:2379")),
        (" http://10.0.0.1:2379/", Endpoint("10.0.0.1:2379", False)),
        ("https://etcd.example:2379", Endpoint("etcd.example:2379", True)),
        ("[::1]:2379", Endpoint("[::1]:2379")),
        ("unix:/run/etcd.sock", Endpoint("unix:/run/etcd.sock")),
        ("unix:///run/localhost:2379", Endpoint("unix:/run/localhost:2379")),
    ],
)
def test_an_endpoint_is_read(text, endpoint):
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:", "a:http", "a:2379.0", "ftp://a:1", "a:1/path", "a b:1", "a:١", "\udc80:1", "a\0b:1", "\x7f:1"],
)
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(ValueError, match="as host:port"):
        parse_endpoint(text)


@pytest.mark.parametrize("text", ["a:0", "a:-1", "a:65536", "a:70000", "https://[::1]:123456", f"a:{'9' * 5000}"])
def test_a_port_out_of_range_is_refused(text):
    with pytest.raises(ValueError, match="with a port from 1 to 65535") as refused:
        parse_endpoint(text)
    assert text[:50] in str(refused.value)
    assert len(str(refused.value)) < 300
    assert parse_endpoint("a:65535").target == "a:65535"


@pytest.mark.parametrize("text", ["unix:", "unix:etcd.sock", "unix://localhost:2379", "unix:/a\0b"])
def test_a_unix_socket_is_a_whole_path(text):
    with pytest.raises(ValueError, match="expected a Unix socket as unix:/path"):
        parse_endpoint(text)
    with pytest.raises(ValueError, match="of 107 bytes at most"):
        parse_endpoint("unix:/" + "ü" * 54)
    endpoint = parse_endpoint("unix:/" + "x" * 106)
    assert (endpoint.socket, endpoint.address) == ("/" + "x" * 106, ("localhost", 0))


@pytest.mark.parametrize(
    ("text", "shown"), [("\udc80:1", r"\udc80:1"), ("a\0b:1", r"a\u0000b:1"), ("unix:/tmp/\ud800", r"unix:/tmp/\ud800")]
)
def test_an_endpoint_that_gives_no_address_is_shown_escaped(text, shown):
    with pytest.raises(ValueError, match=r"expected an? ") as refused:
        parse_endpoint(text)
    assert str(refused.value).endswith(f"got '{shown}'")


@pytest.mark.parametrize(
    "text", ["[:::]:1", "[....]:1", "[f]:1", "[1:2:3:4:5:6:7:8:9]:1", "https://[:]:1", "[1.2.3.4]:1"]
)
def test_brackets_hold_an_ipv6_address(text):
    with pytest.raises(ValueError, match=r"with an IPv6 address in its brackets, as \[::1\]:2379, got "):
        parse_endpoint(text)


@pytest.mark.parametrize("text", ["::1:2379", "http://fe80::1:2379", "2001:db8::10.0.0.1:2379"])
def test_an_ipv6_address_without_brackets_is_refused(text):
    with pytest.raises(ValueError, match=r"in brackets, as \[::1\]:2379"):
        parse_endpoint(text)


HOLDING = """
    http://root:hunter2@a:2379 root:hunter2@a:1 hunter2@a:1 host:1?password=hunter2 http://host:1/?password=hunter2
    host?password=hunter2:2379 host#hunter2:2379 http://root:hunter2/x@a:1 root:hunter2 http://root:hunter2
    root:1/hunter2
    etcd://root:hunter2@a:1 unix:root:hunter2@a unix://root:hunter2@a/ root%3Ahunter2@a:1
    http://root:hunter2@[::1] https://root:12hunter2@a:99999 http:root:hunter2@a:1 root:hunter2:2379 [::1]:hunter2
"""


@pytest.mark.parametrize("text", HOLDING.split())
def test_a_password_in_an_endpoint_is_never_shown(text):
    with pytest.raises(ValueError, match=r"expected an? ") as refused:
        parse_endpoint(text)
    assert "hunter2" not in str(refused.value)
    assert "may hold a password" in str(refused.value)


@pytest.mark.parametrize("text", ["", "a", "a:", "a:2379.0", "ftp://a:1", "a b:1", "::1:2379", "unix:etcd.sock", "a:0"])
def test_an_endpoint_that_holds_no_password_is_shown(text):
    with pytest.raises(ValueError, match=r"expected an? ") as refused:
        parse_endpoint(text)
    assert f"'{text}'" in str(refused.value)


def test_a_scheme_and_certificates_must_not_contradict_each_other():
    assert tls_for(parse_endpoint("https://a:1"), Settings()) == TLS()
    assert tls_for(parse_endpoint("a:1"), Settings(tls=TLS(ca="x"))) == TLS(ca="x")
    with pytest.raises(SourceError, match="http://"):
        tls_for(parse_endpoint("http://a:1"), Settings(tls=TLS(ca="x")))
    with pytest.raises(ValueError, match="both cert= and key="):
        TLS(cert="x")


@pytest.mark.parametrize("keepalive", [2.0, 6.0, 10.0, 30.0])
def test_pings_are_never_more_frequent_than_etcd_allows(keepalive):
    options = dict(channel_options(Settings(keepalive=keepalive), None))
    assert options["grpc.keepalive_time_ms"] >= 6000
    assert options["grpc.keepalive_timeout_ms"] == options["grpc.http2.ping_timeout_ms"] == 15_000


PREFIX = {"prefix": "/s/"}


@pytest.mark.parametrize(
    ("endpoint", "options", "words"),
    [
        ("a:1", {**PREFIX, "mirror_after": -1}, "mirror_after=: expected 0 to 86,400 seconds, got -1"),
        ("a:1", {**PREFIX, "mirror_after": math.nan}, "mirror_after=: expected 0 to 86,400 seconds, got nan"),
        ("a:1", {**PREFIX, "keepalive": math.inf}, "keepalive=: expected 2 to 86,400 seconds, got inf"),
        ("a:1", {**PREFIX, "keepalive": 1e12}, "keepalive=: expected 2 to 86,400 seconds, got 1000000000000.0"),
        ("a:1", {**PREFIX, "keepalive": 10**5000}, "keepalive=: expected 2 to 86,400 seconds, got a larger number"),
        ("a:1", {**PREFIX, "timeout": 0}, "timeout=: expected 0.001 to 86,400 seconds, got 0"),
        ("a:1", {**PREFIX, "timeout": math.nan}, "timeout=: expected 0.001 to 86,400 seconds, got nan"),
        ("a:1", {**PREFIX, "timeout": "5"}, "timeout=: expected 0.001 to 86,400 seconds, got a value of type str"),
        (
            "a:1",
            {**PREFIX, "timeout": None},
            "timeout=: expected 0.001 to 86,400 seconds, got a value of type NoneType",
        ),
        ("a:1", {**PREFIX, "mirror": "a\0b"}, r"mirror=: expected a path without a NUL character, got 'a\u0000b'"),
        ("a:1", {**PREFIX, "mirror": 5}, "mirror=: expected a path as a str or Path, got a value of type int"),
        (
            "a:1",
            {**PREFIX, "username": "u", "password_file": "a\0b"},
            r"password_file=: expected a path without a NUL character, got 'a\u0000b'",
        ),
        (None, PREFIX, "expected an etcd endpoint as a str, host:port, got a value of type NoneType"),
        (2379, PREFIX, "expected an etcd endpoint as a str, host:port, got a value of type int"),
        (b"a:1", PREFIX, "expected an etcd endpoint as a str, host:port, got a value of type bytes"),
        (("a", 1), PREFIX, "expected an etcd endpoint as a str, host:port, got a value of type tuple"),
        ("a:1", {**PREFIX, "layers": "ab"}, "layers=: expected a list of names, got a value of type str"),
        ("a:1", {**PREFIX, "layers": None}, "layers=: expected a list of names, got a value of type NoneType"),
        ("a:1", {**PREFIX, "layers": [b"a"]}, "layers=: each name: expected a str, got a value of type bytes"),
        ("a:1", {**PREFIX, "layers": [1]}, "layers=: each name: expected a str, got a value of type int"),
        ("a:1", {"prefix": b"/s/"}, "prefix=: expected a str, got a value of type bytes"),
        ("a:1", {"prefix": "/\udc80/"}, r"prefix=: expected text that UTF-8 has, got '/\udc80/'"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_expected_and_got(endpoint, options, words):
    with pytest.raises(ValueError, match=r"expected") as refused:
        Etcd(endpoint, **options)
    assert str(refused.value) == words


def test_options_at_their_ends_are_taken():
    Etcd("a:1", prefix="/s/", mirror_after=0, keepalive=2, timeout=0.001)
    Etcd("a:1", prefix="/s/", mirror_after=86_400, keepalive=86_400, timeout=86_400.0)


def test_a_repr_obeys_no_control_character():
    source = Etcd("unix:/run/\x1b[31m\u202e", prefix="/s\x1b/", layers=["a\n"])
    assert repr(source) == r"Etcd(unix:/run/\u001b[31m\u202e, '/s\u001b/ a\n')"


def test_grpc_is_not_loaded_before_a_source_runs():
    script = (
        "import sys, reactive_config; from reactive_config._sources.etcd import Etcd, TLS; "
        "Etcd('a:1', prefix='/s/', tls=TLS(ca='x'), mirror='m', username='u', password='p'); "
        "assert not {'grpc', 'aetcd', 'google.protobuf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
