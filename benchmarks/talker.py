"""Writes lines as etcd writes them, so many in a second.

Executed as `talker.py LINES_PER_S LINES_PER_WRITE DIRECTORY`; etcd writes each line by itself. How
many it has written stands in a file of its own in that directory. It never catches up on what it could not write in time: what is
measured is a steady flow, not a burst.
"""

import os
import sys
import time

STEP_S = 0.005
LINE = (
    b'{"level":"%s","ts":"2026-11-22T15:30:11.%06dZ","caller":"etcdserver/util.go:170",'
    b'"msg":"apply request took too long","took":"1.%06ds","expected-duration":"100ms",'
    b'"prefix":"read-only range"}\n'
)
"""About 190 bytes."""


def main() -> None:
    per_s, per_write = float(sys.argv[1]), int(sys.argv[2])
    count = open(f"{sys.argv[3]}/{os.getpid()}", "wb", buffering=0)  # noqa: PTH123, SIM115
    number, owed, before = 0, 0.0, time.monotonic()
    while True:
        time.sleep(STEP_S)
        now = time.monotonic()
        owed, before = owed + per_s * min(now - before, 10 * STEP_S), now
        while owed >= per_write:
            text = b""
            for _ in range(per_write):
                number += 1
                level = b"info" if number % 3 else b"warn"
                text += LINE % (level, number % 1_000_000, number % 1_000_000)
            owed -= per_write
            os.write(1, text)
        os.pwrite(count.fileno(), b"%d" % number, 0)


if __name__ == "__main__":
    main()
