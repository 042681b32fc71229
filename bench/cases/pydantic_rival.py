"""pydantic-settings over one file, for the cases in which it is a rival."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.harness import NotHere


def settings_class(file: Path, **fields: Any) -> Any:
    """A settings class that reads the file whenever it is called.

    Args:
        file: JSON, YAML or TOML.
        fields: As `pydantic.create_model` takes them: type and default.

    Raises:
        NotHere: pydantic-settings is not installed.
    """
    try:
        import pydantic_settings
        from pydantic import create_model
    except ModuleNotFoundError as missing:
        raise NotHere(f"{missing.name} is not installed") from None
    read = {
        ".json": pydantic_settings.JsonConfigSettingsSource,
        ".yaml": pydantic_settings.YamlConfigSettingsSource,
        ".toml": pydantic_settings.TomlConfigSettingsSource,
    }[file.suffix]

    class OfFile(pydantic_settings.BaseSettings):
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, **_: Any) -> Any:  # type: ignore[override]
            return (read(settings_cls, file),)

    return create_model("Settings", __base__=OfFile, **fields)


def model(name: str, **fields: Any) -> Any:
    """A pydantic model, for a field."""
    from pydantic import create_model

    return create_model(name, **fields)
