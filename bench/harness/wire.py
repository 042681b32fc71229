"""What the harness and a subject's process say to each other: one JSON object a line."""

from __future__ import annotations

from typing import Literal

import msgspec

from bench.harness.subject import Params, Round


class Command(msgspec.Struct, frozen=True, tag=str.lower):
    """The harness speaks; answered by one reply."""


class Profile(msgspec.Struct, frozen=True):
    """What is to be written down of a subject, once it closes, to a file in `folder`.

    Attributes:
        kind: calls, or memory.
        opening: Whether making and opening it is measured.
        after: Rounds up to this one are not.
    """

    folder: str
    kind: Literal["calls", "memory"]
    opening: bool
    after: int


class Open(Command, frozen=True):
    """Make the subject and open it; the first command. `subject` is `module:Class`."""

    subject: str
    params: Params
    spawned: int
    profile: Profile | None = None


class Measure(Command, frozen=True):
    """Answered twice: `Began` once the subject listens, then `Measured`."""

    round: Round


class Pause(Command, frozen=True):
    """Rest."""


class Resume(Command, frozen=True):
    """Be ready."""


class Close(Command, frozen=True):
    """The last command."""


class Reply(msgspec.Struct, frozen=True, tag=str.lower):
    """The subject answers. An error has no reply: the process ends, with a traceback on its standard error."""


class Done(Reply, frozen=True):
    """It worked."""


class Absent(Reply, frozen=True):
    """The subject cannot take part; an answer to `Open`."""

    reason: str


class Began(Reply, frozen=True):
    """The subject listens."""


class Measured(Reply, frozen=True):
    """The figures of a round."""

    samples: list[float]


Commands = Open | Measure | Pause | Resume | Close
Replies = Done | Absent | Began | Measured

commands: msgspec.json.Decoder[Commands] = msgspec.json.Decoder(Commands)
replies: msgspec.json.Decoder[Replies] = msgspec.json.Decoder(Replies)


def line(message: Command | Reply) -> bytes:
    """A message as it goes over the pipe."""
    return msgspec.json.encode(message) + b"\n"
