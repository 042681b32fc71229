"""Examples as processes: started, listened to, told to end."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


class Running:
    """An example that runs, and what it says."""

    def __init__(self, example, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-u", EXAMPLES / example / "main.py", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip())

    def until(self, pattern, timeout=20):
        """Everything it says up to the first line that fits."""
        said = []
        while not said or not re.search(pattern, said[-1]):
            try:
                said.append(self._lines.get(timeout=timeout))
            except queue.Empty:
                raise AssertionError(f"expected {pattern!r}, got {said}") from None
        return said

    def end(self):
        """Send SIGTERM; what it still says."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=20) == 0
        self._reader.join(timeout=20)
        return list(self._lines.queue)

    def close(self):
        self.process.terminate()  # kindly, so that an example may end what it started itself
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(timeout=20)
        self.process.stdout.close()


@pytest.fixture
def run():
    """Start `examples/NAME/main.py`; ended with the test."""
    started = []

    def run(example, *arguments):
        started.append(Running(example, *arguments))
        return started[-1]

    yield run
    for running in started:
        running.close()
