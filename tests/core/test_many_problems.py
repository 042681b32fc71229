"""Content with very many faults: what is looked for, kept and told is bounded, and says how many more there are."""

from __future__ import annotations

import msgspec
import pytest

from reactive_config import Memory, Rejected, StartupError, open_config
from reactive_config._core.acceptance.verdicts import TOLD
from reactive_config._core.decoding import bare_values, basic_plans
from reactive_config._core.decoding import fault_search as faults_module
from reactive_config._core.decoding.fault import ENOUGH
from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config._core.runtime.logbook import HELD_LINES
from reactive_config.errors import Problem, problem_lines
from reactive_config.testing import Scripted

pydantic = pytest.importorskip("pydantic")


class Model(pydantic.BaseModel):
    items: list[int] = pydantic.Field(default_factory=list)


class App(msgspec.Struct, frozen=True):
    table: dict[str, int] = {}
    tables: dict[str, dict[str, list[int]]] = {}
    items: list[int] = []
    model: Model = Model()
    n: int = 0


MANY = 20_000

WRONG = {
    "table": {f"k{number}": "x" for number in range(MANY)},
    "tables": {f"k{number}": {"a": ["x"]} for number in range(MANY)},
    "items": ["x"] * MANY,
    "model": {"items": ["x"] * MANY},
}


def hold(accepting, document):
    a = accepting(App)
    a.records[0].take(Patch({"doc": Entry((), document, "doc")}))
    a.attempt()
    return a, a.acceptance.held[0, "doc"]


@pytest.mark.parametrize("name", ["table", "tables", "items"])
def test_after_some_hundred_nobody_looks_for_the_rest(accepting, monkeypatch, name):
    looked = []
    decode_leaf = faults_module.decode_leaf

    def counting(*arguments):
        looked.append(arguments)
        return decode_leaf(*arguments)

    monkeypatch.setattr(faults_module, "decode_leaf", counting)
    _, held = hold(accepting, {name: WRONG[name]})
    assert (len(held.problems), held.more, held.stopped) == (TOLD, ENOUGH - TOLD, True)
    assert held.lines(5)[-1] == f"... and at least {ENOUGH - 5} more"
    assert len(looked) <= 3 * ENOUGH


def test_a_model_that_finds_thousands_of_faults_is_one_fault(accepting):
    _, held = hold(accepting, {"model": WRONG["model"]})
    (problem,) = held.problems
    assert (problem.path, problem.expected) == ("model", "what Model accepts")
    assert problem.got == "a table with 20,000 faults"


def test_the_text_of_all_the_faults_of_a_model_is_never_made(accepting, monkeypatch):
    def refuse(_):
        raise AssertionError("its text was asked for")

    class Silent(ValueError):
        __str__ = refuse

    class Refusing(pydantic.BaseModel):
        @classmethod
        def model_validate(cls, *_):
            raise Silent

    with pytest.raises(msgspec.ValidationError, match="refused by the model"):
        bare_values.convert({}, Refusing)


def test_the_one_wrong_item_of_a_long_list_is_found_without_trying_each(monkeypatch):
    looked = []
    decode_leaf = faults_module.decode_leaf

    def counting(*arguments):
        looked.append(arguments)
        return decode_leaf(*arguments)

    monkeypatch.setattr(faults_module, "decode_leaf", counting)
    (fault,) = faults([1] * MANY + ["x"] + [1] * 50, list[int], ("items",))
    assert (fault.path, fault.inside, fault.expected, fault.got) == (("items",), f"[{MANY}]", "int", "'x'")
    assert len(looked) <= MANY // 100 + 103


def test_the_one_wrong_name_of_a_large_table_is_found_without_trying_each(accepting, monkeypatch):
    converted = []
    decode = basic_plans.LeafPlan.decode

    def counting(self, tree, *arguments):
        converted.append(tree)
        return decode(self, tree, *arguments)

    monkeypatch.setattr(basic_plans.LeafPlan, "decode", counting)
    document = {"table": {**{f"k{number}": number for number in range(MANY)}, "z": "x"}}
    _, held = hold(accepting, document)
    assert [problem.path for problem in held.problems] == ["table.z"]
    assert len(converted) < 1100


def test_a_change_elsewhere_does_not_look_at_a_held_document(accepting, monkeypatch):
    a, _ = hold(accepting, {"table": WRONG["table"]})
    monkeypatch.setattr(basic_plans, "faults", None)
    a.attempt({"n": 1})
    assert a.value.n == 1
    assert a.held == ["doc"]


async def test_a_log_line_is_short_and_says_how_many_more_problems_there_are(caplog):
    source = Scripted({})
    async with open_config(App, source):
        with pytest.raises(Rejected) as refused:
            await source.set({"table": WRONG["table"]})
    (record,) = [record for record in caplog.records if record.name == "reactive_config"]
    assert record.getMessage().endswith(f"; ... and at least {ENOUGH - 5} more")
    assert len(record.getMessage()) < 2000
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (22, f"  ... and at least {ENOUGH - 20} more")
    assert (len(refused.value.problems), refused.value.more, refused.value.stopped) == (20, ENOUGH - 20, True)


async def test_very_many_held_units_are_counted_in_the_log(caplog):
    source = Scripted({})
    bad = {f"k{n}": Entry(("table", f"k{n}"), "x", n, n) for n in range(2, HELD_LINES + 52)}
    async with open_config(App, source) as config:
        with pytest.raises(Rejected):
            await source.send(Patch(bad, {}, HELD_LINES + 51))
        messages = [record.getMessage() for record in caplog.records if record.name == "reactive_config"]
        assert len(messages) == HELD_LINES + 1
        assert messages[-1] == "held 50 more units; config.status() has them"
        assert len(config.status().sources[0].held) == HELD_LINES + 50


async def test_a_unit_that_is_held_for_the_same_reason_is_logged_once(caplog):
    source = Scripted({})
    async with open_config(App, source):
        with pytest.raises(Rejected):
            await source.set({"table": {"a": "x"}})
        await source.set({"n": 1})
        await source.set({"table": {"b": 1}})
        await source.send(Replace({**source._entries}, source.revision + 1))
    assert len([record for record in caplog.records if "held" in record.getMessage()]) == 1


async def test_a_start_with_very_many_problems_tells_some_of_them():
    with pytest.raises(StartupError) as refused:
        async with open_config(App, Memory({"tables": WRONG["tables"]})):
            pass
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (23, f"  ... and at least {ENOUGH - 21} more")


def test_problems_are_counted_exactly_where_all_were_found():
    problems = [Problem(f"p{number}", "int", "str") for number in range(7)]
    assert problem_lines(problems, limit=5)[-1] == "... and 2 more"
    assert problem_lines(problems, more=1000, limit=5)[-1] == "... and 1,002 more"
    assert problem_lines(problems, limit=7) == [str(problem) for problem in problems]
