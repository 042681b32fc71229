"""Live values that were selected by a dotted path."""

from __future__ import annotations

from typing import TypeVar

from reactive_config.core.live import Live

U = TypeVar("U")


class LivePath(Live[U]):
    """A live value whose place in the configuration is known: its `name` holds the path.

    Of one that was selected by a function nobody knows that, so no message can tell whether its texts may be shown.
    """

    __slots__ = ()
