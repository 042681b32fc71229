"""Values of the command line by the type of the configuration: a text of digits stays one where a text is wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from reactive_config._cli.failures import UsageError
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.decoding.decode import decode
from reactive_config._core.decoding.fault import NO_VALUE, Fault
from reactive_config._core.delta import Bare
from reactive_config._core.lookup import Shape, plain_type, resolve, selector, shape, type_at
from reactive_config._core.paths import Path, format_path
from reactive_config._core.types import describe, fields_of, inputs_of, is_union, is_untyped, mapping_types, root_type
from reactive_config.errors import Problem, TypeNotSupported, UnknownPath


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

    def fitting(self, path: Path, text: str, value: Any) -> Any:
        """What to write at a path of the command line; as `read`.

        Raises:
            UsageError: The type has no such path, or nothing fits.
        """
        made, problems = self.read(path, text, value)
        if problems:
            raise UsageError("; ".join(map(str, problems[:1])))
        return made

    def read(self, path: Path, text: str, value: Any) -> tuple[Any, list[Problem]]:
        """What to write at a path.

        Args:
            path: Where.
            text: As it was written.
            value: What it says as JSON; the text itself if it is none.

        Returns:
            The first that fits the type: the value, the text, or what the type makes of the text. With it what is
            wrong: nothing, or that the type has no such path, or why nothing fits.
        """
        if (unknown := self._unknown(path)) is not None:
            return value, [unknown]
        faults: list[Fault] = []
        for candidate in (value, text):
            faults = self._faults(path, candidate)
            if not faults:
                return candidate, []
        made = self._made(type_at(self.kind, path), text)
        if made is not None and not self._faults(path, made):
            return made, []
        # A table, a list or a number says more than the text of it; a text may mean a number or a duration.
        told = Bare(text) if type(value) is str else value
        return value, [_problem((self._faults(path, told) or faults)[0])]

    def problems(self, tree: Any, known: Collection[str] = ()) -> list[Problem]:
        """What does not fit the type in a tree that need not be the whole of a configuration.

        What the tree lacks is no problem: another layer may have it.

        Args:
            tree: As JSON has it.
            known: Paths whose problems are told already.
        """
        if self.kind is dict:
            return []
        told = set(known)
        problems: list[Problem] = []
        wrong = (_problem(fault) for fault in self._faults((), tree) if fault.got != NO_VALUE)
        for problem in (*self._unknown_names(tree, ()), *wrong):
            if problem.path not in told:
                told.add(problem.path)
                problems.append(problem)
        return problems

    def _unknown_names(self, tree: Any, path: Path) -> Iterator[Problem]:
        """Every name that the type does not know, without what is below it."""
        if path and (unknown := self._unknown(path)) is not None:
            yield unknown
        elif type(tree) is dict and _names_what_is_in_it(type_at(self.kind, path)):
            for name, value in tree.items():
                yield from self._unknown_names(value, (*path, name))

    def _unknown(self, path: Path) -> Problem | None:
        """That the type has no such path; None if it has."""
        above = plain_type(type_at(self.kind, path[:-1]))
        if path[-1] in (inputs_of(above) or {}) or path[-1] == _tag_field(above):
            return None
        try:
            selector(self.kind, path)
        except UnknownPath as error:
            expected, got = str(error).partition(": expected ")[2].rsplit(", got ", 1)
            return Problem(format_path(path), expected, got)
        return self._no_key(path)

    def _no_key(self, path: Path) -> Problem | None:
        """That a name of a path cannot be a key of its table, as a text where keys are numbers."""
        for depth, name in enumerate(path, 1):
            mapping = mapping_types(plain_type(type_at(self.kind, path[: depth - 1])))
            if mapping is None or mapping[0] is str:
                continue
            key: Any = mapping[0]
            if decode(compile_plan(dict[key, Any], self._decoders), {name: None}, None, None)[1]:
                return Problem(format_path(path[:depth]), f"a key that is {describe(key)}", "another one")
        return None

    def wants_text(self, path: Path, text: str) -> bool:
        """Whether the type says of itself that this text may stand at a path."""
        return self._unknown(path) is None and not self.is_open(path) and not self._faults(path, text)

    def is_open(self, path: Path) -> bool:
        """Whether the type takes anything at a path, or does not know it."""
        return is_untyped(plain_type(type_at(self.kind, path)))

    def resolve(self, names: Path) -> Path:
        """The path that the names of a variable mean, in any case."""
        return resolve(self.kind, names)

    def shape(self, path: Path) -> Shape:
        """What fits at a path."""
        return shape(self.kind, path)

    def _faults(self, path: Path, tree: Any) -> list[Fault]:
        """What does not fit at a path and below it. The whole type is asked: a model checks its fields by itself."""
        for name in reversed(path):
            tree = {name: tree}
        faults = decode(compile_plan(self.kind, self._decoders), tree, None, None)[1]
        return [fault for fault in faults if fault.path[: len(path)] == path]

    def _made(self, kind: Any, text: str) -> Any:
        """What a type makes of a text, as JSON has it; None if it makes nothing of it, or something else."""
        try:
            part, _ = decode(compile_plan(dict[str, kind], self._decoders), {"value": Bare(text)}, None, None)
        except TypeNotSupported:  # by itself; a model around it may know more
            return None
        return None if part is None else _plain(part.value["value"])


def _names_what_is_in_it(kind: Any) -> bool:
    """Whether a table of this type is looked at name by name: it has fields, or values of one type."""
    plain = plain_type(kind)
    while (root := root_type(plain)) is not None:
        plain = plain_type(root)
    return mapping_types(plain) is not None or (fields_of(plain) is not None and not is_union(plain))


def _tag_field(plain: Any) -> str | None:
    """The name beside the fields of a msgspec Struct that says which one it is."""
    config = getattr(plain, "__struct_config__", None)
    return None if config is None else config.tag_field


def _problem(fault: Fault) -> Problem:
    return Problem((format_path(fault.path) + fault.inside).lstrip("."), fault.expected, fault.got)


def _plain(value: Any) -> Any:
    """A single value, or a list of them, that JSON has; None for any other."""
    try:
        plain = msgspec.to_builtins(value)
    except (TypeError, ValueError):
        return None
    values = plain if type(plain) is list else [plain]
    return plain if all(type(one) in (bool, int, float, str) for one in values) else None
