"""Secrets planted in every shape of type and content, and looked for in every output; what is no secret is shown."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import logging
import os
import pickle
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactive_config import Config, ConfigError, Env, Files, Memory, Rejected, Secret, StartupError, open_config
from reactive_config.cli.app import run as run_app
from reactive_config.cli.opening import Opened
from reactive_config.cli.output import Output
from reactive_config.cli.telling import Generation, tell_generation, tell_held, tell_start
from reactive_config.core.paths import format_path
from reactive_config.web import Operations
from reactive_config.web.answers import Call

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
        renames: Whether a field has another name in the configuration, by which it is no secret.
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


class Heard:
    """Everything that came out, as (where, text).

    Attributes:
        outputs: What the library shows.
        inward: Texts of what the program holds itself, in which its own type decides.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[str, str]] = []
        self.inward: list[str] = []

    def hear(self, where: str, *things: Any) -> None:
        self.outputs += [(where, repr(thing)) for thing in things] + [(where, str(thing)) for thing in things]

    def hear_error(self, where: str, error: BaseException) -> None:
        """An error, and whatever hangs on it."""
        seen: list[BaseException | None] = [None]
        waiting: list[BaseException | None] = [error]
        while waiting:
            one = waiting.pop()
            if one is None or one in seen:
                continue
            seen.append(one)
            self.hear(where, one, one.args, getattr(one, "__notes__", ()), vars(one))
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        self.hear(where, "".join(traceback.format_exception(error)))
        with contextlib.suppress(Exception):
            self.hear(where, pickle.dumps(error))

    def assert_silent(self, secrets: list[str]) -> None:
        assert self.outputs
        found = [(where, secret) for where, text in self.outputs for secret in secrets if secret in text]
        assert not found, found[:3]

    def text(self, *where: str) -> str:
        return "\n".join(text for place, text in self.outputs if place in where)


@contextlib.contextmanager
def listening(heard: Heard) -> Iterator[None]:
    """Take every log record, with its traceback."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.hear("log", self.format(record), record.args, record.msg)

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def paths_in(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(tree, dict):
        for name, inner in tree.items():
            yield from paths_in(inner, (*path, name))


def hear_config(heard: Heard, config: Config[Any], case: Case) -> None:
    """Whatever an open configuration shows, in the library, on the web and by the commands' own functions."""
    heard.hear("repr", config, config.snapshot, config.status(), config.updates())
    heard.inward.append(repr(config.current))
    heard.hear("describe", msgspec.json.encode(config.describe()).decode())
    heard.hear("status", msgspec.json.encode(config.status()).decode())
    for path in paths_in(case.good):
        heard.hear("explain", msgspec.json.encode(config.explain(format_path(path))).decode())
        with contextlib.suppress(LookupError):
            heard.hear("live", config.select(format_path(path)))


async def ask_web(heard: Heard, config: Config[Any]) -> None:
    operations = Operations(config_token=Secret("open-door"))
    async with operations.serving(config):
        for path in ("/config", "/metrics", "/readyz", "/loggers"):
            answer = operations.answer(Call("GET", path, [(b"authorization", b"bearer open-door")]))
            heard.hear(path, answer.body.decode())


def print_changes(heard: Heard, config: Config[Any], case: Case, before: Any) -> None:
    """What `watch` prints."""
    for as_json in (False, True):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            session, output = Opened(config, case.kind, ()), Output(json=as_json)
            tell_start(output, session, config.snapshot)
            tell_generation(output, session, Generation(before, config.snapshot, ()))
            for source in config.status().sources:
                for held in source.held:
                    tell_held(output, source.name, held)
        heard.hear("watch", out.getvalue())


async def in_memory(heard: Heard, case: Case) -> None:
    """Good content, another layer above it, wrong content, and back."""
    lower, upper = Memory({"count": 3}), Memory(name="upper")
    try:
        async with open_config(case.kind, Memory(case.good), lower, upper) as config:
            before = config.snapshot
            for content in (*case.bad, {"count": "plainly"}, case.good, {}):
                try:
                    await upper.replace(content)
                except Rejected as error:
                    heard.hear_error("rejected", error)
                hear_config(heard, config, case)
                print_changes(heard, config, case, before)
                before = config.snapshot
            await ask_web(heard, config)
            heard.hear("errors", *[p for s in config.status().sources for held in s.held for p in held.problems])
    except StartupError as error:
        heard.hear_error("startup", error)


async def at_start(heard: Heard, case: Case, *sources: Any) -> None:
    try:
        async with open_config(case.kind, *sources) as config:
            hear_config(heard, config, case)
    except ConfigError as error:
        heard.hear_error("startup", error)


