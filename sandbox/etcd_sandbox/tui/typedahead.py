"""Typed text belongs to the box that the key before it opened, also where both came in one burst.

Textual sends a key to whatever has the focus when the key comes. A box that is about to open has no
focus yet, so `/kill` in one burst would be a search that nobody typed into, and a kill.

What was typed before the first picture was typed blind, perhaps for the shell: it does nothing.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

from etcd_sandbox.tui.text import printable

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
        """Whether it has to wait: it comes again as a message of the app when its turn has come."""
        if not isinstance(event, Typed) or event.is_forwarded or event is self._turn:
            return False
        self._typed.put_nowait(event)
        return True

    def goes_to(self, event: events.Event, widget: MessagePump) -> None:
        """The key whose turn it is was handed to that widget."""
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
        """Return when a screen that was put over the others is there, and has given the focus away."""
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
