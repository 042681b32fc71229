"""Values of the command line by the type of the configuration: a text of digits stays one where a text is wanted."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from reactive_config._cli.failures import UsageError
from reactive_config._core.decoding.bare_values import prepare
from reactive_config._core.decoding.basic_plans import LeafPlan, TablePlan
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.decoding.map_plans import OptionalPlan, UntypedPlan
from reactive_config._core.decoding.plans import MISSING, DecodePlan
from reactive_config._core.delta import Bare
from reactive_config._core.lookup import Shape, plain_type, resolve, selector, shape, type_at
from reactive_config._core.paths import Path, format_path
from reactive_config._core.refusals import is_refusal
from reactive_config._core.trees import get
from reactive_config._core.types import describe, mapping_types
from reactive_config._printable import printable
from reactive_config.errors import TypeNotSupported, UnknownPath


class TypedPlace(NamedTuple):
    """The smallest part around a path that decodes by itself: a field, or the pydantic model that the field is in.

    Attributes:
        plan: Decodes the part.
        above: Where the part stands.
        below: From the part to the path.
    """

    plan: DecodePlan
    above: Path
    below: Path


class TypedValues:
    """Reads values for the paths of one type.

    Args:
        kind: The configuration's type; `dict` knows every path and takes every value.
        decoders: Functions for types of the program's own.

    Attributes:
        kind: The type.
    """

    def __init__(self, kind: Any, decoders: Decoders | None = None) -> None:
        self.kind: Any = kind
        self._decoders = decoders
        self._plan = compile_plan(kind, decoders)

    def fitting(self, path: Path, text: str, value: Any) -> Any:
        """What to write at a path.

        Args:
            path: Where.
            text: As it was written on the command line.
            value: What it says as JSON; the text itself if it is none.

        Returns:
            The first that fits the type: the value, the text, or what the type makes of the text. The value where
            the type can say nothing, as of what is inside a union.

        Raises:
            UsageError: The type has no such path, or nothing fits.
        """
        self._check_path(path)
        place = self._place(path)
        of_value = self._faults(place, value)
        if not of_value:
            return value
        of_text = self._faults(place, text)
        if not of_text:
            return text
        of_bare = self._faults(place, Bare(text))
        if not of_bare and (plain := _plain(_made(place, text))) is not None:
            return plain
        raise UsageError(_message(of_value, of_text, of_bare if value is text and of_bare else of_value))

    def wants_text(self, path: Path, text: str) -> bool:
        """Whether the type says of itself that this text may stand at a path."""
        self._check_path(path)
        place = self._place(path)
        return (
            not isinstance(place.plan, UntypedPlan)
            and type_at(self.kind, path) is not Any
            and not self._faults(place, text)
        )

    def resolve(self, names: Path) -> Path:
        """The path that the names of a variable mean, in any case."""
        return resolve(self.kind, names)

    def shape(self, path: Path) -> Shape:
        """What fits at a path."""
        return shape(self.kind, path)

    def _check_path(self, path: Path) -> None:
        """Refuse a path that the type does not have, also for a name that no key of its table can be.

        Raises:
            UsageError: It is one.
        """
        try:
            selector(self.kind, path)
        except UnknownPath as error:
            raise UsageError(str(error)) from None
        for depth, name in enumerate(path, 1):
            mapping = mapping_types(plain_type(type_at(self.kind, path[: depth - 1])))
            if mapping is None or mapping[0] is str:
                continue
            key: Any = mapping[0]
            if _faults_of(compile_plan(dict[key, Any], self._decoders), {name: None}, ()):
                where = printable(format_path(path[:depth]))
                raise UsageError(f"{where}: expected a key that is {describe(key)}, got another one")

    def _place(self, path: Path) -> TypedPlace:
        plan = self._plan
        for depth, name in enumerate(path):
            table = plan.inner if isinstance(plan, OptionalPlan) else plan
            below = table.plan_of(name) if isinstance(table, TablePlan) else None
            if below is None:
                return TypedPlace(plan, path[:depth], path[depth:])
            plan = below
        return TypedPlace(plan, path, ())

    def _faults(self, place: TypedPlace, value: Any) -> list[Fault]:
        """What is wrong with a value at a place; other values of its part may still be missing."""
        found = _faults_of(place.plan, _nested(place.below, value), place.above)
        path = (*place.above, *place.below)
        here = [fault for fault in found if fault.path[: len(path)] == path]
        if not here and any(path[: len(fault.path)] == fault.path for fault in found):
            return self._faults_alone(path, value)
        return here

    def _faults_alone(self, path: Path, value: Any) -> list[Fault]:
        """The same by the type at the path alone, where what is around it is incomplete."""
        alone: Any = type_at(self.kind, path)
        try:
            plan = compile_plan(dict[str, alone], self._decoders)
        except TypeNotSupported:  # only pydantic knows it
            return []
        return _faults_of(plan, {path[-1]: value}, path[:-1])


def _faults_of(plan: DecodePlan, tree: Any, above: Path) -> list[Fault]:
    found: list[Fault] = []
    plan.decode(tree, MISSING, None, above, found)
    return found


def _nested(path: Path, value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _made(place: TypedPlace, text: str) -> Any:
    """What the type makes of a text."""
    if not isinstance(place.plan, LeafPlan):
        return None
    try:
        return get(prepare(_nested(place.below, Bare(text)), place.plan.kind), place.below)
    except BaseException as error:  # whatever a type's own code raises
        if not is_refusal(error):
            raise
        return None


def _plain(value: Any) -> Any:
    """A single value, or a list of them, that JSON has; None for any other."""
    try:
        plain = msgspec.to_builtins(value)
    except (TypeError, ValueError):
        return None
    values = plain if type(plain) is list else [plain]
    return plain if all(type(one) in (bool, int, float, str) for one in values) else None


def _message(*tried: list[Fault]) -> str:
    """The first fault of a try, at its own place: of one that names the members of an enum, else of the last."""
    named = [faults[0] for faults in tried if faults[0].expected.startswith("one of ")]
    fault = named[0] if named else tried[-1][0]
    return f"{printable(format_path(fault.path) + fault.inside)}: expected {fault.expected}, got {fault.got}"
