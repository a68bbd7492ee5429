"""While a command waits: the signals that end it, and what it says of what it waits for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.errors import SandboxError

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient
    from etcd_sandbox.verbs import Verb

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that mean: come to an end."""

NAMED_AFTER_S = 2.0
"""When a stop lasts so long, the processes it waits for are named."""


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


@contextlib.contextmanager
def ending_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within, `handler` takes the ending signals; afterwards they do what they did before."""
    before = {number: signal.signal(number, handler) for number in heeded()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def interruptible() -> contextlib.AbstractContextManager[None]:
    """Ctrl-C, SIGTERM and SIGHUP raise Interrupted within, for work that must tidy up after each."""

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    return ending_signals(raise_it)


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


def waits_for(status: Mapping[str, Any]) -> str:
    """The processes that still run, with their pids: `web (pid 12), db (pid 13)`; empty for none."""
    return ", ".join(
        f"{process['name']} (pid {process['pid']})"
        for process in (*status["members"], *status["processes"])
        if process["pid"] is not None
    )


@contextlib.contextmanager
def named_when_late(client: ControlClient, hint: str) -> Iterator[None]:
    """Within, everything is being stopped: after a while a note names what still runs, and `hint`."""

    def name() -> None:
        with contextlib.suppress(SandboxError):
            if late := waits_for(client.status()):
                diagnostics.note(f"waiting for {late}; {hint}")

    timer = threading.Timer(NAMED_AFTER_S, name)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def told_meanwhile(client: ControlClient, verb: Verb) -> Iterator[None]:
    """Within, notes say what etcd waits for; Ctrl-C says that the change is made all the same."""
    if not (settings().quiet or settings().json):
        threading.Thread(target=_tell, args=(client,), name="meanwhile", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        diagnostics.note(
            f"'{verb}' goes on without this command, to its end: etcd-sandbox events -f shows it"
        )
        raise


def _tell(client: ControlClient) -> None:
    from etcd_sandbox.model.event import Kind

    with contextlib.suppress(SandboxError):
        for event in client.events(follow=True, tail=0):
            if event["kind"] == Kind.MEMBER_WAITING:
                diagnostics.note(f"{event['member']} waits: {event['why']}")
