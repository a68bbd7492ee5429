"""A pseudo terminal that keeps every byte painted on it, answers as a modern one, and can be slow."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.conftest import SandboxCommand, command, until

COLUMNS, ROWS = 120, 40

_CONTROLLING = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

_QUESTION = re.compile(rb"\x1b\[\?\d+\$p")
_SEQUENCE = re.compile(r"\x1b\[[^@-~]*[@-~]")
_ASKED = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[?2048$p": b"\x1b[?2048;2$y"}
"""Synchronized output and sizes in the stream: it has both, and both are off."""


class PseudoTerminal:
    """The command is its only program, `typed` was typed before it began; it takes what is painted at `bytes_per_s`."""

    def __init__(
        self,
        sandbox: SandboxCommand,
        *args: str,
        argv: Sequence[str] | None = None,
        bytes_per_s: int | None = None,
        typed: bytes = b"",
        **env: str,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.settings_before = self.settings
        self.type(typed)
        self.painted = bytearray()
        self._text, self._text_of = "", 0
        self._bytes_per_s = bytes_per_s
        self._open = True
        # They would be believed, and not the terminal; pytest-xdist's workers have both.
        sizes = ("COLUMNS", "LINES")
        kept = {name: value for name, value in sandbox.env.items() if name not in sizes}
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _CONTROLLING, *(argv or command()), *args],
            cwd=sandbox.cwd,
            env=kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def settings(self) -> list[Any]:
        """What `stty -a` shows."""
        return termios.tcgetattr(self._master)

    @property
    def text(self) -> str:
        """What was painted, without its escape sequences; of no use for where it stands."""
        if (length := len(self.painted)) != self._text_of:
            self._text = _SEQUENCE.sub("", self.painted[:length].decode(errors="replace"))
            self._text_of = length
        return self._text

    @property
    def flowing(self) -> str:
        """`text` without the breaks that wrapping made."""
        return " ".join(self.text.split())

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def until_painted(self, *texts: str, deadline_s: float = 60) -> None:
        """Each of the texts was painted, wherever its lines were broken."""

        def painted() -> bool:
            missing = [text for text in texts if text not in self.text]
            return not missing or all(text in self.flowing for text in missing)

        until(painted, deadline_s, lambda: self.text)

    def hurry(self) -> None:
        """From now on it is as fast as any."""
        self._bytes_per_s = None

    def wait(self, timeout_s: float = 60) -> int:
        """The exit code; everything that was painted has been read."""
        code = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def take_away(self) -> None:
        """Close it, as the closing of its window does."""
        if self._open:
            self._open = False
            self._reader.join()
            os.close(self._master)

    def close(self) -> None:
        """Take it away, and end the program."""
        self.take_away()
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        looked = 0
        while self._open:
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            rate = self._bytes_per_s
            try:
                piece = os.read(self._master, rate // 20 if rate else 65536)
            except OSError:  # nobody has the other side any more
                return
            self.painted += piece
            for asked in _QUESTION.finditer(bytes(self.painted[looked:])):
                os.write(self._master, _ASKED[asked[0]])
            # A question of which the end is yet to come is looked at again, and no whole one.
            looked = max(0, len(self.painted) - min(map(len, _ASKED)) + 1)
            if rate:
                time.sleep(len(piece) / rate)
