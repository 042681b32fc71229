"""What a configuration type is made of, whichever library defined it.

Everything that asks "which fields has this type, and what may stand there" asks here. The answers come from `kinds`
(what a type is), `records` (its fields), `construction` (which of its own code runs) and `wording` (for people).
"""

from reactive_config._core.types.byte_sizes import ByteSize
from reactive_config._core.types.construction import constructs, is_immutable, not_served, own_code, own_constructor
from reactive_config._core.types.generics import class_of
from reactive_config._core.types.kinds import (
    bare_type,
    is_array,
    is_constrained,
    is_dataclass,
    is_named_tuple,
    is_pydantic,
    is_pydantic_dataclass,
    is_pydantics,
    is_scalar,
    is_sealed,
    is_secret,
    is_single,
    is_struct,
    is_typed_dict,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
    may_be_float,
    members_of,
    root_type,
    unmarked,
    unserved_alias,
    wants_text,
)
from reactive_config._core.types.records import (
    FieldType,
    SharedDefault,
    fields_of,
    inputs_of,
    may_hold_floats,
    reachable,
)
from reactive_config._core.types.wording import describe, kind_of

__all__ = [
    "ByteSize",
    "FieldType",
    "SharedDefault",
    "bare_type",
    "class_of",
    "constructs",
    "describe",
    "fields_of",
    "inputs_of",
    "is_array",
    "is_constrained",
    "is_dataclass",
    "is_immutable",
    "is_named_tuple",
    "is_pydantic",
    "is_pydantic_dataclass",
    "is_pydantics",
    "is_scalar",
    "is_sealed",
    "is_secret",
    "is_single",
    "is_struct",
    "is_typed_dict",
    "is_union",
    "is_untyped",
    "item_types",
    "kind_of",
    "mapping_types",
    "may_be_float",
    "may_hold_floats",
    "members_of",
    "not_served",
    "own_code",
    "own_constructor",
    "reachable",
    "root_type",
    "unmarked",
    "unserved_alias",
    "wants_text",
]
