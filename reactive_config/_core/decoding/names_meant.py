"""What somebody may have meant by a name that the type does not know."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from reactive_config._core.decoding.unknown_keys import UnknownKey, known_names, knows
from reactive_config._core.paths import Path, fold, format_path, spellings
from reactive_config._core.types import inputs_of, mapping_types
from reactive_config._core.types.places import TypePlace, alternatives, place_of

_LONGEST = 100  # characters; for a longer name nobody looks for what it may mean


def name_meant(kind: Any, key: UnknownKey, variable: Callable[[Path], str]) -> str:
    """The name, path or variable that a key may have been meant for; empty if none comes to mind.

    Args:
        kind: The configuration's type.
        key: The way to what the type does not know.
        variable: How a path is spelt where the key stands; empty if no variables stand there.
    """
    place, known = place_of(kind), 0
    while known < len(key) - 1 and (isinstance(key[known], int) or _knows(place, str(key[known]))):
        step = key[known]
        place = place.at(step) if isinstance(step, int) else place.under(step)
        known += 1
    above = tuple(step for step in key[:known] if isinstance(step, str))
    rest = tuple(str(step) for step in key[known:])
    found = path_meant(place.kinds, "_".join(rest))
    if len(found) > 1:
        return variable((*above, *found)) or (format_path((*above, *found)) if len(above) == known else "")
    if not found:
        found = (*nearest(place, rest[0]), *rest[1:])
    return variable((*above, *found)) or found[0] if len(found) >= len(rest) else ""


def elsewhere(kind: Any, path: Path, *, toml: bool) -> str:
    """Where a name belongs that the type does not know where it stands, in words; empty if it knows it nowhere.

    Either it is a path with dots in one name, or it is known at the top, as after a header of TOML.

    Args:
        kind: The configuration's type.
        path: Of the name.
        toml: Whether it stands in TOML.
    """
    *above, name = path
    if len(name) > _LONGEST:
        return ""
    parts = tuple(name.split("."))
    if len(parts) > 1 and all(parts) and knows(kind, (*above, *parts)):
        return f"{parts[-1]}, nested in {format_path((*above, *parts[:-1]))}"
    names = {one for top in place_of(kind).kinds for one in (getattr(known_names(top), "names", None) or ())}
    if not above or name not in names:
        return ""
    return f"{name}, which belongs above [{format_path(tuple(above))}]" if toml else f"{name} at the top"


def path_meant(kinds: tuple[Any, ...], name: str) -> Path:
    """The path below a place that a name means which the types there do not know; empty if there is none.

    Either its names are joined by one `_`, or a field has the name in Python, and another one in the configuration.

    Args:
        kinds: Every type that may stand at the place.
        name: In any case.
    """
    if len(name) > _LONGEST:
        return ()
    found = _search(kinds, fold(name), set(), mappings=False)
    return found if found != (name,) else ()


def _search(kinds: tuple[Any, ...], rest: str, failed: set[tuple[int, int]], *, mappings: bool = True) -> Path:
    """The path that a name means.

    Args:
        kinds: As of `path_meant`.
        rest: What is left of the name.
        failed: Types and rests that were tried in vain, so that no name takes long.
        mappings: Whether the name may be one of a mapping's.
    """
    for kind in kinds:
        tried = (id(kind), len(rest))
        if tried in failed:
            continue
        failed.add(tried)
        for field, declared in (inputs_of(kind) or {}).items():
            for spelt in (*spellings(field), fold(declared.attribute)):
                if rest == spelt:
                    return (field,)
                if rest.startswith(f"{spelt}_"):
                    below = _search(alternatives(declared.type), rest[len(spelt) + 1 :], failed)
                    if below:
                        return (field, *below)
        if mappings and rest and mapping_types(kind) is not None:
            return (rest,)
    return ()


def _knows(place: TypePlace, name: str) -> bool:
    said = [one for kind in place.kinds if (one := known_names(kind)) is not None]
    return any(one.names is None or name in one.names for one in said)


def nearest(place: TypePlace, name: str) -> list[str]:
    if len(name) > _LONGEST:
        return []
    names = {one for kind in place.kinds for one in (getattr(known_names(kind), "names", None) or ())}
    return difflib.get_close_matches(name, sorted(names - {name}), 1)  # another member of a union may know it
