"""The log panel in an app: each key, the reader's place, filters while lines come, what is painted when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from etcd_sandbox.control.wire import LinesFrame, SkippedFrame
from etcd_sandbox.tui.widgets.logpanel import LogPanel
from etcd_sandbox.tui.widgets.logview import LogView
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

WARN = '{"level":"warn","ts":"2026-11-22T15:30:11.123Z","msg":"slow","took":"1s"}'


class Stage(App[None]):
    """Nothing but the panel."""

    def compose(self) -> ComposeResult:
        yield LogPanel()

    def on_mount(self) -> None:
        panel = self.query_one(LogPanel)
        panel.view.show_indexes({"infra1": 0, "infra2": 1})
        panel.view.focus()

    @property
    def panel(self) -> LogPanel:
        return self.query_one(LogPanel)

    @property
    def view(self) -> LogView:
        return self.panel.view

    def say(self, *lines: str | bytes, process: str = "infra1") -> None:
        for line in lines:
            data = line.encode() if isinstance(line, str) else line
            self.panel.view.ring.take(LinesFrame(1, 0, process, data + b"\n"))

    def count(self, start: int, stop: int) -> None:
        self.say(*(f"line {number}" for number in range(start, stop)))

    def seen(self) -> list[str]:
        height, width = self.view.size.height, self.view.size.width
        rows = [self.view.render_line(y).crop(0, width - 1).text.rstrip() for y in range(height)]
        return [row for row in rows if row]

    def texts(self) -> list[str]:
        return [row.partition(" │ ")[2] or row.partition(" ▶ ")[2] or row for row in self.seen()]


def play(
    act: Callable[[Stage, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (60, 12)
) -> None:
    async def run() -> None:
        app = Stage()
        async with app.run_test(size=size) as pilot:
            await act(app, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait for what the panel's own timers bring about."""
    for _ in range(500):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(
        f"it did not happen; the status line: {pilot.app.query_one(LogPanel).status()}"
    )


async def shown(app: Stage, pilot: Pilot[None], *texts: str) -> None:
    """Wait until these are the lowest rows."""
    await until(pilot, lambda: app.texts()[-len(texts) :] == list(texts))


def test_the_newest_lines_are_followed_with_the_names_of_their_processes() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 50)
        app.say("other", process="infra2")
        await shown(app, pilot, "line 49", "other")
        assert app.seen()[-2:] == ["infra1 │ line 49", "infra2 │ other"]
        assert app.panel.status() == "following · 51 lines"

    play(act)


def test_a_reader_who_scrolled_up_stays_while_lines_come_and_go() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 100)
        await shown(app, pilot, "line 99")
        await pilot.press("pageup")
        page = app.texts()
        assert page[-1] == "line 89"
        app.count(100, 1334)
        await until(pilot, lambda: "1,234 new below" in app.panel.status())
        assert app.texts() == page
        await pilot.press("end")
        await shown(app, pilot, "line 1333")
        assert app.panel.status().startswith("following")

    play(act)


def test_a_place_that_the_ring_has_given_up_becomes_the_oldest_line() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 30)
        await shown(app, pilot, "line 29")
        await pilot.press("home")
        assert app.texts()[0] == "line 0"
        app.say("\n".join(f"line {number}" for number in range(30, 300_000)))
        oldest = app.view.ring.first
        assert oldest > 30
        await until(pilot, lambda: app.texts()[0] == f"line {oldest}")
        await pilot.press("down", "up", "up")
        assert app.texts()[0] == f"line {oldest}"
        assert not app.view.following

    play(act)


def test_arrows_pages_home_and_end_move_and_the_lowest_row_follows_again() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 40)
        await shown(app, pilot, "line 39")
        rows = len(app.texts())
        await pilot.press("up", "up")
        assert app.texts()[-1] == "line 37"
        await pilot.press("down")
        assert app.texts()[-1] == "line 38"
        assert not app.view.following
        await pilot.press("down")
        assert app.view.following
        await pilot.press("home")
        assert app.texts() == [f"line {number}" for number in range(rows)]
        await pilot.press("pagedown")
        assert app.texts()[0] == f"line {rows - 1}"
        await pilot.press("pageup", "pageup")
        assert app.texts()[0] == "line 0"
        await pilot.press(*["pagedown"] * 8)
        assert app.view.following

    play(act)


def test_the_wheel_scrolls_back_and_forth() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 40)
        await shown(app, pilot, "line 39")
        await pilot._post_mouse_events([_scroll("up")], app.view, (5, 3))  # noqa: SLF001
        assert app.texts()[-1] == "line 36"
        await pilot._post_mouse_events([_scroll("down")], app.view, (5, 3))  # noqa: SLF001
        assert app.view.following

    from textual import events

    def _scroll(way: str) -> type[events.MouseEvent]:
        return events.MouseScrollUp if way == "up" else events.MouseScrollDown

    play(act)


