"""All keys, by what they are for; what makes no sense now is grey and says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ItemGrid, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from etcd_sandbox.tui.actions import Action, Scope, keys_shown
from etcd_sandbox.tui.logkeys import PANEL_KEYS, VIEW_KEYS, help_of


class _Row(NamedTuple):
    key: str
    label: str
    help: str
    refusal: str | None = None


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
        """A frame that scrolls, with a block for each group."""
        with VerticalScroll() as frame:
            frame.border_title = "Keys"
            frame.border_subtitle = "↑ ↓ scroll · Esc closes"
            with ItemGrid(min_column_width=66, regular=False):
                for scope in Scope:
                    if rows := list(self._rows(scope)):
                        yield _group(scope.value, rows)
                yield _group("logs, from anywhere", map(_of_binding, PANEL_KEYS))
                yield _group("logs, with the focus (Tab)", map(_of_binding, VIEW_KEYS))
                yield _group("details", map(_of_binding, _details_keys()))

    def _rows(self, scope: Scope) -> Iterable[_Row]:
        for each in self._actions:
            if each.scope is scope:
                yield self._of_action(each)

    def _of_action(self, each: Action) -> _Row:
        return _Row(each.keys_shown, each.label, each.help, self._refusals.get(each.id))


def _of_binding(binding: Binding) -> _Row:
    return _Row(keys_shown(binding.key), binding.description, help_of(binding))


def _details_keys() -> list[Binding]:
    from etcd_sandbox.tui.screens.details import DetailsScreen

    return [each for each in DetailsScreen.BINDINGS if isinstance(each, Binding)]


def _group(title: str, rows: Iterable[_Row]) -> Vertical:
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
            Text(row.label),
            words,
            style="dim" if row.refusal is not None else "",
        )
    return Vertical(Static(title.capitalize(), classes="head"), Static(table), classes="group")
