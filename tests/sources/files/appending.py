"""Run as a process: adds one key to a document again and again, in two writes with nothing between them.

    python appending.py FILE COUNT STYLE

Styles: `append` opens with O_APPEND (YAML); `patch` overwrites the closing brace (JSON). Before and after each save the
file is a whole document, and each value is `whole`. After half a save the YAML is a document too, with the value `who`.
After every 50 keys the next save begins anew.
"""

from __future__ import annotations

import os
import random
import sys
import time

KEYS = 50
"""Keys of the longest document."""


def append(file: str, key: int) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_APPEND)
    try:
        if key == 0:
            os.ftruncate(fd, 0)
        os.write(fd, b"k%d: who" % key)
        os.write(fd, b"le\n")
    finally:
        os.close(fd)


def patch(file: str, key: int) -> None:
    fd = os.open(file, os.O_RDWR)
    try:
        if key == 0:
            os.ftruncate(fd, 0)
        end = os.lseek(fd, 0, os.SEEK_END)
        os.lseek(fd, max(0, end - 1), os.SEEK_SET)
        os.write(fd, (b',"k%d":"who' if key else b'{"k%d":"who') % key)
        os.write(fd, b'le"}')
    finally:
        os.close(fd)


STYLES = {"append": append, "patch": patch}


def main(file: str, count: int, style: str) -> None:
    save, chance = STYLES[style], random.Random(count)
    for number in range(count):
        save(file, number % KEYS)
        if chance.random() < 0.5:  # time to read; the other half comes at once
            time.sleep(chance.random() * 0.0002)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
