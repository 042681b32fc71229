"""Configurations as people may see them: plain trees, secrets hidden, durations as the configuration writes them.

Core's `redacted` does this for the trees of layers. Here the typed value is walked instead, so that defaults
are there too, and so that a `Secret` inside a list or a union hides itself and not everything around it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, get_args

import msgspec

from reactive_config.core.secret import HIDDEN, Secret, is_sensitive
from reactive_config.core.showing import plain_type, type_at
from reactive_config.core.types import bare_type, fields_of, is_untyped, item_types, mapping_types

_FOREIGN_SECRETS = ("SecretStr", "SecretBytes")
_UNITS = ((86400_000_000, "d"), (3600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us"))


class Spot(NamedTuple):
    """A value where it stands.

    Attributes:
        value: Decoded, or a tree.
        kind: The type of what may stand there; Any where no type says so.
        hidden: Whether a name on the way suggests a secret and no type says otherwise.
    """

    value: Any
    kind: Any = Any
    hidden: bool = False


def spot_at(value: Any, kind: Any, path: tuple[str, ...]) -> Spot:
    """The spot of what stands at a path of a configuration type; a sensitive name on the way counts."""
    untyped = [n for i, n in enumerate(path) if is_untyped(plain_type(type_at(kind, path[: i + 1])))]
    return Spot(value, type_at(kind, path), any(map(is_sensitive, untyped)))


def below(spot: Spot) -> dict[str, Spot] | None:
    """What stands under the names of a table; None for everything that is no table."""
    value, kind = spot.value, plain_type(spot.kind)
    own: Any = type(value)
    record = None if isinstance(value, dict) else fields_of(own)
    if record is not None:
        return {name: _named(getattr(value, field.attribute), field.type, name) for name, field in record.items()}
    if not isinstance(value, Mapping):
        return None
    fields = fields_of(kind) or {}
    mapping = mapping_types(kind)
    inner = mapping[1] if mapping is not None else Any
    types = {name: fields[name].type if name in fields else inner for name in value}
    return {str(name): _named(item, types[name], str(name), spot.hidden) for name, item in value.items()}


def _named(value: Any, kind: Any, name: str, hidden: bool = False) -> Spot:
    # A type that says what stands there also says that it is no secret.
    return Spot(value, kind, is_untyped(plain_type(kind)) and (hidden or is_sensitive(name)))


def items(spot: Spot) -> list[Spot] | None:
    """The items of a list, a tuple or a set (in a stable order); None for everything else."""
    value = spot.value
    if not isinstance(value, (list, tuple, set, frozenset)):
        return None
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=lambda item: (type(item).__name__, str(item)))
    kinds = item_types(plain_type(spot.kind)) or (Any, ...)
    fixed = kinds[-1] is not Ellipsis
    at = [kinds[min(i, len(kinds) - 1)] if fixed else kinds[0] for i in range(len(value))]
    return [
        Spot(item, kind, spot.hidden and is_untyped(plain_type(kind))) for item, kind in zip(value, at, strict=True)
    ]


def is_hidden(spot: Spot) -> bool:
    """Whether a value that is no table must not be shown."""
    if isinstance(spot.value, Secret) or type(spot.value).__name__ in _FOREIGN_SECRETS:
        return True
    return spot.hidden and spot.value is not None


def show(spot: Spot) -> Any:
    """A new tree of str, int, float, bool, None, dicts and lists that may be shown to anybody."""
    if (table := below(spot)) is not None:
        return {name: show(inner) for name, inner in table.items()}
    if is_hidden(spot):
        return HIDDEN
    listed = items(spot)
    return _scalar(spot) if listed is None else [show(item) for item in listed]


def _scalar(spot: Spot) -> Any:
    value = spot.value
    if isinstance(value, timedelta):
        return duration_text(value)
    if _is_secret_tree(spot.kind) and value is not None:  # a layer's tree, where the type promises a Secret
        return HIDDEN
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    try:
        return msgspec.to_builtins(value)
    except (TypeError, ValueError):
        return f"<{type(value).__name__}>"  # its repr is not ours to trust


def _is_secret_tree(kind: Any) -> bool:
    plain = plain_type(kind)
    members = [bare_type(member) for member in get_args(plain)] or [plain]
    return any(getattr(m, "__name__", "") in ("Secret", *_FOREIGN_SECRETS) for m in (plain, *members))


def duration_text(value: timedelta) -> str:
    """A duration as configurations write it, exactly: `1m30s`, `250ms`, `-5s`."""
    left = value // timedelta(microseconds=1)
    sign, left = ("-", -left) if left < 0 else ("", left)
    text = ""
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return sign + (text or "0s")


def count_values(tree: Any) -> int:
    """How many values a shown tree has; a list counts as one."""
    return sum(map(count_values, tree.values())) if type(tree) is dict else 1
