"""What is wrong with a part that does not fit, precisely.

msgspec stops at the first error and does not name the keys of a dict. So a part that does not fit is
taken apart once more, item by item, to find every fault and its full path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import msgspec

from reactive_config.core.bounds import FINITE
from reactive_config.core.delta import Bare
from reactive_config.core.finite import NotFiniteError
from reactive_config.core.json_text import JsonRefusedError
from reactive_config.core.leaf import decode_leaf
from reactive_config.core.lenient import convert, infer, prepare
from reactive_config.core.paths import Path
from reactive_config.core.places import alternatives, are_open, is_container
from reactive_config.core.pydantic_messages import safe_message
from reactive_config.core.pydantic_types import validated
from reactive_config.core.refusals import is_a, is_refusal, name_of
from reactive_config.core.sealed import holds_secret
from reactive_config.core.sensitive import is_sensitive
from reactive_config.core.trees import ABSENT
from reactive_config.core.types import (
    FieldType,
    bare_type,
    class_of,
    describe,
    fields_of,
    inputs_of,
    is_pydantics,
    is_union,
    is_untyped,
    item_types,
    kind_of,
    mapping_types,
    members_of,
    root_type,
)
from reactive_config.core.urls import hide_passwords
from reactive_config.errors import Unfit

if TYPE_CHECKING:
    import pydantic

_SCALARS = (str, int, float, bool, type(None), Bare)
_EXPECTED = re.compile(r"Expected (.+?)(?:, got .*)?(?: - at .*)?", re.DOTALL)
_TYPE = re.compile(r"(?<=`)[^`]*(?=`)")
_CONTAINERS = {"array": "list", "object": "table"}
_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")


ENOUGH = 500
"""Faults after which nobody looks for more: a document of wrong values must not hold the loop for each of them."""

_HUNDRED = 100


class Fault(NamedTuple):
    """What is wrong at a path of the configuration.

    Attributes:
        path: The part's path.
        inside: Where inside the part, as text to append: `[3].name`.
        expected: What would have fitted.
        got: What was there, shown as far as it may be.
    """

    path: Path
    inside: str
    expected: str
    got: str


def faults(value: Any, kind: Any, path: Path) -> list[Fault]:
    """What keeps a tree from being a `kind`, `ENOUGH` faults at most; at least one, even if a second try accepts it."""
    found = list(islice(_faults(value, kind, path, ""), ENOUGH))
    return found or [Fault(path, "", f"what {describe(kind)} accepts", shown(value, kind, path, ""))]


def _faults(value: Any, kind: Any, path: Path, inside: str) -> Iterator[Fault]:
    try:
        decode_leaf(value, kind)
    except BaseException as error:
        if not is_refusal(error):
            raise
        try:
            inner = list(islice(_inner_faults(value, bare_type(kind), path, inside), ENOUGH))
        except RecursionError:  # the program uses much of the stack itself: this much of the path is named then
            inner = []
        if not inner and is_a(error, NotFiniteError):
            inner = [_walk(_Part(value, kind, path, inside), error.steps)[-1].fault(FINITE)]
        elif is_a(error, JsonRefusedError):
            inner = [Fault(path, inside, error.expected, error.got)]
        elif not inner and (own := own_words(error)) is not None:
            inner = [own_fault(own, value, kind, path, inside)]
        yield from inner or [
            Fault(path, inside + _place(error), _expected(error, kind), shown(value, kind, path, inside))
        ]


def _inner_faults(value: Any, plain: Any, path: Path, inside: str) -> Iterator[Fault]:
    if is_pydantics(plain):
        yield from _pydantic_faults(value, plain, path, inside)
    elif type(value) is list and (items := item_types(plain)) is not None:
        for index, item in _doubtful(value, items):
            kind = items[0] if items[-1] is Ellipsis else items[min(index, len(items) - 1)]
            yield from _faults(item, kind, path, f"{inside}[{index}]")
    elif type(value) is dict:
        yield from _table_faults(value, plain, path, inside)


def _doubtful(value: list[Any], items: tuple[Any, ...]) -> Iterator[tuple[int, Any]]:
    """The items that may not fit, by index: those of a long list are looked at by the hundred first."""
    if items[-1] is not Ellipsis or len(value) <= _HUNDRED:
        yield from enumerate(value)
        return
    for start in range(0, len(value), _HUNDRED):
        some = value[start : start + _HUNDRED]
        try:
            decode_leaf(some, list[items[0]])  # type: ignore[valid-type]
        except BaseException as error:
            if not is_refusal(error):
                raise
            yield from enumerate(some, start)


def _table_faults(value: dict[str, Any], plain: Any, path: Path, inside: str) -> Iterator[Fault]:
    if is_union(plain):
        members = members_of(plain)
        tables = [member for member in members if fields_of(member) is not None or mapping_types(member) is not None]
        if len(tables) == 1:  # of several, nobody knows which one was meant
            yield from _faults(value, tables[0], path, inside)
    elif (mapping := mapping_types(plain)) is not None:
        for name, item in value.items():
            yield from _faults(item, mapping[1], *_below(path, inside, name))
    else:
        yield from _record_faults(value, plain, path, inside)


def _record_faults(value: dict[str, Any], plain: Any, path: Path, inside: str) -> Iterator[Fault]:
    fields = fields_of(plain) or {}
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, *_below(path, inside, name))
        elif field.default is None:
            yield Fault(*_below(path, inside, name), describe(field.type), "nothing")
    if getattr(getattr(class_of(plain), "__struct_config__", None), "forbid_unknown_fields", False):
        for name in [name for name in value if name not in fields]:
            yield Fault(*_below(path, inside, name), f"one of the names {', '.join(fields)}", "an unknown name")


def _below(path: Path, inside: str, name: str) -> tuple[Path, str]:
    """Path and inside of a name: names belong to the path until an index comes, which no path has."""
    return (path, f"{inside}.{name}") if inside else ((*path, name), "")


def own_words(error: BaseException) -> Unfit | None:
    """What a type's own validation says was expected, in words that quote nothing."""
    return _readable(error.__cause__ if type(error) is msgspec.ValidationError else error)


