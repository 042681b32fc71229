"""No number ends a program, and none is silently another one: every text and every type that it may meet."""

from __future__ import annotations

import contextlib
import enum
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest

from reactive_config import Memory, Rejected, Secret, open_config
from reactive_config._core.decoding.bare_values import duration, infer
from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.decoding.leaf import decode_leaf
from reactive_config._core.delta import Bare, Entry, Patch
from reactive_config._formats import registry
from reactive_config.errors import ParseError
from reactive_config.testing import Scripted


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


MOST, LEAST = 2**64 - 1, -(2**63)
ARABIC = "\u0661\u0662"
TEXTS = [
    "0", "-0", "-0.0", "1", "1.10", "+1", "1.", ".5", "1e2", "1E+2", "1e-400", "1e400", "-1e400", "1e999999999",
    "1e-999999999", "1_000", "0x10", "0o7", "0b1", "007", " 1", "1 ", "1,5", "1 000", ARABIC, ARABIC + "s", "\uff11",
    str(MOST), str(MOST + 1), str(LEAST), str(LEAST - 1), "9" * 400, "-" + "9" * 400, "9" * 5_000, "0." + "9" * 5_000,
    "9" * 5_000 + "e-4999", "1e" + "9" * 5_000, "nan", "NaN", "-nan", "inf", "-Infinity", "1e400s", "9" * 30 + "d",
    "P" + "9" * 30 + "D", "-" * 50, "." * 50, "e" * 50, "9007199254740993.0", "9007199254740993e0", "",
]  # fmt: skip
KINDS = [
    int, float, Decimal, timedelta, bool, str, Any, int | str, int | None, float | None, int | float, Level,
    Literal[1, 2], Literal["1"], Secret[int], Secret[float], list[int], dict[str, int], tuple[float, ...],
]  # fmt: skip


def decoded(tree, kind):
    """The value, or None where it is refused, in few words."""
    try:
        return decode_leaf(tree, kind)
    except Exception:  # noqa: BLE001 - as the plans do
        told = faults(tree, kind, ("a",))
    assert told
    assert all(len(str(fault)) < 500 for fault in told)
    return None


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_every_text_is_a_value_or_a_refusal_with_words(text, kind):
    for tree in (Bare(text), text):
        value = decoded(tree, kind)
        whole = value.reveal() if isinstance(value, Secret) else value
        if type(whole) is int:
            assert LEAST <= whole <= MOST
            assert whole == Decimal(text)
        if type(whole) is float:
            assert whole == float(text)
            assert abs(whole) < float("inf")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9" * 400, "9" * 400),
        (str(MOST), MOST),
        (str(MOST + 1), str(MOST + 1)),
        (str(LEAST), LEAST),
        (str(LEAST - 1), str(LEAST - 1)),
        ("1e400", "1e400"),
        ("-0", 0),
        (ARABIC, ARABIC),
        ("007", "007"),
    ],
)
def test_a_text_without_a_type_is_a_number_only_if_every_format_could_hold_it(text, value):
    found = infer(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", ["1_000", " 1", "1 ", "1\n", ARABIC, "\uff11", "1_0.5", "+1", "007", ".5"])
@pytest.mark.parametrize("kind", [int, float, Decimal, Decimal | None, Secret[Decimal], list[Decimal]], ids=str)
def test_bare_numbers_are_spelled_as_in_json_whatever_their_type(text, kind):
    tree = [Bare(text)] if kind == list[Decimal] else Bare(text)
    with pytest.raises(msgspec.ValidationError):
        decode_leaf(tree, kind)
    (fault,) = faults(tree, kind, ("a",))
    assert any(word in fault.expected for word in ("int", "float", "decimal", "Decimal"))


@pytest.mark.parametrize("text", ["1", "-1.10", "1e400", "9" * 400, "0." + "9" * 400])
def test_a_bare_decimal_keeps_its_exponent_and_all_its_digits(text):
    assert decode_leaf(Bare(text), Decimal).as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("text", [str(MOST + 1), str(LEAST - 1), "9" * 400])
@pytest.mark.parametrize("kind", [int, int | None, Secret[int]], ids=str)
def test_an_integer_beyond_64_bits_is_refused_as_in_json(text, kind):
    with pytest.raises(msgspec.ValidationError):
        decode_leaf(Bare(text), kind)
    with pytest.raises(ParseError, match="64 bits"):
        registry.parse(f'{{"a": {text}}}'.encode(), ".json")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        (" 1 h  30 m ", 5_400),
        ("-1h30m", -5_400),
        ("- 5s", -5),
        ("1.5h", 5_400),
        ("250ms", 0.25),
        ("1m1ms", 60.001),
        ("2w", 1_209_600),
        ("PT30S", 30),
        ("-PT30S", -30),
        ("1e2", 100),
        ("1s" * 100, 100),
    ],
)
def test_what_a_duration_is(text, seconds):
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        ARABIC + "s", "\u0661s1s", "+5s", "s", "5", "1.s", "1h30", "1 h 3", "1hh", "--5s", "5s-", "1,5s", "nan", "infs",
        "1e400", "9" * 30 + "d", "9" * 190 + "w", "-" + "9" * 30 + "d", "999999999d999999999d", "1s" * 101, "P", "PT",
        "P1Y", "1e3s", "0x5s", "1_0s", "1S", "", "-",
    ],
)  # fmt: skip
def test_what_a_duration_is_not(text):
    assert duration(text) is None or text == "5"


