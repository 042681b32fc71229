"""What a message adds to "expected ..., got ...", where the mistake is a common one."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from reactive_config import Env, Files, Memory, StartupError, open_config
from reactive_config.bindings import Cron, Every
from reactive_config.sources import Bare


class Pool(msgspec.Struct, frozen=True):
    size: int = 10
    lag: int = 1


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int = 10


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    strict: Strict = Strict()
    log: str = ""
    hosts: list[str] = []
    either: list[str] | int = 1
    backup: Every = timedelta(seconds=1)


class Forbidding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pool: Pool = Pool()


async def refusals(*sources, kind=App) -> list[str]:
    with pytest.raises(StartupError) as caught:
        async with open_config(kind, *sources):
            pass
    return [str(problem).partition(" (memory ")[0] for problem in caught.value.problems]


async def notes(*sources) -> list[str]:
    async with open_config(App, *sources) as config:
        return list(config.status().notes)


@pytest.mark.parametrize("value", ["a, b", "a"])
async def test_a_text_in_place_of_a_list_is_told_how_a_list_is_written(value):
    assert await refusals(Memory({"hosts": value})) == [
        'hosts: expected list, got str, where a list is written as ["a", "b"]'
    ]


async def test_where_something_else_than_a_list_fits_too_nothing_is_said_of_lists():
    (told,) = await refusals(Memory({"either": "a"}))
    assert "written" not in told


@pytest.mark.parametrize("value", ["${SIZE}", "{{ size }}", Bare("${SIZE}")])
async def test_a_template_that_was_not_filled_in_is_told_where_it_does_not_fit(value):
    (told,) = await refusals(Memory({"pool": {"size": value}}))
    assert told.endswith(", what a template begins with (was it filled in?)")


async def test_a_template_may_be_a_text():
    async with open_config(App, Memory({"log": "${message}"})) as config:
        assert config.current.log == "${message}"


async def test_a_name_below_a_header_of_toml_that_belongs_above_it(tmp_path):
    (tmp_path / "app.toml").write_text("[pool]\nsize = 3\nlog = 'x'\n")
    (note,) = await notes(Files(tmp_path / "app.toml"))
    assert note.startswith("pool.log: unknown key, ignored; did you mean log, which belongs above [pool]? (files ")
    (tmp_path / "app.toml").write_text("[strict]\nlog = 'x'\n")
    (told,) = await refusals(Files(tmp_path / "app.toml"))
    assert "got an unknown name, did you mean log, which belongs above [strict]? (files " in told


async def test_a_name_too_deep_in_another_format(tmp_path):
    (tmp_path / "app.yaml").write_text("pool:\n  log: x\n")
    (note,) = await notes(Files(tmp_path / "app.yaml"))
    assert note.startswith("pool.log: unknown key, ignored; did you mean log at the top? (files ")


async def test_a_dotted_name_is_no_path(tmp_path):
    (tmp_path / "app.yaml").write_text("pool.size: 3\n")
    (note,) = await notes(Files(tmp_path / "app.yaml"))
    assert "unknown key, ignored; did you mean size, nested in pool? (files " in note
    (told,) = await refusals(Files(tmp_path / "app.yaml"), kind=Forbidding)
    assert "got an unknown name, did you mean size, nested in pool? (files " in told


async def test_a_cron_expression_alone_is_told_how_it_is_written():
    (told,) = await refusals(Memory({"backup": "0 3 * * *"}))
    assert told.startswith(
        'backup: expected a duration (seconds, 30s, 10m, PT30S) or a table such as {cron = "0 3 * * *"}'
    )


async def test_every_is_either_of_both():
    async with open_config(App, Memory({"backup": "5m"})) as config:
        assert config.current.backup == timedelta(minutes=5)
    pytest.importorskip("cronsim")
    async with open_config(App, Memory({"backup": {"cron": "0 3 * * *"}})) as config:
        assert config.current.backup == Cron("0 3 * * *")


async def test_a_prefix_without_its_underscore_is_told():
    environ = {"SHOP_LOG": "x", "SHOP_POOL__SIZE": "3"}
    first, second = await notes(Env("SHOP", environ=environ))
    said = '; the prefix lacks its underscore: Env("SHOP_"))'
    assert first == f"_log: unknown key, ignored; did you mean log? (environment SHOP_LOG{said}"
    assert second.endswith(f"(environment SHOP_POOL__SIZE{said}")
    assert await notes(Env("SHOP", environ={"SHOPLOG": "x", "SHOP_X": "y"})) == [
        "_x: unknown key, ignored (environment SHOP_X)"
    ]
