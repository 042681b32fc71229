"""What is wrong with a part that does not fit, precisely.

msgspec stops at the first fault, so the part is decoded again without it, within a bounded number of decodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from reactive_config._core.bounds import FINITE
from reactive_config._core.decoding.comma_lists import comma_list, reads_commas
from reactive_config._core.decoding.conversion import NO_DECODERS, DecodeHook, DecoderRefusedError, convert
from reactive_config._core.decoding.fault import (
    ENOUGH,
    NO_VALUE,
    UNKNOWN_NAME,
    Fault,
    TypedPart,
    below,
    part_of,
    shown,
    walk,
)
from reactive_config._core.decoding.finite import NotFiniteError
from reactive_config._core.decoding.leaf import decode_leaf
from reactive_config._core.decoding.pydantic_faults import pydantic_faults
from reactive_config._core.delta import Bare
from reactive_config._core.json_text import JsonRefusedError
from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_a, is_refusal, name_of, own_words
from reactive_config._core.types import (
    ByteSize,
    bare_type,
    class_of,
    constructs,
    describe,
    fields_of,
    is_pydantics,
    is_secret,
    is_union,
    item_types,
    kind_of,
    mapping_types,
    members_of,
)
from reactive_config._core.types.byte_sizes import BYTE_SIZE_WORDS
from reactive_config._core.types.sealed import holds_secret
from reactive_config._core.types.wording import worded
from reactive_config.errors import InvalidValue

SOME = "[...]"
"""What msgspec says in place of a mapping's name."""

_TIMES = 4
_ROOM = 20_000

_ITEM = re.compile(r"\[([0-9]+)\]")


class Search:
    """Room for decoding, of a size in proportion to the value that is searched.

    What stays unseen is told at the level that was reached.

    Attributes:
        hook: With which the value is decoded.
    """

    def __init__(self, value: Any, hook: DecodeHook) -> None:
        self.hook = hook
        self._left = _ROOM + _TIMES * _size(value)

    def may_decode(self, value: Any) -> bool:
        """Whether there is room to decode a value; takes it."""
        if self._left <= 0:
            return False
        self._left -= _size(value)
        return True


def _size(value: Any) -> int:
    """How many values a tree has, itself included."""
    if type(value) is not dict and type(value) is not list:
        return 1
    total, open_ = 1, [value]
    while open_:
        parent = open_.pop()
        total += len(parent)
        children = parent.values() if type(parent) is dict else parent
        open_ += [child for child in children if type(child) is dict or type(child) is list]
    return total


def known_below(known: str, value: Any) -> bool:
    """Whether a place, in msgspec's spelling (`.a[3].b`, seen from the value), is one inside the value."""
    if type(value) is list:
        return known_item(known)[0] is not None
    return type(value) is dict and (known.startswith(SOME) or known_name(known, value)[0] is not None)


def known_item(known: str) -> tuple[int | None, str]:
    """The index with which a place begins, and the rest; None if it does not begin with one."""
    found = _ITEM.match(known)
    return (int(found[1]), known[found.end() :]) if found else (None, "")


def known_name(known: str, table: dict[str, Any]) -> tuple[str | None, str]:
    """The name in a table with which a place begins, and the rest; None if it is none, or not the only one.

    Args:
        known: The place.
        table: The table; a name in it may hold a dot or a bracket.
    """
    if not known.startswith("."):
        return None, ""
    found = [name for name in table if known.startswith(name, 1) and known[1 + len(name) :][:1] in ("", ".", "[")]
    return (found[0], known[1 + len(found[0]) :]) if len(found) == 1 else (None, "")


_EXPECTED = re.compile(r"Expected (.+?)(?:, got .*)?(?: - at .*)?", re.DOTALL)
_TYPE = re.compile(r"(?<=`)[^`]*(?=`)")
_CONTAINERS = {"array": "list", "object": "table"}
_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")


_HUNDRED = 100
_DIRECT = [decode_leaf.__code__, convert.__code__]


