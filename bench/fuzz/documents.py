"""Odd documents of every format: sound ones that were spoiled, and shapes that hold parsers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random

from bench.fuzz.odd import ATOMS, Odd

SUFFIXES = (".json", ".yaml", ".toml", ".env")

_SEEDS: Mapping[str, str] = {
    ".json": '{"whole": 1, "table": {"b": [1, 2.5, "x:y", null]}, "text": "\\u00e9\\n", "node": {"node": {"size": 3}}}',
    ".yaml": "---\nwhole: 1\ntable: &x {b: [1, 2]}\nfree: *x\ntext: |\n  text\nitems:\n- 1\n? a\n: - .5\nwait: 30s\n",
    ".toml": 'whole = 1\ntable.b = 1\n[free."y"]\nz = [1, {q = "é"}]\n[[a]]\nu = """a\nb"""\n[[a]]\nv = 1979-05-27\n',
    ".env": "export WHOLE=1\nTEXT=\"x\\n\né\" # c\nTABLE__B='z'\n# d\nFREE=a b\r\nNODE__NODE__SIZE=2\n",
}
_BEFORE: Mapping[str, tuple[str, ...]] = {
    ".json": ("", "[", '{"a":', '["', '{"a": "'),
    ".yaml": ("", "a: ", 'a: "', "a: [", "- ", "a: &x ", "? "),
    ".toml": ("", "a=", 'a="', "a=[", "[", "a={", 'a="""', "a='''"),
    ".env": ("", "A=", 'A="', "A='", 'A="x" ', "A__"),
}
_PIECES = (*ATOMS, "", "9" * 20, "9" * 40, "1e400", ".nan", "\ufeff", "\u2028", "<<", "a", "beatx", "\r")


def document(random: Random, suffix: str) -> bytes:
    """A document of a format, or what should have been one."""
    odd, kind = Odd(random), random.random()
    if kind < 0.4:
        text = _spoiled(random, _SEEDS[suffix])
    elif kind < 0.6:
        text = random.choice(_BEFORE[suffix]) + odd.repeated() + random.choice(("", "\n", '"', "]", "}", " x: 1"))
    elif kind < 0.9:
        text = _written(odd, suffix)
    else:
        return random.randbytes(random.choice((0, 1, 2, 10, 1_000)))
    data = text.encode(errors="surrogatepass")
    if random.random() < 0.05:
        return data.decode(errors="replace").encode("utf-16")
    return data[: random.randint(0, len(data))] if random.random() < 0.1 else data


def _spoiled(random: Random, text: str) -> str:
    for _ in range(random.randint(1, 5)):
        start = random.randint(0, len(text))
        text = text[:start] + random.choice(_PIECES) + text[start + random.randint(0, 4) :]
    return text


def _written(odd: Odd, suffix: str) -> str:
    """Names and values of this module, in the format's own words."""
    lines = [_line(odd, suffix) for _ in range(odd.random.randint(1, 6))]
    return "{" + ", ".join(lines) + "}" if suffix == ".json" else "\n".join(lines) + "\n"


def _line(odd: Odd, suffix: str) -> str:
    random = odd.random
    raw = random.random() < 0.5  # the text as it is: a number, a bracket, or nothing that the format knows
    if suffix == ".env":
        return f"{'__'.join(odd.path()).upper()}={odd.text() if raw else json.dumps(odd.text())}"
    value = odd.text() if raw else _json(odd)
    if suffix == ".json":
        return f"{json.dumps(odd.name())}: {value}"
    name = odd.name() if random.random() < 0.5 else json.dumps(odd.name())
    return f"{name}: {value}" if suffix == ".yaml" else f"{'.'.join([name, *odd.path()[1:]])} = {value}"


def _json(odd: Odd) -> str:
    """JSON of a tree, which YAML and TOML read in good part."""
    tree = odd.random.choice(
        (odd.text(), [odd.text(), 1], {odd.name(): odd.text()}, {odd.name(): [None, 1.5, True]}, 1, 0.5)
    )
    text = json.dumps(tree, ensure_ascii=odd.random.random() < 0.5)
    for _ in range(odd.random.choice((0, 0, 0, 3, 126, 127, 128, 300))):
        text = f'{{"a": {text}}}' if odd.random.random() < 0.5 else f"[{text}]"
    return text
