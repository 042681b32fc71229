"""The verbs of releases: on a file, on etcd, and on a service; what a person reads, and what a program reads."""

from __future__ import annotations

import json
import signal
import stat

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")


TARGET = "sqlite:shop.db/shop/production"


def test_a_history_from_the_shell(quick):
    created = quick("set", TARGET, "database.pool.max_size=20", "debug=true", "-m", "first", "--create")
    assert (created.code, created.err) == (0, "")
    assert created.out == '+ database = {"pool": {"max_size": 20}}\n+ debug = true\nrelease 1 of revision 1\n'
    changed = quick("set", TARGET, "database.pool.max_size=25", "-m", "more")
    assert changed.out == "~ database.pool.max_size = 25 (was 20)\nrelease 2 of revision 2\n"
    assert quick("set", TARGET, "database.pool.max_size=25").out == "nothing had to be changed\n"
    lines = quick("history", TARGET).out.splitlines()
    assert [line.split()[0] for line in lines] == ["RELEASE", "2", "1"]
    assert lines[1].endswith("change  more")
    shown = quick("show", TARGET, "2").out.splitlines()
    assert shown[0].startswith("release 2 by ")
    assert shown[1:] == ["  more", "  change", "~ database.pool.max_size = 25 (was 20)"]
    assert quick("diff", TARGET, "2", "1").out == "~ database.pool.max_size = 20 (was 25)\n"
    assert quick("blame", TARGET, "debug").out.startswith("release 1 by ")
    assert quick("rollback", TARGET, "1").out.endswith("release 3 of revision 3\n")
    assert quick("unset", TARGET, "debug", "--dry-run").out == "- debug (was true)\nnothing was written: --dry-run\n"
    assert quick("unset", TARGET, "debug").out == "- debug (was true)\nrelease 4 of revision 4\n"


def test_json_for_programs(quick):
    (record,) = quick("set", TARGET, "a.b=1", "--create", "--json").records
    assert (record["event"], record["release"]["number"], record["changes"]) == (
        "release",
        1,
        [{"path": ["a"], "after": {"b": 1}}],
    )
    assert [record["number"] for record in quick("history", TARGET, "--json").records] == [1]
    (failed,) = quick("show", TARGET, "9", "--json").records
    assert (failed["event"], failed["error"]) == ("error", "no-such-release")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20), ("1.5", 1.5), ("true", True), ("null", None), ("[1, 2]", [1, 2]), ('{"a": "b"}', {"a": "b"}),
        ('"20"', "20"), ("text", "text"), ("", ""), ("a=b", "a=b"), ("1.1.1", "1.1.1"), ("True", "True"),
        ("ä\u202e", "ä\u202e"),
    ],
)  # fmt: skip
def test_a_value_is_json_or_text(quick, text, value):
    (record,) = quick("set", TARGET, f"x={text}", "--create", "--json").records
    assert record["changes"] == [{"path": ["x"], "after": value}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "x=1"], "TARGET: expected http://HOST:PORT/NAMESPACE/ENVIRONMENT"),
        (["set", "sqlite:shop.db", "x=1"], "TARGET: expected"),
        (["set", "TARGET"], "expected PATH=VALUE, got none"),
        (["set", "TARGET", "S3CRET"], "argument 2: expected PATH=VALUE, got a text without an equals sign"),
        (["set", "TARGET", "=1"], "expected PATH, got an empty one"),
        (["set", "TARGET", 'x={"a"'], "x: line 1, column 5: expected valid JSON (because the value begins"),
        (["unset", "TARGET"], "expected PATH, got none"),
        (["rollback", "TARGET", "secret"], "argument 2: expected the number of a release, got other text"),
        (["apply", "TARGET", "not-there.yaml"], "not-there.yaml: there is no such file or directory"),
        (["apply", "TARGET"], "expected one FILE or DIRECTORY, got 0"),
        (["history", "TARGET", "secret"], "expected TARGET alone, got 1 more"),
        (
            ["set", "http://127.0.0.1:1/a/b", "x=1"],
            "expected a token in REACTIVE_CONFIG_TOKEN or --token-file, got none",
        ),
        (["set", "http://user:secret@127.0.0.1:1/a/b", "x=1"], "got what may hold a password"),
        (["tokens", "create"], "expected create NAME, list, or revoke NAME"),
        (["serve", "--listen", "0.0.0.0:80"], "expected a loopback address"),
        (["serve", "--store", "nothing"], "expected a store as sqlite:PATH"),
        (["serve", "--keep-releases", "0"], "--keep-releases: expected a number from 1 to 100,000, got 0"),
        (["serve", "--keep-days", "-1"], "--keep-days: expected a number from 1 to 100,000, got -1"),
    ],
)
def test_a_command_line_at_fault(quick, arguments, message):
    done = quick(*[TARGET if text == "TARGET" else text for text in arguments])
    assert done.code == 2
    assert message in done.err
    assert "secret" not in done.err


