"""Arguments that a library does not take, found before it is called, so that a message can name them.

What a library raises is not shown, since it may quote a secret. Names of arguments may be.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from reactive_config._bindings.pools.options import Arguments
from reactive_config._core.secret import HIDDEN
from reactive_config._core.sensitive import is_sensitive
from reactive_config._printable import printable
from reactive_config.errors import InvalidValue

_TOLD = 8  # names
_LONGEST = 60  # characters of a name

_ALIKE = (("dsn", "conninfo", "url"), ("host", "hostname"), ("user", "username"), ("database", "dbname", "db"))
"""Names that different libraries have for one thing."""


class KnownArguments(NamedTuple):
    """What a function of a library takes.

    Attributes:
        title: What people call the function.
        names: Of its arguments, in the order of its signature; None if it takes any.
        required: Those without which it cannot be called.
        below: What may stand in a table that is given for an argument.
        unless: An argument that changes which others there are.
    """

    title: str
    names: tuple[str, ...] | None
    required: tuple[str, ...] = ()
    below: Mapping[str, KnownArguments] = {}
    unless: str = ""


def names_of(*functions: Callable[..., Any]) -> tuple[str, ...] | None:
    """The names that functions take, each of which hands what it does not know to the next one.

    None if the last one takes any name, or nobody can tell.
    """
    names: dict[str, None] = {}
    for function in functions:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return None
        rest = [one for one in parameters if one.kind is one.VAR_KEYWORD]
        names.update(
            (one.name, None) for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        )
        if not rest:
            return tuple(names)
    return None


def refuse_unknown(name: str, given: Arguments, known: KnownArguments) -> None:
    """Refuse arguments that a function does not take, or lacks.

    Args:
        name: The binding's.
        given: The arguments.
        known: What the function takes.

    Raises:
        InvalidValue: It names them, and what was given; only another value mends it.
    """
    if known.unless and known.unless in given:
        return
    lacking = [argument for argument in known.required if argument not in given]
    unknown = () if known.names is None else [argument for argument in given if argument not in known.names]
    if unknown or lacking:
        hints = {argument: _hint(argument, given[argument], known) for argument in unknown or given}
        raise InvalidValue(f"{_wanted(known, lacking, hints)}, got {_given(given, unknown, hints)}", at=name)
    for argument, inner in known.below.items():
        table = given.get(argument)
        if isinstance(table, dict) and is_sensitive(argument):  # nothing of it is shown, a name neither
            table = {one if one in (inner.names or ()) else HIDDEN: None for one in table}
        if isinstance(table, dict):
            refuse_unknown(f"{name}: {argument}", table, inner)


def _wanted(known: KnownArguments, lacking: Sequence[str], hints: Mapping[str, str]) -> str:
    """What is expected; all names only if there is no better hint."""
    wanted = f"arguments of {known.title}"
    if lacking:
        return f"{wanted} with {' and '.join(lacking)}"
    names = known.names or ()
    if all(hints.values()):
        return wanted
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"{wanted} ({', '.join(names[:_TOLD])}{more})"


def _given(given: Arguments, unknown: Collection[str], hints: Mapping[str, str]) -> str:
    told = sorted(given, key=lambda argument: argument not in unknown)[:_TOLD] if len(given) > _TOLD else given
    words = []
    for argument in told:
        about = [*(["unknown"] if argument in unknown else []), *filter(None, [hints.get(argument)])]
        words.append(printable(argument, _LONGEST) + (f" ({'; '.join(about)})" if about else ""))
    more = f" and {len(given) - len(words)} more" if len(given) > len(words) else ""
    return (", ".join(words) or "none") + more


def _hint(argument: str, value: Any, known: KnownArguments) -> str:
    """What somebody may have meant by an argument; empty if nothing comes to mind."""
    names = known.required if known.names is None else known.names
    if isinstance(value, dict) and (inner := [one for one in names if one in value][:_TOLD]):
        return f"what is in it, {', '.join(inner)}, belongs beside the others: give options="
    alike = [one for group in _ALIKE if argument in group for one in group if one in names and one != argument]
    near = [*alike, *difflib.get_close_matches(argument[:_LONGEST], names, 1)]
    return f"did you mean {near[0]}?" if near and near[0] != argument else ""


def named_in(error: Exception, given: Arguments) -> str:
    """Which of the arguments an error is about, as text to append, if a function did not take one.

    Nothing of the error's text is shown.
    """
    if not isinstance(error, TypeError):
        return ""
    text = str(error)
    named = [printable(name, _LONGEST) for name in given if f"'{name}'" in text]
    return f" about {', '.join(named[:_TOLD])}" if named else ""
