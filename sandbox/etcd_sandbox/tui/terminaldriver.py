"""Textual's driver for terminals, with what it lacks: slow and lost terminals, keys that are not UTF-8, every mode undone."""

from __future__ import annotations

import codecs
import os
import select
import signal
import termios
import tty
from collections.abc import Callable
from functools import partial

from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread

PIECE_BYTES = 512
LOOKED_EVERY_S = 0.1

_GIVEN_UP = b"\x18\x1b\\"
"""Ends the sequence in whose midst painting was given up."""
_PICTURE_ENDS = "\x1b[?2026l"
"""Ends a synchronized picture: its beginning may be on the terminal when its end is dropped."""


class Painter(WriterThread):
    """Textual's writer. It writes piece by piece, so that it can be given up; a terminal that is gone takes everything."""

    _gone = _dropping = _busy = False

    @property
    def behind(self) -> bool:
        """Whether the terminal has not taken yet what was painted before."""
        return self._busy or not self._queue.empty()

    def drop(self) -> None:
        """What is painted and not yet taken never will be."""
        self._dropping = True
        with self._queue.mutex:
            self._queue.queue.clear()
            self._queue.queue.append(_PICTURE_ENDS)
            self._queue.not_empty.notify()
            self._queue.not_full.notify_all()

    def run(self) -> None:
        while (text := self._queue.get()) is not None:
            self._busy = True
            if not self._gone:
                try:
                    self._put(text.encode(errors="replace"))
                except OSError:  # there is no terminal any more
                    self._gone = True
                    # Only a controlling terminal tells of its end by itself.
                    os.kill(os.getpid(), signal.SIGHUP)
            self._busy = False

    def _put(self, content: bytes) -> None:
        fd, rest, droppable = self._file.fileno(), memoryview(content), not self._dropping
        while rest:
            if droppable and self._dropping:
                rest, droppable = memoryview(_GIVEN_UP), False
            if select.select([], [fd], [], LOOKED_EVERY_S)[1]:
                rest = rest[os.write(fd, rest[:PIECE_BYTES]) :]


def _lenient(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    # A key of another encoding is no reason to end: Textual would decode strictly, and panic.
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


def _typed_before(fd: int) -> str:
    """Take what lies in the terminal's queue, lines that are not ended included."""
    typed = b""
    try:
        before = termios.tcgetattr(fd)
        at_once = termios.tcgetattr(fd)
        at_once[tty.LFLAG] &= ~termios.ICANON
        at_once[tty.CC][termios.VMIN] = at_once[tty.CC][termios.VTIME] = 0
        termios.tcsetattr(fd, termios.TCSANOW, at_once)
        while piece := os.read(fd, 4096):
            typed += piece
        termios.tcsetattr(fd, termios.TCSANOW, before)
    except (termios.error, OSError):
        pass  # the terminal is gone, which Textual's own calls will meet
    return typed.decode(errors="replace")


class TerminalDriver(linux_driver.LinuxDriver):
    """LinuxDriver with that writer and that decoder, which it takes from its module by name."""

    typed_before = ""
    """What was typed before the terminal was the dashboard's."""

    def start_application_mode(self) -> None:
        if self._writer_thread is None and self.input_tty:
            self.typed_before = _typed_before(self.fileno)
        vars(linux_driver).update(WriterThread=Painter, getincrementaldecoder=_lenient)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    @property
    def behind(self) -> bool:
        """Whether what was painted last is not on the screen yet: painting more would wait for it."""
        return isinstance(self._writer_thread, Painter) and self._writer_thread.behind

    def _sigcont_application(self, *_: object) -> None:
        # SIGSTOP and a hang-up are followed by SIGCONT as well, and then nothing was suspended.
        if self._must_signal_resume:
            super()._sigcont_application()

    def stop_application_mode(self) -> None:
        """Give the terminal back, without waiting for a slow one to take what was painted."""
        if isinstance(self._writer_thread, Painter):
            self._writer_thread.drop()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
        super().stop_application_mode()