def test_what_is_refused_says_what_to_do(quick):
    assert quick("set", "sqlite:shop.db/shop/staging", "x=1", "--create").code == 0
    absent = quick("set", TARGET, "x=1")
    assert (absent.code, absent.err) == (
        1,
        "error: there is no environment shop/production\n  hint: --create makes it\n",
    )
    quick("set", TARGET, f"many={json.dumps(dict.fromkeys(map(str, range(50)), 1))}", "--create")
    refused = quick("unset", TARGET, "many")
    assert refused.code == 1
    assert "it removes 50 of 50 values" in refused.err
    assert "--force REASON, if it is meant" in refused.err
    assert quick("unset", TARGET, "many", "--force", "they moved").code == 0


def test_apply_and_export(quick, shop):
    folder = shop / "layer"
    folder.mkdir()
    (folder / "a.yaml").write_text("database: {pool: {max_size: 7}}\nname: shop\n")
    (folder / "b.toml").write_text("[database.pool]\nmin_size = 1\n")
    assert quick("apply", TARGET, "layer", "--create").out.endswith("release 1 of revision 1\n")
    assert quick("apply", TARGET, "layer").out == "nothing had to be changed\n"
    quick("set", TARGET, "extra=1")
    pruned = quick("apply", TARGET, "layer", "--prune")
    assert pruned.out == "- extra (was 1)\nrelease 3 of revision 3\n"
    assert quick("export", TARGET, "out", "--format", "toml").out.split() == ["out/database.toml", "out/name.toml"]
    assert (shop / "out/database.toml").read_text() == "[database.pool]\nmax_size = 7\nmin_size = 1\n"
    assert quick("apply", TARGET, "out").out == "nothing had to be changed\n"


def test_secrets_are_never_printed(quick, shop):
    told = [quick("set", TARGET, "database.password=hunter2", 'api={"token": "hunter2", "url": "x"}', "--create")]
    told += [quick("set", TARGET, "database.password=hunter3")]
    told += [quick(*arguments) for arguments in (("show", TARGET, "2"), ("diff", TARGET, "1"), ("history", TARGET))]
    told += [quick("set", TARGET, "database.password=hunter4", "--json"), quick("show", TARGET, "2", "--json")]
    told += [quick("unset", TARGET, "database.password", "--at", "1"), quick("diff", TARGET, "1", "--json")]
    told += [quick("set", TARGET, "database.password=hunter5", "--at", "1")]
    assert "hunter" not in "".join(one.out + one.err for one in told)
    assert '"url": "x"' in told[0].out
    assert "database.password" in told[1].out
    assert quick("export", TARGET, "out").code == 0
    assert "hunter4" in (shop / "out/database.json").read_text()  # to have it is what it is for


def test_a_conflict_shows_both_sides(quick):
    quick("set", TARGET, "a=1", "b=1", "--create")
    assert quick("set", TARGET, "a=2", "--at", "1").code == 0
    refused = quick("set", TARGET, "a=3", "c=1", "--at", "1")
    assert refused.code == 3
    assert refused.err.splitlines() == [
        "wanted:",
        "set a = 3",
        "set c = 1",
        "changed since release 1:",
        "~ a = 2 (was 1)",
        "error: expected release 1 to be the last one, got 2",
    ]
    assert quick("rollback", TARGET, "1", "--at", "1").code == 3
    assert quick("rollback", TARGET, "1", "--at", "2").code == 0
    assert quick("unset", TARGET, "b", "--at", "3").code == 0


def test_a_long_value_is_cut_for_people(quick):
    long = json.dumps({f"k{number}": number for number in range(1000)})
    told = quick("set", TARGET, f"x={long}", "--create").out.splitlines()[0]
    assert told.endswith("... (1,000 values, 12,780 characters)")
    assert len(told) < 300
    (record,) = quick("show", TARGET, "1", "--json").records
    assert len(record["changes"][0]["after"]) == 1000


def test_ten_thousand_values_are_told_of_while_they_are_applied(quick, shop, cli):
    folder = shop / "many"
    folder.mkdir()
    for number in range(100):
        (folder / f"n{number:02}.json").write_text(json.dumps({f"n{number:02}": {f"k{k}": k for k in range(100)}}))
    done = quick("apply", TARGET, "many", "--create")
    assert (done.code, done.err) == (0, "applying 10,000 values\n")
    assert done.out.endswith("release 1 of revision 1\n")
    again = quick("apply", TARGET, "many")
    assert again.out == "nothing had to be changed\n"
    assert quick("apply", TARGET, "many", "--json").err == ""
    shown = cli.on_terminal("apply", TARGET, "many")
    assert (shown.code, "applying 10,000 values" in shown.out) == (0, True)
    assert shown.out.endswith("\x1b[2Knothing had to be changed\n")  # on a line of its own


