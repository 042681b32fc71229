"""`Etcd(format="yaml")`: which keys without a suffix are documents, and what a program is told that lacks it."""

from __future__ import annotations

import pickle

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config import Env, Etcd, Files, Memory, Rejected, Secret, StartupError, open_config
from reactive_config._core.delta import Bare, Malformed
from reactive_config._core.document_looks import TOML, YAML, looks_like
from reactive_config._sources.etcd.key_documents import read_document
from reactive_config._sources.etcd.key_layout import KeyLayout

PREFIX = "/s/"


class Pool(msgspec.Struct, frozen=True):
    max_size: int = 10


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    names: list[str] = []
    log: dict[str, str] = {}
    motd: str = ""
    key: Secret[Pool] = Secret(Pool())


def read(text, form="yaml", name="/s/a", **layout):
    keys = KeyLayout(**(layout or {"prefix": PREFIX}), format=form)
    return read_document(name, text.encode(), 1, keys.meaning(name.encode()), keys.format)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max_size: 20", {"max_size": 20}),
        ("max_size: 20 # so\n", {"max_size": 20}),
        ("- a\n- b", ["a", "b"]),
        ("{max_size: 20}", {"max_size": 20}),
        ('{"max_size": 20,}', {"max_size": 20}),
        ("[a, b]", ["a", "b"]),
        ('{"max_size": 20}', {"max_size": 20}),
        ('"max_size": 20', {"max_size": 20}),
        ('"max_size: 20"', "max_size: 20"),
        ("--- 5", 5),
        ("5", Bare("5")),
        ("5\n", Bare("5")),
        ("1.10", Bare("1.10")),
        ("yes", Bare("yes")),
        ("", Bare("")),
        ("'a'", Bare("'a'")),
        ("*.example.com", Bare("*.example.com")),
        ("https://h:1/x", Bare("https://h:1/x")),
        ("size = 5", Bare("size = 5")),
    ],
)
def test_what_a_key_without_a_suffix_holds_with_yaml(text, value):
    assert read(text).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max_size = 20", {"max_size": 20}),
        ("[pool]\nmax_size = 20", {"pool": {"max_size": 20}}),
        ('["a"]', ["a"]),
        ('{"a": 1}', {"a": 1}),
        ("1.10", Bare("1.10")),
        ("a: 1", Bare("a: 1")),
        ("dGVzdA==", Bare("dGVzdA==")),
    ],
)
def test_what_a_key_without_a_suffix_holds_with_toml(text, value):
    assert read(text, "toml").value == value


PIECES = ["a: b", "- a", "a = 1", "[a]", "x", "\n", "'", '"', "#", ":", "{", "1", " ", "---", "\\"]


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
@settings(deadline=None)
def test_what_looks_like_no_document_is_as_without_a_format(text):
    """And nothing of what does ever becomes text."""
    if text.encode("utf-8", "replace").decode() != text:
        return
    plain = read(text, "json").value
    for form, suffix in (("yaml", YAML), ("toml", TOML)):
        value = read(text, form).value
        if looks_like(text) == suffix:
            assert not isinstance(value, Bare)
        elif not isinstance(plain, Malformed):
            assert value == plain


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
def test_a_suffix_wins_over_the_format(form):
    assert read("a: 1", form, "/s/a.yaml").value == {"a": 1}
    assert read("a = 1", form, "/s/a.toml").value == {"a": 1}
    assert isinstance(read("a: 1", form, "/s/a.json").value, Malformed)


@pytest.mark.parametrize(
    ("text", "form", "line"),
    [
        ("a: 1\nb: [canary", "yaml", 3),
        ("{a: canary", "yaml", 2),
        ("a = 1\nb = canary", "toml", 2),
        ("{canary", "toml", 1),
    ],
)
def test_what_looks_like_a_document_must_be_one(text, form, line):
    """It is told with its line, and never becomes text."""
    value = read(text, form).value
    assert isinstance(value, Malformed)
    assert value.line == line
    assert "canary" not in f"{value.expected} {value.got}"


@pytest.mark.parametrize("form", ["yaml", "toml"])
@pytest.mark.parametrize(
    ("name", "layout"), [("/app", {"key": "/app"}), ("/s/low", {"prefix": "/s/", "layers": ["low"]})]
)
def test_a_key_that_is_a_whole_layer_is_a_document_whatever_it_looks_like(form, name, layout):
    texts = {"yaml": "two words: 1", "toml": "'two words' = 1"}
    assert read(texts[form], form, name, **layout).value == {"two words": 1}
    assert read('{"a": 1}', form, name, **layout).value == {"a": 1}
    for text in ("text", "", "# nothing", "[1]"):
        assert isinstance(read(text, form, name, **layout).value, Malformed) or (text, form) == (
            "# nothing",
            "toml",
        )


