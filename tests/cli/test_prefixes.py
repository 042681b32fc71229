"""`set` and `unset` on an ordinary prefix of etcd, of which no store keeps releases."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

pytestmark = pytest.mark.etcd


@pytest.fixture
def target(etcd, prefix):
    return f"etcd://{etcd.endpoint}{prefix}"


def keys(etcd, prefix):
    answer = json.loads(etcd.ctl("get", prefix, "--prefix", "-w", "json"))
    return {b64decode(kv["key"]).decode().removeprefix(prefix): b64decode(kv["value"]) for kv in answer.get("kvs", ())}


def test_values_are_set_and_deleted(quick, etcd, prefix, target):
    done = quick("set", target, "database.pool.max_size=20", "debug=true")
    assert done.out.splitlines()[:2] == ['+ database = {"pool": {"max_size": 20}}', "+ debug = true"]
    assert done.out.splitlines()[2].startswith("revision ")
    assert keys(etcd, prefix) == {"database": b'{"pool":{"max_size":20}}', "debug.json": b"true"}
    assert quick("get", "database.pool.max_size", target).out == "20\n"
    assert quick("set", target, "database.pool.max_size=20").out == "nothing had to be changed\n"
    told = quick("unset", target, "debug", "--dry-run")
    assert told.out == "- debug (was true)\nnothing was written: --dry-run\n"
    (record,) = quick("unset", target, "debug", "--json").records
    assert (record["event"], record["changes"]) == ("change", [{"path": ["debug"], "before": True}])
    assert keys(etcd, prefix) == {"database": b'{"pool":{"max_size":20}}'}


def test_keys_that_a_person_has_made_are_changed_where_they_stand(quick, etcd, prefix, target):
    etcd.ctl("put", f"{prefix}pool/size", "5")
    etcd.ctl("put", f"{prefix}other.yaml", "# a comment\na: 1\n")
    assert quick("set", target, "pool.size=6").code == 0
    assert keys(etcd, prefix) == {"pool/size": b"6", "other.yaml": b"# a comment\na: 1\n"}


def test_what_is_not_there_or_too_much_is_refused(quick, etcd, prefix, target):
    missing = quick("unset", target, "never")
    assert (missing.code, missing.err) == (1, "error: argument 2: there is nothing at this path\n")
    quick("set", target, f"many={json.dumps(dict.fromkeys(map(str, range(50)), 1))}")
    refused = quick("unset", target, "many")
    assert (refused.code, "it removes 50 of 50 values" in refused.err) == (1, True)
    assert quick("unset", target, "many", "--force", "they moved").code == 0
    assert keys(etcd, prefix) == {}
    odd = quick("set", target, 'x={"a\\u0000b": 1}')
    assert (odd.code, "expected names of printable characters" in odd.err) == (1, True)


def test_there_is_no_history(quick, target):
    noted = quick("set", target, "a=1", "-m", "why")
    assert noted.err == "a prefix has no history: the message is not kept\n"
    for verb in ("history", "export"):
        refused = quick(verb, target, *(["out"] if verb == "export" else []))
        assert (refused.code, "a prefix of etcd, which has no releases" in refused.err) == (2, True)
    assert quick("set", target, "a=2", "--at", "1").code == 2


def test_what_a_store_looks_after_is_not_changed_around_it(quick, etcd, prefix):
    store = f"etcd://{etcd.endpoint}{prefix}rc"
    assert quick("set", f"{store}/shop/production", "a=1", "--create").code == 0
    for inside in ("/", "/shop/", "/shop/production/", "/shop/production/deeper/still/"):
        refused = quick("set", f"{store}{inside}", "a=2")
        assert refused.code == 1
        assert f"got one of the store at {prefix}rc/" in refused.err
    assert quick("get", "a", f"{store}/shop/production/").out == "1\n"
    assert quick("set", f"{store}/shop/staging/", "a=2").code == 0  # no release was made there


def test_a_prefix_with_a_store_in_it_or_inside_of_one_is_not_changed(quick, etcd, prefix):
    base = f"etcd://{etcd.endpoint}{prefix}"
    assert quick("set", f"{base}deep/rc/shop/production", "a=1", "--create").code == 0
    before = keys(etcd, prefix)
    for arguments in (["set", base, "deep.rc.x=1"], ["unset", base, "deep"], ["set", f"{base}deep/", "rc.x=1"]):
        refused = quick(*arguments)
        assert (refused.code, f"got one with the store at {prefix}deep/rc/ in it" in refused.err) == (1, True), refused
    for inside in ("_control/", "_control/heads/shop/"):
        refused = quick("set", f"{base}deep/rc/{inside}", "a=1", "--dry-run")
        assert (refused.code, "got keys of a store" in refused.err) == (1, True)
    assert keys(etcd, prefix) == before


def test_what_nobody_can_read_stays(quick, etcd, prefix, target):
    etcd.ctl("put", f"{prefix}a/broken", '{"x":')
    etcd.ctl("put", f"{prefix}a/p", '{"level":1}')
    assert quick("set", target, "a.p.level=5").code == 0
    assert keys(etcd, prefix) == {"a/broken": b'{"x":', "a/p": b'{"level":5}'}
    refused = quick("set", target, "a.broken.x=1")
    assert (refused.code, "a.broken: what stands here cannot be read" in refused.err) == (1, True)
    assert quick("set", target, "a.broken=1").code == 0
    assert "a/broken" not in keys(etcd, prefix)


def test_an_etcd_that_is_away(quick):
    refused = quick("set", "etcd://127.0.0.1:1/shop/", "a=1")
    assert (refused.code, "127.0.0.1:1" in refused.err) == (1, True)
