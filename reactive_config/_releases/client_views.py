"""Trees and changes as clients see them."""

from __future__ import annotations

from typing import Any

from reactive_config._core.delta import Bare
from reactive_config._core.trees import ABSENT
from reactive_config._releases.path_changes import PathChange


def shown(tree: Any) -> Any:
    """A copy as a client sees it: bare values are texts."""
    if type(tree) is dict:
        return {name: shown(value) for name, value in tree.items()}
    if type(tree) is list:
        return [shown(value) for value in tree]
    return tree.text if type(tree) is Bare else tree


def changes_json(changes: list[PathChange]) -> list[dict[str, Any]]:
    """Changes as clients see them; what was or is not there has no member."""
    found = []
    for change in changes:
        told: dict[str, Any] = {"path": list(change.path)}
        if change.before is not ABSENT:
            told["before"] = shown(change.before)
        if change.after is not ABSENT:
            told["after"] = shown(change.after)
        found.append(told)
    return found
