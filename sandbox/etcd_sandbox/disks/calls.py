"""The system calls that the filter stops, their numbers on each machine, and the filter itself. Pure; standard library only.

Sources: Linux `include/uapi/linux/{seccomp,filter,audit}.h`, `arch/x86/entry/syscalls/syscall_64.tbl`,
`include/uapi/asm-generic/unistd.h`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

SYNC, WRITE = "sync", "write"
SYNCS = ("fdatasync", "fsync")
WRITES = ("write", "pwrite64", "ftruncate", "fallocate")

RET_ALLOW = 0x7FFF0000
RET_USER_NOTIF = 0x7FC00000

_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
"""Where `struct seccomp_data` has the number of the call, and the architecture that counts so."""


class Machine(NamedTuple):
    """A kind of processor: the architecture's audit number, that of `seccomp`, and those of the calls."""

    architecture: int
    seccomp: int
    numbers: dict[str, int]


MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        317,
        {
            "write": 1,
            "pwrite64": 18,
            "fsync": 74,
            "fdatasync": 75,
            "ftruncate": 77,
            "fallocate": 285,
        },
    ),
    "aarch64": Machine(
        0xC00000B7,
        277,
        {
            "write": 64,
            "pwrite64": 68,
            "fsync": 82,
            "fdatasync": 83,
            "ftruncate": 46,
            "fallocate": 47,
        },
    ),
}
"""By what `uname -m` says."""


def stopped(calls: str) -> tuple[str, ...]:
    """The calls that a filter for `sync` or `write` stops: that for writes stops syncs as well."""
    return SYNCS if calls == SYNC else (*SYNCS, *WRITES)


def program(machine: Machine, calls: str) -> bytes:
    """The classic BPF program, as the bytes of its `struct sock_filter`s: whoever counts otherwise is let pass."""
    numbers = [machine.numbers[name] for name in stopped(calls)]
    steps = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 0, len(numbers) + 1, machine.architecture),
        (_LOAD_WORD, 0, 0, _NUMBER_AT),
        # From each comparison to the last step, over those that are left and over "let pass".
        *((_JUMP_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)),
        (_RETURN, 0, 0, RET_ALLOW),
        (_RETURN, 0, 0, RET_USER_NOTIF),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
