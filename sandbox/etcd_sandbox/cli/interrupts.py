"""Ctrl-C, SIGTERM and SIGHUP as one exception, for work that must tidy up whichever of them comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that mean: come to an end."""


class Interrupted(KeyboardInterrupt):
    """One of the signals that mean an end has come; `number` is which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def heeded() -> tuple[signal.Signals, ...]:
    """The ending signals that are not ignored on purpose: `nohup` ignores SIGHUP for its program."""
    return tuple(
        number
        for number in ENDING
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the ending signals raise Interrupted; afterwards they do what they did before."""

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, raise_it) for number in heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class EndSignals:
    """The ending signals, to be read from `fd`, one byte each; while `raising`, a second one raises Interrupted.

    Reading them lets the main thread decide what a second one means, whatever other threads
    are blocked in. While it is still starting things, the first one waits to be read.
    """

    def __init__(self) -> None:
        self.raising = True
        self._came_before = False
        self.fd, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self.fd, False)

    def install(self) -> None:
        """From now on the signals come here."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in heeded():
            signal.signal(number, self._came)

    def taken(self) -> int:
        """How many of them came since the last call."""
        try:
            numbers = os.read(self.fd, 4096)
        except BlockingIOError:
            return 0
        return sum(number in ENDING for number in numbers)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.raising and self._came_before:
            raise Interrupted(number)
        self._came_before = True