def test_values_of_dotenv_are_what_they_read_as(quick, shop):
    (shop / "layer.env").write_text("POOL__SIZE=20\nNAME=shop\nDEBUG=true\nCODE='007'\n")
    (record,) = quick("apply", TARGET, "layer.env", "--create", "--json").records
    assert {change["path"][0]: change["after"] for change in record["changes"]} == {
        "pool": {"size": 20}, "name": "shop", "debug": True, "code": "007",
    }  # fmt: skip


def test_an_owner_prunes_what_it_applied_alone(quick, shop):
    for name, text in (("web", "a: 1\nb: 2\n"), ("jobs", "b: 3\nc: 4\n")):
        (shop / f"{name}.yaml").write_text(text)
        assert quick("apply", TARGET, f"{name}.yaml", "--owner", name, "--prune", "--create").code == 0
    quick("set", TARGET, "by.hand=1")
    (shop / "web.yaml").write_text("d: 5\n")
    told = quick("apply", TARGET, "web.yaml", "--owner", "web", "--prune", "--dry-run")
    assert told.out == "- a (was 1)\n+ d = 5\nnothing was written: --dry-run\n"
    done = quick("apply", TARGET, "web.yaml", "--owner", "web", "--prune")
    assert done.out.splitlines()[:2] == ["- a (was 1)", "+ d = 5"]  # b is also of jobs, by.hand of nobody
    assert quick("apply", TARGET, "web.yaml", "--owner", "web", "--prune").out == "nothing had to be changed\n"
    (shop / "jobs.yaml").write_text("{}\n")
    kept = quick("apply", TARGET, "jobs.yaml", "--owner", "jobs", "--prune")
    assert kept.out.splitlines()[:2] == ["- b (was 3)", "- c (was 4)"]  # web has it no more
    quick("set", TARGET, "c=5")
    assert quick("apply", TARGET, "jobs.yaml", "--owner", "jobs", "--prune").out == "nothing had to be changed\n"
    quick("unset", TARGET, "c")
    (shop / "web.yaml").write_text("d: 5\nby: {hand: 1}\n")
    assert quick("apply", TARGET, "web.yaml", "--owner", "web").out == "nothing had to be changed\n"
    (shop / "web.yaml").write_text("d: 5\n")
    assert quick("apply", TARGET, "web.yaml", "--owner", "web", "--prune").out.startswith("- by (was ")
    refused = quick("apply", TARGET, "web.yaml", "--owner", "Web", "--prune")
    assert (refused.code, "expected an owner of lower-case letters" in refused.err) == (1, True)


@pytest.mark.etcd
def test_the_same_verbs_on_etcd(quick, etcd, prefix):
    target = f"etcd://{etcd.endpoint}{prefix}rc/shop/production"
    assert quick("set", target, "a=1", "--create").code == 0
    assert quick("set", target, "a=2").code == 0
    assert [line.split()[0] for line in quick("history", target).out.splitlines()] == ["RELEASE", "2", "1"]
    assert quick("get", "a", f"etcd://{etcd.endpoint}{prefix}rc/shop/production/").out == "2\n"
    assert quick("set", target.replace("production", "common"), "a=0", "b=1", "--create").code == 0
    over = quick("get", ".", f"etcd://{etcd.endpoint}{prefix}rc/shop/", "--layers", "common,production")
    assert json.loads(over.out) == {"a": 2, "b": 1}


def test_a_service_from_its_first_start(cli, shop):
    """The token is left in a file that nobody else may read; then everything over HTTP, and a program that follows."""
    with cli.start_any("sh", "-c", f"exec {cli.script} serve --listen 127.0.0.1:0 2>&1") as service:
        told = service.wait_line("serving sqlite:reactive-config.db on ")
        url = told.rpartition(" ")[2]
        token = shop / "admin-token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        where = f"{url}/web/dev"
        assert "hint: the token comes from" in cli("history", where, REACTIVE_CONFIG_TOKEN="rc_wrong").err
        environment = {"REACTIVE_CONFIG_TOKEN": token.read_text(), "REACTIVE_CONFIG_TARGET": where}
        assert cli("set", "a=1", "--create", **environment).out == "+ a = 1\nrelease 1 of revision 2\n"
        assert cli("history", where, "--token-file", "admin-token").out.splitlines()[1].split()[2] == "admin"
        assert cli("tokens", "list").out.split()[-1] == "admin"
        other = cli("tokens", "create", "ci").out.strip()
        assert cli("set", "a=2", **{**environment, "REACTIVE_CONFIG_TOKEN": other}).code == 0
        assert cli("tokens", "revoke", "ci").code == 0
        assert service.end(signal.SIGTERM)[0] == 0
    assert token.read_text().strip() not in told
