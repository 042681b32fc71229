"""The rejection rule under random deltas: what is in force is always whole, valid and explained."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Meta

from reactive_config.core.acceptance import Acceptance
from reactive_config.core.accounts import Account
from reactive_config.core.compiling import compile_plan
from reactive_config.core.decode import decode
from reactive_config.core.delta import Entry, Malformed, Patch, Replace
from reactive_config.core.equality import unchanged
from reactive_config.core.trees import overlay, same

pytestmark = pytest.mark.slow


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    a: Annotated[int, Meta(ge=0)] = 0
    b: dict[str, int] = {}
    c: int | None = None

    def __post_init__(self) -> None:
        if self.c is not None and self.c > self.a:
            raise ValueError("c above a")


KEYS = {"a": ("a",), "b": ("b",), "b/x": ("b", "x"), "b/y": ("b", "y"), "c": ("c",), "d": ("d",)}
keys = st.sampled_from(sorted(KEYS))
scalars = st.one_of(st.integers(-1, 3), st.sampled_from(["bad", None]), st.just(Malformed("JSON", "text")))
values = st.one_of(scalars, st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 2), max_size=2))
changes = st.dictionaries(keys, st.one_of(values, st.just("deleted")), min_size=1, max_size=4)


class RejectionRule(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.plan = compile_plan(Strict)
        self.accounts = [Account("low", ["low"], optional=True), Account("high", ["high"], optional=True)]
        self.acceptance = Acceptance(self.plan, self.accounts)
        for account in self.accounts:
            account.take(Replace({}))
        assert self.acceptance.start() == []
        self.current: list[dict[str, tuple[Any, int]]] = [{}, {}]
        self.unit = 0

    def entry(self, key: str, value: Any, unit: int) -> Entry:
        return Entry(KEYS[key], value, unit, unit)

    def send(self, source: int, transaction: dict[str, Any]) -> None:
        self.unit += 1
        come = {k: v for k, v in transaction.items() if v != "deleted"}
        gone = {k: self.unit for k, v in transaction.items() if v == "deleted"}
        self.current[source].update({k: (v, self.unit) for k, v in come.items()})
        for key in gone:
            self.current[source].pop(key, None)
        entries = {k: self.entry(k, v, self.unit) for k, v in come.items()}
        self.accounts[source].take(Patch(entries, gone, self.unit))

    def attempt(self) -> None:
        before = self.acceptance.part
        changed = self.acceptance.attempt()
        assert before is not None
        assert self.acceptance.part is not None
        assert bool(changed) == (before.value is not self.acceptance.part.value)

    @rule(source=st.integers(0, 1), transaction=changes)
    def one_transaction(self, source: int, transaction: dict[str, Any]) -> None:
        self.send(source, transaction)
        self.attempt()

    @rule(first=changes, second=changes, source=st.integers(0, 1))
    def several_at_once(self, first: dict[str, Any], second: dict[str, Any], source: int) -> None:
        self.send(source, first)
        self.send(1 - source, second)
        self.send(source, second)
        self.attempt()

    @rule(source=st.integers(0, 1), lost=st.sets(keys, max_size=2), found=st.dictionaries(keys, values, max_size=2))
    def relist(self, source: int, lost: set[str], found: dict[str, Any]) -> None:
        self.unit += 1
        now = {k: v for k, v in self.current[source].items() if k not in lost}
        now.update({k: (v, self.unit) for k, v in found.items()})
        self.current[source] = now
        entries = {k: self.entry(k, v, unit) for k, (v, unit) in now.items()}
        self.accounts[source].take(Replace(entries, self.unit))
        self.attempt()

    @rule(source=st.integers(0, 1), value=st.integers(0, 9))
    def an_urgent_fix_elsewhere_is_never_blocked(self, source: int, value: int) -> None:
        """b.z is touched by nobody else, so whatever is held, it goes through (unless a scalar b hides it)."""
        self.unit += 1
        entry = Entry(("b", "z"), value, self.unit, self.unit)
        self.current[source]["b/z"] = (value, self.unit)
        KEYS["b/z"] = ("b", "z")
        self.accounts[source].take(Patch({"b/z": entry}, {}, self.unit))
        self.attempt()
        # Held only where it cannot be told apart: another unit fails above or under its path.
        if (source, self.unit) in self.acceptance.held:
            problems = self.acceptance.held[(source, self.unit)].problems
            assert all(p.path in ("", "b") or p.path.startswith("b.z") for p in problems)
        else:
            assert self.accounts[source].find("b/z").value == value

    @rule()
    def everything_is_overwritten_with_something_good(self) -> None:
        for source in (0, 1):
            self.send(source, dict.fromkeys(KEYS, "deleted"))
        self.attempt()
        assert self.acceptance.held == {}
        assert unchanged(self.acceptance.part.value, Strict())

    @invariant()
    def what_is_in_force_is_valid_and_whole(self) -> None:
        tree: Any = {}
        for account in self.accounts:
            layer: Any = {}
            for _, entry in sorted(account.accepted.items(), key=lambda i: (len(i[1].path), i[0])):
                document = entry.value
                for name in reversed(entry.path):
                    document = {name: document}
                layer = overlay(layer, document)
            tree = overlay(tree, layer)
        assert same(self.acceptance.stack.tree, tree)
        part, faults = decode(self.plan, tree, None, None)
        assert part is not None, faults
        assert unchanged(part.value, self.acceptance.part.value)

    @invariant()
    def a_unit_is_accepted_or_held_as_a_whole(self) -> None:
        for number, account in enumerate(self.accounts):
            for key, (value, unit) in self.current[number].items():
                pending = account.pending.get(key)
                if pending is None:
                    accepted = account.find(key)
                    assert accepted is not None
                    assert same(accepted.value, value)
                else:
                    assert pending.unit == unit
                    assert (number, unit) in self.acceptance.held
            assert set(account.pending) <= set(self.current[number]) | set(account.accepted)

    @invariant()
    def with_nothing_held_it_is_the_current_state(self) -> None:
        if not self.acceptance.held:
            for number, account in enumerate(self.accounts):
                assert not account.pending
                assert set(account.accepted) == set(self.current[number])

    @invariant()
    def every_held_unit_says_why(self) -> None:
        assert all(held.problems for held in self.acceptance.held.values())


TestRejectionRule = RejectionRule.TestCase
TestRejectionRule.settings = settings(max_examples=75, stateful_step_count=20, deadline=None)


@pytest.mark.storm
@pytest.mark.timeout(900)
class TestRejectionRuleManyTimes(RejectionRule.TestCase):
    settings = settings(max_examples=500, stateful_step_count=20, deadline=None)
