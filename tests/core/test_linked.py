"""Held units that need one another, and what a relist found gone: once all of it fits, nothing is held."""

from __future__ import annotations

import msgspec
import pytest

from reactive_config import ChangeLimits, Rejected, open_config
from reactive_config._core.acceptance import groups
from reactive_config._core.acceptance.source_records import GONE
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config.testing import Scripted


class Range(msgspec.Struct, frozen=True):
    low: int = 0
    high: int = 3

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("above")


class App(msgspec.Struct, frozen=True):
    x: Range = Range()
    y: Range = Range()
    n: int = 0
    m: int = 0


def relist(config, *lost, source=0):
    """The source says all that it said before, without some entries."""
    record = config.records[source]
    said = {i: e for i, e in record.accepted.items() if i not in record.pending}
    said |= {i: change.entry for i, change in record.pending.items() if change.entry is not None}
    config.revision += 1
    record.take(Replace({i: e for i, e in said.items() if i not in lost}, config.revision))
    return config.attempt()


@pytest.fixture
def jammed(accepting):
    """In force x.high = 0; x = {low: 4} is held, and with it the deletion of x.high, which a relist found."""
    config = accepting(App, {"x": {"high": 4}, "x.high": 0})
    config.attempt({"x": {"low": 4}})
    relist(config, "x.high")
    assert config.held == [GONE, 2]
    return config


def test_a_mend_that_needs_what_a_relist_found_gone_is_taken(jammed):
    jammed.attempt({"x.low": 3})
    assert jammed.held == []
    assert jammed.value.x == Range(3, 3)


def test_a_mend_of_a_mend_that_needs_it_is_taken_too(jammed):
    jammed.attempt({"x.low": 5})
    assert len(jammed.held) == 3
    jammed.attempt({"x.low": 2})
    assert jammed.held == []
    assert jammed.value.x == Range(2, 3)


def test_what_a_relist_found_gone_fits_once_another_source_changes_below_it(accepting):
    config = accepting(App, {"x.high": 3}, sources=2)
    config.attempt({"x.high": 3}, source=1)
    config.attempt({"x": {"low": 4}}, source=1)
    relist(config, "x.high", source=1)
    assert len(config.held) == 2
    config.attempt({"x.high": 6})
    assert config.held == []
    assert config.value.x == Range(4, 6)


def test_deleting_what_was_held_frees_what_a_relist_found_gone(jammed):
    jammed.attempt(None, "x")
    assert jammed.held == []
    assert jammed.value.x == Range()


def test_what_never_fits_elsewhere_does_not_keep_others_from_one_another(jammed):
    jammed.attempt({"m": "bad"})
    jammed.attempt({"x.low": 3})
    assert jammed.held == [jammed.revision - 1]
    assert jammed.value.x == Range(3, 3)


def test_what_a_relist_found_gone_names_an_entry_that_is_gone_and_what_it_waits_for(jammed):
    (problem,) = jammed.acceptance.held[0, GONE].problems
    assert str(problem) == (
        "x.high: expected no deletion before revision 2 fits (both may be one change), got a deletion "
        "(source 0 x.high, revision 1)"
    )


def test_a_deletion_that_does_not_fit_names_what_is_deleted(accepting):
    config = accepting(App, {"x": {"low": 4}, "x.high": 9, "n": 1})
    relist(config, "x.high", "n")
    (problem,) = config.acceptance.held[0, GONE].problems
    assert problem.origin.place == "x.high"


def test_two_that_need_each_other_fit_once_the_last_obstacle_in_one_is_overwritten(accepting):
    config = accepting(App, sources=2)
    config.attempt({"x.low": 2}, source=1)
    config.attempt({"x.low": 5})
    config.attempt({"x.high": 2}, source=1)
    config.attempt({"y.low": 5, "x": {"low": 5}}, "x.low")
    config.attempt({"y.low": 0}, "x.low", source=1)
    assert len(config.held) == 2
    config.attempt({"x": {"high": 1}})
    assert config.held == []
    assert config.value == App(x=Range(0, 2))


async def test_whoever_waits_for_a_revision_is_told_that_what_went_with_it_is_held():
    source = Scripted({"x": {"high": 4}})
    source.change_limits = ChangeLimits(removal=0.5)
    many = {f"k{n}": Entry(("x", "high"), 4, n, n) for n in range(2, 8)}
    async with open_config(App, source) as config:
        await source.send(Patch(many, {}, 8))
        with pytest.raises(Rejected):
            await source.send(Replace({"n": Entry(("n",), 5, 10, 10)}, 12))
        assert config.current.n == 5
        for revision in (9, 11, 12):  # what went with any of these, nobody knows
            with pytest.raises(Rejected, match="at most 50% of"):
                await config.wait_revision(source, revision)
        await config.wait_revision(source, 8)
        await config.wait_revision(source, 2)
        await source.send(Patch({"n": Entry(("n",), 6, 13, 13)}, {}, 13))
        with pytest.raises(Rejected):
            await config.wait_revision(source, 12)


async def test_whoever_waits_for_a_revision_waits_until_it_was_tried_with_those_that_it_needs(monkeypatch):
    monkeypatch.setattr(groups, "DECODES", 1)
    source = Scripted({})
    low, high = Entry(("x",), {"low": 4}, 3, 3), Entry(("x", "high"), 0, 2, 2)
    async with open_config(App, source) as config:
        await source.send(Patch({"x": Entry(("x",), {"high": 4}, 2, 2), "high": high}, {}, 2))
        with pytest.raises(Rejected):
            await source.send(Patch({"x": low}, {}, 3))
        with pytest.raises(Rejected):
            await source.send(Replace({"x": low}, 4))
        await source.send(Patch({"low": Entry(("x", "low"), 3, 5, 5)}, {}, 5))
        assert config.current.x == Range(3, 3)
        assert config.status().sources[0].held == ()
