"""One thing that does not fit, and the parts of a tree on the way to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from reactive_config._core.decoding.bare_values import infer
from reactive_config._core.delta import Bare
from reactive_config._core.paths import KeyPath, Path
from reactive_config._core.refusals import name_of
from reactive_config._core.sensitive import hide_passwords, is_sensitive
from reactive_config._core.trees import ABSENT
from reactive_config._core.types import (
    FieldType,
    bare_type,
    class_of,
    describe,
    fields_of,
    inputs_of,
    is_union,
    is_untyped,
    item_types,
    kind_of,
    mapping_types,
    members_of,
    root_type,
    wants_text,
)
from reactive_config._core.types.places import TypePlace, alternatives, are_open, is_container, place_of
from reactive_config._core.types.sealed import holds_secret

ENOUGH = 500
"""Faults after which nobody looks for more: a document of wrong values must not hold the loop for each of them."""

UNKNOWN_NAME = "an unknown name"
"""What stands where a type refuses a name that it does not know."""

NO_VALUE = "nothing"
"""What stands where a required value is missing."""

_SCALARS = (str, int, float, bool, type(None), Bare)


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

    @property
    def place(self) -> Path:
        """The path to look for: of the key, if that is what is wrong."""
        return KeyPath(self.path) if self.got == UNKNOWN_NAME and not self.inside else self.path


def below(path: Path, inside: str, name: str) -> tuple[Path, str]:
    """Path and inside of a name: names belong to the path until an index comes, which no path has."""
    return (path, f"{inside}.{name}") if inside else ((*path, name), "")


class TypedPart(NamedTuple):
    """One part of a tree, with what is known of its type.

    Attributes:
        tree: What stands there; ABSENT for nothing.
        kind: What may stand there; Any if nobody knows.
        path: As in `Fault`.
        inside: As in `Fault`.
        place: What may be shown of it, whichever of its types is meant, whatever name a field has in Python.
    """

    tree: Any
    kind: Any
    path: Path
    inside: str
    place: TypePlace

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

    @property
    def title(self) -> str:
        """The name of the class whose fields stand here; in words where there is none."""
        plain = self.plain
        cls = None if fields_of(plain) is None else class_of(plain)
        return describe(self.kind) if cls is None else cls.__name__

    def below(self, name: str) -> TypedPart:
        """The part under a name of a table."""
        field, mapping = self.fields.get(name), mapping_types(self.plain)
        kind = field.type if field is not None else mapping[1] if mapping is not None else Any
        return TypedPart(get(self.tree, name), kind, *below(self.path, self.inside, name), self.place.under(name))

    def item(self, index: int) -> TypedPart:
        """The part at an index of a list."""
        tree = self.tree[index] if type(self.tree) is list and index < len(self.tree) else ABSENT
        items = item_types(self.plain) or (Any, ...)
        kind = items[0] if items[-1] is Ellipsis else items[min(index, len(items) - 1)]
        return TypedPart(tree, kind, self.path, f"{self.inside}[{index}]", self.place.at(index))

    def member(self, name: str) -> TypedPart:
        """The same part as the member of a union that has this name."""
        plain = bare_type(self.kind)
        named = [kind for kind in get_args(plain) if getattr(bare_type(kind), "__name__", "") == name]
        return self._replace(kind=named[0]) if is_union(plain) and named else self

    def fault(self, expected: str) -> Fault:
        """That something else was expected here."""
        return Fault(self.path, self.inside, expected, self.got)

    def refused(self, title: str, error: BaseException | None) -> Fault:
        """That validation of the type `title` raised an error, of which only the class is named.

        Nobody knows what such a validation looks for, so no text is quoted beside it.
        """
        got = kind_of(self.tree) if type(self.tree) in (str, Bare) else self.got
        if type(self.tree) is dict and error is not None:
            got = f"a refused table ({name_of(error)})"
        return Fault(self.path, self.inside, f"what {title} accepts", got)

    @property
    def got(self) -> str:
        """What stands here, for a message."""
        if self.tree is ABSENT:
            return NO_VALUE
        if self.place.holds_secret:
            return kind_of(self.tree)
        named = self.place.sensitive or _sounds(self.path, self.inside)
        return _shown(self.tree, self.kind, self.place.kinds, named=named)


def part_of(tree: Any, kind: Any, path: Path, inside: str) -> TypedPart:
    """A part that is looked at for the first time."""
    return TypedPart(tree, kind, path, inside, place_of(kind))


def walk(part: TypedPart, loc: Sequence[int | str], *, missing: bool = False) -> list[TypedPart]:
    """The parts on the way to where pydantic found something.

    Between keys and indexes pydantic names members of unions and functions, which are no part of the path.
    """
    steps = [part]
    for depth, at in enumerate(loc, start=1):
        here = steps[-1]
        if isinstance(at, int):
            steps.append(here.item(at))
        elif get(here.tree, at) is not ABSENT or at in here.fields or (missing and depth == len(loc)):
            steps.append(here.below(at))
        else:
            steps[-1] = here.member(at)
    return steps


def get(tree: Any, name: str) -> Any:
    """What a tree has under a name; ABSENT for nothing."""
    return tree.get(name, ABSENT) if type(tree) is dict else ABSENT


def shown(value: Any, kind: Any, path: Path, inside: str) -> str:
    """The value where its type is known and no secret, otherwise only its kind."""
    return _shown(value, kind, alternatives(kind), named=_sounds(path, inside))


def _shown(value: Any, kind: Any, kinds: tuple[Any, ...], *, named: bool) -> str:
    if type(value) is Bare:
        value = value.text if bare_type(kind) is str else infer(value.text)
    if type(value) not in _SCALARS or holds_secret(kind) or not _may_quote(value, kinds, named=named):
        return kind_of(value)
    value = hide_passwords(value) if type(value) is str else value
    text = repr(value) if value is not None else "null"
    return text if len(text) <= 80 else text[:77] + "..."


def _sounds(path: Path, inside: str) -> bool:
    return is_sensitive(inside) or any(map(is_sensitive, path))


def _may_quote(value: Any, kinds: tuple[Any, ...], *, named: bool) -> bool:
    """Whether a single value may stand in a message: it does not fit, so it may be anything, in the wrong place.

    Where a table or a list belongs, a text may be all of one. Where both belong, only a text where a text does may be
    quoted, and none that may spell a table or a list; nor is such a text where a number belongs, nor
    any text under a sensitive name.

    Args:
        value: The value.
        kinds: Every type that may stand there.
        named: Whether a name on the way sounds like a secret's.
    """
    single = [inner for inner in kinds if not is_container(inner)]
    if not single or any(map(is_untyped, kinds)):
        return False
    spells = type(value) is str and value.lstrip()[:1] in ("{", "[")
    if type(value) is str and not any(map(wants_text, single)) and (spells or len(single) < len(kinds)):
        return False
    if spells and len(single) < len(kinds):
        return False
    return not named or (type(value) is not str and are_open(kinds))
