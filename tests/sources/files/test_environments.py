"""`Files.environment`: common files, those of one environment, and a developer's own."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import msgspec
import pytest

from reactive_config import Files, StartupError, open_config
from reactive_config._sources.files.environments import stems
from reactive_config._testing.awaited_source import AwaitedSource


class App(msgspec.Struct, frozen=True):
    common: int = 0
    own: int = 0
    common_local: int = 0
    own_local: int = 0
    highest: str = ""


QUICK = {"settle": 0.02, "poll_interval": 0.5}


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", ".").replace("_in_", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def source(folder: Path, env: str = "production", **options) -> Files:
    return Files.environment(folder, env, **{**QUICK, **options})


async def test_the_layers_from_the_lowest_to_the_highest(tmp_path):
    """Each wins over those before it; what belongs to another environment is nobody's here."""
    write(
        tmp_path,
        common__toml="common = 1\nhighest = 'common'",
        production__toml="own = 1\nhighest = 'production'",
        common__local__toml="common_local = 1\nhighest = 'common.local'",
        production__local__toml="own_local = 1\nhighest = 'production.local'",
        staging__toml="highest = 'staging'",
        staging__local__toml="highest = 'staging.local'",
        README="x",
    )
    async with open_config(App, source(tmp_path)) as config:
        assert config.current == App(1, 1, 1, 1, "production.local")
        said = config.explain("highest")
        assert [Path(one.origin.place).name for one in said] == [
            "production.local.toml",
            "common.local.toml",
            "production.toml",
            "common.toml",
        ]
        (status,) = config.status().sources
        assert [note for note in status.notes if "notifier" not in note] == []
    made = source(tmp_path)
    names = ["common.*", "production.*", "common.local.*", "production.local.*"]
    assert made.layers == tuple(f"{tmp_path}/{name}" for name in names)
    assert pickle.loads(pickle.dumps(made)).layers == made.layers


async def test_a_layer_is_files_of_its_name_and_a_directory_of_its_name(tmp_path):
    """Of every suffix; they merge in byte order of their paths."""
    write(
        tmp_path,
        common__json='{"common": 1, "highest": "json"}',
        common__toml="own = 1\nhighest = 'toml'",
        common__env="COMMON_LOCAL=1",
        production_in_a__toml="own_local = 1",
        production_in_b__toml="highest = 'b'",
    )
    async with open_config(App, source(tmp_path)) as config:
        assert config.current == App(1, 1, 1, 1, "b")
    write(tmp_path, common_in_z__toml="highest = 'z'", production_in_b__toml="own_local = 2")
    async with open_config(App, source(tmp_path)) as config:
        assert config.current == App(1, 1, 1, 2, "z")


async def test_only_common_and_the_environment_must_be_there(tmp_path):
    write(tmp_path, common__toml="common = 1", production__toml="own = 1")
    async with open_config(App, source(tmp_path)) as config:
        assert config.current == App(1, 1)
    async with open_config(App, source(tmp_path, "nothing", optional=True)) as config:
        assert config.current == App(1, 0)


async def refusal(folder: Path, env: str = "production") -> str:
    with pytest.raises(StartupError) as caught:
        async with open_config(App, source(folder, env)):
            pass
    return str(caught.value).replace(f"{folder}", "config")


async def test_an_environment_that_is_not_there_is_told_with_those_that_are(tmp_path):
    write(
        tmp_path, common__toml="", staging__toml="", test__local__toml="", README="", eu_in_a__toml="", _hidden__toml=""
    )
    write(tmp_path, common__toml="common = 1", production__txt="own = 1")
    expected = "expected a file production.* with a known suffix, or one in a directory production"
    assert f"(root): {expected}, got none; there is _hidden, eu, staging (files config/production.*)" in await refusal(
        tmp_path
    )


async def test_common_is_missed_too(tmp_path):
    write(tmp_path, production__toml="own = 1")
    text = await refusal(tmp_path)
    expected = "expected a file common.* with a known suffix, or one in a directory common"
    assert f"(root): {expected}, got none (files config/common.*)" in text
    assert text.count("(root)") == 1


async def test_a_directory_that_is_not_there_is_told(tmp_path):
    assert "expected a directory config/no, got nothing" in (await refusal(tmp_path / "no")).replace(
        "config", "config/no"
    )


@pytest.mark.parametrize("notifier", ["inotify", "polling"])
async def test_changes_are_followed_in_every_layer(tmp_path, notifier):
    """Also files and directories that come and go while the program runs."""
    write(tmp_path, common__toml="common = 1", production__toml="own = 1")
    followed = AwaitedSource(source(tmp_path, notifier=notifier, poll_interval=0.02 if notifier == "polling" else 0.5))
    async with open_config(App, followed) as config:

        async def until(expected: App) -> None:
            await followed.wait(lambda: config.current == expected, 10)

        write(tmp_path, production__toml="own = 2")
        await until(App(1, 2))
        write(tmp_path, production__local__toml="own_local = 3")
        await until(App(1, 2, 0, 3))
        (tmp_path / "production.local.toml").unlink()
        await until(App(1, 2))
        write(tmp_path, production_in_x__toml="highest = 'x'")
        await until(App(1, 2, highest="x"))
        (tmp_path / "production.toml").unlink()  # the layer still has a file
        await until(App(1, 0, highest="x"))


async def test_a_mounted_directory_changes_in_one_unit(tmp_path):
    """What an orchestrator mounts: names that lead through one `..data` link."""
    write(tmp_path / "..1", common__toml="common = 1", production__toml="own = 1")
    write(
        tmp_path / "..2", common__toml="common = 2", production__toml="own = 2", production__local__toml="own_local = 2"
    )
    (tmp_path / "..data").symlink_to("..1")
    for name in ("common.toml", "production.toml", "production.local.toml"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    followed = AwaitedSource(source(tmp_path))
    async with open_config(App, followed) as config:
        assert config.current == App(1, 1)
        (tmp_path / "..tmp").symlink_to("..2")
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        await followed.wait(lambda: config.current != App(1, 1), 10)
        assert (config.current, config.snapshot.generation) == (App(2, 2, 0, 2), 2)


async def test_an_environment_that_vanishes_stays_in_force_until_it_is_back(tmp_path):
    write(tmp_path, common__toml="common = 1", production__toml="own = 1", production_in_a__toml="highest = 'a'")
    followed = AwaitedSource(source(tmp_path, settle=0.5))
    async with open_config(App, followed) as config:
        write(tmp_path, other__toml="")
        (tmp_path / "production.toml").unlink()
        shutil.rmtree(tmp_path / "production")
        await followed.wait(lambda: config.status().sources[0].held, 10)
        (held,) = config.status().sources[0].held
        assert "got none; there is other" in str(held.problems[0])
        assert config.current == App(1, 1, highest="a")
        write(tmp_path, production__toml="own = 2")
        await followed.wait(lambda: config.current == App(1, 2), 10)
        assert config.status().sources[0].held == ()


@pytest.mark.parametrize(
    "env", ["", ".", "..", ".hidden", "a/b", "/a", "common", "local", "a.local", "a.toml", "a~", "a\0", None, 5]
)
def test_a_name_that_no_environment_can_have_is_refused(env):
    with pytest.raises(ValueError, match="env=: expected a name such as production"):
        Files.environment("config", env)


def test_a_name_may_have_dots_and_dashes():
    assert stems("eu-1.production") == ("common", "eu-1.production", "common.local", "eu-1.production.local")
