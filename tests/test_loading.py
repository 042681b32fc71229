"""What a program loads: the sources and formats that it uses, not the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

import reactive_config
from reactive_config._formats import registry
from reactive_config.errors import ParseError

LOADED = """
import sys
{program}
print(*(name for name in {costly} if name in sys.modules))
"""

COSTLY = (
    "grpc",
    "tomllib",
    "ryaml",
    "zoneinfo",
    "watchfiles",
    "reactive_config._formats.toml_",
    "reactive_config._formats.yaml_",
    "reactive_config._sources.environ",
    "reactive_config._sources.etcd",
    "reactive_config._sources.files",
)


def loaded(program: str) -> set[str]:
    source = LOADED.format(program=program, costly=COSTLY)
    return set(
        subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout.split()
    )


def test_a_source_is_loaded_once_it_is_named():
    assert loaded("from reactive_config import open_config") == set()
    assert loaded("from reactive_config import Files") == {"reactive_config._sources.files"}
    assert loaded("from reactive_config import Etcd, TLS") == {"reactive_config._sources.etcd"}
    assert loaded("import reactive_config; reactive_config.Env") == {"reactive_config._sources.environ"}


def test_a_format_is_loaded_at_its_first_document():
    program = "from reactive_config._formats.registry import parse; parse(b'{text}', '.{suffix}')"
    assert loaded(program.format(text='{"a": 1}', suffix="json")) == set()
    assert "reactive_config._formats.toml_" in loaded(program.format(text="a = 1", suffix="toml"))


def test_a_format_that_cannot_be_loaded_is_a_refusal_and_tried_again(monkeypatch):
    """As in a process that has locked itself up since it began: it keeps what it has."""
    registry._format.cache_clear()
    with monkeypatch.context() as locked:
        locked.setattr(registry.importlib, "import_module", refuse)
        with pytest.raises(ParseError, match="a format whose parser can be loaded"):
            registry.parse(b"a = 1", ".toml")
    assert registry.parse(b"a = 1", ".toml") == {"a": 1}


def refuse(name):
    raise PermissionError(name)


def test_every_public_name_is_there():
    """Those too that are loaded later."""
    for name in reactive_config.__all__:
        assert getattr(reactive_config, name).__name__ == name
        assert name in dir(reactive_config)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'reactive_config' has no attribute 'Consul'"):
        _ = reactive_config.Consul
