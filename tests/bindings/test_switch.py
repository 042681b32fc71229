"""A feature flag: who has it, that it stays theirs, and that the answer is the live value's."""

from __future__ import annotations

import threading
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config import Live, Memory, Rejected, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import Flag, FlagRule, switch

KEYS = [f"user-{n}" for n in range(10_000)]

percentages = st.floats(0, 100)
weights = st.dictionaries(st.text(max_size=3), st.floats(0.1, 100), min_size=1, max_size=5)


class App(msgspec.Struct, frozen=True):
    flags: dict[str, FlagRule] = {}


def of(value, salt=""):
    return switch(Live.constant(value), salt=salt)


def users(value, salt=""):
    flag = of(value, salt)
    return {key for key in KEYS if flag.on(key)}


@given(st.text(), st.text(), percentages, percentages)
def test_a_growing_percentage_never_turns_a_key_off(key, salt, one, other):
    less, more = sorted([one, other])
    assert of(Flag(percentage=less, salt=salt)).on(key) <= of(Flag(percentage=more, salt=salt)).on(key)


@given(st.text(), st.text(), percentages, st.booleans(), st.booleans(), st.booleans())
def test_off_beats_deny_beats_allow_beats_percentage(key, salt, percentage, on, denied, allowed):
    lists = {"deny": frozenset({key} if denied else ()), "allow": frozenset({key} if allowed else ())}
    expected = on and not denied and (allowed or of(percentage, salt).on(key))
    assert of(Flag(on=on, percentage=percentage, salt=salt, **lists)).on(key) is expected


@given(st.text())
def test_nobody_is_in_no_percent_and_everybody_in_all(key):
    for value in (0, 0.0, False, None, Flag(percentage=0), Flag(on=False)):
        assert of(value).on(key) is False
    for value in (100, 100.0, True, Flag()):
        assert of(value).on(key) is True


def test_a_percentage_is_one_of_the_keys_within_what_chance_allows():
    for percentage in (1, 10, 50, 90):
        assert len(users(percentage, "a")) == pytest.approx(percentage * 100, abs=150)  # 3 sigma


def test_flags_of_one_salt_share_their_first_keys_and_others_do_not():
    assert users(10, "a") == users(Flag(percentage=10, salt="a"), "b")
    assert len(users(10, "a") & users(10, "b")) == pytest.approx(100, abs=40)


def test_places_and_variants_are_those_of_every_release():
    """Pinned: another hash would change who has what in every running program."""
    half = of(50, "checkout")
    split = of(Flag(variants={"blue": 1, "green": 1, "red": 2}, salt="checkout"))
    found = [(half.on(key), split.variant(key)) for key in ("ada", "grace", "edsger", "łukasz", 7, "\ud800")]
    assert found == [
        (False, "blue"),
        (True, "red"),
        (True, "red"),
        (True, "red"),
        (False, "red"),
        (True, "blue"),
    ]


@given(st.text(), weights, percentages)
def test_a_percentage_moves_no_key_to_another_variant(key, variants, percentage):
    some, everybody = (of(Flag(percentage=p, variants=variants)).variant(key) for p in (percentage, 100))
    assert some in (None, everybody)


@given(st.text(), weights, st.data())
def test_a_weight_moves_keys_to_its_variant_or_from_it_and_between_no_others(key, variants, data):
    name = data.draw(st.sampled_from([*variants, "new"]))
    after = {**variants, name: data.draw(st.floats(0.1, 100))}
    old, new = (of(Flag(variants=v)).variant(key) for v in (variants, after))
    assert old == new or name in (old, new)


@given(st.text(), weights)
def test_the_order_of_the_variants_decides_nothing(key, variants):
    turned = dict(reversed(variants.items()))
    assert of(Flag(variants=variants)).variant(key) == of(Flag(variants=turned)).variant(key)


def test_variants_split_those_who_have_the_feature_by_weight():
    flag = of(Flag(percentage=50, variants={"a": 1, "b": 3, "never": 0}))
    found = [flag.variant(key) for key in KEYS]
    assert found.count(None) == pytest.approx(5000, abs=150)
    assert found.count("a") == pytest.approx(1250, abs=100)
    assert found.count("never") == 0


@pytest.mark.parametrize("value", [True, False, None, 50, Flag(), Flag(on=False, variants={"a": 1})])
def test_what_is_off_or_has_no_variants_gives_none(value):
    assert of(value).variant("ada") is None


def test_numbers_and_uuids_are_keys_by_their_text_and_other_objects_are_refused():
    uuid = UUID(int=7)
    flag = of(Flag(percentage=0, allow=frozenset({"7", str(uuid)})))
    assert flag.on(7)
    assert flag.on(uuid)
    for key in (True, object(), b"7", None):
        for value in (Flag(percentage=50, variants={"a": 1}), 50):
            with pytest.raises(TypeError, match="expected a key"):
                of(value).on(key)


async def test_each_call_reads_the_live_value():
    memory = Memory({"flags": {"new": False}})
    async with open_config(App, memory) as config:
        flag = switch(config.select("flags.new"))
        for value, on in [
            (True, True),
            (0, False),
            ({"percentage": 0, "allow": ["ada"]}, True),
            ({"on": False}, False),
        ]:
            await memory.replace({"flags": {"new": value}})
            assert flag.on("ada") is on
        await memory.replace({"flags": {}})
        assert flag.on("ada") is False


async def test_any_thread_may_ask():
    async with open_config(App, Memory({"flags": {"new": True}})) as config:
        flag, answers = switch(config.select("flags.new")), []
        thread = threading.Thread(target=lambda: answers.append(flag.on("ada")))
        thread.start()
        thread.join()
        assert answers == [True]


@pytest.mark.parametrize(
    "value",
    [101, -1, "on", [], {"percentage": 101}, {"alow": []}, {"variants": {"a": 0}}, {"variants": {"a": -1}}],
)
async def test_what_is_no_flag_is_refused_when_it_is_decoded(value):
    memory = Memory({"flags": {"new": True}})
    async with open_config(App, memory) as config:
        with pytest.raises(Rejected, match=r"flags\.new"):
            await memory.replace({"flags": {"new": value}})
        assert switch(config.select("flags.new")).on("ada")


async def test_it_shows_in_the_status_while_it_is_entered_and_needs_no_entering_to_answer():
    async with open_config(App, Memory({"flags": {"new": True}})) as config:
        flag = switch(config.select("flags.new"), salt="new")
        assert flag.on("ada")
        async with flag as entered:
            assert entered is flag
            (status,) = config.status().bindings
            assert (status.name, status.state) == ("switch(new)", BindingState.IN_FORCE)
        assert config.status().bindings == ()
