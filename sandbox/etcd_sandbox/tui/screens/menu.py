"""A menu at the mouse, or at the selected row: what can be done with it, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from etcd_sandbox.tui.actions import Action
from etcd_sandbox.tui.pieces import fit, printable

_FRAME = 2


class MenuScreen(ModalScreen[str | None]):
    """Gives the id of the action that was chosen; None when it was closed.

    `groups` are parted by a line. `refusals` has the reason of each action that makes no sense
    now. An action's own key chooses it, too.
    """

    DEFAULT_CSS = """
    MenuScreen { background: transparent; }
    MenuScreen > OptionList {
        width: auto; height: auto; max-height: 100%; padding: 0 1;
        border: round $primary; background: $surface;
    }
    MenuScreen > OptionList:focus { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", show=False),
        Binding("tab", "dismiss(None)", "Close", show=False),
    ]

    def __init__(
        self,
        title: str,
        groups: Sequence[Sequence[Action]],
        refusals: Mapping[str, str],
        at: Offset,
    ) -> None:
        super().__init__()
        self._heading = title
        self._groups = [group for group in groups if group]
        self._refusals = refusals
        self._at = at

    def compose(self) -> ComposeResult:
        """The list, with a line between groups."""
        keys = max(len(each.keys_shown) for each in self._actions())
        labels = max(len(each.label) for each in self._actions())
        rows: list[Option | None] = []
        for group in self._groups:
            rows += [None] if rows else []
            for each in group:
                reason = self._refusals.get(each.id)
                words = f"{each.keys_shown:<{keys}}  {each.label:<{labels}}"
                words += "" if reason is None else f"  {reason}"
                rows.append(Option(Content(words), id=each.id, disabled=reason is not None))
        menu = OptionList(*rows, markup=False)
        menu.border_title = Content(fit(printable(self._heading), 24))
        yield menu

    def on_mount(self) -> None:
        """At the place, or as near as it can be seen whole."""
        menu = self.query_one(OptionList)
        widest = max(
            cell_len(str(option.prompt)) for option in menu.options if option.id is not None
        )
        width = min(max(widest, 24) + _FRAME + 2, self.size.width)
        rows = sum(map(len, self._groups)) + len(self._groups) - 1
        height = min(rows + _FRAME, self.size.height)
        left = max(0, min(self._at.x, self.size.width - width))
        top = max(0, min(self._at.y, self.size.height - height))
        menu.styles.width, menu.styles.offset = width, (left, top)
        menu.focus()
        menu.action_first()

    def on_resize(self) -> None:
        """Where it belongs is somewhere else now."""
        self.call_after_refresh(self._close_unless_fits)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click chooses."""
        self.dismiss(event.option_id)

    def on_key(self, event: events.Key) -> None:
        """An action's own key chooses it, when it makes sense."""
        for each in self._actions():
            if event.key in each.key.split(",") and event.key != "enter":
                event.stop()
                if each.id not in self._refusals:
                    self.dismiss(each.id)
                    return

    def on_click(self, event: events.Click) -> None:
        """A click elsewhere closes it."""
        if not self.query_one(OptionList).region.contains_point(event.screen_offset):
            self.dismiss(None)

    def _actions(self) -> Iterable[Action]:
        return [each for group in self._groups for each in group]

    def _close_unless_fits(self) -> None:
        if self.is_current and not self.region.contains_region(self.query_one(OptionList).region):
            self.dismiss(None)
