"""Lists between commas: every list of texts can be written as one, and every text is read as a plain model reads it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.delta import Bare

TEXTS = st.text(st.sampled_from('ab1 ,"\\[{\n\té'), max_size=6)
PLAN = compile_plan(dict[str, list[str]])


def read(text: str) -> Any:
    """The list that a bare text is, or None."""
    part, faults = decode(PLAN, {"k": Bare(text)}, None, None)
    assert (part is None) == bool(faults)
    return None if part is None else part.value["k"]


def model(text: str) -> Any:
    """The same, character by character."""
    items: list[str] = []
    rest = text.strip()
    if not rest:
        return []
    while True:
        rest = rest.lstrip()
        if rest.startswith('"'):
            try:
                item, end = json.JSONDecoder().raw_decode(rest)
            except ValueError:
                return None
            items.append(item)
            rest = rest[end:].lstrip()
            if rest and not rest.startswith(","):
                return None
            if not rest:
                return items
            rest = rest[1:]
            continue
        item, comma, rest = rest.partition(",")
        if not item.strip():
            return None
        items.append(item.strip())
        if not comma:
            return items


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.data())
def test_every_list_of_texts_can_be_written_so(items: list[str], data: st.DataObject) -> None:
    def spelled(item: str) -> str:
        must = item != item.strip() or not item or "," in item or item[0] in '"[{'
        return json.dumps(item, ensure_ascii=False) if must or data.draw(st.booleans()) else item

    blanks = data.draw(st.sampled_from([",", ", ", " , "]))
    assert read(blanks.join(map(spelled, items))) == items


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from('ab ,"\\\n'), max_size=12))
def test_every_text_is_read_as_the_model_reads_it(text: str) -> None:
    assert read(text) == model(text)
