"""The boxes over the dashboard: all keys, a menu, the question what becomes of the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ItemGrid, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from etcd_sandbox.tui.actions import ACTIONS, Action, Leave, Scope, keys_shown
from etcd_sandbox.tui.keys import PANEL_KEYS, VIEW_KEYS, Entry, help_of
from etcd_sandbox.tui.screens.details import DetailsScreen
from etcd_sandbox.tui.text import fit, printable


class HelpScreen(ModalScreen[None]):
    """Closed by the key that opened it, by Escape or q."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 95%; max-width: 160; height: auto; max-height: 95%; padding: 0 1;
        scrollbar-size-vertical: 1;
        border: round $primary; background: $surface;
    }
    HelpScreen ItemGrid { height: auto; grid-gutter: 1 4; grid-columns: 1fr; keyline: none; }
    HelpScreen .group { height: auto; }
    HelpScreen .group > .head { text-style: bold; color: $text-primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss(None)", "Close", show=False),
    ]

    def __init__(self, actions: Sequence[Action], refusals: Mapping[str, str]) -> None:
        super().__init__()
        self._actions = actions
        self._refusals = refusals

    def compose(self) -> ComposeResult:
        with VerticalScroll() as frame:
            frame.border_title = "Keys"
            frame.border_subtitle = "↑ ↓ scroll · Esc closes"
            with ItemGrid(min_column_width=66, regular=False):
                for scope in Scope:
                    if actions := [each for each in self._actions if each.scope is scope]:
                        yield _group(scope.value, map(self._of_action, actions))
                yield _group("logs, from anywhere", map(_of_binding, PANEL_KEYS))
                yield _group("logs, with the focus (Tab)", map(_of_binding, VIEW_KEYS))
                details = (each for each in DetailsScreen.BINDINGS if isinstance(each, Binding))
                yield _group("details", map(_of_binding, details))

    def _of_action(self, each: Action) -> Entry:
        return Entry(each.label, each.keys_shown, each.help, self._refusals.get(each.id))


def _of_binding(binding: Binding) -> Entry:
    return Entry(binding.description, keys_shown(binding.key), help_of(binding))


def _group(title: str, rows: Iterable[Entry]) -> Vertical:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=10)
    table.add_column(width=9)
    table.add_column(ratio=1)
    for row in rows:
        words = Text(row.help)
        if row.refusal is not None:
            words.append(f" Not now: {row.refusal}.")
        table.add_row(
            Text(row.key, "bold"),
            Text(row.name),
            words,
            style="dim" if row.refusal is not None else "",
        )
    return Vertical(Static(title.capitalize(), classes="head"), Static(table), classes="group")


_FRAME = 2


class MenuScreen(ModalScreen[str | None]):
    """Gives the id of the action that was chosen; None when it was closed.

    The actions of each scope are parted by a line. `refusals` has the reason of each action that
    makes no sense now. An action's own key chooses it, too.
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
        scopes: Sequence[Scope],
        refusals: Mapping[str, str],
        at: Offset,
    ) -> None:
        super().__init__()
        self._heading = title
        self._groups = [
            [each for each in ACTIONS if each.scope is scope and each.id != "menu"]
            for scope in scopes
        ]
        self._refusals = refusals
        self._at = at

    def compose(self) -> ComposeResult:
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


class QuitScreen(ModalScreen[Leave | None]):
    """Stop the cluster, leave it running, or stay. `kept` says what is kept in any case."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "answer('stop')", "Stop it"),
        Binding("l", "answer('running')", "Leave it running"),
        Binding("escape", "dismiss(None)", "Stay"),
    ]

    def __init__(self, cluster: str, kept: str = "") -> None:
        super().__init__()
        self._cluster = cluster
        self._kept = kept

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(f"Leave the dashboard of {self._cluster}?", markup=False)
            if self._kept:
                yield Static(self._kept)
            with Horizontal():
                yield Button("Stop the cluster (s)", id="stop", variant="warning")
                yield Button("Leave it running (l)", id="running", variant="primary")
                yield Button("Stay (Esc)", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "stay" else Leave(str(event.button.id)))

    def action_answer(self, choice: str) -> None:
        self.dismiss(Leave(choice))
