"""The footer: the keys that matter most for the room there is, and why a grey one is grey."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

_UNRANKED = 1000


class KeyBar(Footer):
    """Textual's footer without keys that are cut at the edge: those of the least rank give way.

    `ranks` are by the name of the action; what has none gives way first.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        super().__init__(compact=True, show_command_palette=False)
        self._ranks = ranks

    def compose(self) -> ComposeResult:
        """The keys that fit, in the order of the bindings."""
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        ranked = sorted(keys, key=lambda key: self._ranks.get(key.action, _UNRANKED))
        room, kept = self.app.size.width, set[FooterKey]()
        for key in ranked:
            room -= cell_len(key.key_display) + cell_len(key.description) + 2
            if room < 0:
                break
            kept.add(key)
        yield from (key for key in keys if key in kept)

    async def on_resize(self) -> None:
        """There is another number of columns."""
        await self.recompose()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A click on a grey key does what the key does: it says why not."""
        key, _ = self.screen.get_widget_at(*event.screen_offset)
        if isinstance(key, FooterKey) and key.has_class("-disabled"):
            self.app.simulate_key(key.key)
