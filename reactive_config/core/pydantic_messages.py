"""Which of pydantic's messages may be copied: those that are made of the type alone."""

from __future__ import annotations

import re

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