def test_f_follows_or_stays() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 40)
        await shown(app, pilot, "line 39")
        await pilot.press("F")
        app.count(40, 42)
        await until(pilot, lambda: "2 new below" in app.panel.status())
        assert app.texts()[-1] == "line 39"
        await pilot.press("F")
        await shown(app, pilot, "line 41")

    play(act)


def test_a_filter_acts_while_it_is_typed_and_while_lines_come() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 200)
        await pilot.press("f", *"[37]$")
        await shown(app, pilot, "line 193", "line 197")
        app.count(200, 206)
        await shown(app, pilot, "line 197", "line 203")
        await pilot.press("enter")
        assert not app.query_one(Input).display
        assert app.panel.status() == "following · 41 lines · /[37]$/"
        await pilot.press("f", *["backspace"] * 5, "enter")
        await shown(app, pilot, "line 204", "line 205")
        assert app.panel.filter.is_open

    play(act)


def test_what_is_no_expression_is_told_and_the_old_filter_stays() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 20)
        await pilot.press("f", "7", "enter", "f", "(")
        await until(pilot, lambda: "not a regular expression" in app.panel.status())
        assert app.texts() == ["line 7", "line 17"]
        await pilot.press("enter")
        assert "not a regular expression" in app.panel.status()
        assert app.query_one(Input).display
        await pilot.press("escape")
        assert app.texts() == ["line 7", "line 17"]
        assert app.panel.status().endswith("/7/")

    play(act)


def test_escape_brings_the_filter_before_back() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 20)
        await pilot.press("f", "7")
        await until(pilot, lambda: app.texts() == ["line 7", "line 17"])
        await pilot.press("escape")
        await shown(app, pilot, "line 18", "line 19")
        assert app.view.has_focus

    play(act)


def test_levels_and_processes_narrow_what_is_shown() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say('{"level":"debug","msg":"d"}', "plain", WARN)
        app.say('{"level":"error","msg":"e"}', process="infra2")
        await until(pilot, lambda: len(app.texts()) == 4)
        await pilot.press("L")
        await until(pilot, lambda: len(app.texts()) == 3)
        await pilot.press("L")
        await until(pilot, lambda: len(app.texts()) == 2)
        assert "warn and graver" in app.panel.status()
        app.panel.only(frozenset({"infra1"}))
        await until(pilot, lambda: app.texts() == [WARN[: len(app.texts()[0])]])
        assert "only infra1" in app.panel.status()
        await pilot.press("L")
        await until(pilot, lambda: app.texts() == [])
        await pilot.press("L")
        app.panel.only(None)
        await until(pilot, lambda: len(app.texts()) == 4)

    play(act)


def test_a_search_goes_up_and_down_and_marks_what_it_found() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 100)
        await shown(app, pilot, "line 99")
        await pilot.press("slash", *"e [0-9]*5$", "enter")
        await until(pilot, lambda: "infra1 ▶ line 95" in app.seen())
        assert not app.view.following
        await pilot.press("N")
        await until(pilot, lambda: "infra1 ▶ line 85" in app.seen())
        await pilot.press("N")
        await until(pilot, lambda: "infra1 ▶ line 75" in app.seen())
        await pilot.press("n")
        await until(pilot, lambda: "infra1 ▶ line 85" in app.seen())
        await pilot.press("n", "n")
        await until(pilot, lambda: "no match below" in app.panel.status())
        styles = [
            segment.style
            for y in range(app.view.size.height)
            for segment in app.view.render_line(y)
            if segment.text == "e 95"
        ]
        assert styles
        assert all(style is not None and style.reverse for style in styles)

    play(act)


def test_a_search_without_words_says_how_to_begin() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: "press /" in app.panel.status())

    play(act)


def test_wrap_shows_the_whole_line_and_arrows_go_along_a_cut_one() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say("".join(f"{number:03}," for number in range(40)))
        await until(pilot, lambda: len(app.texts()) == 1)
        start = app.texts()[0]
        await pilot.press("right")
        assert app.texts()[0].startswith("004,")
        await pilot.press("left", "left")
        assert app.texts()[0] == start
        await pilot.press("W")
        assert "".join(app.texts()) == "".join(f"{number:03}," for number in range(40))
        assert app.panel.status().endswith("wrap")
        await pilot.press("W")
        assert app.texts() == [start]

    play(act)


def test_rows_of_wrapped_lines_are_scrolled_one_by_one() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say(*(f"{number:02}" * 60 for number in range(10)))
        await pilot.press("W")
        await until(pilot, lambda: len(app.texts()) == 11)
        before = app.texts()
        await pilot.press("up", "up")
        assert app.texts()[2:] == before[:-2]
        await pilot.press("down", "down")
        assert app.view.following
        assert app.texts() == before

    play(act)


