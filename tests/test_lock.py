"""The locks pin all that the tests need, with hashes, and say nothing of where it came from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("locked", "lowest")
PLATFORMS = [
    {"sys_platform": system, "platform_machine": machine}
    for system, machine in (("linux", "x86_64"), ("darwin", "arm64"), ("darwin", "x86_64"), ("win32", "AMD64"))
]
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


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


@pytest.mark.parametrize("name", LOCKS)
def test_a_cap_for_one_platform_holds_on_that_platform_only(name):
    """A resolver may choose the capped version for everybody, and then the lock goes back silently."""
    pins = read(name)
    capped = [each for each in wanted() if each.marker and re.search("[<~]|==", str(each.specifier))]
    assert capped
    for requirement in capped:
        for platform in PLATFORMS:
            here = [pin for pin, _ in pins[requirement.name] if pin.marker is None or pin.marker.evaluate(platform)]
            assert len(here) == 1, (requirement, platform)
            version = next(iter(here[0].specifier)).version
            assert requirement.specifier.contains(version) == requirement.marker.evaluate(platform), platform


def planned(target: str, *settings: str) -> list[str]:
    """The commands that make would run."""
    command = ["make", "--no-print-directory", "-n", target, *settings]
    env = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}  # of the make around the tests
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@needs_make
def test_outdated_names_what_is_newer(tmp_path):
    """pip with -q lists nothing."""
    with zipfile.ZipFile(tmp_path / "msgspec-999.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("msgspec-999.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: msgspec\nVersion: 999.0\n")
        wheel.writestr("msgspec-999.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("msgspec-999.0.dist-info/RECORD", "")
    command = planned("outdated", f"VENV={sys.prefix}", f"PYTHON={sys.executable}")[-1]
    only = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        command, shell=True, env=os.environ | only, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^msgspec +\S+ +999\.0 ", done.stdout, re.MULTILINE)


@needs_make
def test_another_content_of_the_lock_is_another_environment_and_another_time_is_not(tmp_path):
    lock, room = tmp_path / "lock.txt", tmp_path / "venv"
    shutil.copy(ROOT / "requirements/locked.txt", lock)
    settings = (f"LOCK={lock}", f"VENV={room}", f"PYTHON={sys.executable}")
    told, *_, touch, _, _ = planned("format", *settings)
    assert told == f'echo "installing {lock} into {room}"'
    room.mkdir()
    Path(touch.removeprefix("touch ")).touch()
    os.utime(lock, (2_000_000_000, 2_000_000_000))  # in the year 2033
    assert len(planned("format", *settings)) == 2
    lock.write_text(lock.read_text() + "# more\n")
    assert len(planned("format", *settings)) > 2
