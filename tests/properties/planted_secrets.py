"""Types of every shape with content that has secrets in it, and what of that may be shown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
from hypothesis import strategies as st

from reactive_config import Secret

T = TypeVar("T")

INNOCENT = ("mark", "value", "uri", "name", "size", "host")
SENSITIVE = ("password", "api_key", "tokens", "auth", "db_pass", "clientSecret", "pin")


class Box(msgspec.Struct, Generic[T]):
    value: T


@dataclasses.dataclass
class Crate(Generic[T]):
    value: T


class Shape(NamedTuple):
    """A type and content that fits it."""

    kind: Any
    tree: Any


class Planter:
    """Makes texts that are found again.

    Attributes:
        typed: Secrets by their type.
        named: Secrets by a name.
        plain: What has to be shown.
        renames: Whether a field goes by another name in the configuration, or by its place in a list. Where its type
            does not apply, it is no secret there.
    """

    def __init__(self) -> None:
        self.typed: list[str] = []
        self.named: list[str] = []
        self.plain: list[str] = []
        self.renames = False

    def plant(self, bed: list[str], word: str) -> str:
        bed.append(f"{word}{len(bed):02}zq")
        return bed[-1]

    @property
    def secrets(self) -> list[str]:
        return self.typed + self.named


class Gardener:
    """Draws shapes.

    Args:
        draw: Hypothesis's.
        planter: Takes what is planted.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], planter: Planter) -> None:
        self.draw = draw
        self.planter = planter
        self.made = 0

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def name(self) -> str:
        self.made += 1
        return f"Made{self.made}"

    def shape(self, depth: int, *, named: bool = False, foreign: bool = False) -> Shape:
        """A shape.

        Args:
            depth: How many tables and lists may stand in one another.
            named: Whether a name above sounds like a secret's.
            foreign: Whether pydantic has to understand it.
        """
        if depth <= 0 or self.pick(*range(5)) == 0:
            return self.leaf(named, foreign)
        if foreign:
            return self.pick(self.foreign_container, self.model, self.root_model, self.discriminated)(depth - 1, named)
        own = (self.container, self.record, self.record, self.record, self.union, self.generic, self.free)
        return self.pick(*own, self.model, self.root_model, self.discriminated)(depth - 1, named)

    def leaf(self, named: bool, foreign: bool) -> Shape:
        kind = self.pick("secret", "text", "text", "number", "optional")
        if kind == "number":
            return Shape(int, 5)
        if kind == "text":
            return Shape(str, self.text(named))
        secret = self.pick(pydantic.SecretStr, Secret[str]) if foreign else Secret[str]
        planted = self.planter.plant(self.planter.typed, "hunter")
        return Shape(secret | None if kind == "optional" else secret, planted)

    def text(self, named: bool) -> str:
        planter = self.planter
        return planter.plant(planter.named, "sesame") if named else planter.plant(planter.plain, "plain")

    def container(self, depth: int, named: bool, foreign: bool = False) -> Shape:
        inner = self.shape(depth, named=named, foreign=foreign)
        kind: Any
        kind, tree = self.pick(
            (list[inner.kind], [inner.tree]),
            (tuple[inner.kind, ...], [inner.tree]),
            (tuple[int, inner.kind], [1, inner.tree]),
            (dict[str, inner.kind], {"a": inner.tree}),
            (inner.kind | None, inner.tree),
        )
        return Shape(kind, tree)

    def foreign_container(self, depth: int, named: bool) -> Shape:
        return self.container(depth, named, foreign=True)

    def fields(self, depth: int, named: bool, *, foreign: bool = False) -> dict[str, Shape]:
        names = self.draw(st.lists(st.sampled_from([*INNOCENT, *SENSITIVE]), min_size=1, max_size=3, unique=True))
        return {n: self.shape(depth, named=named or n in SENSITIVE, foreign=foreign) for n in names}

    def record(self, depth: int, named: bool) -> Shape:
        fields = self.fields(depth, named)
        hints = {name: inner.kind for name, inner in fields.items()}
        tree = {name: inner.tree for name, inner in fields.items()}
        body = {"__annotations__": hints, "__module__": __name__}
        style = self.pick("struct", "closed", "rename", "array", "dataclass", "attrs", "dict", "tuple")
        pairs = list(hints.items())
        if style == "struct":
            return Shape(msgspec.defstruct(self.name(), pairs, frozen=True), tree)
        if style == "closed":
            return Shape(msgspec.defstruct(self.name(), pairs, forbid_unknown_fields=True), tree)
        if style == "rename":
            self.planter.renames = True
            renames = {name: f"x{i}" for i, name in enumerate(hints)}
            return Shape(
                msgspec.defstruct(self.name(), pairs, rename=renames), {renames[n]: v for n, v in tree.items()}
            )
        if style in ("array", "tuple"):
            self.planter.renames = True
        if style == "array":
            return Shape(msgspec.defstruct(self.name(), pairs, array_like=True), list(tree.values()))
        if style == "dataclass":
            return Shape(dataclasses.dataclass(type(self.name(), (), body)), tree)
        if style == "attrs":
            return Shape(attrs.define(type(self.name(), (), body)), tree)
        if style == "dict":
            return Shape(TypedDict(self.name(), hints), tree)  # type: ignore[operator]
        return Shape(NamedTuple(self.name(), pairs), list(tree.values()))  # type: ignore[misc]

    def union(self, depth: int, named: bool) -> Shape:
        one = {"mark": Shape(Secret[str], self.planter.plant(self.planter.typed, "hunter"))}
        other = {**self.fields(depth, named), "mark": Shape(str, "no secret by itself")}
        members = [
            msgspec.defstruct(self.name(), [(n, inner.kind) for n, inner in fields.items()], tag=tag)
            for tag, fields in (("one", one), ("other", other))
        ]
        tag, fields = self.pick(("one", one), ("other", other))
        either = self.pick(members[0] | members[1], members[1] | members[0])
        return Shape(either, {"type": tag, **{n: inner.tree for n, inner in fields.items()}})

    def generic(self, depth: int, named: bool) -> Shape:
        inner = self.shape(depth, named=named)
        return Shape(self.pick(Box, Crate)[inner.kind], {"value": inner.tree})

    def free(self, depth: int, named: bool) -> Shape:
        name = self.pick(*SENSITIVE)
        hidden = self.planter.plant(self.planter.named, "sesame")
        tree = {name: self.pick(hidden, [hidden], {"a": hidden}, [{"a": [hidden]}], {"max_tokens": hidden})}
        return Shape(self.pick(dict, Any, dict[str, Any]), {"section": tree} if depth else tree)

    def model(self, depth: int, named: bool) -> Shape:
        fields = self.fields(depth, named, foreign=True)
        self.planter.renames = True
        aliases = {name: self.pick(name, f"x{i}") for i, name in enumerate(fields)}
        hints: Any = {
            n: (f.kind, pydantic.Field(**{self.pick("alias", "validation_alias"): aliases[n]}))
            for n, f in fields.items()
        }
        kind = pydantic.create_model(self.name(), **hints)
        return Shape(kind, {aliases[name]: inner.tree for name, inner in fields.items()})

    def root_model(self, depth: int, named: bool) -> Shape:
        inner = self.container(depth, named, foreign=True)
        return Shape(type(self.name(), (pydantic.RootModel[inner.kind],), {"__module__": __name__}), inner.tree)

    def discriminated(self, depth: int, named: bool) -> Shape:
        secret = self.planter.plant(self.planter.typed, "hunter")
        one = pydantic.create_model(self.name(), kind=(Literal["one"], ...), mark=(pydantic.SecretStr, ...))
        other = pydantic.create_model(self.name(), kind=(Literal["other"], ...), size=(int, 1))
        kind = pydantic.create_model(self.name(), either=(one | other, pydantic.Field(discriminator="kind")))
        return Shape(kind, {"either": {"kind": "one", "mark": secret}})


