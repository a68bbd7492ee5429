"""The process that answers the members' stopped calls: `python -P -m etcd_sandbox.disks.handler CONTROL JOURNAL`.

CONTROL is a socket of messages, JSON each: listeners come with their descriptor, and go; rules replace those before,
and come into force when the answer says so. JOURNAL is the memory of the calls that are held. While no rule is for a process, each of its
calls goes on at once. Standard library only: the successor of a handler that died has to be there soon.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

from etcd_sandbox.disks.calls import MACHINES
from etcd_sandbox.disks.journal import Decision, Held, Journal
from etcd_sandbox.disks.rules import Draws, Rule, meant, place_of

RECEIVE, SEND, ID_VALID, SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40082104
"""The requests of `ioctl` (Linux `include/uapi/linux/seccomp.h`)."""

SYNC_WAKE_UP = 1
"""Handing over between the two processes on one processor, since Linux 6.6."""

CONTINUE = 1
"""The answer that lets the call happen."""

LONGEST_MESSAGE = 200_000


class Listener(NamedTuple):
    """The calls of one process, and the directories of its data by what they hold."""

    fd: int
    process: str
    places: dict[str, str]


class Handler:
    """Answers for all listeners, one call after the other."""

    def __init__(self, control: socket.socket, journal: Journal) -> None:
        self._control = control
        self._journal = journal
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._listeners: dict[int, Listener] = {}
        self._by_fd: dict[int, int] = {}
        self._rules: list[Rule] = []
        self._draws = Draws()
        self._waiting: dict[int, Held] = {}
        numbers = MACHINES[os.uname().machine].numbers
        self._names = {number: name for name, number in numbers.items()}
        journal.recover()
        self._orphans = list(journal)

    def run(self) -> None:
        """Answer until nobody needs an answer any more."""
        while self._control.fileno() >= 0 or self._listeners:
            for fd, what in self._poll.poll(self._patience_ms()):
                if fd == self._control.fileno():
                    self._hear()
                elif what & select.POLLIN:
                    self._receive(self._by_fd[fd])
                elif fd in self._by_fd:
                    self._drop(self._by_fd[fd])
            self._answer_due()

    def _patience_ms(self) -> float | None:
        if not self._waiting:
            return None
        due = min(held.decision.due for held in self._waiting.values() if held.decision)
        return max(0.0, (due - time.monotonic()) * 1000)

    def _hear(self) -> None:
        message, fds, _, _ = socket.recv_fds(self._control, LONGEST_MESSAGE, 1)
        if not message:
            # Who gave the orders has died: what is left to do is to let the members end.
            self._poll.unregister(self._control)
            self._control.close()
            return
        said = json.loads(message)
        if "listener" in said:
            self._add(said, fds[0])
        elif "gone" in said:
            self._drop(said["gone"])
        elif "told_all" in said:
            for held in self._orphans:  # Their processes have ended.
                self._journal.clear(held.entry)
            self._orphans = []
        elif "rules" in said:
            self._rule([Rule(*each) for each in said["rules"]])
            self._say(in_force=said["number"])
        else:
            self._say(pong=said["ping"])

    def _say(self, **what: int) -> None:
        if self._control.fileno() >= 0:
            self._control.send(json.dumps(what).encode())

    def _add(self, said: dict[str, Any], fd: int) -> None:
        number = said["listener"]
        self._listeners[number] = Listener(fd, said["process"], said["places"])
        self._by_fd[fd] = number
        with suppress(OSError):  # An older kernel: it takes somewhat longer.
            fcntl.ioctl(fd, SET_FLAGS, SYNC_WAKE_UP)
        self._poll.register(fd, select.POLLIN)
        self._adopt()

    def _rule(self, rules: list[Rule]) -> None:
        self._rules = rules
        numbers = {rule.number for rule in rules}
        for held in list(self._waiting.values()):
            if held.decision and held.decision.rule not in numbers:
                self._waiting[held.entry] = held._replace(decision=Decision(0.0))
        for rule in rules:
            self._tell_of_the_last(rule)

    def _adopt(self) -> None:
        """Go on with what a handler that died has left: the rules came before the listeners."""
        left, self._orphans = self._orphans, []
        for held in left:
            if held.listener not in self._listeners:
                self._orphans.append(held)
            elif held.decision is None:
                self._decide(held)
            else:
                self._waiting[held.entry] = held

    def _receive(self, number: int) -> None:
        entry = self._journal.free()
        if entry is None:
            return
        try:
            fcntl.ioctl(self._listeners[number].fd, RECEIVE, self._journal.room(entry, number))
        except OSError:
            return  # The caller got a fatal signal meanwhile (ENOENT).
        held = self._journal.held(entry)
        if held is not None:
            self._decide(held)

    def _decide(self, held: Held) -> None:
        listener = self._listeners[held.listener]
        rule = self._rule_for(held, listener)
        if rule is None:
            self._answer(held, 0)
            return
        decision = self._interrupted(held)
        if decision is None:
            nth = self._journal.used(rule.number) + 1
            due = 0.0 if rule.error else time.monotonic() + self._draws.delay_s(rule)
            decision = Decision(due, rule.error, rule.number, nth)
        self._journal.decide(held.entry, decision)
        self._waiting[held.entry] = held._replace(decision=decision)
        self._tell_of_the_last(rule)

    def _rule_for(self, held: Held, listener: Listener) -> Rule | None:
        own = [rule for rule in self._rules if rule.process == listener.process]
        call = self._names.get(held.call)
        if not own or call is None:
            return None
        try:
            path = os.readlink(f"/proc/{held.task}/fd/{held.file & 0xFFFFFFFF}")  # noqa: PTH115 - pathlib is half of the time to be up
            fcntl.ioctl(listener.fd, ID_VALID, held.id.to_bytes(8, sys.byteorder))
        except OSError:
            return None  # The caller has ended; the thread of that number may be another's by now.
        place = place_of(path, listener.places)
        if place is None:
            return None
        return meant(
            own, call, place, {rule.number: self._journal.used(rule.number) for rule in own}
        )

    def _interrupted(self, held: Held) -> Decision | None:
        """What was decided for this thread's call before a signal made the kernel begin it anew (before Linux 5.19)."""
        for other in self._waiting.values():
            if (other.listener, other.task) == (held.listener, held.task):
                self._forget(other.entry)
                return other.decision
        return None

    def _tell_of_the_last(self, rule: Rule) -> None:
        if rule.once and self._journal.used(rule.number) >= rule.once:
            self._say(used_up=rule.number)

    def _answer_due(self) -> None:
        now = time.monotonic()
        for held in list(self._waiting.values()):
            if held.decision and held.decision.due <= now:
                self._answer(held, held.decision.error)

    def _answer(self, held: Held, error: int) -> None:
        said = held.id.to_bytes(8, sys.byteorder) + bytes(8)
        said += (-error).to_bytes(4, sys.byteorder, signed=True)
        said += (0 if error else CONTINUE).to_bytes(4, sys.byteorder)
        with suppress(OSError):  # Nobody waits any more: the caller has ended, or was interrupted.
            fcntl.ioctl(self._listeners[held.listener].fd, SEND, said)
        self._forget(held.entry)

    def _forget(self, entry: int) -> None:
        self._waiting.pop(entry, None)
        self._journal.clear(entry)

    def _drop(self, number: int) -> None:
        listener = self._listeners.pop(number, None)
        if listener is None:
            return
        self._poll.unregister(listener.fd)
        del self._by_fd[listener.fd]
        os.close(listener.fd)
        for held in (*self._journal,):
            if held.listener == number:
                self._forget(held.entry)


def main() -> None:
    """Until the control socket has ended, and every listener."""
    control, journal = map(int, sys.argv[1:])
    with socket.socket(fileno=control) as said:
        Handler(said, Journal(journal)).run()


if __name__ == "__main__":
    main()
