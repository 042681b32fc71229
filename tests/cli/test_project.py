"""`[tool.reactive-config]` in a pyproject.toml: sources and type are typed once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Quick = Callable[..., Any]

TABLE = """\
[tool.reactive-config]
type = "settings:App"
sources = ["config/common", "config/production"]
"""


@pytest.fixture
def project(shop: Path) -> Path:
    (shop / "pyproject.toml").write_text(TABLE)
    return shop


def test_every_command_takes_sources_and_type_from_the_project(quick: Quick, project: Path) -> None:
    assert quick("get", "database.pool.max_size").out == "50\n"
    assert "config/production/10.toml:2:12" in quick("explain", "database.pool.max_size").out
    assert quick("check").out == "ok: 7 values from 2 sources fit settings:App\n"
    assert json.loads(quick("schema").out)["$ref"] == "#/$defs/App"
    doctor = quick("doctor")
    assert [line.split()[:2] for line in doctor.out.splitlines()[:3:2]] == [
        ["ok", "config/common"],
        ["ok", "config/production"],
    ]
    assert doctor.code == 0


def test_watch_takes_them_too(cli: Any, project: Path) -> None:
    with cli.start("watch", "--count", "1") as watch:
        watch.wait_line("generation 1")
        (project / "config/production/10.toml").write_text("[database.pool]\nmax_size = 60\n")
        assert "50 -> 60" in watch.wait_line("max_size")
        assert watch.wait()[0] == 0


def test_a_person_is_told_which_file_it_was_and_a_program_is_not(quick: Quick, project: Path) -> None:
    told = "using pyproject.toml: sources config/common config/production, type settings:App\n"
    assert quick("get", "workers").err == told
    assert quick("get", "workers", "--json").err == ""
    assert quick("get", "workers", "config/common").err == "using pyproject.toml: type settings:App\n"
    assert quick("doctor").err == "using pyproject.toml: sources config/common config/production\n"
    assert quick("schema", "--type", "settings:Pool").err == ""


def test_it_is_found_from_below_and_its_paths_begin_where_it_is(
    quick: Quick, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "deep/down").mkdir(parents=True)
    (project / "deep/pyproject.toml").write_text('[project]\nname = "deep"\n')  # without the table: looked past
    monkeypatch.chdir(project / "deep/down")
    result = quick("explain", "database.pool.max_size")
    assert "../../config/production/10.toml:2:12" in result.out
    assert result.err.startswith("using ../../pyproject.toml: ")
    (project / "config/production/10.toml").write_text("[database.pool]\nmax_size = 900\n")
    assert quick("check").out.startswith("../../config/production/10.toml:2:12: database.pool.max_size: expected int")


def test_arguments_and_the_environment_come_first(quick: Quick, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quick("get", "database.pool.max_size", "config/common").out == "10\n"
    assert quick("check", "config/common", "--type", "builtins:dict").out.endswith("fit builtins:dict\n")
    monkeypatch.setenv("REACTIVE_CONFIG_SOURCES", "config/common")
    assert quick("get", "database.pool.max_size").out == "10\n"
    monkeypatch.setenv("REACTIVE_CONFIG_TYPE", "builtins:dict")
    assert quick("check").out == "ok: 5 values from 1 source fit builtins:dict\n"


def test_it_can_be_ignored(quick: Quick, project: Path) -> None:
    assert "at least one source" in quick("get", "workers", "--no-project").err
    assert "without --type" in quick("check", "config/common", "--no-project").out
    assert quick("schema", "--no-project").code == 2
    assert "config/common" not in quick("doctor", "--no-project").out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.reactive-config\n", "pyproject.toml: line 1"),
        ("[tool]\nreactive-config = 3\n", "pyproject.toml: tool.reactive-config: expected a table, got an integer"),
        ("[tool.reactive-config]\nsource = []\n", "tool.reactive-config.source: expected sources, type or decoders"),
        ("[tool.reactive-config]\nsource = []\n", "did you mean sources?"),
        ("[tool.reactive-config]\nsources = 'config'\n", "tool.reactive-config.sources: expected a list"),
        ("[tool.reactive-config]\nsources = []\n", "tool.reactive-config.sources: expected at least one source"),
        ("[tool.reactive-config]\nsources = ['config', 3]\n", "sources[1]: expected a text, got an integer"),
        ("[tool.reactive-config]\nsources = ['etcd://root:CANARY@db/shop/']\n", "pyproject.toml: tool.reactive-config"),
        ("[tool.reactive-config]\nsources = ['a', 'a']\n", "tool.reactive-config.sources: expected each source once"),
        ("[tool.reactive-config]\ntype = 3\n", "tool.reactive-config.type: expected a text"),
        (TABLE.replace("settings:App", "settings"), "tool.reactive-config.type: expected MODULE:CLASS"),
        (TABLE.replace("settings:App", "setings:App"), "pyproject.toml: tool.reactive-config.type: there is no module"),
        (TABLE.replace("settings:App", "setings:App"), "did you mean settings?"),
        (TABLE.replace("settings:App", "settings:Ap"), "did you mean App?"),
    ],
)
def test_a_mistake_in_it_names_the_file_and_the_key(quick: Quick, shop: Path, text: str, words: str) -> None:
    (shop / "pyproject.toml").write_text(text)
    result = quick("check")
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "CANARY" not in result.err
    assert "using" not in result.err
    (record,) = quick("check", "--json").records
    assert (record["event"], record["error"]) == ("error", "usage")


def test_what_is_broken_in_it_does_not_matter_to_who_names_all(quick: Quick, shop: Path) -> None:
    (shop / "pyproject.toml").write_text("[tool.reactive-config\n")
    assert quick("get", "workers", "config/common", "--type", "settings:App").out == "4\n"
    assert "--no-project ignores it" in quick("get", "workers", "config/common").err
    assert quick("get", "log.root", "config/common", "--no-project").out == "INFO\n"


def test_no_project_names_the_way_out(quick: Quick) -> None:
    assert "[tool.reactive-config] of a pyproject.toml" in quick("get", "workers").err
    assert quick("doctor").code == 0


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
def test_a_file_above_that_belongs_to_somebody_else_is_not_used(
    quick: Quick, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its type would be imported. In a shared directory anybody may have put it there."""
    below = project / "below"
    below.mkdir()
    os.chown(project / "pyproject.toml", 12345, 12345)
    assert quick("get", "workers").out == "4\n"  # where one is, one is
    monkeypatch.chdir(below)
    assert "at least one source" in quick("get", "workers").err
    os.chown(below, 12345, 12345)  # mounted as a whole from another user's disk
    assert quick("get", "workers").out == "4\n"


def test_a_source_of_values_is_relative_too(quick: Quick, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "secrets").mkdir()
    (shop / "secrets/title").write_text("shop\n")
    (shop / "sub").mkdir()
    (shop / "pyproject.toml").write_text(
        '[tool.reactive-config]\nsources = ["values:secrets", "optional:nothing.toml", "env:SHOP_"]\n'
    )
    monkeypatch.chdir(shop / "sub")
    assert quick("get", "title").out == "shop\n"


@pytest.mark.parametrize("below", ["sub", "config", "config/deep"])
def test_an_environment_is_relative_too(quick: Quick, shop: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    (shop / "config/common.toml").write_text('title = "shop"\n')
    (shop / "config/production.toml").write_text("port = 443\n")
    (shop / below).mkdir(parents=True, exist_ok=True)
    (shop / "pyproject.toml").write_text('[tool.reactive-config]\nsources = ["environment:config/production"]\n')
    monkeypatch.chdir(shop / below)
    assert quick("get", "title").out == "shop\n"
    assert quick("get", "port").out == "443\n"
