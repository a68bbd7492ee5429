"""The dashboard itself: puts the widgets on the screen, paints what is new, does what is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.driver import Driver
from textual.geometry import Offset
from textual.widgets import Static

from etcd_sandbox.control.wire import LinesFrame
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.tui.actions import ACTIONS, Action, Leave, Scope, action, member_of, refusal
from etcd_sandbox.tui.feed import Feed
from etcd_sandbox.tui.keys import ACTION_KEYS, Commands, KeyBar
from etcd_sandbox.tui.memberrows import headline
from etcd_sandbox.tui.painting import LessonRoom, Pace, Rooms, Standstill, Zoom
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.terminalapp import NOTICE_SHOWN_S, TerminalApp
from etcd_sandbox.tui.widgets.drawing import AvailabilityStrip, EventLine, Ring
from etcd_sandbox.tui.widgets.logpanel import LogPanel
from etcd_sandbox.tui.widgets.members import MembersTable
from etcd_sandbox.tui.widgets.orders import Orders
from etcd_sandbox.verbs import Verb

if TYPE_CHECKING:
    from etcd_sandbox.control.async_client import AsyncControlClient
    from etcd_sandbox.control.wire import Frame
    from etcd_sandbox.tui.screens.ctl import Run
    from etcd_sandbox.tui.tutor import Tutor

PAINTED_EVERY_S = 0.1

LEAST_COLUMNS, LEAST_ROWS = 80, 24
RIGHT_BUTTON = 3

_OF_SELECTED = (Scope.SELECTED, Scope.CLUSTER)
_MENUS = {
    "members": _OF_SELECTED,
    **dict.fromkeys(("headline", "strip", "ring"), (Scope.CLUSTER, Scope.SCREEN)),
    "lesson": (Scope.LESSON,),
}
"""What the menu of each widget is about."""


class Dashboard(TerminalApp[Leave]):
    """Watches the cluster of `client`, which it closes at its end.

    `owned`: the cluster stops with it, unless it is told to leave it running. `known` is the
    cluster as it was just now, to be painted at once. From the file descriptor `notices` come
    lines to be shown for a while. `run_ctl` runs etcdctl for the prompt. `tutor` has the lesson
    whose cluster it is.
    """

    CSS_PATH = "app.tcss"
    TITLE = "etcd-sandbox"
    COMMANDS = {Commands}  # noqa: RUF012 - Textual declares it as a class's
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it as an instance's
        (0, "-small"),
        (LEAST_COLUMNS, "-narrow"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"),
        (LEAST_ROWS, "-low"),
        (36, "-high"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        *ACTION_KEYS,
        Binding("ctrl+c", "interrupt", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        client: AsyncControlClient,
        *,
        owned: bool = False,
        known: ClusterStatus | None = None,
        notices: int | None = None,
        run_ctl: Run | None = None,
        tutor: Tutor | None = None,
        driver_class: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver_class, notices=notices)
        self.store = Store(cluster=client.paths.name)
        if known is not None:
            self.store.take_status(known)
        self._owned = owned
        self._client = client
        self._run_ctl = run_ctl
        self._ctl_history: list[str] = []
        self._pace = Pace()
        self._feed = Feed(
            self._client, self.store, changed=self._pace.note_news, frame=self._take_frame
        )
        self._panel = LogPanel(id="logs")
        self._orders = Orders(client)
        self._standstill = Standstill()
        self._newest_us = 0
        self._headline = ""
        self._status_seen = 0
        self._greyed: frozenset[str] = frozenset()
        self._writes = False
        self._only: str | None = None
        self._tutor = tutor
        self._rooms = Rooms(lesson=LessonRoom.SHARED if tutor is not None else None)

    def compose(self) -> ComposeResult:
        yield Static(
            f"The dashboard needs {LEAST_COLUMNS} columns and {LEAST_ROWS} rows.", id="too-small"
        )
        yield Static(id="headline", markup=False)
        yield MembersTable(id="members")
        yield AvailabilityStrip(id="strip")
        yield self._orders
        with Container(id="panels"):
            if self._tutor is not None:
                yield self._tutor.page
            with Horizontal(id="pictured"):
                yield Ring(id="ring")
                yield EventLine(id="events")
            yield self._panel
        yield KeyBar()

    def on_mount(self) -> None:
        self.take_terminal()
        self._panel.action_pretty()
        for panel, title in ((Ring, "Links"), (EventLine, "Events"), (LogPanel, "Logs")):
            self.query_one(panel).border_title = title
        self.set_interval(PAINTED_EVERY_S, self._paint)
        self.query_one(MembersTable).focus()
        self._paint()
        self.heed_keys_once_seen()
        # What is known comes first on the screen, and then the questions.
        self.call_after_refresh(self._feed.start)
        if self._tutor is not None:
            self._share(self._rooms)
            self.run_worker(self._tutor.go(), group="lesson")

    async def on_unmount(self) -> None:
        if self._tutor is not None:
            await self._tutor.stop()
        await self._feed.stop()

    # Painting.

    def _take_frame(self, frame: Frame) -> None:
        if isinstance(frame, LinesFrame):
            self._newest_us = frame.time_us
        self._panel.view.ring.take(frame)

    def _paint(self) -> None:
        if not self.is_running:  # at the end the widgets go before the timer
            return
        ring = self._panel.view.ring
        now_us = time.time_ns() // 1000
        if said := self._standstill.look(
            time.monotonic(), now_us, ring.first, ring.end, self._newest_us, ring.skipped
        ):
            self.notify(said, timeout=NOTICE_SHOWN_S, markup=False)
        if self.behind or not self._pace.is_due(self.store):
            return
        if (words := headline(self.store)) != self._headline:
            self._headline = words
            self.query_one("#headline", Static).update(words, layout=False)
        # The strip and the ring are about members.
        self.screen_stack[0].set_class(self.store.lacks_members, "-no-members")
        for panel in (MembersTable, Ring, AvailabilityStrip, EventLine):
            self.query_one(panel).show(self.store)
        if self._status_seen != self.store.status_news:
            # Buckets come ten times a second, and change neither colours nor what keys can do.
            self._status_seen = self.store.status_news
            self._panel.view.show_indexes({name: at for at, name in enumerate(self.store.names)})
            self._grey()

    def on_members_table_selected(self) -> None:
        self._grey()

    def on_lesson_panel_stood(self) -> None:
        self._grey()

    def _grey(self) -> None:
        """Show which keys make sense now; the footer is made anew only when they are others."""
        greyed = frozenset(self.refusals())
        if greyed != self._greyed:
            self._greyed = greyed
            self.refresh_bindings()

    # What makes sense.

    @property
    def selected(self) -> str | None:
        return self.query_one(MembersTable).selected

    @property
    def actions(self) -> tuple[Action, ...]:
        """What can be done at all: those of a lesson only where there is one."""
        has_lesson = self._tutor is not None
        return tuple(each for each in ACTIONS if has_lesson or each.scope is not Scope.LESSON)

    def refusal(self, each: Action) -> str | None:
        """Why an action makes no sense now, or None."""
        lesson = self._tutor.standing if self._tutor is not None else None
        return refusal(each, self.store, self.selected, lesson)

    def refusals(self) -> dict[str, str]:
        """The reason of each action that makes no sense now."""
        reasons = {each.id: self.refusal(each) for each in self.actions}
        return {id_: reason for id_, reason in reasons.items() if reason is not None}

    def check_action(self, action_name: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out an action that makes no sense now; show the one of two on a key that does."""
        if action_name == "interrupt":
            return not hasattr(self.screen, "action_interrupt")
        if action_name not in ("act", "refused"):
            return True
        chosen = action(str(parameters[0]))
        if chosen not in self.actions:
            return False
        if action_name == "refused" or self._status_seen == 0:
            return True
        if self.refusal(chosen) is None:
            return True
        others = (each for each in self.actions if each.key == chosen.key)
        return False if any(self.refusal(each) is None for each in others) else None

    def action_refused(self, id_: str) -> None:
        self.action_act(id_)

    # Acting.

    def action_act(self, id_: str) -> None:
        """Do what a key, the menu or the palette asks for, or say why it makes no sense now."""
        chosen = action(id_)
        if self.query_one("#too-small").display and chosen.id not in ("quit", "help"):
            return  # nobody sees whom it would be done to
        if (reason := self.refusal(chosen)) is not None:
            self.notify(f"{chosen.label}: {reason}", severity="warning", timeout=3, markup=False)
        elif chosen.verb is not None:
            self._order(chosen, chosen.verb)
        else:
            self._do(chosen.id)

    async def action_logs(self, name: str) -> None:
        """A key of the log panel, pressed elsewhere."""
        if self._rooms.zoom is Zoom.REST:
            self._share(self._rooms.logs_zoomed())
        await self.run_action(name, self._panel)

    def _do(self, id_: str) -> None:
        match id_:
            case "details":
                self._show_details()
            case "logs-only":
                self._only = None if self._only is not None else self.selected
                self._panel.only(None if self._only is None else frozenset({self._only}))
            case "zoom":
                self._share(self._rooms.logs_zoomed())
            case "ctl":
                self._open_ctl()
            case "writes":
                self._toggle_writes()
            case "menu":
                table = self.query_one(MembersTable).region
                self._open_menu(table.offset + Offset(4, 2), _OF_SELECTED)
            case "help":
                from etcd_sandbox.tui.screens.dialogs import HelpScreen

                self.push_screen(HelpScreen(self.actions, self.refusals()))
            case "palette":
                self.action_command_palette()
            case "theme":
                self.action_change_theme()
            case "snapshot":
                # What was over the screen has to be gone from the picture.
                self.call_after_refresh(self.save_picture, self.store.cluster)
            case "quit":
                self._leave()
            case "lesson":
                self._share(self._rooms.lesson_zoomed())
            case "lesson-up":
                self.query_one("#lesson").scroll_page_up(animate=False)
            case "lesson-down":
                self.query_one("#lesson").scroll_page_down(animate=False)
            case _:
                assert self._tutor is not None
                self._tutor.wish(id_)

    def _order(self, chosen: Action, verb: Verb) -> None:
        select = [self.selected or ""] if chosen.scope is Scope.SELECTED else []
        if chosen.id == "start-all":
            select = ["all"]
        self._orders.send(verb, select, verb.key.how if verb.key is not None else {})

    def _toggle_writes(self) -> None:
        self._writes = not self._writes
        self.query_one(AvailabilityStrip).set_class(self._writes, "-writes")
        self._feed.probe(writes=self._writes)
        tried = "tried ten times a second: each adds a revision"
        self.notify(f"writes are {tried if self._writes else 'not tried any more'}")

    def _share(self, rooms: Rooms) -> None:
        """Give each its part of the screen; the focus goes to who has most of it."""
        self._rooms = rooms
        for name, is_so in rooms.classes.items():
            self.screen.set_class(is_so, name)
        if rooms.zoom is Zoom.LOGS:
            self._panel.view.focus()
        elif rooms.classes[LessonRoom.WHOLE]:
            self.query_one("#lesson").focus()
        else:
            self.query_one(MembersTable).focus()

    # The lesson.

    def on_lesson_panel_unfolded(self) -> None:
        if self._tutor is not None:
            self._tutor.unfolded()

    # Screens over this one.

    def _show_details(self) -> None:
        from etcd_sandbox.tui.screens.details import DetailsScreen

        table = self.query_one(MembersTable)
        assert table.selected is not None

        def left(process: str | None) -> None:
            if process is not None:
                table.select(process)

        self.push_screen(DetailsScreen(self._client.detail, self.store, table.selected), left)

    def _open_ctl(self) -> None:
        from etcd_sandbox.tui.screens.ctl import CtlScreen, ctl_of

        cluster, member = self.store.cluster, member_of(self.store.status, self.selected)
        run = self._run_ctl or ctl_of(cluster)
        self.push_screen(CtlScreen(cluster, member, run, self._ctl_history))

    def on_click(self, event: events.Click) -> None:
        """The right button opens a menu: of the row under it, or of the cluster."""
        if event.button != RIGHT_BUTTON or self.screen is not self.screen_stack[0]:
            return
        below = event.widget.ancestors_with_self if event.widget is not None else []
        if scopes := next((_MENUS[each.id] for each in below if each.id in _MENUS), None):
            self._open_menu(event.screen_offset, scopes)

    def _open_menu(self, at: Offset, scopes: Sequence[Scope]) -> None:
        from etcd_sandbox.tui.screens.dialogs import MenuScreen

        of_selected = Scope.SELECTED in scopes and self.selected is not None
        title = self.selected or "" if of_selected else self.store.cluster

        def chosen(id_: str | None) -> None:
            if id_ is not None:
                self.action_act(id_)

        self.push_screen(MenuScreen(title, scopes, self.refusals(), at), chosen)

    # Leaving.

    def action_interrupt(self) -> None:
        self._leave()

    async def action_quit(self) -> None:
        """Textual's own action, which would not ask what becomes of the cluster."""
        self._leave()

    def _leave(self) -> None:
        if not self._owned:
            self.exit(Leave.RUNNING)
            return
        if self._tutor is not None and self._tutor.done:
            self.exit(Leave.STOP)
            return
        from etcd_sandbox.tui.screens.dialogs import QuitScreen

        if isinstance(self.screen, QuitScreen):
            return

        def answered(choice: Leave | None) -> None:
            if choice is not None:
                self.exit(choice)

        kept = "Your place in the lesson is kept." if self._tutor is not None else ""
        self.push_screen(QuitScreen(self.store.cluster, kept), answered)
