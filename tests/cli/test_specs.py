"""SOURCE as text, and the sources made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reactive_config._cli.failures import UsageError
from reactive_config._cli.opening import no_configuration
from reactive_config._cli.source_options import Options
from reactive_config._cli.sources import SourceSpec, make_sources, parse_spec, read_specs
from reactive_config._etcd.errors import NEEDS_USER, NO_CA
from reactive_config.errors import StartupError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config/common", SourceSpec("config/common", "files", "config/common")),
        ("./env:odd", SourceSpec("./env:odd", "files", "./env:odd")),
        ("values:/run/secrets", SourceSpec("values:/run/secrets", "values", "/run/secrets")),
        ("env:SHOP_", SourceSpec("env:SHOP_", "env", "SHOP_")),
        ("environment:a/b", SourceSpec("environment:a/b", "environment", "a/b")),
        ("etcd://a:1,b:2/shop/", SourceSpec("etcd://a:1,b:2/shop/", "etcd", "/shop/", ("a:1", "b:2"))),
        ("etcd://a,[::1]/shop", SourceSpec("etcd://a,[::1]/shop", "etcd", "/shop", ("a:2379", "[::1]:2379"))),
        ("etcds://a:1/", SourceSpec("etcds://a:1/", "etcd", "/", ("https://a:1",))),
        ("optional:env:X_", SourceSpec("env:X_", "env", "X_", optional=True)),
    ],
)
def test_a_spec_is_read(text: str, expected: SourceSpec) -> None:
    assert parse_spec(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "env:",
        "environment:",
        "environment:a",
        "environment:a/",
        "values:",
        "etcd://",
        "etcd:a:1/x",
        "etcd://a:1",
        "http://a/x",
        "optional:",
        "etcd:///x",
    ],
)
def test_a_text_that_is_no_source_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_spec(text)


HOLDING = """
    etcd://root:CANARY@a:1/shop/ etcd:root:CANARY@a redis://u:CANARY@a etcds://u:CANARY/x@h:1/s/ etcd://u:12/CANARY@h/s/
    etcd//u:CANARY@h:1/s/ etcd://h:1/s/?password=CANARY etcd://h:1/s/#CANARY etcd://u:CANARY/s/ etcd:u:CANARY etcd://u:CANARY
    etcd://h:1,u:CANARY/s/ etcd://h?password=CANARY:1/s/ optional:etcd://u:CANARY@h/s/ optional:u:CANARY@h
    values:u:CANARY@h environment:a/u:CANARY@h env:u:CANARY@h etcd:///u:CANARY@h u:CANARY/x@h:1
    etcd//h/s/?password=CANARY
"""


@pytest.mark.parametrize("text", [*HOLDING.split(), " etcd://u:CANARY@h/s/", "etcd://u:CANARY \n@h/s/"])
def test_a_password_in_a_source_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec(text)
    assert "CANARY" not in str((caught.value.message, caught.value.hints))


@pytest.mark.parametrize("text", ["./u:x@h", "/run/a:b@c", "values:/run/a@b", "a@b/config", "a:b", "what?", "a#b"])
def test_a_path_with_odd_characters_is_a_path(text: str) -> None:
    assert parse_spec(text).target == text.removeprefix("values:")


def test_the_order_of_the_command_line_is_the_order_of_the_layers() -> None:
    specs = read_specs(["env:A_", "config/b", "etcd://h:1/c/", "values:/d"], Options())
    assert [source.name for source in make_sources(specs, Options())] == ["environment", "config/b", "etcd", "/d"]


def test_names_are_unique() -> None:
    specs = read_specs(["etcd://h:1/a/", "etcd://h:1/b/", "env:A_", "env:B_"], Options())
    names = [source.name for source in make_sources(specs, Options())]
    assert names == ["etcd", "etcd#2", "environment", "environment#2"]


def test_sources_come_from_the_environment_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTIVE_CONFIG_SOURCES", "'with space' env:A_")
    assert [spec.target for spec in read_specs([], Options())] == ["with space", "A_"]
    assert [spec.target for spec in read_specs(["other"], Options())] == ["other"]


def test_an_unclosed_quote_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTIVE_CONFIG_SOURCES", "'etcd://u:CANARY@h/s/")
    with pytest.raises(UsageError, match=r"^REACTIVE_CONFIG_SOURCES: expected .* an unclosed quote$"):
        read_specs([], Options())


def test_a_user_with_a_password_is_refused_and_not_quoted() -> None:
    with pytest.raises(UsageError, match="--username: expected a name") as caught:
        read_specs(["etcd://h/s/"], Options(username="u:CANARY"))
    assert "CANARY" not in str((caught.value.message, caught.value.hints))


def test_optional_is_for_one_source_or_for_all() -> None:
    assert [s.optional for s in read_specs(["optional:a", "b"], Options())] == [True, False]
    assert [s.optional for s in read_specs(["a", "b"], Options(optional=True))] == [True, True]


def test_etcd_options_reach_the_source(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("CANARY\n")
    options = Options(
        layers="common,production", username="u", password_file=str(tmp_path / "pw"), ca="ca.pem", mirror="m.json"
    )
    (source,) = make_sources(read_specs(["etcds://h:1/shop/"], options), options)
    assert source.layers == ("common", "production")
    assert "CANARY" not in repr(source)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["config"], Options(mirror="m"), "expected an etcd:// source with --mirror"),
        (["etcd://h/a/", "etcd://h/b/"], Options(mirror="m"), "cannot share"),
        (["a", "b", "a"], Options(), "a twice"),
        ([], Options(), "got none"),
    ],
)
def test_contradictions_are_usage_errors(
    texts: list[str], options: Options, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REACTIVE_CONFIG_SOURCES", raising=False)
    with pytest.raises(UsageError, match=message):
        read_specs(texts, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(username="u"), "password of u"),
        (Options(username="u", password_file="/nowhere"), "No such file"),
        (Options(cert="c"), "mutual TLS"),
        (Options(layers="a,a"), "layer names that differ"),
    ],
)
def test_settings_that_a_source_refuses_are_usage_errors(
    options: Options, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REACTIVE_CONFIG_PASSWORD", raising=False)
    with pytest.raises(UsageError, match=message):
        make_sources(read_specs(["etcds://h:1/shop/"], options), options)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "etcd://h:1/shop",
            Options(layers="a,b"),
            "--layers: expected a prefix, which ends in a slash, got the key /shop",
        ),
        ("etcd://h:1/s/", Options(password_file="f"), "--password-file: expected --username beside it, got none"),
        ("etcd://h:1/s/", Options(ca="f"), "--ca: expected etcds://, got etcd://h:1/s/, which is plain text"),
        ("etcd://h:1/s/", Options(cert="f", cert_key="f"), "--cert, --cert-key: expected etcds://, got etcd://h:1/s/"),
    ],
)
def test_options_that_contradict_a_source_are_refused(text: str, options: Options, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_specs([text], options)
    assert caught.value.message.startswith(words)


@pytest.mark.parametrize(("reason", "option"), [(NEEDS_USER, "--username NAME"), (NO_CA, "--ca FILE")])
def test_what_a_source_lacks_is_named_as_an_option(reason: str, option: str) -> None:
    specs = read_specs(["etcds://h:1/s/"], Options())
    told = no_configuration(StartupError([], {"etcd": f"h:1: {reason}"}), specs, make_sources(specs, Options()))
    assert [hint for hint in told.hints if option in hint]
