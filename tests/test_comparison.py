"""What docs/comparison.md says of other libraries is so, in the versions that it names.

What it says of reloading and of files is shown by the programs of docs/coming-from.md.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

from reactive_config import Memory, open_config

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/comparison.md").read_text()
RESULTS = (ROOT / "docs/bench-results.md").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, and no variable that would count."""
    monkeypatch.chdir(tmp_path)
    for name in ("SHOP_POOL", "SHOP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("package", ["dynaconf", "pydantic-settings"])
@pytest.mark.parametrize("page", ["comparison.md", "coming-from.md"])
def test_the_version_that_is_named_is_the_one_that_was_run(package, page):
    version = importlib.metadata.version(package) if _is_installed(package) else pytest.skip(f"no {package}")
    assert f"{package} {version}" in (ROOT / "docs" / page).read_text()


def _is_installed(package: str) -> bool:
    return any(importlib.metadata.distributions(name=package))


def test_pydantic_settings_keeps_the_old_settings_when_a_file_does_not_fit_or_does_not_parse(folder):
    settings_class = _pydantic_settings()
    file = folder / "live.toml"
    file.write_text("[pool]\nmax_size = 10\n")
    settings = settings_class()
    for broken in ("[pool]\nmax_size = 'lots'\n", "[pool\n"):
        file.write_text(broken)
        with pytest.raises(ValueError):
            settings.__init__()
        assert settings.pool.max_size == 10
    file.write_text("[pool]\nmax_size = 20\n")
    assert settings.pool.max_size == 10
    settings.__init__()
    assert settings.pool.max_size == 20


def test_pydantic_settings_refuses_unknown_keys_at_the_top_and_ignores_them_below(folder):
    settings_class = _pydantic_settings()
    (folder / "live.toml").write_text("[pool]\nmax_sise = 10\n")
    assert settings_class().pool.max_size == 1
    (folder / "live.toml").write_text("[pol]\n")
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        settings_class()


def test_pydantic_settings_reads_what_the_page_lists():
    settings = pytest.importorskip("pydantic_settings")
    for source in (
        *("EnvSettingsSource", "DotEnvSettingsSource", "SecretsSettingsSource", "PyprojectTomlConfigSettingsSource"),
        *("TomlConfigSettingsSource", "YamlConfigSettingsSource", "JsonConfigSettingsSource", "CliSettingsSource"),
        *("AWSSecretsManagerSettingsSource", "AzureKeyVaultSettingsSource", "GoogleSecretManagerSettingsSource"),
    ):
        assert hasattr(settings, source)


async def test_a_class_of_base_settings_reads_the_environment_beside_our_layers(folder, monkeypatch):
    settings = pytest.importorskip("pydantic_settings")

    class App(settings.BaseSettings):
        size: int = 1

    monkeypatch.setenv("SIZE", "7")
    async with open_config(App, Memory({})) as config:
        assert config.current.size == 7
        assert [entry.origin for entry in config.explain("size")] == []


def _pydantic_settings():
    settings = pytest.importorskip("pydantic_settings")
    from pydantic import BaseModel

    class Pool(BaseModel):
        max_size: int = 1

    class Settings(settings.BaseSettings):
        pool: Pool = Pool()

        @classmethod
        def settings_customise_sources(cls, settings_cls, **others):
            return (settings.TomlConfigSettingsSource(settings_cls, "live.toml"),)

    return Settings


def test_dynaconf_replaces_tables_unless_it_is_told_to_merge_and_takes_any_key(folder):
    dynaconf = pytest.importorskip("dynaconf")
    (folder / "a.toml").write_text("[pool]\nmin_size = 2\nmax_size = 10\n")
    (folder / "b.toml").write_text("[pool]\nmax_sise = 20\n")
    files = ["a.toml", "b.toml"]
    assert dynaconf.Dynaconf(settings_files=files).pool == {"max_sise": 20}
    merged = dynaconf.Dynaconf(settings_files=files, merge_enabled=True)
    assert merged.pool == {"min_size": 2, "max_size": 10, "max_sise": 20}
    assert {Path(load["identifier"]).name for load in dynaconf.get_history(merged, key="pool")} == set(files)


def test_dynaconf_tells_what_its_validators_refuse_when_it_is_asked(folder):
    dynaconf = pytest.importorskip("dynaconf")
    file = folder / "live.toml"
    file.write_text("[pool]\nmax_size = 10\n")
    rule = dynaconf.Validator("pool.max_size", is_type_of=int)
    settings = dynaconf.Dynaconf(settings_files=["live.toml"], validators=[rule])
    assert settings.pool.max_size == 10
    file.write_text("[pool]\nmax_size = 'lots'\n")
    settings.reload()
    with pytest.raises(dynaconf.ValidationError):
        settings.validators.validate_all()


def test_dynaconf_makes_values_of_other_values(folder):
    dynaconf = pytest.importorskip("dynaconf")
    (folder / "live.toml").write_text('host = "db"\nurl = "@format postgres://{this.host}"\n')
    assert dynaconf.Dynaconf(settings_files=["live.toml"]).url == "postgres://db"


def test_dynaconf_shows_a_password_as_any_value(folder, monkeypatch):
    dynaconf = pytest.importorskip("dynaconf")
    monkeypatch.setenv("SHOP_PASSWORD", "plain")
    assert dynaconf.Dynaconf(envvar_prefix="SHOP").to_dict() == {"PASSWORD": "plain"}


@pytest.mark.parametrize(
    ("title", "at", "row"),
    [
        ("read", None, "reading one nested value"),
        ("start_files", "keys=10", "from the start of the process to a first configuration of 10 keys out of a file"),
        ("start_files", "keys=100000", "the same with 100,000 keys"),
    ],
)
def test_the_figures_are_those_of_the_bench(title, at, row):
    told = re.search(rf"^\| {re.escape(row)} \| (.*) \|$", PAGE, re.MULTILINE)
    assert told is not None
    section = RESULTS.partition(f"\n## `{title}`")[2].partition("\n## ")[0]
    if at is not None:
        section = re.split(r"^\| keys=", section.partition(f"\n| {at} ")[2], maxsplit=1, flags=re.MULTILINE)[0]
    medians = [
        re.search(rf"\| {who} \|[^|]*\|[^|]*\| ([\d.,]+) ", section)[1]
        for who in ("reactive_config", "pydantic-settings", "dynaconf")
    ]
    assert [figure.split()[0] for figure in told[1].split(" | ")] == medians
