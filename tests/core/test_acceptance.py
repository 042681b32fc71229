"""Who is held when something does not fit: as few units as possible, and the right ones."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from reactive_config._core.acceptance import source_records
from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import GONE, SourceRecord
from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.delta import Bare, Entry, Malformed, Patch, Replace


class Pool(msgspec.Struct):
    size: Annotated[int, Meta(le=500)]
    idle: int = 0


class App(msgspec.Struct):
    pool: Pool | None = None
    log: dict[str, str] = {}
    n: int = 0


def opened(documents, optional=True, kind=App):
    """An acceptance with one source, of which each named document is a unit at the root."""
    record = SourceRecord("files", ["files"], optional=optional)
    acceptance = Acceptance(compile_plan(kind), [record])
    record.take(Replace({name: entry(name, tree) for name, tree in documents.items()}))
    assert acceptance.start() == []
    return acceptance, record


def entry(name, tree, path=()):
    return Entry(path, tree, name)


def held(acceptance):
    return {key[1] for key in acceptance.held}


def test_a_harmless_new_document_is_not_blamed_for_another_s_fault():
    acceptance, record = opened({"1": {"pool": {"size": 1}}})
    record.take(Patch({"1": entry("1", {"pool": {"size": 900}}), "2": entry("2", {"pool": {"idle": 5}})}))
    assert acceptance.attempt() == [("pool", "idle")]
    assert held(acceptance) == {"1"}


def test_a_harmless_deletion_is_not_blamed_for_another_s_fault():
    acceptance, record = opened({"1": {"pool": {"size": 1}}, "2": {"log": {"a": "b"}}})
    record.take(Patch({"1": entry("1", {"pool": {"size": 900}})}, {"2": "2"}))
    assert acceptance.attempt() == [("log", "a")]
    assert held(acceptance) == {"1"}


def test_the_unit_that_made_a_table_is_blamed_for_what_the_table_lacks():
    acceptance, record = opened({"1": {"n": 1}})
    record.take(Patch({"2": entry("2", {"pool": {"idle": 5}}), "3": entry("3", {"n": 2})}))
    assert acceptance.attempt() == [("n",)]
    assert held(acceptance) == {"2"}
    assert acceptance.held[(0, "2")].problems[0].path == "pool.size"


def test_the_unit_that_deleted_a_required_key_is_blamed():
    acceptance, record = opened({"1": {"pool": {"size": 1}}, "2": {"pool": {"idle": 1}}})
    record.take(Patch({"3": entry("3", {"n": 2})}, {"1": "1"}))
    assert acceptance.attempt() == [("n",)]
    assert held(acceptance) == {"1"}
    assert acceptance.part.value.pool == Pool(1, 1)


def test_what_a_relist_found_gone_waits_with_the_units_held_from_it():
    """A move of a key in one transaction shows in a relist as a put and a deletion without a revision."""
    acceptance, record = opened({"old": {"log": {"a": "b"}}, "1": {"n": 1}})
    record.take(Replace({"new": entry("new", {"n": "bad"}), "1": entry("1", {"n": 1})}))
    assert acceptance.attempt() == []
    assert held(acceptance) == {"new", GONE}
    record.take(Patch({"new": entry("fix", {"n": 3})}))
    assert set(acceptance.attempt()) == {("n",), ("log", "a")}
    assert held(acceptance) == set()


def test_a_relist_looks_at_what_has_changed_only(monkeypatch):
    """100,000 keys of which one has changed held the event loop for 0.11 s."""
    documents = {str(number): entry(str(number), {"log": {f"a{number}": "b"}}) for number in range(100)}
    record = SourceRecord("files", ["files"], optional=False)
    acceptance = Acceptance(compile_plan(App), [record])
    record.take(Replace(documents))
    assert acceptance.start() == []
    looked_at = []
    real = source_records.admitted
    monkeypatch.setattr(source_records, "admitted", lambda entry: looked_at.append(entry.place) or real(entry))
    record.take(Replace({**documents, "7": entry("7", {"log": {"a7": "c"}})}))
    assert len(looked_at) == 1
    assert acceptance.attempt() == [("log", "a7")]


def test_a_relist_that_takes_a_held_change_back_drops_it():
    acceptance, record = opened({"1": {"n": 1}})
    before = dict(record.accepted)
    record.take(Patch({"1": entry("1", {"n": "x"})}))
    assert acceptance.attempt() == []
    assert held(acceptance) == {"1"}
    record.take(Replace(before))
    assert acceptance.attempt() == []
    assert held(acceptance) == set()


def test_a_malformed_key_holds_its_whole_transaction_and_nothing_else():
    acceptance, record = opened({})
    good, bad = Entry(("n",), Bare("5"), 7, 7), Entry(("log", "a"), Malformed("JSON", "text"), 7, 7)
    record.take(Patch({"n": good, "log/a": bad, "log/b": Entry(("log", "b"), Bare("x"), 8, 8)}, {}, 8))
    assert acceptance.attempt() == [("log", "b")]
    assert held(acceptance) == {7}


def test_the_last_document_of_a_layer_is_held_when_it_is_deleted():
    acceptance, record = opened({"1": {"n": 1}}, optional=False)
    record.take(Patch({}, {"1": "1"}))
    assert acceptance.attempt() == []
    assert held(acceptance) == {"1"}
    assert acceptance.part.value.n == 1
    record.take(Patch({"1": entry("1", {"n": 2})}))
    assert acceptance.attempt() == [("n",)]


def test_the_start_reports_what_cannot_be_read_and_what_does_not_fit_together():
    record = SourceRecord("files", ["files"], optional=True)
    acceptance = Acceptance(compile_plan(App), [record])
    bad = Malformed("a value", "text", 3, 1)
    record.take(Replace({"1": entry("1", bad), "2": entry("2", {"n": "x", "pool": {"idle": 1}})}))
    assert [(p.path, p.expected) for p in acceptance.start()] == [("", "a value"), ("n", "int")]
    assert acceptance.part is None
    assert acceptance.stack.tree == {}
    record.take(Patch({"1": entry("1", {"pool": {"size": 1}}), "2": entry("2", {"n": 1})}))
    assert acceptance.start() == []


def test_a_start_from_one_file_that_cannot_be_read_tells_only_that():
    record = SourceRecord("files", ["files"], optional=False)
    acceptance = Acceptance(compile_plan(App), [record])
    record.take(Replace({"1": entry("1", Malformed("a value", "text", 3, 1))}))
    assert [problem.expected for problem in acceptance.start()] == ["a value"]


def test_a_layer_that_is_empty_at_the_start_is_named():
    record = SourceRecord("files", ["files"], optional=False)
    acceptance = Acceptance(compile_plan(App), [record])
    record.take(Replace({}))
    assert [problem.expected for problem in acceptance.start()] == [
        "some content, if only {}, or optional=True for the source"
    ]


@pytest.mark.parametrize("value", [5, [1], None, "text"])
def test_a_root_document_that_is_no_table_is_held(value):
    acceptance, record = opened({"1": {"n": 1}})
    record.take(Patch({"2": entry("2", value)}))
    assert acceptance.attempt() == []
    assert held(acceptance) == {"2"}


def test_a_thousand_faults_in_a_large_document_do_not_hold_the_loop_for_their_lines():
    looked_for = []

    def slow(_, path):
        looked_for.append(path)
        acceptance_clock[0] += 0.005
        return (1, 1)

    acceptance_clock = [0.0]
    record = SourceRecord("files", ["files"], optional=True)
    acceptance = Acceptance(compile_plan(dict[str, int]), [record])
    record.take(Replace({}))
    assert acceptance.start() == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.thread_time", lambda: acceptance_clock[0])
        document = {f"k{i}": "x" for i in range(1000)}
        record.take(Patch({"1": Entry((), document, "1", locate=slow)}))
        acceptance.attempt()
    held = acceptance.held[(0, "1")]
    assert (len(held.problems), held.more, held.stopped) == (20, 480, True)
    assert len(looked_for) < 10


def guarded(change_limits, entries):
    record = SourceRecord("etcd", ["etcd"], optional=True, change_limits=change_limits)
    acceptance = Acceptance(compile_plan(dict), [record])
    record.take(Replace(entries))
    assert acceptance.start() == []
    return acceptance, record


def sized(name, size, unit=1):
    return Entry((name,), size, unit, unit, size=size)


def test_a_sudden_jump_in_size_is_held_until_it_is_mended():
    acceptance, record = guarded(ChangeLimits(growth=10, free=1000), {"a": sized("a", 500)})
    record.take(Patch({"b": sized("b", 400, 2)}, {}, 2))
    assert acceptance.attempt() == [("b",)]
    record.take(Patch({"c": sized("c", 9000, 3)}, {}, 3))
    assert acceptance.attempt() == []
    assert str(acceptance.held[(0, 3)].problems[0]) == (
        "(root): expected at most 9000 bytes (10 times the 900 in force, or 1000), got 9900 bytes (etcd)"
    )
    record.take(Patch({"c": sized("c", 8000, 4)}, {}, 4))
    assert acceptance.attempt() == [("c",)]
    assert record.size == 8900
    record.take(Patch({}, {"c": 5, "a": 5}, 5))
    acceptance.attempt()
    assert record.size == 400


def test_a_change_that_removes_too_much_is_held_and_the_rest_goes_through():
    keys = {f"k{i}": sized(f"k{i}", 1) for i in range(10)}
    acceptance, record = guarded(ChangeLimits(removal=0.5), keys)
    record.take(Patch({}, {f"k{i}": 2 for i in range(5)}, 2))
    assert len(acceptance.attempt()) == 5
    record.take(Patch({"x": sized("x", 1, 4)}, {f"k{i}": 3 for i in range(5, 9)}, 4))
    assert acceptance.attempt() == [("x",)]
    assert acceptance.held[(0, 3)].problems[0].expected == "at most 50% of 5 entries to go at once"
    assert len(record.accepted) == 6


@pytest.mark.parametrize("bad", [{"growth": 0.5}, {"removal": 1.5}, {"removal": -0.1}])
def test_a_guard_s_bounds_are_checked(bad):
    with pytest.raises(ValueError, match="expected"):
        ChangeLimits(**bad)
