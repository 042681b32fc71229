"""What is said to those who use `open_config` in another way than it is meant."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from reactive_config import Files, Memory, open_config
from reactive_config.testing import open_test_config


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("config", 'got a path: write Files("config")'),
        (Path("config"), 'got a path: write Files("config")'),
        (b"config", 'got a path: write Files("config")'),
        ({"a": 1}, "got a mapping: write Memory({"),
        (Files, "got the class Files: write Files(...)"),
        (None, "got NoneType, which has no name"),
        (7, "got int, which has no name"),
        ([Memory({})], "got list, which has no name"),
    ],
)
def test_what_is_no_source_is_refused_at_once(given, said):
    with pytest.raises(TypeError, match="^open_config: expected a source, " + re.escape(said)):
        open_config(dict, Memory({}), given)


def test_a_path_that_may_hold_a_password_is_not_quoted():
    with pytest.raises(TypeError) as caught:
        open_config(dict, "etcd://root:hunter2@host/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("opened", [lambda: open_config(dict, Memory({})), lambda: open_test_config(dict, {})])
async def test_without_async_with_it_says_what_to_write(opened):
    opening = opened()
    with pytest.raises(AttributeError, match="has no current before it is entered: write `async with"):
        _ = opening.current
    with pytest.raises(TypeError, match="is entered, not awaited: write `async with"):
        await opening
    with pytest.raises(TypeError, match="is entered by `async with`: write `async with"), opening:
        pass
    assert not hasattr(opening, "__deepcopy__")
    assert not hasattr(opening, "_nothing")
    async with opening as config:
        assert config.current == {}


def test_it_can_be_looked_at():
    assert "open_config object" in repr(open_config(dict, Memory({})))
    assert copy.copy(open_config(dict, Memory({})))
