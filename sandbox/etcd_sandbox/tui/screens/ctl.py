"""A prompt for etcdctl over the lower half of the screen, so that the cluster stays in view above."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.tui.text import printable
from etcd_sandbox.tui.widgets.outputpane import OutputPane

ENDS_WITHIN_S = 2.0

Output = Callable[[bytes], None]

Run = Callable[[Sequence[str], Output], Awaitable[int]]
"""Runs etcdctl with words behind it, hands on what it says, and gives its exit code."""

_GUARDED = """
exec 3<&0
( cat <&3; kill -TERM "-$$" ) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"""
"""The pipe behind stdin ends with the dashboard, even with its SIGKILL; so does the command then."""


def ctl_of(cluster: str) -> Run:
    """How `ctl` is run on that cluster."""

    async def run(words: Sequence[str], output: Output) -> int:
        program = [sys.executable, "-P", "-m", "etcd_sandbox", "-c", cluster, "ctl"]
        return await run_guarded([*program, *words], output)

    return run


async def run_guarded(argv: Sequence[str], output: Output) -> int:
    """Run a program until it ends; a cancel stops it with its children."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        _GUARDED,
        "sh",
        *argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        while chunk := await process.stdout.read(1 << 16):
            output(chunk)
        return await process.wait()
    finally:
        await asyncio.shield(_end(process))


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


_HINT = "Enter runs · ↑ ↓ history · Esc closes"
_RUNNING = "runs … · Esc or Ctrl-C stops it"


class CtlScreen(ModalScreen[None]):
    """Runs what is typed, shows what it says, and stops what runs when it is closed.

    `run` does the running; `member` is whom Ctrl-O chooses, None where there is no choice.
    `history` is added to, and outlives the screen.
    """

    DEFAULT_CSS = """
    CtlScreen { background: transparent; align: center bottom; }
    CtlScreen > Vertical {
        height: 50%; min-height: 12; border: round $primary; background: $surface; padding: 0 1;
    }
    CtlScreen OutputPane { height: 1fr; }
    CtlScreen Horizontal { height: 1; }
    CtlScreen #prompt { width: auto; text-style: bold; padding-right: 1; }
    CtlScreen Input { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "interrupt", "Stop, close", tooltip="Stop what runs; else close."),
        Binding("ctrl+c", "interrupt", "Stop, close", show=False, priority=True),
        Binding("ctrl+o", "toggle_member", "One or all", tooltip="Ask one member, or all."),
        Binding("up", "recall(-1)", "Earlier", show=False),
        Binding("down", "recall(1)", "Later", show=False),
        Binding("pageup", "scroll(-1)", "Up", show=False),
        Binding("pagedown", "scroll(1)", "Down", show=False),
    ]

    def __init__(self, cluster: str, member: str | None, run: Run, history: list[str]) -> None:
        super().__init__()
        self._cluster = cluster
        self._member = member
        self._only = False
        self._run_ctl = run
        self._history = history
        self._at = len(history)
        self._command: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = Content(f"etcdctl · {printable(self._cluster)}")
            yield OutputPane()
            with Horizontal():
                yield Static(id="prompt", markup=False)
                yield Input(compact=True, select_on_focus=False, placeholder="member list")

    def on_mount(self) -> None:
        self._show()
        self.query_one(Input).focus()

    async def on_unmount(self) -> None:
        await self._stop()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._command is not None or not event.value.strip():
            return
        pane = self.query_one(OutputPane)
        text = event.value.strip()
        event.input.value = ""
        if text not in self._history[-1:]:
            self._history.append(text)
        self._at = len(self._history)
        pane.add_line(f"{self._prompt()} {text}", "bold")
        try:
            words = shlex.split(text)
        except ValueError as error:
            pane.add_line(f"this is no command: {error}", "red")
            return
        if words[0] == "etcdctl":
            words = words[1:]
        if self._only and self._member is not None:
            words = ["--on", self._member, *words]
        self._command = asyncio.create_task(self._do(words))
        self._show()

    def action_interrupt(self) -> None:
        """Stop what runs; with nothing running, close."""
        if self._command is not None:
            self._command.cancel()
        else:
            self.dismiss(None)

    def action_toggle_member(self) -> None:
        if self._member is None:
            self.notify("no member is selected", severity="warning")
            return
        self._only = not self._only
        self._show()

    def action_recall(self, step: int) -> None:
        """Put the command before or after into the prompt."""
        self._at = max(0, min(len(self._history), self._at + step))
        entry = self.query_one(Input)
        entry.value = self._history[self._at] if self._at < len(self._history) else ""
        entry.cursor_position = len(entry.value)

    def action_scroll(self, pages: int) -> None:
        pane = self.query_one(OutputPane)
        pane.scroll_relative(y=pages * max(1, pane.size.height - 1), animate=False)

    async def _do(self, words: list[str]) -> None:
        pane = self.query_one(OutputPane)
        try:
            code = await self._run_ctl(words, pane.add)
        except asyncio.CancelledError:
            pane.add_line("stopped", "yellow")
        except (OSError, ValueError, SandboxError) as error:
            pane.add_line(str(error), "red")
        else:
            pane.end()
            if code:
                pane.add_line(_ended(code), "red")
        self._command = None
        self._show()

    async def _stop(self) -> None:
        if self._command is not None:
            self._command.cancel()
            await asyncio.gather(self._command, return_exceptions=True)

    def _prompt(self) -> str:
        only = f" --on {printable(self._member)}" if self._only and self._member else ""
        return f"etcdctl{only}"

    def _show(self) -> None:
        if not self.is_attached:
            return
        self.query_one("#prompt", Static).update(self._prompt())
        choice = ""
        if self._member is not None:
            other = "all members" if self._only else f"{printable(self._member)} only"
            choice = f" · Ctrl-O {other}"
        hint = _RUNNING if self._command is not None else _HINT + choice
        self.query_one(Vertical).border_subtitle = Content(hint)


def _ended(code: int) -> str:
    return f"exit status {code}" if code > 0 else f"killed by signal {-code}"
