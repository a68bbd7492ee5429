"""What a child reads from: nothing, or a pipe or a terminal that stays open as long as the child lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import termios

from etcd_sandbox.model.spec import Stdin

_LFLAG = 3


class HeldStdin:
    """`child_fd` is given to the child and then let go of; our end stays open until `close`."""

    def __init__(self, kind: Stdin) -> None:
        self._held = -1
        match kind:
            case Stdin.NULL:
                self.child_fd = subprocess.DEVNULL
            case Stdin.PIPE:
                self.child_fd, self._held = os.pipe()
            case Stdin.TERMINAL:
                self._held, self.child_fd = os.openpty()
                _be_quiet(self.child_fd)
        self._drained = kind is Stdin.TERMINAL

    def given(self) -> None:
        """The child has its end: ours of it is closed."""
        if self.child_fd >= 0:
            os.close(self.child_fd)
            self.child_fd = -1
        if self._drained and self._held >= 0:
            # A child may write to its stdin; one that nobody reads would block it.
            os.set_blocking(self._held, False)
            asyncio.get_running_loop().add_reader(self._held, self._drain)

    def close(self) -> None:
        """Let the stdin end, for whoever still reads it."""
        if self._held >= 0:
            if self._drained:
                asyncio.get_running_loop().remove_reader(self._held)
            os.close(self._held)
            self._held = -1

    def _drain(self) -> None:
        try:
            there = os.read(self._held, 65536)
        except BlockingIOError:
            return
        except OSError:
            there = b""
        if not there:
            self.close()


def _be_quiet(terminal: int) -> None:
    with contextlib.suppress(termios.error):
        settings = termios.tcgetattr(terminal)
        settings[_LFLAG] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, settings)
