"""omegaconf over one file, for the cases in which it is a rival."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def loader(file: Path) -> Callable[[], Any]:
    """What reads the file anew whenever it is called.

    omegaconf itself reads YAML alone, with PyYAML. It would take JSON for YAML, many times slower than json does.

    Raises:
        ModuleNotFoundError: omegaconf is not installed.
    """
    import omegaconf

    os.environ["OMEGACONF_MAX_YAML_EXPANDED_NODES"] = "none"  # a guard: 100 KiB are more nodes than it lets pass
    parse = {".json": json.loads, ".toml": tomllib.loads}.get(file.suffix)
    if parse is None:
        return lambda: omegaconf.OmegaConf.load(file)
    return lambda: omegaconf.OmegaConf.create(parse(file.read_text()))
