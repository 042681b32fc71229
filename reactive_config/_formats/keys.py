"""What a key below a prefix means, and what its bytes say: a path, a format, a document or a bare value. Pure."""

from __future__ import annotations

from collections.abc import Callable

from reactive_config._core.bounds import MAX_DEPTH, NESTING, too_deep
from reactive_config._core.delta import Bare, Malformed, Tree
from reactive_config._core.document_looks import TITLES, looks_like
from reactive_config._core.paths import Path
from reactive_config._formats import registry
from reactive_config.errors import ParseError

KEY_SUFFIXES = (".json", ".yaml", ".yml", ".toml")
"""Suffixes that name a key's format and are no part of its path."""

EMPTY_SEGMENT = ("a key without empty segments", "one with an empty segment")
"""What to expect, and what was there, if a path has an empty name."""


def suffix_of(key: str) -> str:
    """The part of a key that names its format; empty for JSON or a bare value."""
    return key[key.rindex(".") :] if key.endswith(KEY_SUFFIXES) else ""


def split_key(key: str) -> tuple[Path, str]:
    """The path and the suffix of a key below its prefix. A name in the path may be empty: then it has no place."""
    suffix = suffix_of(key)
    return tuple(key.removesuffix(suffix).split("/")), suffix


def read_value(
    raw: bytes,
    suffix: str,
    path: Path,
    format: str = ".json",  # noqa: A002
    advice: Callable[[str], str] = lambda suffix: f"give the key the suffix {suffix}",
) -> Tree | Malformed:
    """What the bytes at a key say; what cannot be read becomes `Malformed`, and nothing is raised.

    Args:
        raw: Its value.
        suffix: What its name says of its format.
        path: Where it stands; () is the root of a layer.
        format: The suffix of the format that documents in keys without a suffix have.
        advice: From the suffix of the format that a text looks like to what to do about it.
    """
    try:
        if suffix:
            value = registry.parse(raw, suffix, table=not path)
        else:
            value = registry.parse_value(raw, format, document=format != ".json" and not path)
    except ParseError as error:
        return Malformed(error.expected, error.got, error.line, error.column)
    kind = type(value)
    if not path and kind is not dict:
        looks = looks_like(value.text) if kind is Bare else ""
        said = f", which looks like {TITLES[looks]}: {advice(looks)}" if looks else ""
        return Malformed("a table, because this key is a whole layer", f"a single value{said}")
    levels = MAX_DEPTH - len(path)
    # Each level takes two characters at least, so a short document needs no walk. Longer ones are walked in a thread.
    if (kind is dict or kind is list) and len(raw) > 2 * levels:
        is_json = (suffix or format) == ".json"
        if not (is_json and raw.count(b"{") + raw.count(b"[") <= levels) and too_deep(value, levels):
            return Malformed(NESTING, f"a deeper document below {len(path):,} names")
    return value
