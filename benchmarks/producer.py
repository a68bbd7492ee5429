"""Writes a million lines of 210 bytes to stdout once it is told to, and then stays.

Executed as `producer.py NAME DIRECTORY LINES`: says in DIRECTORY that it waits, waits until
somebody opens the FIFO `go` there for writing, and says when it has written everything. It
stays because honcho ends everything when one process ends.
"""

import os
import signal
import sys

LINE_BYTES = 210
LINES_PER_WRITE = 500


def main() -> None:
    name, directory, lines = sys.argv[1], sys.argv[2], int(sys.argv[3])
    text = f"line of {name} for the benchmark ".encode()
    line = text + b"." * (LINE_BYTES - len(text) - 1) + b"\n"
    block = line * LINES_PER_WRITE
    with open(f"{directory}/{name}.waits", "w"):  # noqa: PTH123
        pass
    with open(f"{directory}/go", "rb"):  # noqa: PTH123
        pass
    for _ in range(lines // LINES_PER_WRITE):
        left = block
        while left:
            left = left[os.write(1, left) :]
    with open(f"{directory}/{name}.wrote", "w"):  # noqa: PTH123
        pass
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
