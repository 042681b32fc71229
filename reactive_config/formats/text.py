"""What every format shares: bytes to text, offsets to lines, and errors that never quote the text."""

from __future__ import annotations

from reactive_config.errors import ParseError


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
    raise refusal("UTF-8 text", "other bytes", sound, len(sound))


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


def unreadable(expected: str, text: str, offset: int) -> ParseError:
    """The error where a parser gave up at an offset and all that is known is whether the text went on."""
    ended = offset >= len(text.rstrip())
    return refusal(expected, "the end of the document" if ended else "something else", text, min(offset, len(text)))
