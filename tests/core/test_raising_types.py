"""Whatever a type's own code raises is a rejection that quotes nothing; the program goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections.abc import Callable
from typing import Annotated, Any

import attrs
import msgspec
import pydantic
import pytest
from pydantic_core import PydanticCustomError

from reactive_config import InvalidValue, Memory, Rejected, StartupError, open_config
from reactive_config._core.refusals import name_of

SECRET = "canary-9f2"


class OwnError(BaseException):
    """No Exception: a careless program has such a thing."""


class Lying(Exception):
    """Its class cannot be asked for."""

    @property
    def __class__(self):
        raise RuntimeError(SECRET)


class _NoName(type):
    @property
    def __name__(cls):
        raise RuntimeError(SECRET)


class Nameless(Exception, metaclass=_NoName):
    """The name of its class cannot be asked for."""


RAISED: list[Callable[[], BaseException]] = [
    lambda: ValueError(SECRET),
    lambda: AssertionError(SECRET),
    lambda: KeyError(SECRET),
    lambda: RuntimeError(SECRET),
    lambda: RecursionError(SECRET),
    lambda: StopIteration(SECRET),
    lambda: MemoryError(SECRET),
    lambda: asyncio.CancelledError(SECRET),
    lambda: GeneratorExit(SECRET),
    lambda: SystemExit(SECRET),
    lambda: OwnError(SECRET),
    lambda: Lying(SECRET),
    lambda: Nameless(SECRET),
    lambda: ExceptionGroup(SECRET, [ValueError(SECRET)]),
    lambda: BaseExceptionGroup(SECRET, [OwnError(SECRET)]),
    # What looks like the words of a library, as a validator that parses gives them on.
    lambda: msgspec.ValidationError(f"Expected `{SECRET}`, got `{SECRET}` - at `$.{SECRET}`"),
    lambda: msgspec.DecodeError(SECRET),
    lambda: PydanticCustomError("missing", SECRET),
    lambda: PydanticCustomError("int_type", SECRET),
    lambda: PydanticCustomError("value_error", SECRET),
]

raised: list[Callable[[], BaseException]] = []
"""What the types below raise; one at a time, set by the test."""


def judge(value: Any) -> Any:
    if value == SECRET:
        error = raised[0]()
        raise error
    return value


def model(**validators: Any) -> Any:
    return pydantic.create_model("Model", a=(str, ""), __validators__=validators)


class Computed(pydantic.BaseModel):
    a: str = ""

    def model_post_init(self, context: Any) -> None:
        judge(self.a)


class Root(pydantic.RootModel[dict[str, str]]):
    @pydantic.model_validator(mode="after")
    def check(self) -> Root:
        judge(self.root.get("a"))
        return self


class Struct(msgspec.Struct):
    a: str = ""
    b: list[int] = []

    def __post_init__(self) -> None:
        judge(self.a)


class Flat(msgspec.Struct):
    a: str = ""

    def __post_init__(self) -> None:
        judge(self.a)


@dataclasses.dataclass
class Data:
    a: str = ""

    def __post_init__(self) -> None:
        judge(self.a)


@attrs.define
class Attrs:
    a: str = ""

    def __attrs_post_init__(self) -> None:
        judge(self.a)


def around(value: Any, handler: Callable[[Any], Any]) -> Any:
    return judge(handler(value))


KINDS = {
    "field, before": model(v=pydantic.field_validator("a", mode="before")(judge)),
    "field, after": model(v=pydantic.field_validator("a")(judge)),
    "field, wrap": model(v=pydantic.field_validator("a", mode="wrap")(around)),
    "model, before": model(
        v=pydantic.model_validator(mode="before")(classmethod(lambda cls, value: (judge(value.get("a")), value)[1]))
    ),
    "annotated": pydantic.create_model("Model", a=(Annotated[str, pydantic.AfterValidator(judge)], "")),
    "post init of a model": Computed,
    "root model": Root,
    "Struct": Struct,
    "flat Struct": Flat,
    "dataclass": Data,
    "attrs": Attrs,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("place", [lambda k: k, lambda k: list[k], lambda k: dict[str, k], lambda k: k | None])
async def test_whatever_validation_raises_is_a_rejection(kind, place, caplog):
    trees = {list: lambda tree: [tree], dict: lambda tree: {"x": tree}}
    nested = trees.get(getattr(place(kind), "__origin__", None), lambda tree: tree)
    app = msgspec.defstruct("App", [("part", place(kind)), ("n", int, 0)])
    memory = Memory({"part": nested({"a": "fine"})})
    async with open_config(app, memory) as config:
        for make in RAISED:
            raised[:] = [make]
            with pytest.raises(Rejected) as refused:
                await memory.patch({"part": nested({"a": SECRET})})
            assert refused.value.problems[0].path.startswith("part")
            assert SECRET not in f"{refused.value}{refused.value!r}{config.status()}{caplog.text}"
            assert refused.value.__cause__ is None
            assert refused.value.__context__ is None
            await memory.patch({"part": nested({"a": "fine"}), "n": config.current.n + 1})
        assert config.current.n == len(RAISED)
    raised[:] = [RAISED[-1]]
    with pytest.raises(StartupError, match="part"):
        async with open_config(app, Memory({"part": nested({"a": SECRET})})):
            pass


async def test_ctrl_c_while_a_type_validates_ends_the_program():
    raised[:] = [KeyboardInterrupt]
    from reactive_config._core.decoding.compiling import compile_plan
    from reactive_config._core.decoding.decode import decode

    for kind in (Struct, Flat, Data, KINDS["field, after"]):
        for wrapped, tree in ((kind, {"a": SECRET}), (dict[str, kind], {"x": {"a": SECRET}})):
            with pytest.raises(KeyboardInterrupt):
                decode(compile_plan(wrapped), tree, None, None)


async def test_a_validation_that_fails_only_the_first_time_is_a_rejection_all_the_same():
    seen: list[object] = []

    def once(value: str) -> str:
        if value == "new" and not seen:
            seen.append(value)
            raise ValueError("the resolver did not answer")
        return value

    class App(pydantic.BaseModel):
        a: Annotated[str, pydantic.AfterValidator(once)] = ""

    for kind, at in ((App, ""), (msgspec.defstruct("Outer", [("app", App)]), "app")):
        seen.clear()
        memory = Memory({"app": {}} if at else {})
        async with open_config(kind, memory) as config:
            before = config.current
            with pytest.raises(Rejected) as refused:
                await memory.patch({"app": {"a": "new"}} if at else {"a": "new"})
            assert [(p.path, p.got) for p in refused.value.problems] == [(at, "table")]
            assert config.current is before


async def test_a_default_factory_that_raises_is_a_rejection():
    class Record(msgspec.Struct):
        a: str = msgspec.field(default_factory=lambda: judge(SECRET))
        b: list[int] = []

    class Scalars(msgspec.Struct):
        a: str = msgspec.field(default_factory=lambda: judge(SECRET))

    for kind in (Record, Scalars):
        for make in RAISED:
            raised[:] = [make]
            memory = Memory({"a": "x"})
            async with open_config(kind, memory) as config:
                with pytest.raises(Rejected) as refused:
                    await memory.replace({})
                assert refused.value.problems[0].path == "a"
                assert refused.value.problems[0].expected == "str"
                assert refused.value.problems[0].got == f"nothing (its default raised {name_of(make())})"
                assert SECRET not in str(refused.value)
                assert config.current.a == "x"


async def test_an_enum_that_raises_on_unknown_values_rejects_them():
    class Colour(enum.Enum):
        RED = "red"

        @classmethod
        def _missing_(cls, value: object) -> Any:
            raise OwnError(SECRET)

    memory = Memory({"a": "red"})
    for kind in (Colour, Colour | None, list[Colour] | Colour):
        memory = Memory({"a": "red"})
        async with open_config(msgspec.defstruct("App", [("a", kind)]), memory) as config:
            for value in (SECRET, 1):
                with pytest.raises(Rejected):
                    await memory.patch({"a": value})
            assert config.current.a is Colour.RED


class Port(pydantic.BaseModel):
    number: int = 80
    highest: int = 9000

    @pydantic.field_validator("number")
    @classmethod
    def check(cls, value: int) -> int:
        if value == 1:
            raise InvalidValue("another port than tcpmux")
        if value == 2:
            raise InvalidValue("no port of a mainframe", at="number")
        if value == 3:
            raise InvalidValue("one above 3", at="highest")
        return value

    @pydantic.model_validator(mode="after")
    def agree(self) -> Port:
        if self.number > self.highest:
            raise InvalidValue("at most the highest one", at="number")
        if self.number == self.highest:
            raise InvalidValue("two ports that differ")
        return self


class Ports(pydantic.BaseModel):
    port: Port = Port()
    several: list[Port] = []
    named: dict[str, Port] = {}
    either: Port | bool = True


@pytest.mark.parametrize(
    ("bad", "at", "expected", "got"),
    [
        ({"number": 1}, ".number", "another port than tcpmux", "1"),
        ({"number": 2}, ".number", "no port of a mainframe", "2"),
        ({"number": 3}, ".highest", "one above 3", "nothing"),
        ({"number": 3, "highest": 9}, ".highest", "one above 3", "9"),
        ({"number": 9001}, ".number", "at most the highest one", "9001"),
        ({"number": 9000}, "", "two ports that differ", "table"),
    ],
)
async def test_unfit_in_a_pydantic_validator_is_shown_where_it_belongs(bad, at, expected, got):
    for tree, place in (
        ({"port": bad}, "port"),
        ({"several": [{}, bad]}, "several[1]"),
        ({"named": {"a b": bad}}, 'named."a b"'),
    ):
        for kind, above in ((Ports, ""), (msgspec.defstruct("App", [("in_", Ports)]), "in_.")):
            memory = Memory({"in_": {}} if above else {})
            async with open_config(kind, memory):
                with pytest.raises(Rejected) as refused:
                    await memory.patch({"in_": tree} if above else tree)
            (problem,) = refused.value.problems
            assert (problem.path, problem.expected, problem.got) == (f"{above}{place}{at}", expected, got)


async def test_unfit_in_a_pydantic_union_is_shown_as_it_was_written():
    memory = Memory({})
    async with open_config(Ports, memory):
        with pytest.raises(Rejected, match="another port than tcpmux"):
            await memory.patch({"either": {"number": 1}})


class MuteError(ValueError):
    """Its text raises, as one that quotes a broken object does."""

    def __str__(self) -> str:
        raise OwnError(SECRET)

    __repr__ = __str__


class HollowError(InvalidValue):
    """Does not call the constructor of its base."""

    def __init__(self) -> None:
        pass


class OddError(InvalidValue):
    """Says things that are no text."""

    def __init__(self) -> None:
        super().__init__("x")
        self.expected = [SECRET]  # type: ignore[assignment]
        self.at = {}  # type: ignore[assignment]


class RaisingError(InvalidValue):
    @property  # type: ignore[misc]
    def expected(self) -> str:  # type: ignore[override]
        raise OwnError(SECRET)

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize("error", [MuteError, HollowError, OddError, RaisingError])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_exceptions_that_cannot_be_read_are_rejections(kind, error):
    raised[:] = [error]
    for part, bad in ((kind, {"a": SECRET}), (list[kind], [{"a": SECRET}])):
        memory = Memory({})
        async with open_config(msgspec.defstruct("App", [("part", part | None, None)]), memory) as config:
            with pytest.raises(Rejected) as refused:
                await memory.patch({"part": bad})
            assert refused.value.problems[0].path.startswith("part")
            assert SECRET not in str(refused.value)
            assert config.current.part is None


async def test_a_default_that_cannot_be_read_is_a_rejection():
    record = msgspec.defstruct("Record", [("a", str, msgspec.field(default_factory=lambda: judge(SECRET)))])
    for error in (MuteError, HollowError, OddError, RaisingError):
        raised[:] = [error]
        memory = Memory({"a": "x"})
        async with open_config(record, memory) as config:
            with pytest.raises(Rejected):
                await memory.replace({})
            assert config.current.a == "x"
