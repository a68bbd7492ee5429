"""The calls that are held, in memory that outlives the handler: its successor goes on with them.

The kernel hands each stopped call out once. So a call is received right into the journal: whoever dies in
whichever moment, the call's ID is there, and whoever holds the listener can answer by the ID. Standard library only.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

NOTIFICATION = 80
"""The size of `struct seccomp_notif` (Linux 5.0 on): ID, thread, flags; call, architecture, place, six arguments."""

ENTRY = 128
ENTRIES = 256
COUNTS = 64
ROOM = 2048
"""How much is handed to Python's `ioctl` for a call: it has the kernel write a buffer up to 1,024 bytes elsewhere, and copies that."""

SIZE = ENTRIES * ENTRY + COUNTS * 16 + ROOM

_TASK_AT, _CALL_AT, _ARGUMENTS_AT = 8, 16, 32
_LISTENER_AT, _DECISION_AT = NOTIFICATION, NOTIFICATION + 8
_DECISION = "=dqQQ"
"""When the answer is due (monotonic seconds), the error or 0, the rule or 0, the how manieth call of the rule."""
_DECIDED_AT = _DECISION_AT + 32
_COUNTS_AT = ENTRIES * ENTRY


class Decision(NamedTuple):
    """What becomes of a call: answered at `due` (monotonic seconds), with an error number or 0.

    `rule` is the number of the rule that says so, and this is the call of number `nth` that it is for.
    """

    due: float
    error: int = 0
    rule: int = 0
    nth: int = 0


class Held(NamedTuple):
    """A call that waits for its answer; `decision` is None where the handler died before it had made one."""

    entry: int
    listener: int
    id: int
    task: int
    call: int
    file: int
    decision: Decision | None


class Journal:
    """The memory of descriptor `fd`, `SIZE` bytes."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, SIZE)

    def close(self) -> None:
        """Let the memory go."""
        self._memory.close()

    def free(self) -> int | None:
        """The number of an entry without a call; None where all have one."""
        return next((entry for entry in range(ENTRIES) if not self._id(entry)), None)

    def room(self, entry: int, listener: int) -> memoryview:
        """Where the kernel is to write the next call of that listener."""
        begin = entry * ENTRY
        self._memory[begin : begin + ENTRY] = bytes(ENTRY)
        struct.pack_into("=Q", self._memory, begin + _LISTENER_AT, listener)
        return memoryview(self._memory)[begin : begin + ROOM]

    def held(self, entry: int) -> Held | None:
        """The call there; None where the entry is free."""
        begin, id_ = entry * ENTRY, self._id(entry)
        if not id_:
            return None
        decided = self._memory[begin + _DECIDED_AT]
        return Held(
            entry=entry,
            listener=self._number("=Q", begin + _LISTENER_AT),
            id=id_,
            task=self._number("=I", begin + _TASK_AT),
            call=self._number("=i", begin + _CALL_AT),
            file=self._number("=Q", begin + _ARGUMENTS_AT),
            decision=Decision(*struct.unpack_from(_DECISION, self._memory, begin + _DECISION_AT))
            if decided
            else None,
        )

    def _number(self, shape: str, at: int) -> int:
        return int(struct.unpack_from(shape, self._memory, at)[0])

    def __iter__(self) -> Iterator[Held]:
        """All calls that wait."""
        return (held for held in map(self.held, range(ENTRIES)) if held is not None)

    def decide(self, entry: int, decision: Decision) -> None:
        """Write down what becomes of the call, and then that the rule was for one more."""
        begin = entry * ENTRY
        struct.pack_into(_DECISION, self._memory, begin + _DECISION_AT, *decision)
        self._memory[begin + _DECIDED_AT] = 1
        if decision.rule:
            self.count(decision.rule, decision.nth)

    def count(self, rule: int, calls: int) -> None:
        """The rule was for so many calls."""
        struct.pack_into("=QQ", self._memory, _COUNTS_AT + rule % COUNTS * 16, rule, calls)

    def used(self, rule: int) -> int:
        """For how many calls the rule was."""
        number, calls = struct.unpack_from("=QQ", self._memory, _COUNTS_AT + rule % COUNTS * 16)
        return int(calls) if number == rule else 0

    def recover(self) -> None:
        """After a death: count the calls that were decided and not counted any more."""
        for held in self:
            decision = held.decision
            if decision and decision.rule and self.used(decision.rule) < decision.nth:
                self.count(decision.rule, decision.nth)

    def clear(self, entry: int) -> None:
        """The call has its answer."""
        struct.pack_into("=Q", self._memory, entry * ENTRY, 0)

    def _id(self, entry: int) -> int:
        return self._number("=Q", entry * ENTRY)