def faults(value: Any, kind: Any, path: Path, hook: DecodeHook = NO_DECODERS) -> list[Fault]:
    """What keeps a tree from being a `kind`, `ENOUGH` faults at most; at least one, even if a second try accepts it."""
    found = list(islice(_faults(value, kind, path, "", Search(value, hook)), ENOUGH))
    return found or [(part := part_of(value, kind, path, "")).refused(part.title, None)]


def _faults(value: Any, kind: Any, path: Path, inside: str, search: Search, known: str = "") -> Iterator[Fault]:
    """What is wrong with a value.

    Args:
        value: The value.
        kind: As in `TypedPart`.
        path: As in `Fault`.
        inside: As in `Fault`.
        search: Counts what is decoded.
        known: Where below the value something is wrong for sure, as msgspec told it of a value above.
    """
    if known and known_below(known, value):
        yield from _inner_faults(value, bare_type(_meant(value, kind)), path, inside, search, known)
        return
    if not search.may_decode(value):
        return
    try:
        decode_leaf(value, kind, search.hook)
    except BaseException as error:
        if not is_refusal(error):
            raise
        spelled = _spelled(value, kind)
        meant = _meant(spelled, kind)
        kind = meant if type(value) is dict else kind
        try:
            found = _inner_faults(spelled, bare_type(meant), path, inside, search, _known(error))
            inner = list(islice(found, ENOUGH))
        except RecursionError:  # the program uses much of the stack itself: this much of the path is named then
            inner = []
        if not inner and is_a(error, NotFiniteError):
            inner = [walk(part_of(value, kind, path, inside), error.steps)[-1].fault(FINITE)]
        elif is_a(error, JsonRefusedError):
            inner = [Fault(path, inside, error.expected, error.got)]
        elif not inner and (own := own_words(error)) is not None:
            inner = [own_fault(own, value, kind, path, inside)]
        yield from inner or [_fault(error, part_of(value, kind, path, inside))]


def _fault(error: BaseException, part: TypedPart) -> Fault:
    """What is wrong with a part as a whole."""
    if type(part.tree) is dict and fields_of(part.plain) is not None and not _is_of_msgspec(error):
        return part.refused(part.title, error.__cause__ if type(error) is msgspec.ValidationError else error)
    if type(error) is msgspec.ValidationError and isinstance(error.__cause__, DecoderRefusedError):
        title, reason = (
            error.__cause__.title,
            error.__cause__.reason,
        )  # what it looks for nobody knows: no text is quoted
        return Fault(part.path, part.inside, f"what the decoder of {title} takes", f"{kind_of(part.tree)} ({reason})")
    got = shown(part.tree, part.kind, part.path, part.inside)
    # What has a constructor of its own is converted by itself, and the place is then told from there.
    place = "" if constructs(part.kind) else _place(error).replace(SOME, "")
    return Fault(part.path, part.inside + place, _expected(error, part.kind), got)


def _spelled(value: Any, kind: Any) -> Any:
    """The items of a comma list; any other value as it is."""
    if type(value) is not Bare or not reads_commas(members_of(kind)):
        return value
    try:
        items = comma_list(value.text)
    except InvalidValue:
        return value
    return value if items is None else items


def _meant(value: Any, kind: Any) -> Any:
    """The type that a table or list is for: of a union, the only member that takes one; of several, nobody knows."""
    if type(value) not in (dict, list) or not is_union(bare_type(kind)):
        return kind
    if type(value) is list:
        fitting = [one for one in members_of(kind) if item_types(one) is not None or is_secret(one)]
    else:
        fitting = [one for one in members_of(kind) if fields_of(one) is not None or mapping_types(one) is not None]
    return fitting[0] if len(fitting) == 1 else kind


def _inner_faults(value: Any, plain: Any, path: Path, inside: str, search: Search, known: str) -> Iterator[Fault]:
    if is_pydantics(plain):
        yield from pydantic_faults(value, plain, path, inside)
    elif type(value) is list and (items := item_types(plain)) is not None:
        at, rest = known_item(known)
        for index, item in _doubtful(value, items, search, at):
            kind = items[0] if items[-1] is Ellipsis else items[min(index, len(items) - 1)]
            yield from _faults(item, kind, path, f"{inside}[{index}]", search, rest if index == at else "")
    elif type(value) is dict:
        yield from _table_faults(value, plain, path, inside, search, known)


