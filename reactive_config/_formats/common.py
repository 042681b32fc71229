"""What every format shares: bytes to text, offsets to lines, proofs that a tree keeps its bounds.

Errors never quote the text.
"""

from __future__ import annotations

import orjson

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Tree
from reactive_config.errors import ParseError

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def without_newline(text: str) -> str:
    """A bare value without the one newline, of either kind, that may end it."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def decode(data: bytes) -> str:
    """The text of a document: UTF-8, with or without a byte order mark.

    The mark is dropped: editors on Windows write it, it carries nothing, and columns count without it.

    Raises:
        ParseError: The bytes are not UTF-8.
    """
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        sound = data[: error.start].decode().removeprefix("\ufeff")
    # Outside of the handler: UnicodeDecodeError holds the whole document, and even a suppressed context keeps it.
    raise refusal("UTF-8 text", other_bytes(data), sound, len(sound))


def other_bytes(data: bytes) -> str:
    """What bytes are that are not UTF-8, in words: of UTF-16 the mark tells that begins it, as PowerShell writes it."""
    return "UTF-16 (save it as UTF-8)" if data.startswith(_UTF_16) else "other bytes (save it as UTF-8)"


def require_content(text: str) -> None:
    """Refuse a document of nothing but white space: it is more often truncated than meant.

    Raises:
        ParseError: The text is blank.
    """
    if not text or text.isspace():
        raise ParseError("a document", "an empty one", 1, 1)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1, in characters; lines end at a line feed."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def offset_of(text: str, line: int, column: int) -> int:
    """The inverse of `position`; the end of the text where the text has no such line."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
        if start == 0:
            return len(text)
    return min(start + column - 1, len(text))


def refusal(expected: str, got: str, text: str, offset: int) -> ParseError:
    """The error for what stands at an offset of the text; words are the caller's own, never the document's."""
    return ParseError(expected, got, *position(text, offset))


def unreadable(expected: str, text: str, offset: int, slip: str = "") -> ParseError:
    """The error where a parser gave up at an offset.

    Args:
        expected: What should have stood there.
        text: The document.
        offset: Where.
        slip: What stands there, in words that quote nothing; empty if all that is known is whether the text went on.
    """
    ended = offset >= len(text.rstrip())
    got = slip or ("the end of the document" if ended else _shown(text[offset]))
    return refusal(expected, got, text, min(offset, len(text)))


def _shown(character: str) -> str:
    """What stands there, as far as it may be shown: it may be the first character of a secret."""
    if character.isalpha():
        return "a letter"
    return "a digit" if character.isdigit() else "punctuation" if character.isprintable() else "a control character"


def encoded(tree: Tree, *, shallow: bool = False) -> bytes | None:
    """The tree as compact JSON, where infinity and NaN are null.

    Args:
        tree: Of the types that formats give.
        shallow: Whether it is known not to nest too deep; it costs less then.

    Returns:
        None if it may break any other of the rules: orjson refuses keys that are no text, integers beyond 64 bits, and
        more levels than `_WRITABLE`; lists around the tree use up those above `MAX_DEPTH`.
    """
    try:
        if shallow:
            return orjson.dumps(tree)
        return orjson.dumps(_inside(tree, _SPARE))[_SPARE:-_SPARE] if _EXACT else None
    except TypeError:
        return None


def _inside(tree: Tree, lists: int) -> Tree:
    for _ in range(lists):
        tree = [tree]
    return tree


def _writes(tree: Tree, lists: int) -> bool:
    try:
        orjson.dumps(_inside(tree, lists))
    except TypeError:
        return False
    return True


_WRITABLE = 254
_SPARE = _WRITABLE - MAX_DEPTH
# Another version may have another limit, or not count a container that is empty: then all is walked.
_EXACT = all(
    _writes(leaf, _WRITABLE - levels) and not _writes(leaf, _WRITABLE - levels + 1)
    for leaf, levels in ((None, 0), ([], 1), ({}, 1), ([None], 1), ({"": None}, 1))
)


def surely_sound(tree: Tree) -> bool:
    """Whether it is proved that `find_fault` finds nothing; False only means that it must look."""
    compact = encoded(tree)
    return compact is not None and b"null" not in compact