def _readable(error: object) -> Unfit | None:
    """A copy of an Unfit, since a class of somebody's own may hold anything, or raise; None for anything else."""
    try:
        if is_a(error, Unfit) and type(error.expected) is str and type(error.at) is str:
            return Unfit(error.expected, at=error.at)
    except BaseException as failure:
        if not is_refusal(failure):
            raise
    return None


def own_fault(own: Unfit, value: Any, kind: Any, path: Path, inside: str) -> Fault:
    """The fault that a type's own validation found in a tree."""
    part = _Part(value, kind, path, inside)
    return (part.below(own.at) if own.at in part.fields else part).fault(own.expected)


class _Part(NamedTuple):
    """One part of a tree, with what is known of its type.

    Attributes:
        tree: What stands there; ABSENT for nothing.
        kind: What may stand there; Any if nobody knows.
        path: As in `Fault`.
        inside: As in `Fault`.
    """

    tree: Any
    kind: Any
    path: Path
    inside: str

    @property
    def fields(self) -> Mapping[str, FieldType]:
        """The fields that a table has here; none where a list or a scalar stands."""
        return (inputs_of(self.plain) or {}) if self.tree is ABSENT or type(self.tree) is dict else {}

    @property
    def plain(self) -> Any:
        """The bare type, of an optional one that which is not None, of a model that is its one field the field's."""
        plain = bare_type(self.kind)
        others = [kind for kind in members_of(plain) if kind is not type(None)] if is_union(plain) else []
        plain = others[0] if len(others) == 1 else plain
        root = root_type(plain)
        return plain if root is None else self._replace(kind=root).plain

    def below(self, name: str) -> _Part:
        """The part under a name of a table."""
        field, mapping = self.fields.get(name), mapping_types(self.plain)
        kind = field.type if field is not None else mapping[1] if mapping is not None else Any
        return _Part(_get(self.tree, name), kind, *_below(self.path, self.inside, name))

    def item(self, index: int) -> _Part:
        """The part at an index of a list."""
        tree = self.tree[index] if type(self.tree) is list and index < len(self.tree) else ABSENT
        items = item_types(self.plain) or (Any, ...)
        kind = items[0] if items[-1] is Ellipsis else items[min(index, len(items) - 1)]
        return _Part(tree, kind, self.path, f"{self.inside}[{index}]")

    def member(self, name: str) -> _Part:
        """The same part as the member of a union that has this name."""
        plain = bare_type(self.kind)
        named = [kind for kind in get_args(plain) if getattr(bare_type(kind), "__name__", "") == name]
        return self._replace(kind=named[0]) if is_union(plain) and named else self

    def fault(self, expected: str) -> Fault:
        """That something else was expected here."""
        got = "nothing" if self.tree is ABSENT else shown(self.tree, self.kind, self.path, self.inside)
        return Fault(self.path, self.inside, expected, got)


def _get(tree: Any, name: str) -> Any:
    return tree.get(name, ABSENT) if type(tree) is dict else ABSENT


def _pydantic_faults(value: Any, model: Any, path: Path, inside: str) -> Iterator[Fault]:
    import pydantic

    try:
        validated(prepare(value, model), model)
    except pydantic.ValidationError as error:
        name = class_of(model).__name__  # type: ignore[union-attr]
        if error.error_count() > 10 * ENOUGH:  # it can only give all of them, which takes seconds
            yield Fault(path, inside, f"what {name} accepts", f"a table with {error.error_count():,} faults")
            return
        for item in _told(error):
            missing = item["type"] == "missing"
            steps = _walk(_Part(value, model, path, inside), item["loc"], missing=missing)
            own = _readable(item.get("ctx", {}).get("error"))
            if own is not None:
                yield _placed(own.at, steps).fault(own.expected)
                continue
            # Only pydantic's own messages are safe to copy; a validator's text may quote the value.
            expected = safe_message(item["type"], item["msg"]) or f"what {name} accepts"
            yield Fault(steps[-1].path, steps[-1].inside, expected, "nothing" if missing else "something else")
    except BaseException as error:
        if not is_refusal(error):
            raise


