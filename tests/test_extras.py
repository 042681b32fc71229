"""What a message tells to install is what the extra brings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from reactive_config._extras import EXTRAS, install

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_packages_are_those_that_the_extra_declares(extra):
    # Without versions and platforms: pip is to take the newest that fits.
    declared = [re.split(r"[<>=;]", line)[0].strip() for line in DECLARED[extra] if not line.startswith("tzdata")]
    assert EXTRAS[extra].replace('"', "").split() == declared


def test_no_message_asks_for_the_project_from_an_index():
    """It need not be on one: whoever installed from a clone could not do what the message says."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in (ROOT / "reactive_config").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"pip install \"?reactive-config", line)
    ]
    assert found == []


def test_a_message_names_the_extra_and_its_packages():
    assert install("cli") == f'install the extra "cli" of reactive-config, or: pip install {EXTRAS["cli"]}'


def test_the_table_of_the_guide_has_every_extra_and_no_other():
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    section = guide.partition("\n## Extras\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \|$", section, re.MULTILINE)
    assert sorted(rows) == sorted(DECLARED)
