"""Asks what becomes of the cluster when its dashboard is left."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Leave(StrEnum):
    """What becomes of the cluster."""

    STOP = "stop"
    RUNNING = "running"


class QuitScreen(ModalScreen[Leave | None]):
    """Stop the cluster, leave it running, or stay. `kept` says what is kept in any case."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "answer('stop')", "Stop it"),
        Binding("l", "answer('running')", "Leave it running"),
        Binding("escape", "stay", "Stay"),
    ]

    def __init__(self, cluster: str, kept: str = "") -> None:
        super().__init__()
        self._cluster = cluster
        self._kept = kept

    def compose(self) -> ComposeResult:
        """A question and three buttons."""
        with Vertical(id="question"):
            yield Static(f"Leave the dashboard of {self._cluster}?", markup=False)
            if self._kept:
                yield Static(self._kept)
            with Horizontal():
                yield Button("Stop the cluster (s)", id="stop", variant="warning")
                yield Button("Leave it running (l)", id="running", variant="primary")
                yield Button("Stay (Esc)", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button is an answer."""
        self.dismiss(None if event.button.id == "stay" else Leave(str(event.button.id)))

    def action_answer(self, choice: str) -> None:
        """A key is one as well."""
        self.dismiss(Leave(choice))

    def action_stay(self) -> None:
        """Go on."""
        self.dismiss(None)
