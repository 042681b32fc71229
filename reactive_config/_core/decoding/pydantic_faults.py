"""What pydantic finds wrong with a tree, in the words and at the paths of the configuration.

Only messages that are made of the type alone are copied: others may quote a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reactive_config._core.decoding.bare_values import prepare
from reactive_config._core.decoding.fault import ENOUGH, NO_VALUE, UNKNOWN_NAME, Fault, TypedPart, part_of, walk
from reactive_config._core.delta import Bare
from reactive_config._core.json_text import JsonRefusedError, decode_json
from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_a, is_refusal, readable
from reactive_config._core.trees import ABSENT
from reactive_config._core.types import ByteSize, class_of, describe, kind_of
from reactive_config._core.types.byte_sizes import BYTE_SIZE_WORDS, byte_count
from reactive_config._core.types.pydantic_types import validated
from reactive_config._core.types.text_types import text_type
from reactive_config.errors import InvalidValue

if TYPE_CHECKING:
    import pydantic


_NAMES = """
    missing extra_forbidden frozen_field frozen_instance none_required recursion_loop no_such_attribute
    model_type model_attributes_type dataclass_type dataclass_exact_type named_tuple_type missing_argument
    missing_keyword_only_argument unexpected_keyword_argument greater_than greater_than_equal less_than
    less_than_equal multiple_of finite_number too_short too_long dict_type list_type tuple_type set_type
    set_item_not_hashable frozen_set_type iterable_type string_type string_sub_type string_too_short
    string_too_long string_pattern_mismatch string_unicode string_not_ascii enum literal_error bool_type
    bool_parsing int_type int_parsing int_parsing_size int_from_float float_type float_parsing bytes_type
    bytes_too_short bytes_too_long date_type date_from_datetime_inexact date_past date_future time_type
    time_delta_type datetime_type datetime_past datetime_future timezone_naive timezone_aware is_instance_of
    is_subclass_of callable_type arguments_type union_tag_not_found url_type url_too_long url_scheme uuid_type
    uuid_version decimal_type decimal_parsing decimal_max_digits decimal_max_places decimal_whole_digits
    complex_type complex_str_parsing
"""

_OF_THE_TYPE = frozenset(_NAMES.split())
"""Others quote: a discriminator's tag, a character of a UUID, an exception. A validator's own text may say anything."""

_PARSED = {
    "date_parsing": "a valid date",
    "date_from_datetime_parsing": "a valid date",
    "datetime_parsing": "a valid datetime",
    "datetime_from_date_parsing": "a valid datetime",
    "time_parsing": "a valid time",
    "time_delta_parsing": "a valid duration",
    "url_parsing": "a valid URL",
    "url_syntax_violation": "a valid URL",
    "uuid_parsing": "a valid UUID",
    "bytes_invalid_encoding": "valid encoded bytes",
    "json_invalid": "valid JSON",
    "union_tag_invalid": "one of the union's tags",
}


_IN_OUR_WORDS = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dataclass_type": "a table",
    "dict_type": "a table",
    "list_type": "a list",
    "named_tuple_type": "a list",
    "none_required": "null",
    "int_parsing_size": "a smaller integer",
    "date_from_datetime_inexact": "a date",
    "set_item_not_hashable": "items that can be in a set",
    "datetime_past": "a datetime in the past",
    "datetime_future": "a datetime in the future",
    "timezone_naive": "a time without a timezone",
    "timezone_aware": "a time with a timezone",
    "time_delta_type": "a valid duration",
}

_GOT = re.compile(r", (?:unable to|got a number) .*$| after validation, not .*$", re.DOTALL)
_SHOULD = re.compile(r"(?:Input|(\w+)( input)?) should (be|have|match|contain) (.*)", re.DOTALL)
_TAG = "Unable to extract tag using discriminator "
_VERBS = {"be": "is", "have": "has", "match": "matches", "contain": "contains"}


def safe_message(kind: str, message: str) -> str:
    """What would have fitted, by type and text of one error of a ValidationError; empty if the text may quote."""
    words = _PARSED.get(kind) or _IN_OUR_WORDS.get(kind)
    if words or kind not in _OF_THE_TYPE:
        return words or ""
    return _after_expected(_GOT.sub("", message))


def may_quote(kind: str) -> bool:
    """Whether the value may stand beside this error: what pydantic parses by itself may hold a password, as a URL."""
    return kind == "time_delta_parsing" or (kind not in _PARSED and not kind.startswith("url"))


def _after_expected(text: str) -> str:
    """One of pydantic's sentences as what follows "expected"."""
    if text.startswith(_TAG):
        return f"a tag in {text.removeprefix(_TAG)}"
    found = _SHOULD.fullmatch(text)
    if found is None:
        return text
    noun, is_input, verb, rest = found.groups()
    if verb == "be" and (noun is None or is_input):
        return rest
    return f"a {noun.lower() if noun and not noun.isupper() else noun or 'value'} that {_VERBS[verb]} {rest}"


