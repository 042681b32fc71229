"""Odd names, texts and trees, from a seed: what tools, editors and attackers write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from bench.fuzz.kinds import FIELDS
from reactive_config.sources import Bare

NAMES = (
    "", ".", "..", "a.b", "/", "a/b", "//", '"', "'", "\\", '"a', "[0]", "a[0]", "{", "$", "$ref", "__proto__",
    "_private", "__class__", "__init__", "__", "a__b", "A", "true", "null", "0", "-1", "1e400", "nan", " ", "\t",
    "a b", "\n", "a\nb", "\r\n", "\0", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x9b", "\u202e", "\u2066", "\u200f",
    "\u2028", "\x85", "\ufeff", "\ud800", "\udcff", "\U0001f600", "e\u0301", "é", "名前", "\u0661", "password", "token",
    "%s", "%(a)s", "{0}", "${HOME}", "*", "#", "=", ":", "- ", "a" * 255, "b" * 65_535, "é" * 30_000, "\x1b" * 5_000,
    ".json", "x.yaml", "value.toml", ".env",
)  # fmt: skip

TEXTS = (
    "", " ", "0", "-0", "-0.0", "1", "1.10", "+1", "1.", ".5", "1e2", "1e-400", "1e400", "1e999999999", "1_000",
    "0x10", "007", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "9" * 400, "9" * 5_000,
    "0." + "9" * 5_000, "nan", "inf", "-Infinity", "true", "True", "false", "null", "~", "yes", "30s", "1h30m", "-5m",
    "PT30S", "P1Y", "1e400s", "9" * 30 + "d", "\u0661s", "2026-01-01", "2026-01-01T00:00:00Z", "24:61", "low", "LOW",
    "2", "{}", "[]", "{", "[", '"', '{"a": 1}', '{"a": {"b": [1, "x", null, 1e400]}}', '{"a": 1, "a": 2}', "[1, 2",
    "[" * 200 + "]" * 200, '{"a":' * 300 + "1", "[" * 100_000, '["' + '\\"' * 20_000, "hunter2", "\0", "\x1b[31m",
    "a\nb", "\u202eabc", "\ud800", "\ufeff1", "\x85",
)  # fmt: skip

ATOMS = (
    '"', '\\"', "\\", "[", "{", "}", "]", ",", ":", "1", "a", "a: ", "- ", "\n", "\r\n", " ", "\t", "#", "'", "=",
    "a=1\n", '"a":1,', '["', ".", "a.", "a__", "&a ", "*a ", "!", "%TAG", "<<: *a\n", "|", "|\n ", "? ", '"""', "'''",
    "\\u", "[[", "[{", "[a]\n", "1_", "1e", "0", "-", "1s", "1s ", "T", "export ", "$", "\x85", "é", "\U0001f600",
    '{"a":', "a={", "  - ", "---\n", "a.b.c=1\n", "\x1b", "\0", "\u0661",
)  # fmt: skip

_DATES = (datetime(2026, 1, 1, tzinfo=UTC), datetime(1, 1, 1), date(9999, 12, 31), timedelta(days=999_999_999))  # noqa: DTZ001
_LEAVES: Sequence[Any] = (
    0, -0.0, 1, True, False, None, 1.5, 2**63, 2**64 - 1, -(2**63), 2**64, 10**400, 1e308, float("nan"), float("inf"),
    [], {}, [1, "x", None], {"a": 1}, *_DATES,
)  # fmt: skip
_UNSOUND: Sequence[Any] = ({1: 2}, {None: 1}, (1, 2), {1, 2}, b"x", object, 10**5_000, [float("nan")], [[{"a": 2**70}]])


class Odd:
    """Makes odd things.

    Args:
        random: Decides everything, so that a seed makes them again.
    """

    def __init__(self, random: Random) -> None:
        self.random = random

    def name(self) -> str:
        """Mostly one of the type's, so that what is below it meets a type."""
        if self.random.random() < 0.6:
            return self.random.choice(FIELDS)
        return self.random.choice(NAMES)

    def path(self) -> tuple[str, ...]:
        """A few names; sometimes thousands."""
        kind = self.random.random()
        if kind < 0.9:
            return tuple(self.name() for _ in range(self.random.randint(1, 3)))
        depth = self.random.choice((64, 127, 128, 129, 200, 1_000, 5_000, 20_000))
        return (self.name(), *[self.random.choice(("a", "b", "node", "x" * 9))] * (depth - 1))

    def text(self) -> str:
        """A listed one, or one atom many times, perhaps with something before and after."""
        kind = self.random.random()
        if kind < 0.75:
            return self.random.choice(TEXTS)
        if kind < 0.95:
            return self.repeated()
        return "".join(chr(self.random.randrange(0x110000)) for _ in range(self.random.randint(1, 40)))

    def repeated(self, longest: int = 60_000) -> str:
        """What holds a parser that takes the square of a length."""
        atom = self.random.choice(ATOMS)
        times = self.random.choice((3, 100, 2_000, longest // len(atom)))
        before, after = (
            self.random.choice(("", "1", "[", "{", '"', "-", "a: ")),
            self.random.choice(("", "x", '"', "]", "}")),
        )
        return before + atom * times + after

    def leaf(self) -> Any:
        """A scalar, or a small list or table."""
        kind = self.random.random()
        if kind < 0.5:
            return self.text()
        return Bare(self.text()) if kind < 0.7 else self.random.choice(_LEAVES)

    def tree(self, levels: int = 3) -> Any:
        """What a file may hold, or what only a program could send."""
        kind = self.random.random()
        if levels == 0 or kind < 0.35:
            return self.leaf()
        if kind < 0.75:
            return {self.name(): self.tree(levels - 1) for _ in range(self.random.randint(0, 4))}
        if kind < 0.9:
            return [self.tree(levels - 1) for _ in range(self.random.randint(0, 4))]
        return self.random.choice(_SHAPES)(self)

    def nested(self) -> Any:
        """One thing inside another, tables or lists."""
        tree = self.leaf()
        name = self.random.choice((None, "a", "node", "table"))
        for _ in range(self.random.choice((60, 126, 127, 128, 129, 300, 5_000, 50_000))):
            tree = [tree] if name is None else {name: tree}
        return tree

    def wide(self) -> Any:
        """Many things beside one another."""
        many = self.random.choice((1_000, 5_000))
        value = self.leaf()
        return [value] * many if self.random.random() < 0.5 else {f"k{i}": value for i in range(many)}

    def shared(self) -> Any:
        """Small in memory, endless when written out."""
        tree: Any = [self.leaf()]
        for _ in range(self.random.choice((5, 60))):
            tree = [tree] * 10 if self.random.random() < 0.5 else {"a": tree, "b": tree}
        return tree

    def looped(self) -> Any:
        """A table that stands in itself."""
        tree: dict[str, Any] = {"x": self.leaf()}
        tree["a"] = tree if self.random.random() < 0.5 else [tree]
        return tree

    def unsound(self) -> Any:
        """What no file could hold."""
        return self.random.choice(_UNSOUND)


_SHAPES: Sequence[Callable[[Odd], Any]] = (Odd.nested, Odd.wide, Odd.shared, Odd.looped, Odd.unsound)
