"""Where a configuration lives: a process, a thread and an event loop."""

from __future__ import annotations

import asyncio
import os
from threading import get_ident
from typing import ClassVar

from reactive_config.errors import WrongProcess


class Home:
    """The process, thread and loop that something may be used in.

    Attributes:
        process: This process; asked once and after every fork, since asking the system costs more than a check may.
        loop: The event loop.
        pid: The process that the loop runs in.
        thread: The thread that it runs in.
    """

    process: ClassVar[int] = os.getpid()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pid: int = Home.process
        self.thread: int = get_ident()

    def check(self) -> None:
        """For what registers or waits.

        Raises:
            WrongProcess: In a forked child, in another thread, and outside of the loop.
        """
        if self.pid != Home.process:
            raise WrongProcess("expected the process that opened the configuration, got a forked child: open it there")
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self.loop:
            got = "another one" if running is not None else "code outside of it"
            raise WrongProcess(f"expected the event loop that opened the configuration, got {got}")

    def check_thread(self) -> None:
        """For what reads, without a wait: in the loop's thread it may also be done while the loop does not run.

        Raises:
            WrongProcess: In a forked child and in another thread.
        """
        if self.pid != Home.process or get_ident() != self.thread:
            self.check()


def _forked() -> None:
    Home.process = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
