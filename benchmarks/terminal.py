"""A pseudo terminal with a program in it, and a person who presses keys and waits for what they do."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

COLUMNS, ROWS = 120, 40
ANSWERS_WITHIN_S = 5.0


class Terminal:
    """The program has it as its controlling terminal; what it paints is read all the time."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._painted = bytearray()
        self._news = threading.Condition()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inner)
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, painted: bytes, timeout_s: float = 30.0) -> float:
        """When these bytes had been painted, on the monotonic clock; raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while painted not in self._painted:
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"not painted within {timeout_s:g} s: {painted!r}")
            return time.monotonic()

    def press(self, key: bytes) -> None:
        """Press a key; what was painted before is forgotten."""
        with self._news:
            self._painted.clear()
        os.write(self._fd, key)

    def answer_ms(self, key: bytes, painted: bytes) -> float:
        """Milliseconds from the key to its answer on the screen."""
        began = time.monotonic()
        self.press(key)
        return (self.until(painted, ANSWERS_WITHIN_S) - began) * 1000

    def _read(self) -> None:
        try:
            while content := os.read(self._fd, 1 << 16):
                with self._news:
                    self._painted += content
                    del self._painted[: -1 << 20]
                    self._news.notify_all()
        except OSError:  # the program is gone
            os.close(self._fd)
