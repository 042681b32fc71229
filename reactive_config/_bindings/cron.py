"""What a configuration may say about when something happens; what it may not say is refused when it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import msgspec

from reactive_config._core.types.wording import Worded
from reactive_config._extras import install
from reactive_config.errors import InvalidValue

if TYPE_CHECKING:
    from cronsim import CronSim

_SECOND = 1_000_000_000


class Cron(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times of day that a cron expression names: `{"cron": "0 3 * * MON-FRI", "timezone": "Europe/Berlin"}`.

    Five fields: minute, hour, day of the month, month, day of the week; with `*`, lists, ranges, steps, names of months
    and days, `L` and `LW` for the last day and weekday of a month, `FRI#2` and `5L` for the second and the last
    Friday of one. Where the days of the month and of the week are both restricted, either is enough, as in every cron.

    When clocks change, it does as Debian's cron, through cronsim. Where minute and hour both begin without `*`, a time
    that a change skips comes right after it, and one that a change repeats comes once, the first time. All others
    follow the clock on the wall: what is skipped is left out, what is repeated comes twice.
    Known limit: in the few places where clocks change at midnight (Havana) or by half an hour (Lord Howe), one of
    these may come too often or not at all in that hour.

    Attributes:
        expression: In the configuration `cron`.
        timezone: A name of the time zone database.
    """

    expression: str = msgspec.field(name="cron")
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            zone = ZoneInfo(self.timezone)
        except Exception:  # noqa: BLE001 - a name that is no path of a file fails in many ways
            raise InvalidValue("the name of a time zone, such as Europe/Berlin", at="timezone") from None
        # An expression may be well formed and name no time at all: 30 February, or a first Monday on the 29th.
        try:
            first = next(_simulation(self.expression, datetime(2000, 1, 1, tzinfo=zone)), None)
        except ImportError:
            # As a refusal of the value, so that the message of a start says what to install.
            raise InvalidValue(f"cronsim, which reads cron expressions: {install('cron')}", at="cron") from None
        if first is None:
            raise InvalidValue("an expression that names a time, not one that never comes", at="cron")

    def times(self, after: int) -> Iterator[int]:
        """The times that come strictly after one, in order; nanoseconds since the epoch.

        It ends where the next one is more than 50 years away.
        """
        start = datetime.fromtimestamp(after // _SECOND, ZoneInfo(self.timezone))
        for at in _simulation(self.expression, start):
            # From a repeated hour, an expression for the first of the two begins in the past.
            if (place := int(at.timestamp()) * _SECOND) > after:
                yield place
                after = place

    def local(self, place: int) -> datetime:
        """A time in nanoseconds since the epoch, as the clock of the time zone shows it."""
        return datetime.fromtimestamp(place // _SECOND, ZoneInfo(self.timezone))


Every = Annotated[
    timedelta | Cron, Worded('a duration (seconds, 30s, 10m, PT30S) or a table such as {cron = "0 3 * * *"}')
]
"""When something happens again and again: at an interval, or at times of day. What `timer` follows."""


def _simulation(expression: str, start: datetime) -> CronSim:
    """The times of an expression.

    Raises:
        InvalidValue: It is none; without its text.
        ImportError: cronsim is not installed.
    """
    try:
        from cronsim import CronSim
    except ImportError:
        raise ImportError(f"cron expressions need cronsim: {install('cron')}") from None
    unfit = InvalidValue("a cron expression of five fields (minute, hour, day, month, day of the week)", at="cron")
    if len(expression.split()) != 5:  # a sixth, for seconds, has other rules when clocks change
        raise unfit
    try:
        return CronSim(expression, start)
    except Exception:  # noqa: BLE001 - beside its own error, hostile text trips its parser in other ways
        raise unfit from None