class Case(NamedTuple):
    """A type, content that fits it, content that may not, and what is planted in them."""

    kind: Any
    good: Any
    bad: tuple[Any, ...]
    planter: Planter


@st.composite
def cases(draw: Any) -> Case:
    planter = Planter()
    gardener = Gardener(draw, planter)
    shape = gardener.shape(3)
    kind = msgspec.defstruct("Root", [("top", shape.kind), ("count", int, 1)])
    bad = tuple({"top": spoiled(draw, shape.tree, planter)} for _ in range(4))
    return Case(kind, {"top": shape.tree, "count": 2}, bad, planter)


def spoiled(draw: Any, tree: Any, planter: Planter, *, named: bool = False) -> Any:
    """Content in which something stands in the wrong place; secrets may have come out of where they belong.

    Args:
        tree: Good content.
        named: Whether a name above sounds like a secret's.
    """
    if isinstance(tree, (dict, list)) and tree and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(tree) if isinstance(tree, dict) else range(len(tree))))
        copy: Any = dict(tree) if isinstance(tree, dict) else list(tree)
        copy[key] = spoiled(draw, tree[key], planter, named=named or key in SENSITIVE)
        return copy
    wrong: list[Any] = [{}, [], None, 7]
    if not any(text in json.dumps(tree) for text in planter.named) or not planter.renames:
        wrong += [[tree], {"strange": tree}]
    if secret := next((text for text in planter.typed if text in json.dumps(tree)), None):
        wrong += [secret, secret, {"strange": secret}]  # what is one by its name has to keep that
        wrong += [{**tree, tag: secret} for tag in ("kind", "type") if isinstance(tree, dict) and tag in tree]
    if named and not isinstance(tree, (dict, list)):
        wrong += [planter.plant(planter.named, "sesame")]
    return draw(st.sampled_from(wrong))
