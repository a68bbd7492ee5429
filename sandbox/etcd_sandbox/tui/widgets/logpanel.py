"""The log panel: the lines, one input that opens when it is needed, and a line that says what is shown."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from etcd_sandbox.errors import InputError
from etcd_sandbox.tui.logfilter import Level, LogFilter, pattern_of, save
from etcd_sandbox.tui.text import visible
from etcd_sandbox.tui.widgets.logview import LogView, log_binding


class _Asked(StrEnum):
    SEARCH = "search"
    FILTER = "filter"
    SAVE = "save"


_PLACEHOLDERS = {
    _Asked.SEARCH: "search: a regular expression, Enter",
    _Asked.FILTER: "only lines that match: a regular expression; Enter keeps it, Escape undoes",
    _Asked.SAVE: "save these lines as: a new file, Enter",
}


class LogPanel(Vertical):
    """Shows the lines it is given by `take`; filters change while lines come."""

    DEFAULT_CSS = """
    LogPanel > Input { display: none; height: 1; }
    LogPanel.-asking > Input { display: block; }
    LogPanel > Static { height: 1; background: $panel; color: $foreground; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        log_binding(
            "slash", "ask('search')", "Search", "search for a regular expression", show=True
        ),
        log_binding("n", "search(False)", "Next", "to the next match below"),
        log_binding("N", "search(True)", "Previous", "to the previous match above"),
        log_binding(
            "f", "ask('filter')", "Filter", "only lines that match an expression", show=True
        ),
        log_binding("L", "next_level", "Level", "only info, warn or error and graver; all again"),
        log_binding("W", "wrap", "Wrap", "wrap long lines, or cut them"),
        log_binding("P", "pretty", "Pretty", "etcd's lines in columns, or as they were written"),
        log_binding("F", "toggle_follow", "Follow", "follow the newest line, or stay here"),
        log_binding("y", "copy(False)", "Copy", "copy the marked line, else the lowest"),
        log_binding("Y", "copy(True)", "Copy all", "copy the lines that are seen"),
        log_binding("ctrl+s", "ask('save')", "Save", "save the lines that pass the filters"),
        log_binding("escape", "close", "Close", "close the input; end the search"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's word
        super().__init__(id=id)
        self.view = LogView()
        self._asked: _Asked | None = None
        self._before = LogFilter()
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield self.view
        yield Input(compact=True, select_on_focus=False)
        yield Static(markup=False)

    def only(self, processes: frozenset[str] | None) -> None:
        self._choose(replace(self.filter, processes=processes))

    @property
    def filter(self) -> LogFilter:
        return self.view.listing.filter

    # Keys.

    def action_search(self, up: bool) -> None:
        self.view.search(up=up)

    def action_next_level(self) -> None:
        """From all lines to info and graver, warn and graver, error, and all again."""
        levels = [None, Level.INFO, Level.WARN, Level.ERROR]
        now = levels.index(self.filter.level)
        self._choose(replace(self.filter, level=levels[(now + 1) % len(levels)]))

    def action_wrap(self) -> None:
        self.view.toggle_wrap()
        self._show_status()

    def action_pretty(self) -> None:
        self.view.toggle_pretty()
        self._show_status()

    def action_toggle_follow(self) -> None:
        self.view.action_toggle_follow()

    def action_copy(self, page: bool) -> None:
        """Copy the current line, or all that are seen."""
        texts = self.view.texts(page=page)
        if texts:
            self.app.copy_to_clipboard("\n".join(texts))
        self.view.tell(f"copied {len(texts)} line{'s' * (len(texts) != 1)}")

    def action_ask(self, asked: str) -> None:
        """Open the input for a search, a filter or the name of a file."""
        self._asked = None  # what is put into the input now was not typed
        entry = self.query_one(Input)
        pattern = self.filter.pattern
        entry.value = pattern.pattern if asked == _Asked.FILTER and pattern else ""
        entry.placeholder = _PLACEHOLDERS[_Asked(asked)]
        self.set_class(True, "-asking")
        entry.focus()
        self._before = self.filter
        self._asked = _Asked(asked)
        self._say("")

    def action_close(self) -> None:
        """Close the input and undo what was typed into it; with none open, end the search."""
        if self._asked is None:
            self.view.highlight(None)
        elif self._asked is _Asked.FILTER:
            self._choose(replace(self.filter, pattern=self._before.pattern))
        self._close()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the text is typed; the old filter stays on while it is no expression."""
        event.stop()
        if self._asked is _Asked.FILTER and event.value == event.input.value:
            self._filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        asked, text = self._asked, event.value
        try:
            if asked is _Asked.SEARCH:
                self.view.highlight(pattern_of(text) if text else None)
            elif asked is _Asked.FILTER:
                self._choose(replace(self.filter, pattern=pattern_of(text) if text else None))
        except InputError as error:
            self._say(str(error))
            return
        self._close()
        if asked is _Asked.SEARCH and text:
            self.view.marked = None
            self.view.search(up=True)
        elif asked is _Asked.SAVE and text:
            self.run_worker(self._save(text), group="save")

    def on_log_view_changed(self, event: LogView.Changed) -> None:
        event.stop()
        self._show_status()

    def _filter(self, text: str) -> None:
        try:
            self._choose(replace(self.filter, pattern=pattern_of(text) if text else None))
        except InputError as error:
            self._say(f"{error}; the filter is as before")
        else:
            self._say("")

    def _choose(self, chosen: LogFilter) -> None:
        self.view.choose(chosen)
        self._show_status()

    def _close(self) -> None:
        self._asked = None
        self._trouble = ""
        self.set_class(False, "-asking")
        self.view.focus()
        self._show_status()

    async def _save(self, name: str) -> None:
        chunks, chosen, path = self.view.ring.chunks(), self.filter, Path(name)

        def write() -> int:
            return save(path.expanduser(), chunks, chosen)

        try:
            lines = await asyncio.to_thread(write)
        except OSError as error:
            self.view.tell(f"not saved: {error.strerror or error}, {path}")
        except (RuntimeError, ValueError) as error:  # no such user, or no name at all
            self.view.tell(f"not saved: {error}, {path}")
        else:
            self.view.tell(f"saved {lines:,} line{'s' * (lines != 1)}: {path}")

    # The line below.

    def _say(self, trouble: str) -> None:
        self._trouble = trouble
        self._show_status()

    def _show_status(self) -> None:
        if self.is_mounted:
            self.query_one(Static).update(Content(self.status()), layout=False)

    def status(self) -> str:
        """Which lines are shown, and how, in one line."""
        view, chosen = self.view, self.filter
        if self._trouble:
            return visible(self._trouble)
        count = len(view.listing)
        parts = [
            view.notice,
            "following" if view.following else f"{view.new_below:,} new below (End follows)",
            f"{count:,} line{'s' * (count != 1)}",
            "" if view.listing.complete else "still looking",
            f"only {', '.join(sorted(chosen.processes))}" if chosen.processes is not None else "",
            f"{chosen.level} and graver" if chosen.level is not None else "",
            f"/{chosen.pattern.pattern}/" if chosen.pattern is not None else "",
            f"{view.ring.skipped:,} skipped" if view.ring.skipped else "",
            "wrap" if view.wrap else "",
            "pretty" if view.pretty else "",
        ]
        return visible(" · ".join(part for part in parts if part))
