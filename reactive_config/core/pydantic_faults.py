"""What pydantic finds wrong with a tree, in the words and at the paths of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reactive_config.core.delta import Bare
from reactive_config.core.fault import ENOUGH, Fault, Part, part_of, walk
from reactive_config.core.json_text import decode_json
from reactive_config.core.lenient import prepare
from reactive_config.core.paths import Path
from reactive_config.core.pydantic_messages import may_quote, safe_message
from reactive_config.core.pydantic_types import validated
from reactive_config.core.refusals import is_a, is_refusal, readable
from reactive_config.core.trees import ABSENT
from reactive_config.core.types import class_of, describe, kind_of

if TYPE_CHECKING:
    import pydantic

_MISSING = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def pydantic_faults(value: Any, model: Any, path: Path, inside: str) -> Iterator[Fault]:
    """What keeps a tree from being a model or dataclass of pydantic's; nothing if pydantic does not say."""
    import pydantic

    try:
        validated(prepare(value, model), model)
    except pydantic.ValidationError as error:
        if error.error_count() > 10 * ENOUGH:  # it can only give all of them, which takes seconds
            name = class_of(model).__name__  # type: ignore[union-attr]
            yield Fault(path, inside, f"what {name} accepts", f"a table with {error.error_count():,} faults")
            return
        part = part_of(_spelt(value), model, path, inside)
        for item in _told(error):
            yield _fault(item, part)
    except BaseException as error:
        if not is_refusal(error):
            raise


def _spelt(value: Any) -> Any:
    """The table that a bare text spells; any other tree as it is."""
    return (decode_json(value.text) or value) if type(value) is Bare else value


def _fault(item: Mapping[str, Any], part: Part) -> Fault:
    missing = item["type"] in _MISSING
    steps = walk(part, item["loc"], missing=missing)
    here, raised = steps[-1], item.get("ctx", {}).get("error")
    own = readable(raised)
    if own is not None:
        return _placed(own.at, steps).fault(own.expected)
    if item["type"] in _UNKNOWN and len(steps) > 1:
        names = ", ".join(steps[-2].fields)
        return Fault(here.path, here.inside, f"one of the names {names}", "an unknown name")
    if missing:
        return Fault(here.path, here.inside, describe(here.kind), "nothing")
    # Only pydantic's own messages are safe to copy; a validator's text may quote the value.
    expected = safe_message(item["type"], item["msg"])
    if not expected:
        owner = next((step for step in reversed(steps) if step.fields), part)
        return here.refused(owner.title, raised if is_a(raised, BaseException) else None)
    return Fault(here.path, here.inside, expected, _got(item["type"], here))


def _got(error: str, part: Part) -> str:
    if part.tree is ABSENT:  # a validator put something there before pydantic looked
        return "something else"
    own_types = any(getattr(kind, "__module__", "").startswith("pydantic") for kind in part.place.kinds)
    return part.got if may_quote(error) and not own_types else kind_of(part.tree)


def _told(error: pydantic.ValidationError) -> Iterator[Mapping[str, Any]]:
    """What pydantic found; with the type of a validator's error where the text is not pydantic's own."""
    try:
        items = error.errors(include_url=False, include_input=False)
    except BaseException as failure:  # it asks the validators' exceptions for their texts
        if not is_refusal(failure):
            raise
        return
    for item in items:
        yield item if _is_own_text(item["type"], item["msg"], item.get("ctx")) else {**item, "type": "value_error"}


def _is_own_text(kind: str, text: str, context: dict[str, Any] | None) -> bool:
    """Whether pydantic says just this for an error of its own: a PydanticCustomError may bear the name of one."""
    from pydantic_core import PydanticKnownError

    try:
        return bool(PydanticKnownError(kind, context).message() == text)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):  # no such error, or not with this context
        return False


def _placed(at: str, steps: Sequence[Part]) -> Part:
    """Where the author's word belongs: a field of the model that was validated, or of the one whose field was."""
    owner = next((part for part in reversed(steps[-2:]) if at in part.fields), None)
    return steps[-1] if owner is None else owner.below(at)