LONG = 2_000_000
SHAPES = {
    "digits": "1", "parts": "1s", "halves": "1.5h ", "spaces": " ", "dots": ".", "decimals": "1.", "signs": "-",
    "zeros": "0", "exponents": "1e", "iso": "PT1S", "P": "P", "arabic": "\u0661", "units": "m", "ms": "1m ",
    "quotes": '"', "escapes": '\\"', "braces": "{", "brackets": "[", "open": '["', "commas": "[1,", "line ends": "1\n",
    "control": "\x1b", "surrogates": "\ud800", "wide": "\U0001f600", "nul": "\0",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [pytest.param(shape, marks=pytest.mark.storm) if shape == "commas" else shape for shape in SHAPES],  # huge lists
    ids=str,
)
def test_two_megabytes_of_anything_are_judged_at_once(shape):
    """With an expression that takes the square of the length, one of these takes hours."""
    for text in (SHAPES[shape] * (LONG // len(SHAPES[shape])), "1" + SHAPES[shape] * (LONG // 4) + "x"):
        infer(text)
        duration(text)
        for kind in KINDS:
            decoded(Bare(text), kind)


class App(msgspec.Struct, frozen=True):
    whole: int = 0
    part: float = 0.0
    exact: Decimal = Decimal(0)
    wait: timedelta = timedelta()
    flag: bool = False
    free: Any = None


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
async def test_no_bare_number_ends_a_program(text):
    memory, plain = Memory({}), Scripted({}, name="plain")
    async with open_config(App, plain, memory) as config:
        for number, name in enumerate(App.__struct_fields__, 2):
            with contextlib.suppress(Rejected):
                await plain.send(Patch({name: Entry((name,), Bare(text), number, number)}, {}, number))
            await memory.patch({"flag": number % 2 == 0})
            assert config.current.flag is (number % 2 == 0)
            json.dumps(config.describe(), allow_nan=False, default=str)


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".toml"])
@pytest.mark.parametrize("text", TEXTS[:-2], ids=lambda text: text[:12])
def test_a_number_in_a_document_is_exact_or_text_or_refused(text, suffix):
    separator = {".json": '{"a": %s}', ".yaml": "a: %s\n", ".toml": "a = %s\n"}[suffix]
    try:
        value = registry.parse((separator % text).encode(), suffix)["a"]
    except ParseError:
        return
    if type(value) is int:
        assert LEAST <= value <= MOST
    elif type(value) is float:
        assert value == float(text.replace("_", ""))
        json.dumps(value, allow_nan=False)
    else:
        assert suffix == ".yaml"
        assert value in (text, text.strip(), None)
