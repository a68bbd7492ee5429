"""A Textual app that is a good program of a terminal, and its driver: signals, crashes, typed text, colours, pictures.

Typed text belongs to the box that the key before it opened, also where both came in one burst.
Textual sends a key to whatever has the focus when the key comes. A box that is about to open has no
focus yet, so `/kill` in one burst would be a search that nobody typed into, and a kill.

What was typed before the first picture was typed blind, perhaps for the shell: it does nothing.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import select
import signal
import termios
import tty
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from textual import events
from textual.app import App
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread
from textual.filter import Monochrome, NoColor
from textual.message import Message
from textual.message_pump import MessagePump
from textual.worker import WorkerFailed

from etcd_sandbox.tui.colours import DARK, LIGHT
from etcd_sandbox.tui.text import printable

NOTICE_SHOWN_S = 10

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*.|O.|.)?", re.DOTALL)
"""A key that is no text, or the terminal's answer to another program."""

Typed = events.Key | events.Paste

INTERRUPT = "ctrl+c"
"""Ends a dashboard that nobody has seen yet, as any other program."""

SHOWN_CHARACTERS = 40
"""So much of what was typed blind is repeated."""

LOST_AFTER_S = 1.0
"""A widget that goes away may take the word with it that it has dealt with a key."""


class Passed(Message, bubble=True):
    """Follows a key on its way through the widgets to the app: when it is there, the key has acted."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = asyncio.Event()


class TypedAhead:
    """What was typed and has not been dealt with, in order: each waits until the one before has acted."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._typed: asyncio.Queue[Typed] = asyncio.Queue()
        self._turn: Typed | None = None
        self._sent = asyncio.Event()
        self._way: MessagePump = app

    def drop(self, before: str) -> str:
        """Forget what was typed until now, except Ctrl-C; a sentence that says so, or nothing.

        `before` is what was typed even before that.
        """
        typed = [self._typed.get_nowait() for _ in range(self._typed.qsize())]
        for event in typed:
            if isinstance(event, events.Key) and event.key == INTERRUPT:
                self._typed.put_nowait(event)
        text = before + "".join(map(_text_of, typed))
        text = printable(" ".join(_SEQUENCE.sub("", text).split()))
        if not text:
            return ""
        if len(text) > SHOWN_CHARACTERS:
            text = f"{text[:SHOWN_CHARACTERS]}…"
        return f"typed too early, not heeded: {text}"

    def waits(self, event: events.Event) -> bool:
        """Whether the event has to wait; it comes again as a message of the app in its turn."""
        if not isinstance(event, Typed) or event.is_forwarded or event is self._turn:
            return False
        self._typed.put_nowait(event)
        return True

    def goes_to(self, event: events.Event, widget: MessagePump) -> None:
        """Note which widget the key was handed to whose turn it is."""
        if event is self._turn:
            self._way = widget
            self._sent.set()

    async def go(self) -> None:
        """Deal with what is typed, for as long as the app lives."""
        while True:
            event = await self._typed.get()
            self._turn = event
            self._sent.clear()
            self._app.post_message(event)
            await self._sent.wait()
            await self._followed(self._way)
            await self._opened()
            self._turn = None

    async def _opened(self) -> None:
        """Return when a screen that was pushed is there, and has given the focus away."""
        before: object = None
        while self._app.screen_stack and before != (now := (self._app.screen, self._app.focused)):
            before = now
            await self._followed(self._app.screen)

    async def _followed(self, way: MessagePump) -> None:
        """Return when that widget, those around it and the app have dealt with what they were sent."""
        passed = Passed()
        way.post_message(passed)
        while not passed.arrived.is_set():
            try:
                async with asyncio.timeout(LOST_AFTER_S):
                    await passed.arrived.wait()
            except TimeoutError:
                if not (way.is_attached and way.is_running):
                    return


def _text_of(event: Typed) -> str:
    return event.text if isinstance(event, events.Paste) else event.character or ""


_Result = TypeVar("_Result")


class TerminalApp(App[_Result]):
    """Shows lines from the file descriptor `notices` for a while."""

    def __init__(self, *, driver_class: type[Driver] | None, notices: int | None) -> None:
        super().__init__(driver_class=driver_class)
        if self.no_color:
            # Textual would turn colours into greys, and paint the ground.
            kept = [each for each in self._filters if not isinstance(each, Monochrome)]
            self._filters = [*kept, NoColor()]
        self.ansi_theme_dark, self.ansi_theme_light = DARK, LIGHT
        self._notices = notices
        self._typed_ahead = TypedAhead(self)
        self._blind = False

    def take_terminal(self) -> None:
        """Heed the signals that end a program, and the notices."""
        for number in ENDING_SIGNALS:
            # Textual would leave the terminal as it is while it paints.
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self.exit, None)
        # Until here they were held back, by who runs the dashboard.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        if self._notices is not None:
            asyncio.get_running_loop().add_reader(self._notices, self._read_notices, self._notices)

    def _read_notices(self, fd: int) -> None:
        content = os.read(fd, 65536)
        if not content:
            asyncio.get_running_loop().remove_reader(fd)
        for line in content.decode(errors="replace").splitlines():
            self.notify(printable(line), timeout=NOTICE_SHOWN_S, markup=False)

    @property
    def behind(self) -> bool:
        """Whether the terminal still has to take the last picture: a slow one is not hurried."""
        return bool(getattr(self._driver, "behind", False))

    # How it ends.

    def _handle_exception(self, error: Exception) -> None:
        """At the end, widgets go before the palette's search for commands, which still asks for them."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if not (self._exit and isinstance(cause, NoMatches)):
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End; whoever runs the app reports `crash`, since Textual would print it with all its variables."""
        self._close_messages_no_wait()

    @property
    def crash(self) -> Exception | None:
        """The exception that ended the app, if one did."""
        return self._exception

    # What is typed.

    def heed_keys_once_seen(self) -> None:
        """Heed keys from the next picture on: before it they are typed blind."""
        self._blind = True

    def post_display_hook(self) -> None:
        if self._blind:
            self._blind = False
            self.call_later(self._heed_keys)

    def _heed_keys(self) -> None:
        if dropped := self._typed_ahead.drop(getattr(self._driver, "typed_before", "")):
            self.notify(dropped, severity="warning", timeout=NOTICE_SHOWN_S, markup=False)
        self.run_worker(self._typed_ahead.go(), group="typed")

    async def on_event(self, event: events.Event) -> None:
        """Deal with what is typed in turn, so that text never acts as keys."""
        if self._typed_ahead.waits(event):
            return
        widget = (self.focused or self.screen) if isinstance(event, Typed) else self
        await super().on_event(event)
        self._typed_ahead.goes_to(event, widget)

    def on_passed(self, event: Passed) -> None:
        event.arrived.set()

    # Its picture as a file.

    def save_picture(self, name: str) -> None:
        """Save the screen as an SVG file in the working directory, or in the browser's downloads."""
        taken = datetime.now().strftime("%Y-%m-%d-%H%M%S")
        try:
            self.deliver_screenshot(f"{name}-{taken}.svg", path=str(Path.cwd()))
        except OSError as error:  # the working directory may be gone
            self.notify(f"not saved: {error}", severity="error", markup=False)

    def on_delivery_complete(self, event: events.DeliveryComplete) -> None:
        where = f": {event.path}" if event.path is not None else ""
        self.notify(f"saved the screen{where}", markup=False)

    def on_delivery_failed(self, event: events.DeliveryFailed) -> None:
        self.notify(f"not saved: {event.exception}", severity="error", markup=False)


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
