"""What a person reads of changes, conflicts and the history, and what `export` leaves behind."""

from __future__ import annotations

import getpass
import json
import stat

import pytest

pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"


def test_who_signs_as_somebody_else_is_seen(cli, shop):
    with cli.start_any("sh", "-c", f"exec {cli.script} serve --listen 127.0.0.1:0 2>&1") as service:
        url = service.wait_line("serving sqlite").rpartition(" ")[2]
        headers = {"Authorization": f"Bearer {(shop / 'admin-token').read_text().strip()}", "If-None-Match": "*"}
        sent = httpx.post(
            f"{url}/v1/web/dev/releases", params={"author": "alice"}, headers=headers, json={"set": {"/a": 1}}
        )
        assert sent.status_code in (200, 201)
        where = (f"{url}/web/dev", "--token-file", "admin-token")
        assert "  alice (by the token of admin)  " in cli("history", *where).out
        for arguments in (("show", where[0], "1"), ("blame", where[0], "a")):
            told = cli(*arguments, *where[1:]).out
            assert told.startswith("release 1 by alice (by the token of admin), 20"), told
    local = "sqlite:reactive-config.db/web/dev"
    cli("set", local, "a=2")
    assert cli("show", local, "2").out.startswith(f"release 2 by {getpass.getuser()}, 20")


def test_blame_of_a_release_without_a_message(quick):
    quick("set", TARGET, "a=1", "--create")
    assert quick("blame", TARGET, "a").out.endswith(" UTC\n")


def test_a_long_message_is_cut_for_people(quick):
    quick("set", TARGET, "a=1", "--create", "-m", f"first\n{'x' * 300}")
    for arguments in (["history"], ["show", "1"], ["blame", "a"]):
        verb, *rest = arguments
        told = quick(verb, TARGET, *rest).out
        assert f"first {'x' * 194}... (306 characters)" in told, verb
    (record,) = quick("history", TARGET, "--json").records
    assert len(record["message"]) == 306


def test_a_conflict_for_programs(quick):
    quick("set", TARGET, "a=1", "b=1", "--create")
    quick("set", TARGET, "a=2", "db.password=hunter2")
    for arguments in (["set", "a=3", "db.password=hunter3"], ["unset", "b"]):
        verb, *rest = arguments
        done = quick(verb, TARGET, *rest, "--at", "1", "--json")
        conflict, error = done.records
        wanted = [{"path": ["a"], "set": 3}, {"path": ["db", "password"], "set": "***"}]
        assert conflict["wanted"] == (wanted if verb == "set" else [{"path": ["b"], "delete": True}])
        assert conflict["changed"][0] == {"path": ["a"], "before": 1, "after": 2}
        assert (done.code, conflict["event"], error["error"]) == (3, "conflict", "changed-meanwhile")
        assert "hunter" not in done.out
    deleted = quick("unset", TARGET, "b", "--at", "1")
    assert deleted.err.splitlines()[:2] == ["wanted:", "delete b"]
    assert [record["error"] for record in quick("rollback", TARGET, "1", "--at", "1", "--json").records] == [
        "changed-meanwhile"
    ]


@pytest.mark.parametrize("where", ["sqlite", pytest.param("etcd", marks=pytest.mark.etcd)])
def test_a_dry_run_says_what_would_be_refused(quick, request, where):
    target = TARGET
    if where == "etcd":
        target = f"etcd://{request.getfixturevalue('etcd').endpoint}{request.getfixturevalue('prefix')}"
    many = json.dumps(dict.fromkeys(map(str, range(50)), 1))
    quick("set", target, f"many={many}", *(["--create"] if where == "sqlite" else []))
    done = quick("unset", target, "many", "--dry-run")
    removed, *rest = done.out.splitlines()
    assert (done.code, removed.startswith("- many (was {")) == (1, True)
    assert rest == ["would be refused: it removes 50 of 50 values", "  hint: --force REASON, if it is meant"]
    told = quick("unset", target, "many", "--dry-run", "--json")
    (record,) = told.records
    assert (told.code, record["changes"][0]["path"]) == (1, ["many"])
    assert record["violations"] == [{"kind": "needs-force", "detail": "it removes 50 of 50 values"}]
    forced = quick("unset", target, "many", "--dry-run", "--force", "they moved")
    assert (forced.code, forced.out.splitlines()[1:]) == (0, ["nothing was written: --dry-run"])
    refused = quick("unset", target, "many")
    assert (refused.code, refused.err.splitlines()) == (
        1,
        ["error: it removes 50 of 50 values", "  hint: --force REASON, if it is meant"],
    )


def test_export_names_what_would_come_back(quick, shop):
    quick("set", TARGET, "a=1", "b=1", "--create")
    assert quick("export", TARGET, "out").err == ""
    quick("unset", TARGET, "b")
    (shop / "out/notes.md").write_text("of a person")
    done = quick("export", TARGET, "out")
    assert (done.code, done.out) == (0, "out/a.json\n")
    assert done.err == "out/b.json: not written by this export; `apply out` would read it, too\n"
    assert quick("export", TARGET, "out", "--json").err == ""


def test_a_new_file_with_a_secret_is_for_its_owner_alone(quick, shop):
    quick("set", TARGET, "database.users=[{}]", "plain=1", 'api=[{"token": "x"}]', "--create")
    (shop / "out").mkdir()
    quick("export", TARGET, "out")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) & 0o077 for file in (shop / "out").iterdir()}
    assert modes["api.json"] == 0
    assert modes["plain.json"] == modes["database.json"] != 0


def test_export_to_what_is_no_directory(quick, shop):
    quick("set", TARGET, "a=null", "--create")
    for where in ("settings.py", "settings.py/below"):
        refused = quick("export", TARGET, where)
        assert (refused.code, refused.err) == (2, f"error: {where}: expected a directory, got a file\n")
    assert "got an empty name" in quick("export", TARGET, "").err
    inexpressible = quick("export", TARGET, "out", "--format", "toml")
    assert (inexpressible.code, "--format json says everything" in inexpressible.err) == (1, True)
    assert not (shop / "out").exists()
