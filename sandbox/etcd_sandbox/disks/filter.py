"""Executes a program under a filter: `filter.py FD SECCOMP FILTER PROGRAM ARGUMENT…`.

SECCOMP is the number of the system call of that name, FILTER the filter's steps, in hex, as `calls` has both. It is executed
by its path, without the package, so that it is there at once. The listener, by which the stopped calls are answered,
goes out through the socket FD; until somebody answers, a call that is stopped waits.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from array import array

PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER = 1
NEW_LISTENER, WAIT_KILLABLE = 1 << 3, 1 << 5
"""With the second flag (Linux 5.19) only a fatal signal ends the wait of a stopped call: Go preempts its threads with signals."""


class Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install(number: int, steps: bytes) -> int:
    """Put the filter on this thread, for good; the listener's descriptor. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    wanted = Program(len(steps) // 8, steps)
    for flags in (NEW_LISTENER | WAIT_KILLABLE, NEW_LISTENER):
        listener = libc.syscall(number, SET_MODE_FILTER, flags, ctypes.byref(wanted))
        if listener >= 0:
            return int(listener)
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> None:
    """Never returns."""
    fd, number, steps, *command = arguments
    with socket.socket(fileno=int(fd)) as out:
        try:
            listener = install(int(number), bytes.fromhex(steps))
        except OSError as error:
            sys.exit(f"etcd-sandbox: the filter for disk faults cannot be had: {error.strerror}")
        rights = array("i", [listener])
        out.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        os.close(listener)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"etcd-sandbox: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
