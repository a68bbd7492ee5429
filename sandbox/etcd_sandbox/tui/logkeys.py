"""The keys of the log panel, as the panel itself has them, for those who list or pass on all keys."""

from __future__ import annotations

from textual.binding import Binding

from etcd_sandbox.tui.widgets.logpanel import LogPanel
from etcd_sandbox.tui.widgets.logview import LogView

PANEL_KEYS = tuple(each for each in LogPanel.BINDINGS if isinstance(each, Binding))
"""They act from anywhere on the screen, but for Escape."""

VIEW_KEYS = tuple(each for each in LogView.BINDINGS if isinstance(each, Binding))
"""They move in the logs while the logs have the focus."""

ANYWHERE = tuple(each for each in PANEL_KEYS if each.key != "escape")


def help_of(binding: Binding) -> str:
    """What a key does, in one sentence."""
    words = binding.tooltip.removeprefix("Logs: ") or binding.description
    return f"{words[:1].upper()}{words[1:]}".removesuffix(".") + "."
