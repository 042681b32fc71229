"""What hangs on an error."""

from __future__ import annotations

from collections.abc import Iterator


def chained(error: BaseException) -> Iterator[BaseException]:
    """An error with its causes, contexts and members of groups, each once."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is known for known in seen):
            continue
        seen.append(one)
        yield one
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
