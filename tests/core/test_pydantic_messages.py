"""What does not fit a pydantic model reads like what does not fit a Struct, and quotes by the same rule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest

from reactive_config import InvalidValue, Memory, Rejected, Secret, open_config
from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.decoding.pydantic_faults import safe_message
from reactive_config.sources import Bare

S = "hunter2"


class Pool(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    min_size: int
    max_size: int = pydantic.Field(default=5, gt=0, le=100)
    mode: Literal["fifo", "lifo"] = "fifo"
    name: Annotated[str, pydantic.Field(min_length=3, pattern="^a")] = "abc"
    hosts: list[str] = pydantic.Field(default=["a"], min_length=1)
    idle: timedelta = timedelta(0)
    since: pydantic.PastDatetime = datetime(2026, 1, 1)  # noqa: DTZ001 - pydantic's own default
    token: Secret[str] | None = None


NAMES = "min_size, max_size, mode, name, hosts, idle, since, token"


@pytest.mark.parametrize(
    ("tree", "path", "expected", "got"),
    [
        ({}, "min_size", "int", "nothing"),
        ({"min_size": "lots"}, "min_size", "a valid integer", "'lots'"),
        ({"min_size": 1.5}, "min_size", "a valid integer", "1.5"),
        ({"min_size": None}, "min_size", "a valid integer", "null"),
        ({"min_size": {"a": 1}}, "min_size", "a valid integer", "table"),
        ({"min_size": 1, "minsize": 2}, "minsize", f"one of the names {NAMES}", "an unknown name"),
        ({"min_size": 1, "max_size": 0}, "max_size", "greater than 0", "0"),
        ({"min_size": 1, "mode": "x"}, "mode", "'fifo' or 'lifo'", "'x'"),
        ({"min_size": 1, "name": "b"}, "name", "a string that has at least 3 characters", "'b'"),
        ({"min_size": 1, "name": "bbbb"}, "name", "a string that matches pattern '^a'", "'bbbb'"),
        ({"min_size": 1, "hosts": []}, "hosts", "a list that has at least 1 item", "list"),
        ({"min_size": 1, "hosts": "a"}, "hosts", "a list", "str"),
        ({"min_size": 1, "idle": "soon"}, "idle", "a valid duration", "'soon'"),
        ({"min_size": 1, "since": "2999-01-01"}, "since", "a datetime in the past", "str"),
        ({"min_size": 1, "token": 5}, "token", "a valid string", "int"),
        (5, "", "a table", "int"),
        (Bare('{"min_size": "lots"}'), "min_size", "a valid integer", "'lots'"),
    ],
)
def test_a_message_is_that_of_a_struct(tree: Any, path: str, expected: str, got: str) -> None:
    (fault,) = faults(tree, Pool, ("db",))
    assert (".".join(fault.path), fault.expected, fault.got) == (f"db.{path}".rstrip("."), expected, got)


def _refuse(value: object) -> object:
    raise ValueError(value)


class Hidden(pydantic.BaseModel):
    password: int = 0
    pin: Annotated[int, pydantic.Field(alias="p")] = 0
    deep: Annotated[int, pydantic.Field(validation_alias=pydantic.AliasPath("a", "b"))] = 0
    either: int | pydantic.SecretStr = 0
    free: Any = None
    secret: dict[str, int] = {}
    items: list[dict[str, int]] = []
    url: pydantic.HttpUrl | int = 0
    ratio: Annotated[int, pydantic.AfterValidator(_refuse)] = 0
    text: Annotated[str, pydantic.AfterValidator(_refuse)] = ""


@pytest.mark.parametrize(
    "tree",
    [
        {"password": S},
        {"p": S},
        {"p": Bare(S)},
        {"a": {"b": S}},
        {"either": {"x": S}},
        {"secret": {"a": S}},
        {"items": [{"token": S}]},
        {"url": f"ftp://me:{S}@host"},
        {"text": S},
        Bare(f'{{"password": "{S}", "p": "{S}"}}'),
        Bare(f'["{S}"]'),
    ],
)
def test_what_may_be_a_secret_is_not_quoted(tree: Any) -> None:
    found = faults(tree, Hidden, ("a",))
    assert found
    assert S not in repr(found)


class Checked(pydantic.BaseModel):
    size: int = 1
    password: str = ""
    most: int = 9

    @pydantic.field_validator("size")
    @classmethod
    def _size(cls, value: int) -> int:
        if value < 0:
            raise ValueError(S)
        return value

    @pydantic.field_validator("password")
    @classmethod
    def _password(cls, value: str) -> str:
        raise ValueError(value)

    @pydantic.model_validator(mode="after")
    def _whole(self) -> Checked:
        if self.size > self.most:
            raise InvalidValue("at most most", at="size")
        assert self.size != 5, S
        return self


class App(msgspec.Struct):
    one: Checked = Checked()
    many: dict[str, Checked] = {}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"one": {"size": -1}}, "one.size: expected what Checked accepts, got -1 ("),
        ({"one": {"password": S}}, "one.password: expected what Checked accepts, got str ("),
        ({"one": {"size": 10}}, "one.size: expected at most most, got 10 ("),
        ({"many": {"a": {"size": 5}}}, "many.a: expected what Checked accepts, got a refused table (AssertionError) ("),
    ],
)
async def test_of_a_validator_class_and_exceptions_type_are_named(tree: dict[str, Any], said: str) -> None:
    memory = Memory()
    async with open_config(App, memory):
        with pytest.raises(Rejected) as refused:
            await memory.patch(tree)
    assert said in str(refused.value)
    assert S not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        ("int_type", "Input should be a valid integer", "a valid integer"),
        ("literal_error", "Input should be 'a', 'b' or 'c'", "'a', 'b' or 'c'"),
        ("url_too_long", "URL should have at most 9 characters", "a URL that has at most 9 characters"),
        ("uuid_type", "UUID input should be a string, bytes or UUID object", "a string, bytes or UUID object"),
        ("decimal_max_digits", "Decimal input should have no more than 3 digits in total",
         "a decimal that has no more than 3 digits in total"),
        ("too_short", "List should have at least 2 items after validation, not 1", "a list that has at least 2 items"),
        ("union_tag_not_found", "Unable to extract tag using discriminator 'kind'", "a tag in 'kind'"),
        ("value_error", "Value error, hunter2", ""),
    ],
)  # fmt: skip
def test_a_sentence_of_pydantic_becomes_what_follows_expected(kind: str, message: str, said: str) -> None:
    assert safe_message(kind, message) == said