def test_a_line_higher_than_the_screen_can_be_read_to_its_end() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say("before", b"x" * (1 << 20), "after")
        await pilot.press("W")
        await shown(app, pilot, "after")
        seen = set(app.texts())
        for _ in range(40):
            await pilot.press("pageup")
            seen.update(app.texts())
        assert "before" in seen
        assert app.texts()[0] == "before"
        for _ in range(40):
            await pilot.press("pagedown")
        assert app.view.following

    play(act)


def test_the_pretty_view_is_switched_on_and_off() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say(WARN)
        await until(pilot, lambda: app.texts() == [WARN])
        await pilot.press("P")
        assert app.texts()[0].split() == ["15:30:11.123", "WARN", "slow", "took=1s"]
        await pilot.press("P")
        assert app.texts() == [WARN]

    play(act, size=(120, 12))


def test_markup_controls_and_broken_bytes_are_shown_as_text() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say("[red]x[/] [@click=app.exit]y", b"\x07\xff\x1b]0;title\x07\x1b[2Jz", "中文🎉")
        await until(pilot, lambda: len(app.texts()) == 3)
        assert app.texts() == ["[red]x[/] [@click=app.exit]y", "\u2407\ufffdz", "中文🎉"]

    play(act)


def test_skipped_lines_are_shown_and_counted() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say("a")
        app.panel.view.ring.take(SkippedFrame(1200))
        app.say("b")
        await until(pilot, lambda: app.texts() == ["a", "… 1,200 lines skipped …", "b"])
        assert app.panel.status().endswith("1,200 skipped")

    play(act)


def test_lines_are_copied_whole_and_without_colours() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        long = "x" * 500
        app.say("a", "\x1b[31mb\x1b[0m", long)
        await until(pilot, lambda: len(app.texts()) == 3)
        await pilot.press("y")
        assert app.clipboard == long
        await pilot.click(LogView, offset=(3, 1))
        await pilot.press("y")
        assert app.clipboard == "b"
        assert "copied 1 line" in app.panel.status()
        await pilot.press("Y")
        assert app.clipboard == f"a\nb\n{long}"

    play(act)


def test_what_passes_is_saved_to_a_new_file_and_trouble_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lines.log"

    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 30)
        await pilot.press("f", "2", "$", "enter")
        for words in ("saved 3 lines", "not saved: File exists"):
            await pilot.press("ctrl+s")
            app.query_one(Input).value = str(path)
            await pilot.press("enter")
            await until(pilot, lambda words=words: words in app.panel.status())  # type: ignore[misc]
        assert path.read_text() == "".join(f"infra1 | line {number}\n" for number in (2, 12, 22))

    play(act)


def test_a_click_in_the_bar_goes_to_that_part() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 1000)
        await shown(app, pilot, "line 999")
        width, height = app.view.size
        await pilot.click(LogView, offset=(width - 1, 0))
        assert app.texts()[0] == "line 0"
        await pilot.click(LogView, offset=(width - 1, height - 1))
        assert app.view.following

    play(act)


def test_nothing_is_made_or_listed_while_the_panel_is_hidden() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.panel.only(frozenset({"infra1"}))
        await until(pilot, lambda: app.view.listing.complete)
        app.panel.display = False
        await until(pilot, lambda: not app.view.seen)
        app.count(0, 50)
        await pilot.pause(0.3)
        assert not app.view._page  # noqa: SLF001
        assert not app.view.ring._split  # noqa: SLF001
        assert len(app.view.listing) == 0
        app.panel.display = True
        await shown(app, pilot, "line 49")

    play(act)


def test_nothing_is_painted_when_what_is_seen_has_not_changed() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.count(0, 100)
        await shown(app, pilot, "line 99")
        await pilot.press("home")
        await pilot.pause(0.2)
        painted: list[object] = []
        app.view.refresh = lambda *regions, **how: painted.append(regions)  # type: ignore[method-assign,assignment]
        app.count(100, 101)
        await until(pilot, lambda: "1 new below" in app.panel.status())
        await pilot.pause(0.2)
        assert not painted
        app.view.action_follow()
        assert painted

    play(act)


def test_every_key_of_the_panel_says_what_it_does() -> None:
    for owner in (LogPanel, LogView):
        keys = [binding for binding in owner.BINDINGS if not isinstance(binding, tuple)]
        assert keys
        assert all(binding.description and binding.tooltip for binding in keys)


def test_a_screen_of_another_size_wraps_anew() -> None:
    async def act(app: Stage, pilot: Pilot[None]) -> None:
        app.say("ab" * 60)
        await pilot.press("W")
        await until(pilot, lambda: len(app.texts()) == 3)
        await pilot.resize_terminal(100, 12)
        await until(pilot, lambda: len(app.texts()) == 2)
        assert "".join(app.texts()) == "ab" * 60

    play(act)