def _doubtful(value: list[Any], items: tuple[Any, ...], search: Search, at: int | None) -> Iterator[tuple[int, Any]]:
    """The items that may not fit, by index: those of a long list are looked at by the hundred first."""
    if items[-1] is not Ellipsis or len(value) <= _HUNDRED:
        yield from enumerate(value)
        return
    for start in range(0, len(value), _HUNDRED):
        some = value[start : start + _HUNDRED]
        if at is not None and start <= at < start + _HUNDRED:
            yield from enumerate(some, start)
            continue
        if not search.may_decode(some):
            continue
        try:
            decode_leaf(some, list[items[0]], search.hook)  # type: ignore[valid-type]
        except BaseException as error:
            if not is_refusal(error):
                raise
            yield from enumerate(some, start)


def _table_faults(
    value: dict[str, Any], plain: Any, path: Path, inside: str, search: Search, known: str
) -> Iterator[Fault]:
    if (mapping := mapping_types(plain)) is not None:
        for name, item in value.items():
            yield from _faults(item, mapping[1], *below(path, inside, name), search)
    else:
        yield from _record_faults(value, plain, path, inside, search, known)


def _record_faults(
    value: dict[str, Any], plain: Any, path: Path, inside: str, search: Search, known: str
) -> Iterator[Fault]:
    fields = fields_of(plain) or {}
    at, rest = known_name(known, value)
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, *below(path, inside, name), search, rest if name == at else "")
        elif field.default is None:
            yield Fault(*below(path, inside, name), describe(field.type), NO_VALUE)
    if getattr(getattr(class_of(plain), "__struct_config__", None), "forbid_unknown_fields", False):
        for name in [name for name in value if name not in fields]:
            yield Fault(*below(path, inside, name), f"one of the names {', '.join(fields)}", UNKNOWN_NAME)


def own_fault(own: InvalidValue, value: Any, kind: Any, path: Path, inside: str) -> Fault:
    """The fault that a type's own validation found in a tree."""
    part = part_of(value, kind, path, inside)
    return (part.below(own.at) if own.at in part.fields else part).fault(own.expected)


def _expected(error: BaseException, kind: Any) -> str:
    """msgspec's own words where they are made of the type alone, otherwise ours."""
    if words := worded(kind):
        return words
    if _is_of_msgspec(error):
        found = _EXPECTED.fullmatch(str(error))
        if found and not holds_secret(kind) and fields_of(bare_type(kind)) is None:
            ours = describe(kind)
            return ours if "duration" in ours else _in_words(found.group(1), sizes=ByteSize in members_of(kind))
        return describe(kind)
    if is_a(error, (TypeError, ValueError, AssertionError)):
        return f"what {describe(kind)} accepts"
    return f"{describe(kind)} (its validation raised {name_of(error)})"


def _in_words(expected: str, *, sizes: bool) -> str:
    """msgspec's words with ours for tables, lists and sizes; its type stands in the first backquotes."""
    words = _TYPE.sub(_with_our_names, expected, count=1).replace("`", "")
    return words.replace("int", BYTE_SIZE_WORDS, 1) if sizes else words


def _with_our_names(found: re.Match[str]) -> str:
    return " | ".join(_CONTAINERS.get(name, name) for name in found[0].split(" | "))


def _place(error: BaseException) -> str:
    if not _is_of_msgspec(error):
        return ""
    found = _AT.search(str(error))
    return found.group(1) if found else ""


def _known(error: BaseException) -> str:
    """Where msgspec found it, seen from the value that was decoded; nothing if it was asked about a part alone."""
    calls, place = [], error.__traceback__
    while place is not None:
        calls.append(place.tb_frame.f_code)
        place = place.tb_next
    return _place(error) if calls[-2:] == _DIRECT else ""


def _is_of_msgspec(error: BaseException) -> bool:
    """Whether msgspec found this by itself: the call of `convert` raised it, and no code of a type's below that."""
    if type(error) is not msgspec.ValidationError or error.__cause__ is not None:
        return False
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_code is convert.__code__
