"""What a program says, line by line as it comes, with nothing in it obeyed."""

from __future__ import annotations

from collections import deque

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from etcd_sandbox.tui.text import Piece, visible, width_of

LINES_KEPT = 10_000


class OutputPane(ScrollView):
    """Follows its end while that is in view; the oldest of LINES_KEPT lines go first."""

    DEFAULT_CSS = """
    OutputPane { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; overflow: auto auto; }
    """
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[Piece] = deque(maxlen=LINES_KEPT)
        self._rest = b""
        self._widest = 0
        self._following = True

    def add(self, data: bytes) -> None:
        """More output; an unfinished line waits for its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines[-LINES_KEPT:]:
            self._take(line.decode("utf-8", "replace").rstrip("\r"), "")
        self._show()

    def end(self) -> None:
        """There is no more; an unfinished line is one, too."""
        rest, self._rest = self._rest, b""
        if rest:
            self.add_line(rest.decode("utf-8", "replace"))

    def add_line(self, text: str, style: str = "") -> None:
        """A line of ours, after what was said so far."""
        if self._rest:
            self.end()
        self._take(text, style)
        self._show()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow from the moment that the end is in view."""
        super().watch_scroll_y(old_value, new_value)
        self._following = self.is_vertical_scroll_end

    def on_resize(self) -> None:
        """The end stays in view."""
        self._follow()

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width, ground = self.scrollable_content_region.width, self.rich_style
        number = top + y
        segments = []
        if number < len(self._lines):
            text, style = self._lines[number]
            segments.append(Segment(text, ground + Style.parse(style)))
        return Strip(segments).crop_extend(left, left + width, ground)

    def _take(self, text: str, style: str) -> None:
        line = (visible(text), style)
        self._widest = max(self._widest, width_of((line,)))
        self._lines.append(line)

    def _show(self) -> None:
        self.virtual_size = Size(self._widest, len(self._lines))
        self.refresh()
        self.call_after_refresh(self._follow)

    def _follow(self) -> None:
        if self._following:
            self.scroll_end(animate=False, immediate=True, force=True)