def variables(tree: dict[str, Any], prefix: str) -> dict[str, str]:
    """Content as variables: tables by nested names, everything else as its text or as JSON."""
    found: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            found |= variables(value, f"{prefix}{name}__")
        else:
            found[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return found


def through_memory(case: Case) -> Heard:
    heard = Heard()
    with listening(heard):
        asyncio.run(in_memory(heard, case))
        for content in case.bad:
            asyncio.run(at_start(heard, case, Memory(content)))
    return heard


def as_file(directory: Path, name: str, tree: Any) -> Path:
    """A document that looks old, so that nobody waits for its writer."""
    file = directory / name
    file.write_text(json.dumps(tree))
    os.utime(file, (1, 1))
    return file


def through_files_and_variables(case: Case, directory: Path) -> Heard:
    heard = Heard()
    with listening(heard), pytest.MonkeyPatch.context() as patch:
        for suffix in (".json", ".yaml", ".toml", ".env"):  # half a document, and one in another's words
            half = as_file(directory, f"half{suffix}", case.good)
            half.write_text(half.read_text()[: -2 - len(case.planter.secrets)])
            os.utime(half, (1, 1))
            asyncio.run(at_start(heard, case, Files(half)))
        for content in (case.good, *case.bad[:2]):
            asyncio.run(at_start(heard, case, Files(as_file(directory, "app.json", content))))
            for name, text in variables(content, "PLANTED_").items():
                patch.setenv(name.upper(), text)
            asyncio.run(at_start(heard, case, Env("PLANTED_")))
    return heard


def through_commands(case: Case, directory: Path) -> Heard:
    heard = Heard()
    module: Any = types.ModuleType("planted_settings")
    module.Root = case.kind
    good, bad = (str(as_file(directory, f"{name}.json", tree)) for name, tree in (("g", case.good), ("b", case.bad[0])))
    with pytest.MonkeyPatch.context() as patch, listening(heard):
        patch.setitem(sys.modules, "planted_settings", module)
        for command in (["get", "."], ["get", "top"], ["explain", "."], ["explain", "top"], ["check"], ["doctor"]):
            for content in ([good], [bad, good], [bad]):
                for form in ([], ["--json"]):
                    typed = [] if command == ["doctor"] else ["--type", "planted_settings:Root"]
                    out, err = io.StringIO(), io.StringIO()
                    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                        run_app([*command, *content, *typed, *form])
                    heard.hear(" ".join(command), out.getvalue(), err.getvalue())
    return heard


def a_few(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def check_memory(case: Case) -> None:
    heard = through_memory(case)
    heard.assert_silent(case.planter.secrets)
    assert not [text for text in case.planter.typed if text in "".join(heard.inward)]
    told = [heard.text(where) for where in ("describe", "explain", "/config")]
    if told[0]:  # it opened
        for text in ["count", *case.planter.plain]:
            assert all(text in one for one in told) or text not in json.dumps(case.good), (text, case)


def check_files_and_variables(case: Case, directory: Path) -> None:
    through_files_and_variables(case, directory).assert_silent(case.planter.secrets)


def check_commands(case: Case, directory: Path) -> None:
    heard = through_commands(case, directory)
    heard.assert_silent(case.planter.secrets)
    for text in case.planter.plain:
        if text in json.dumps(case.good):
            assert text in heard.text("get .")
            assert text in heard.text("explain .")


@pytest.mark.slow
@a_few(60)
@given(cases())
def test_no_output_has_a_secret_and_each_has_what_is_none(case: Case) -> None:
    check_memory(case)


@pytest.mark.slow
@a_few(20)
@given(case=cases())
def test_no_secret_of_a_file_or_a_variable_is_shown(case: Case, tmp_path: Path) -> None:
    check_files_and_variables(case, tmp_path)


@pytest.mark.slow
@a_few(6)
@given(case=cases())
def test_no_command_prints_a_planted_secret(case: Case, tmp_path: Path) -> None:
    check_commands(case, tmp_path)


@pytest.mark.storm
@pytest.mark.timeout(600)
@a_few(1500)
@given(cases())
def test_a_storm_of_types(case: Case) -> None:
    check_memory(case)


@pytest.mark.storm
@pytest.mark.timeout(600)
@a_few(100)
@given(case=cases())
def test_a_storm_of_files_variables_and_commands(case: Case, tmp_path: Path) -> None:
    check_files_and_variables(case, tmp_path)
    check_commands(case, tmp_path)