def _told(error: pydantic.ValidationError) -> Iterator[Mapping[str, Any]]:
    """What pydantic found; with the type of a validator's error where the text is not pydantic's own."""
    try:
        items = error.errors(include_url=False, include_input=False)
    except BaseException as failure:  # it asks the validators' exceptions for their texts
        if not is_refusal(failure):
            raise
        return
    for item in items:
        yield item if _is_own_text(item["type"], item["msg"], item.get("ctx")) else {**item, "type": "value_error"}


def _is_own_text(kind: str, text: str, context: dict[str, Any] | None) -> bool:
    """Whether pydantic says just this for an error of its own: a PydanticCustomError may bear the name of one."""
    from pydantic_core import PydanticKnownError

    try:
        return bool(PydanticKnownError(kind, context).message() == text)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):  # no such error, or not with this context
        return False


def _walk(part: _Part, loc: Sequence[int | str], *, missing: bool = False) -> list[_Part]:
    """The parts on the way to where pydantic found something.

    Between keys and indexes pydantic names members of unions and functions, which are no part of the path.
    """
    steps = [part]
    for depth, at in enumerate(loc, start=1):
        here = steps[-1]
        if isinstance(at, int):
            steps.append(here.item(at))
        elif _get(here.tree, at) is not ABSENT or at in here.fields or (missing and depth == len(loc)):
            steps.append(here.below(at))
        else:
            steps[-1] = here.member(at)
    return steps


def _placed(at: str, steps: Sequence[_Part]) -> _Part:
    """Where the author's word belongs: a field of the model that was validated, or of the one whose field was."""
    owner = next((part for part in reversed(steps[-2:]) if at in part.fields), None)
    return steps[-1] if owner is None else owner.below(at)


def shown(value: Any, kind: Any, path: Path, inside: str) -> str:
    """The value where its type is known and no secret, otherwise only its kind."""
    if type(value) is Bare:
        value = value.text if bare_type(kind) is str else infer(value.text)
    if type(value) not in _SCALARS or holds_secret(kind) or not _may_quote(value, kind, path, inside):
        return kind_of(value)
    value = hide_passwords(value) if type(value) is str else value
    text = repr(value) if value is not None else "null"
    return text if len(text) <= 80 else text[:77] + "..."


def _may_quote(value: Any, kind: Any, path: Path, inside: str) -> bool:
    """Whether a single value may stand in a message: it does not fit, so it may be anything, in the wrong place.

    Where a table or a list belongs, a text may be all of one. Where both belong, only a text where a text does may be
    quoted, and none that may spell a table or a list; nor is such a text where a number belongs, nor
    any text under a sensitive name.
    """
    kinds = alternatives(kind)
    single = [inner for inner in kinds if not is_container(inner)]
    if not single or any(map(is_untyped, kinds)):
        return False
    spells = type(value) is str and value.lstrip()[:1] in ("{", "[")
    if type(value) is str and str not in single and (spells or len(single) < len(kinds)):
        return False
    if spells and len(single) < len(kinds):
        return False
    named = is_sensitive(inside) or any(map(is_sensitive, path))
    return not named or (type(value) is not str and are_open(kinds))


def _expected(error: BaseException, kind: Any) -> str:
    """msgspec's own words where they are made of the type alone, otherwise ours."""
    if _is_of_msgspec(error):
        found = _EXPECTED.fullmatch(str(error))
        if found and not holds_secret(kind) and fields_of(bare_type(kind)) is None:
            return describe(kind) if "duration" in describe(kind) else _in_words(found.group(1))
        return describe(kind)
    if is_a(error, (TypeError, ValueError, AssertionError)):
        return f"what {describe(kind)} accepts"
    return f"{describe(kind)} (its validation raised {name_of(error)})"


def _in_words(expected: str) -> str:
    """msgspec's words with ours for tables and lists; its type stands in the first backquotes."""
    return _TYPE.sub(_with_our_names, expected, count=1).replace("`", "")


def _with_our_names(found: re.Match[str]) -> str:
    return " | ".join(_CONTAINERS.get(name, name) for name in found[0].split(" | "))


def _place(error: BaseException) -> str:
    if not _is_of_msgspec(error):
        return ""
    found = _AT.search(str(error))
    return found.group(1).replace("[...]", "") if found else ""


def _is_of_msgspec(error: BaseException) -> bool:
    """Whether msgspec found this by itself: the call of `convert` raised it, and no code of a type's below that."""
    if type(error) is not msgspec.ValidationError or error.__cause__ is not None:
        return False
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_code is convert.__code__
