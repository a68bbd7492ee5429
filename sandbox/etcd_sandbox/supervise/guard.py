"""The guard: a tiny parent of the supervisor that leaves nothing behind, whoever dies.

It is executed by path with `python -I -S` (no site-packages, no imports of this project), so
that it starts in 10 ms and stays small. It starts the supervisor before it imports anything itself; that one
imports while it is not known yet what it is to run. The guard (`watch.py`) waits for what is to be run: with that come the cluster's lock and
what else is to stay open. Whoever goes before that takes the other two along. When the supervisor has
ended, in whatever way, it kills every process group that the supervisor reported and, on Linux, where
orphans come to it as a child subreaper, every descendant that is left; then it runs the commands that
the supervisor left with it for this case. When the pipe from an owning `up` closes, it asks the supervisor
to stop, and ends it after the grace period; SIGTERM, SIGINT and SIGHUP ask for the same, SIGQUIT ends
everything at once. The lock is free only when nothing is left.
"""

from __future__ import annotations

import _socket
import os
import sys


def close_inherited() -> None:
    """Close what whoever launched the guard had open, but for the standard streams."""
    try:
        highest = max(map(int, os.listdir("/dev/fd")))  # noqa: PTH208 - no pathlib
    except OSError:
        highest = 4095
    os.closerange(3, highest + 1)


def start_supervisor(command: list[str], orders: int, reports: int, said: int) -> int:
    """Execute the supervisor in a session of its own, with the pipe's number as last argument; its pid.

    Its orders come by its stdin; what it says before it has its log goes to `said`.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for fd, place in ((orders, 0), (said, 1), (said, 2)):
            os.dup2(fd, place)
        os.set_inheritable(reports, True)
        os.execv(command[0], [*command, str(reports)])
    finally:
        os._exit(127)


def main() -> int:
    """Run the guard: `guard.py SUPERVISOR-COMMAND…`; its stdin is a socket to whoever launched it."""
    close_inherited()
    reports, reports_write = os.pipe()
    said, said_write = os.pipe()
    ours, theirs = _socket.socketpair()
    refused, supervisor = None, 0
    try:
        supervisor = start_supervisor(sys.argv[1:], theirs.fileno(), reports_write, said_write)
    except OSError as error:
        refused = error
    for fd in (reports_write, said_write, theirs.detach()):
        os.close(fd)
    sys.path.append(os.path.dirname(__file__))  # noqa: PTH120
    from importlib import import_module

    run = import_module("watch").run
    return int(run(supervisor, refused, reports, said, ours.detach()))


if __name__ == "__main__":
    sys.exit(main())
