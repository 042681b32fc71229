"""Local files as a source."""

from reactive_config.sources.files.source import Files

__all__ = ["Files"]
