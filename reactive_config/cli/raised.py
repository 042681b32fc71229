"""What the module of `--type` raised, in words that quote nothing of it: a text of its own may hold any value."""

from __future__ import annotations

import importlib
import re
import traceback
from pathlib import Path

_IMPORTLIB = "<frozen importlib"
_NOT_THEIRS = (str(Path(__file__).parents[1]), str(importlib.__file__), _IMPORTLIB)

_CANNOT_IMPORT = re.compile(r"cannot import name '\w+' from (?:partially initialized module )?'[\w.]+'")
_SYNTAX_ERRORS = (SyntaxError, IndentationError, TabError)


def raised(error: BaseException, file: str | None = None) -> str:
    """The exception's type, the line of the module, and what Python itself says of syntax and imports.

    Args:
        error: What the module raised.
        file: The module's; None while it is imported, and so the first one that is not ours or Python's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if type(error) in _SYNTAX_ERRORS and frames and frames[-1].filename.startswith(_IMPORTLIB):
        assert isinstance(error, SyntaxError)
        return f"{type(error).__name__} ({error.filename}:{error.lineno}): {error.msg}"
    words = _CANNOT_IMPORT.match(str(error)) if type(error) is ImportError else None
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    file = file or (own[0].filename if own else None)
    lines = [f" ({frame.filename}:{frame.lineno})" for frame in own if frame.filename == file]
    return f"{type(error).__name__}{lines[-1] if lines else ''}{f': {words[0]}' if words else ''}"
