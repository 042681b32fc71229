"""The log that operators read. Its handlers and filters are the program's, and what they raise ends nothing here."""

from __future__ import annotations

import logging
import sys
from typing import Any

from reactive_config._core.refusals import is_refusal, name_of


class OperatorLog(logging.LoggerAdapter[logging.Logger]):
    """Writes to a logger. A line that a handler or a filter raised at is told on the standard error instead."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        try:
            self.logger.log(level, msg, *args, stacklevel=2, **kwargs)
        except BaseException as error:
            if not is_refusal(error):
                raise
            _tell(name_of(error), msg, args)


def _tell(error: str, text: object, arguments: tuple[object, ...]) -> None:
    if sys.stderr is None:  # as under pythonw
        return
    try:
        line = str(text) % arguments if arguments else text
        print(f"reactive_config: a handler or a filter of the log raised {error}, at: {line}", file=sys.stderr)
    except (OSError, ValueError, TypeError):  # closed, full, or of another encoding; or the line itself is at fault
        pass


logger = OperatorLog(logging.getLogger("reactive_config"), {})
