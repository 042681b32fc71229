"""The locks pin all that the tests need, with hashes, and say nothing of where it came from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("locked", "lowest")


def read(name: str) -> dict[str, list[tuple[Requirement, str]]]:
    """Each pin of a lock and what follows it, by the package's name."""
    pins: dict[str, list[tuple[Requirement, str]]] = {}
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    for block in re.findall(r"^[a-z0-9].*(?:\n .*)*", text, re.MULTILINE):
        line, _, rest = block.partition("\n")
        requirement = Requirement(line.rstrip(" \\"))
        pins.setdefault(requirement.name, []).append((requirement, rest))
    return pins


def wanted() -> list[Requirement]:
    """Everything that pyproject.toml and build.in name, whoever asks for it."""
    project = PROJECT["project"]
    build = (ROOT / "requirements/build.in").read_text().splitlines()
    texts = [*project["dependencies"], *PROJECT["build-system"]["requires"], *(x for x in build if x[:1] != "#")]
    for extra in project["optional-dependencies"].values():
        texts += extra
    return [requirement for text in texts if (requirement := Requirement(text)).name != "reactive-config"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_every_requirement(name):
    """One that is missing, or out of range, means that `make lock` was forgotten."""
    pins = read(name)
    for requirement in wanted():
        versions = [next(iter(pin.specifier)).version for pin, _ in pins.get(requirement.name, [])]
        fitting = [version for version in versions if requirement.specifier.contains(version, prereleases=True)]
        assert fitting == versions or (fitting and requirement.marker), requirement
        assert fitting, requirement


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_one_version_by_its_hashes_and_names_no_index(name):
    for pins in read(name).values():
        for pin, rest in pins:
            assert re.fullmatch("==[^*,]+", str(pin.specifier)), pin
            assert "--hash=sha256:" in rest, pin
            assert pin.url is None
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert not re.search(r"://|--(?:extra-)?index|--find-links|--trusted|@ ", text)


def test_the_lowest_lock_has_the_lowest_versions_that_are_allowed():
    """So that a bound which another package raises in silence is raised here too: nobody tests below it."""
    bounds: dict[str, set[Version]] = {}
    for requirement in wanted():
        found = {Version(each.version) for each in requirement.specifier if each.operator in (">=", "==")}
        bounds.setdefault(requirement.name, set()).update(found)
    above = {}
    for name, pins in read("lowest").items():
        pinned = {Version(next(iter(pin.specifier)).version) for pin, _ in pins}
        if min(pinned) not in bounds.get(name, pinned):
            above[name] = pinned
    assert above == {}
