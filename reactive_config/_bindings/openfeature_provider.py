"""The OpenFeature provider. The one module that imports its SDK, and imported by nothing until one is made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import (
    FlagNotFoundError,
    InvalidContextError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from reactive_config._bindings.flag import Flag, is_on, variant_of
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.runtime.host import Host
from reactive_config._core.runtime.live import Live, label, report
from reactive_config._core.status import BindingState, BindingStatus, Moment
from reactive_config._core.types import fields_of

T = TypeVar("T")
Rule = bool | float | Flag | None


class FlagProvider(AbstractProvider):
    """Answers OpenFeature's questions from a live table of flags; made by `flag_provider`.

    Every question reads the live value, from any thread: nothing is prepared or cached, and nothing can be behind. The
    context is for the SDK's events: inside it a changed table raises PROVIDER_CONFIGURATION_CHANGED with the
    names that changed, and leaving it raises PROVIDER_STALE. Without it, flags are answered all the same.

    | the flag is | boolean | string | number, object |
    |---|---|---|---|
    | absent | FLAG_NOT_FOUND | FLAG_NOT_FOUND | FLAG_NOT_FOUND |
    | without variants | on or off | TYPE_MISMATCH | TYPE_MISMATCH |
    | with variants | on or off | the variant's name; where it is off, the default | TYPE_MISMATCH |

    The reason says what decided: DISABLED (`on` is false), TARGETING_MATCH (`allow` or `deny`), SPLIT (a
    percentage between 0 and 100, or the weights of variants), STATIC (the same for everybody), DEFAULT (the lists are
    silent, and the rest is the same for everybody).

    What splits needs a targeting key; without one, it is TARGETING_KEY_MISSING. The salt of a flag that has none is
    its name, so that `switch(config.select("flags.checkout"), salt="checkout")` answers the same.
    """

    def __init__(self, live: Live[Any], name: str) -> None:
        super().__init__()
        self._live = live
        self.name: str = label("flag_provider", live, name)
        self._host = Host(self.name)
        self._changes = 0
        self._state = BindingState.IN_FORCE
        self._since = Moment.now()

    def status(self) -> BindingStatus:
        """Where it stands; `changes` counts the tables that were announced."""
        return BindingStatus(self.name, self._state, self._since.wall, changes=self._changes, age=self._since.age)

    def get_metadata(self) -> Metadata:
        return Metadata("reactive_config")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        rule, key = self._rule(flag_key), _targeting_key(evaluation_context)
        reason = _reason(rule, key)
        return _answer(rule, is_on(rule, flag_key, key), reason)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        rule, key = self._rule(flag_key), _targeting_key(evaluation_context)
        if not isinstance(rule, Flag) or not rule.variants:
            raise TypeMismatchError(f"{flag_key}: expected a flag with variants, got one without")
        reason = _reason(rule, key)
        if is_on(rule, flag_key, key) and _splits(rule):
            reason = _needing_a_key(key)
        variant = variant_of(rule, flag_key, key)
        return _answer(rule, default_value if variant is None else variant, reason, variant)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        raise self._mismatch(flag_key)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        raise self._mismatch(flag_key)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        raise self._mismatch(flag_key)

    async def __aenter__(self) -> Self:
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._host.enter(self._announce(started), started)
        report(self._live, self, self.status)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        report(self._live, self, None)
        try:
            await self._host.leave(error)
        finally:
            self._end()

    async def _announce(self, started: asyncio.Future[Any]) -> None:
        """Tell the SDK of every newer table."""
        before = self._live.current
        started.set_result(None)
        async for table in self._live:
            changed = _changed(before, table)
            before = table
            if changed:
                self._changes += 1
                self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=changed))
        self._end()
        await asyncio.get_running_loop().create_future()  # until the host ends it

    def _end(self) -> None:
        if self._state is not BindingState.CLOSED:
            self._state, self._since = BindingState.CLOSED, Moment.now()
            self.emit_provider_stale(ProviderEventDetails(message="the configuration is no longer followed"))

    def _rule(self, name: str) -> Rule:
        """The rule of a flag, as it is now.

        Raises:
            FlagNotFoundError: There is no such flag.
        """
        try:
            rule: Rule = _flags(self._live.current)[name]
        except KeyError:
            raise FlagNotFoundError(f"{name}: expected a flag of the configuration") from None
        return rule

    def _mismatch(self, name: str) -> Exception:
        self._rule(name)
        return TypeMismatchError(f"{name}: expected to be asked for a boolean, or for a variant's name as a string")


def _flags(table: Any) -> Mapping[str, Any]:
    """A table's flags by name."""
    if table is None or isinstance(table, Mapping):
        return table or {}
    kind: Any = type(table)
    fields = fields_of(kind) or {}
    return {name: getattr(table, field.attribute) for name, field in fields.items()}


def _changed(before: Any, after: Any) -> list[str]:
    old, new, absent = _flags(before), _flags(after), object()
    names = {**old, **new}
    return sorted(name for name in names if not unchanged(old.get(name, absent), new.get(name, absent)))


def _targeting_key(context: EvaluationContext | None) -> str:
    """The key, or the empty text where there is none."""
    key: Any = context.targeting_key if context is not None else None
    if key is not None and not isinstance(key, str):
        raise InvalidContextError(f"targeting_key: expected str, got {type(key).__name__}")
    return key or ""


def _needing_a_key(key: str) -> Reason:
    if not key:
        raise TargetingKeyMissingError("targeting_key: expected one, for a flag that not everybody has alike")
    return Reason.SPLIT


def _reason(rule: Rule, key: str) -> Reason:
    """What decides whether the flag is on for a key."""
    if rule is None or isinstance(rule, bool):
        return Reason.STATIC
    if not isinstance(rule, Flag):
        return _needing_a_key(key) if 0 < rule < 100 else Reason.STATIC
    if not rule.on:
        return Reason.DISABLED
    if key in rule.deny or key in rule.allow:
        return Reason.TARGETING_MATCH
    if 0 < rule.percentage < 100:
        return _needing_a_key(key)
    return Reason.DEFAULT if rule.deny or rule.allow else Reason.STATIC


def _splits(flag: Flag) -> bool:
    """Whether there is more than one variant that somebody can have."""
    return sum(weight > 0 for weight in flag.variants.values()) > 1


def _answer(rule: Rule, value: T, reason: Reason, variant: str | None = None) -> FlagResolutionDetails[T]:
    details = FlagResolutionDetails(value, reason=reason, variant=variant)
    if not isinstance(rule, bool) and rule is not None:
        details.flag_metadata = {"percentage": float(rule.percentage if isinstance(rule, Flag) else rule)}
    return details
