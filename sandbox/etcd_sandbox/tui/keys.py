"""The keys: those of the dashboard and of its logs, and where they are listed: the footer and the palette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from etcd_sandbox.tui.actions import ACTIONS, keys_shown
from etcd_sandbox.tui.widgets.logpanel import LogPanel
from etcd_sandbox.tui.widgets.logview import LogView

if TYPE_CHECKING:
    from etcd_sandbox.tui.app import Dashboard


PANEL_KEYS = tuple(each for each in LogPanel.BINDINGS if isinstance(each, Binding))
"""They act from anywhere on the screen, but for Escape."""

VIEW_KEYS = tuple(each for each in LogView.BINDINGS if isinstance(each, Binding))
"""They move in the logs while the logs have the focus."""

ANYWHERE = tuple(each for each in PANEL_KEYS if each.key != "escape")

ACTION_KEYS = (
    *(
        Binding(
            each.key,
            f"act('{each.id}')",
            each.label,
            show=each.footer is not None,
            tooltip=each.help,
        )
        for each in ACTIONS
    ),
    # Textual passes a key whose action is greyed on to the next that has it: this tells why.
    *(Binding(each.key, f"refused('{each.id}')", each.label, show=False) for each in ACTIONS),
    *(
        Binding(each.key, f'logs("{each.action}")', each.description, show=False)
        for each in ANYWHERE
    ),
)

_RANKS = {f"act('{each.id}')": each.footer for each in ACTIONS if each.footer is not None}


def help_of(binding: Binding) -> str:
    """What a key does, in one sentence."""
    words = binding.tooltip.removeprefix("Logs: ") or binding.description
    return f"{words[:1].upper()}{words[1:]}".removesuffix(".") + "."


_UNRANKED = 1000


class KeyBar(Footer):
    """Textual's footer without keys that are cut at the edge: those of the least rank give way."""

    def __init__(self) -> None:
        super().__init__(compact=True, show_command_palette=False)

    def compose(self) -> ComposeResult:
        """The keys that fit, in the order of the bindings."""
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        ranked = sorted(keys, key=lambda key: _RANKS.get(key.action, _UNRANKED))
        room, kept = self.app.size.width, set[FooterKey]()
        for key in ranked:
            room -= cell_len(key.key_display) + cell_len(key.description) + 2
            if room < 0:
                break
            kept.add(key)
        yield from (key for key in keys if key in kept)

    async def on_resize(self) -> None:
        await self.recompose()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A click on a grey key does what the key does: it says why not."""
        key, _ = self.screen.get_widget_at(*event.screen_offset)
        if isinstance(key, FooterKey) and key.has_class("-disabled"):
            self.app.simulate_key(key.key)


class Entry(NamedTuple):
    """What can be done, as it is listed; `refusal`: why it makes no sense now."""

    name: str
    key: str
    help: str
    refusal: str | None = None
    do: Callable[[], object] = list


class Commands(Provider):
    """What can be done now, by name."""

    async def discover(self) -> Hits:
        for entry in self._entries():
            yield DiscoveryHit(
                _shown(Content(entry.name), entry), entry.do, text=entry.name, help=_help(entry)
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._entries():
            score = max(matcher.match(entry.name), matcher.match(entry.help) / 2)
            if score > 0:
                name = Content(entry.name)
                if matcher.match(entry.name) > 0:
                    name = matcher.highlight(entry.name)
                yield Hit(score, _shown(name, entry), entry.do, text=entry.name, help=_help(entry))

    def _entries(self) -> Iterator[Entry]:
        dashboard = cast("Dashboard", self.app)
        for each in dashboard.actions:
            if each.id != "palette":
                refused = dashboard.refusal(each)
                act = partial(dashboard.action_act, each.id)
                yield Entry(each.label, each.keys_shown, each.help, refused, act)
        for binding in ANYWHERE:
            pass_on = partial(dashboard.action_logs, binding.action)
            name = f"Logs: {binding.description.lower()}"
            yield Entry(name, keys_shown(binding.key), help_of(binding), None, pass_on)


def _shown(name: Content, entry: Entry) -> Content:
    words = name + Content.from_text(f"  {entry.key}", markup=False).stylize("dim")
    return words if entry.refusal is None else words.stylize("dim")


def _help(entry: Entry) -> str:
    return entry.help if entry.refusal is None else f"Not now: {entry.refusal}."