_MISSING = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def pydantic_faults(value: Any, model: Any, path: Path, inside: str) -> Iterator[Fault]:
    """What keeps a tree from being a model or dataclass of pydantic's; nothing if pydantic does not say."""
    import pydantic

    try:
        validated(prepare(value, model), model)
    except InvalidValue as error:  # a comma list or a size breaks its rules, before pydantic is asked
        yield _misspelt(part_of(_spelt(value), model, path, inside), error)
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


def _misspelt(part: TypedPart, error: InvalidValue) -> Fault:
    """The innermost part that cannot be prepared."""
    below = map(part.below, part.tree) if type(part.tree) is dict else ()
    for inner in map(part.item, range(len(part.tree))) if type(part.tree) is list else below:
        try:
            prepare(inner.tree, inner.kind)
        except InvalidValue as own:
            return _misspelt(inner, own)
        except JsonRefusedError:  # another mistake, which is told when this one is mended
            continue
    return part.fault(error.expected)


def _spelt(value: Any) -> Any:
    """The table that a bare text spells; any other tree as it is."""
    return (decode_json(value.text) or value) if type(value) is Bare else value


def _fault(item: Mapping[str, Any], part: TypedPart) -> Fault:
    missing = item["type"] in _MISSING
    steps = walk(part, item["loc"], missing=missing)
    here, raised = steps[-1], item.get("ctx", {}).get("error")
    own = readable(raised)
    if own is not None:
        return _placed(own.at, steps).fault(own.expected)
    if item["type"] in _UNKNOWN and len(steps) > 1:
        names = ", ".join(steps[-2].fields)
        return Fault(here.path, here.inside, f"one of the names {names}", UNKNOWN_NAME)
    if missing:
        return Fault(here.path, here.inside, describe(here.kind), NO_VALUE)
    # Only pydantic's own messages are safe to copy; a validator's text may quote the value.
    expected = (raised is None and _own_words(here)) or safe_message(item["type"], item["msg"])
    if not expected:
        owner = next((step for step in reversed(steps) if step.fields), part)
        return here.refused(owner.title, raised if is_a(raised, BaseException) else None)
    return Fault(here.path, here.inside, expected, _got(item["type"], here))


def _own_words(part: TypedPart) -> str:
    """What a size, a path or the like would have been, if the value is none; empty for other types."""
    value = part.tree.text if type(part.tree) is Bare else part.tree
    if part.plain is ByteSize:
        return BYTE_SIZE_WORDS if byte_count(value) is None else ""
    known = text_type(part.plain)
    try:
        if known is not None and part.tree is not ABSENT:
            known.read(value)
    except InvalidValue as error:
        return error.expected
    return ""


def _got(error: str, part: TypedPart) -> str:
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


def _placed(at: str, steps: Sequence[TypedPart]) -> TypedPart:
    """Where the author's word belongs: a field of the model that was validated, or of the one whose field was."""
    owner = next((part for part in reversed(steps[-2:]) if at in part.fields), None)
    return steps[-1] if owner is None else owner.below(at)