@pytest.mark.parametrize(
    ("text", "form", "path", "place"),
    [
        ("a: 1\nb:\n  c: 2", "yaml", ("b", "c"), (3, 6)),
        ("{a: 1,\n b: 2}", "yaml", ("b",), (2, 5)),
        ('{"a": 1,\n "b": 2}', "yaml", ("b",), (2, 7)),
        ("a = 1\nb = 2", "toml", ("b",), (2, 5)),
        ("two words: 1", "yaml", ("two words",), (1, 12)),
    ],
)
def test_a_value_inside_is_found(text, form, path, place):
    entry = read(text, form, "/app", key="/app")
    assert entry.locate(entry, path) == place


def test_a_format_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="format=: expected one of json, yaml, toml, got 'yml'"):
        Etcd("h:1", prefix=PREFIX, format="yml")
    pickle.dumps(Etcd("h:1", prefix=PREFIX, format="yaml"))


@pytest.mark.etcd
async def test_documents_merge_change_and_start_from_the_mirror(server, prefix, tmp_path):
    """The mirror keeps the bytes, so a start from it reads them in the same way; so does a hand edit."""
    mirror = tmp_path / "m.json"
    await server.txn(
        {f"{prefix}pool": "max_size: 20", f"{prefix}log": "root: INFO\ndb: DEBUG", f"{prefix}motd": "hello\n"}
    )
    source = Etcd(server.endpoint, prefix=prefix, format="yaml", mirror=mirror)
    async with open_config(App, source) as config:
        first = config.current
        assert (first.pool, first.log, first.motd) == (Pool(20), {"root": "INFO", "db": "DEBUG"}, "hello")
        assert config.explain("log.db")[0].origin.line == 2
        await config.wait_revision("etcd", await server.put(f"{prefix}pool/max_size", "30"))
        assert config.current.pool == Pool(30)
        revision = await server.put(f"{prefix}log", "root: INFO\ndb: [canary")
        with pytest.raises(Rejected) as caught:
            await config.wait_revision("etcd", revision)
        assert "canary" not in str(caught.value)
        assert config.current.log is first.log
    away = Etcd("127.0.0.1:1", prefix=prefix, format="yaml", mirror=mirror, mirror_after=0)
    async with open_config(App, away) as config:
        assert (config.current.pool, config.current.log) == (Pool(30), first.log)
        assert config.explain("log.db")[0].origin.line == 2


@pytest.mark.etcd
async def test_a_program_that_lacks_it_is_told_and_the_text_is_not_shown(server, prefix):
    """For a table, a list and a Secret of a table; not for a text that is meant as one."""
    await server.txn({
        f"{prefix}pool": "max_size: 20 # canary",
        f"{prefix}names": "- canary",
        f"{prefix}log": 'root = "canary"',
        f"{prefix}key": "max_size: canary",
        f"{prefix}motd": "Note: canary",
    })  # fmt: skip
    with pytest.raises(StartupError) as caught:
        async with open_config(App, Etcd(server.endpoint, prefix=prefix)):
            pass
    got = {problem.path: problem.got.partition(", ")[2] for problem in caught.value.problems}
    yaml = 'which looks like YAML: set format="yaml" on the source, or give the key a suffix:'
    assert got == {
        "pool": f"{yaml} pool.yaml",
        "names": f"{yaml} names.yaml",
        "log": 'which looks like TOML: set format="toml" on the source, or give the key a suffix: log.toml',
        "key": f"{yaml} key.yaml",
    }
    assert "canary" not in str(caught.value)


@pytest.mark.etcd
async def test_a_text_that_was_read_as_a_document_is_told_how_to_stay_one(server, prefix):
    await server.put(f"{prefix}motd", "Note: canary")
    with pytest.raises(StartupError) as caught:
        async with open_config(App, Etcd(server.endpoint, prefix=prefix, format="yaml")):
            pass
    (problem,) = caught.value.problems
    assert problem.expected == "str"
    assert problem.got == "table, and a text that looks like a document wants double quotes around it"
    assert read('"Note: closed"', name="/s/motd").value == "Note: closed"


def test_a_whole_layer_that_looks_like_yaml_is_told():
    value = read("a: canary", "json", "/app/config", key="/app/config").value
    assert value.expected == "a table, because this key is a whole layer"
    hint = 'set format="yaml" on the source, or give the key a suffix: config.yaml'
    assert value.got == f"a single value, which looks like YAML: {hint}"


async def test_a_variable_and_a_mounted_value_are_told_to_be_json(tmp_path):
    (tmp_path / "names").write_text("- canary\n- b\n")
    files, env = Files(tmp_path, values=True), Env("S_", environ={"S_POOL": "max_size: 1 # canary"})
    with pytest.raises(StartupError) as caught:
        async with open_config(App, files, env):
            pass
    told = "which looks like YAML: a table or a list is written as JSON here"
    assert {problem.path: problem.got.partition(", ")[2] for problem in caught.value.problems} == {
        "pool": told,
        "names": told,
    }


async def test_a_wrong_scalar_has_no_such_hint():
    with pytest.raises(StartupError) as caught:
        async with open_config(App, Memory(), Env("S_", environ={"S_POOL__MAX_SIZE": "a: 1"})):
            pass
    assert "looks like" not in str(caught.value)
