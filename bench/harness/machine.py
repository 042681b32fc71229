"""Where and with what a run was made."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import msgspec

PACKAGES = (
    *("reactive-config", "aetcd", "grpcio", "msgspec", "orjson", "ryaml", "watchfiles", "uvloop"),
    *("dynaconf", "pydantic", "pydantic-settings", "omegaconf", "watchdog", "PyYAML"),
)
"""What is compared, and what it stands on."""


class Machine(msgspec.Struct, frozen=True):
    """Attributes:
    cpu: The processor's name.
    cores: That this process may use.
    governor: Of the first core's frequency; empty where it cannot be read.
    system: The operating system with its release.
    python: Implementation and version.
    load: Of the last minute, when the run began: what else went on.
    """

    cpu: str
    cores: int
    governor: str
    system: str
    python: str
    load: float


def this_machine() -> Machine:
    """The machine of this process."""
    return Machine(
        cpu=_cpu() or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        load=round(os.getloadavg()[0], 2),
    )


def versions() -> dict[str, str]:
    """Of every installed package that matters; ours with the commit of the checkout."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit = _commit()
    if commit and "reactive-config" in found:
        found["reactive-config"] += f" ({commit})"
    return found


def _cpu() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        told = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""  # no git here
    return told.stdout.strip() if told.returncode == 0 else ""
