"""Local files as a source."""

from reactive_config._sources.files.files_source import Files

__all__ = ["Files"]
