"""`apply --type` checks every value, and a type that decodes as a whole says what is wrong inside of it."""

from __future__ import annotations

import pytest

from tests.cli.test_typed_values import TARGET, TYPES

pytest.importorskip("starlette")
pytest.importorskip("httpx")


@pytest.fixture(autouse=True)
def types(shop, monkeypatch):
    (shop / "typed_shop.py").write_text(TYPES)


def test_every_value_of_applied_files_is_checked_before_anything_is_sent(quick, shop):
    (shop / "a.yaml").write_text("pool: {size: 0, wait: 5s, sise: 1}\ncode: 7\nmore: {x: y}\nnames: [a, 1]\n")
    (shop / "b.yaml").write_text("pool: {size: 3}\ncode: '7'\nmore: {x: y}\n")
    refused = quick("apply", "http://127.0.0.1:1/a/b", "a.yaml", "--type", "typed_shop:App")
    assert (refused.code, refused.err.splitlines()) == (
        1,
        [
            "error: the files do not fit the type; nothing was sent",
            "  pool.sise: expected one of size, wait in pool, got sise; did you mean size?",
            "  pool.size: expected int >= 1, got 0",
            "  code: expected str, got 7",
            "  names[1]: expected str, got 1",
        ],
    )
    assert quick("apply", TARGET, "b.yaml", "--type", "typed_shop:App", "--create").code == 0
    (shop / "typed_deep.py").write_text(DEEP)
    (shop / "c.yaml").write_text("pools: {a: {size: 1}, b: {sise: 1}}\nqueue: {kind: fast, retries: many}\n")
    refused = quick("apply", TARGET, "c.yaml", "--type", "typed_deep:App")
    unknown, wrong = [line.strip() for line in refused.err.splitlines()[1:]]  # what lacks, a layer below may have
    assert unknown == "pools.b.sise: expected one of size, name in pools.b, got sise; did you mean size?"
    assert wrong.startswith("queue.retries: expected int, got ")


DEEP = """
from typing import Union

import msgspec


class Pool(msgspec.Struct):
    size: int
    name: str


class Fast(msgspec.Struct, tag="fast", tag_field="kind"):
    retries: int
    host: str


class Slow(msgspec.Struct, tag="slow", tag_field="kind"):
    days: int


class App(msgspec.Struct):
    pools: dict[str, Pool]
    queue: Union[Fast, Slow]
    one: Fast
"""


def test_a_message_names_the_deepest_place(quick, shop):
    (shop / "typed_deep.py").write_text(DEEP)
    refused = quick("set", TARGET, 'one={"kind": "fast", "retries": "x", "host": "h"}', "--type", "typed_deep:App")
    assert (refused.code, refused.err) == (2, "error: one.retries: expected int, got 'x'\n")


def test_a_text_of_too_many_digits_is_a_text_where_the_type_wants_one(quick):
    typed = ("--create", "--json", "--type", "typed_shop:App")
    (record,) = quick("set", TARGET, "code=18446744073709551616", *typed).records
    assert record["changes"][0]["after"] == "18446744073709551616"
    refused = quick("set", TARGET, "pool.size=18446744073709551616", "--type", "typed_shop:App")
    assert (refused.code, "pool.size: expected int" in refused.err) == (2, True)


def test_unset_takes_the_type_for_what_it_hides(quick):
    quick("set", TARGET, "pin=7", "gone=1", "--create")
    assert quick("unset", TARGET, "pin", "--type", "typed_shop:App").out.startswith('- pin (was "***")\n')
    assert quick("unset", TARGET, "gone", "--type", "typed_shop:App").code == 0  # the type had it once


MODELS = """
from typing import Annotated, Union

from pydantic import BaseModel, ConfigDict, Field


class Pool(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: Annotated[int, Field(ge=1)]
    name: str = Field(alias="poolName")


class App(BaseModel):
    pool: Pool
    either: Union[Pool, int] = 3
    code: str = ""
"""


def test_a_model_checks_its_fields_by_itself(quick, shop):
    """Bounds of a model's fields are the model's, and so are unions that nobody else takes."""
    pytest.importorskip("pydantic")
    (shop / "modelled.py").write_text(MODELS)
    (shop / "a.yaml").write_text("pool: {size: 0, name: x}\n")
    told = quick("apply", TARGET, "a.yaml", "--type", "modelled:App").err.splitlines()[1:]
    assert [line.strip() for line in told] == [
        "pool.name: expected one of size, poolName in pool, got name; did you mean poolName?",
        "pool.size: expected greater than or equal to 1, got 0",
    ]
    (shop / "a.yaml").write_text("pool: {size: 1}\ncode: x\n")
    assert quick("apply", TARGET, "a.yaml", "--type", "modelled:App", "--create").code == 0
    refused = quick("set", TARGET, "pool.size=0", "--type", "modelled:App")
    assert (refused.code, "pool.size: expected greater than or equal to 1, got 0" in refused.err) == (2, True)
    for assignment in ("either=4", "code=7", "pool.size=2"):
        assert quick("set", TARGET, assignment, "--type", "modelled:App").code == 0
    (record,) = quick("show", TARGET, "3", "--json").records
    assert record["changes"][0]["after"] == "7"
