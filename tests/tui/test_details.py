"""The details screen: what it asks, what it shows, and how it is gone through."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from etcd_sandbox.errors import NotRunning
from etcd_sandbox.model.access import as_text
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import Detail
from etcd_sandbox.tui.screens.details import DetailsScreen, DetailsView
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.members import MembersTable
from textual.binding import Binding
from textual.events import MouseScrollDown
from textual.screen import ModalScreen

from tests.tui.detailsamples import busy, dead, detail, metrics, peer, plain
from tests.tui.samples import down, event, member, process, status
from tests.tui.stage import Stage, StagePilot, at_rest, play

SMALL, MIDDLE = (80, 24), (120, 40)


class Supervisor:
    """Answers what it was given, one answer after the other, and then no more."""

    def __init__(self, **answers: Iterable[Detail | Exception]) -> None:
        self.answers = {name: iter(each) for name, each in answers.items()}
        self.asked: list[str] = []
        self.silent = asyncio.Event()

    async def detail(self, name: str) -> dict[str, Any]:
        self.asked.append(name)
        answer = next(self.answers.get(name, iter(())), None)
        if answer is None:
            self.silent.set()
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        told: dict[str, Any] = msgspec.to_builtins(answer, enc_hook=as_text)
        return told


class Seconds:
    """A clock on which each look is a second later."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1
        return self.now_s


def screen_of(supervisor: Supervisor, store: Store, name: str) -> DetailsScreen:
    return DetailsScreen(supervisor.detail, store, name, every_s=0, clock=Seconds())


def show(
    supervisor: Supervisor,
    store: Store,
    name: str,
    scene: Callable[[Stage, StagePilot], Any],
    size: tuple[int, int] = SMALL,
) -> None:
    """Open the screen, wait until the supervisor has said everything, play the scene."""
    stage = Stage(store, MembersTable())

    async def run(pilot: StagePilot) -> None:
        supervisor.silent = asyncio.Event()
        await stage.push_screen(screen_of(supervisor, store, name))
        await supervisor.silent.wait()
        await pilot.pause()
        await scene(stage, pilot)

    play(stage, run, size)


def members_of(killed: int | None = None) -> Store:
    store = Store(cluster="default")
    store.take_status(
        status(
            *(down(n) if n == killed else member(n) for n in (1, 2, 3)),
            processes=(process(),),
        )
    )
    return store


CASES: dict[str, tuple[str, Callable[[], Supervisor], Callable[[], Store]]] = {
    "healthy": ("infra1", lambda: Supervisor(infra1=busy(60)), members_of),
    "down": ("infra3", lambda: Supervisor(infra3=[dead()]), lambda: with_exit(members_of(3))),
    "process": ("app", lambda: Supervisor(app=[plain()]), members_of),
}
PICTURES = [("healthy", SMALL), ("healthy", MIDDLE), ("down", MIDDLE), ("process", SMALL)]


def with_exit(store: Store) -> Store:
    store.take_event(
        event(
            20.0,
            Kind.PROCESS_EXITED,
            "infra3",
            process="infra3",
            code=None,
            signal="SIGKILL",
            expected=False,
        )
    )
    return store


@pytest.mark.parametrize(("title", "size"), PICTURES)
def test_the_details_look_as_they_did(
    title: str, size: tuple[int, int], golden: Callable[[str, str], None]
) -> None:
    name, supervisor, store = CASES[title]
    taken: list[str] = []

    async def scene(stage: Stage, pilot: StagePilot) -> None:
        taken.append(await at_rest(pilot))

    show(supervisor(), store(), name, scene, size)
    golden(f"details-{title}-{size[0]}x{size[1]}", taken[0])


# Going through it.


def test_it_asks_about_the_one_that_is_looked_at_and_goes_round() -> None:
    supervisor = Supervisor(infra1=[detail(1)], infra2=[detail(2)], app=[plain()])

    async def scene(stage: Stage, pilot: StagePilot) -> None:
        assert set(supervisor.asked) == {"infra1"}
        await pilot.press("right")
        assert " infra2 · running · follower" in stage.text()[0]
        assert supervisor.asked[-1] == "infra2"
        await pilot.press("left_square_bracket", "left")
        await pilot.pause()
        assert supervisor.asked[-1] == "app"
        assert " app · running" in stage.text()[0]
        await pilot.press("right_square_bracket")
        assert " infra1 " in stage.text()[0]

    show(supervisor, members_of(), "infra1", scene)


def test_what_was_said_is_kept_while_another_one_is_looked_at() -> None:
    supervisor = Supervisor(infra1=busy(30), infra2=[detail(2)])

    async def scene(stage: Stage, pilot: StagePilot) -> None:
        before = [line for line in stage.text() if line.startswith("WAL fsync")]
        await pilot.press("right", "left")
        await pilot.pause()
        assert [line for line in stage.text() if line.startswith("WAL fsync")] == before
        assert "▆" in before[0]

    show(supervisor, members_of(), "infra1", scene)


@pytest.mark.parametrize("key", ["escape", "i", "q"])
def test_it_is_closed_and_tells_whom_it_showed_last(key: str) -> None:
    stage = Stage(members_of(), MembersTable())
    supervisor = Supervisor(infra1=[detail(1)], infra2=[detail(2)])
    told: list[str | None] = []

    async def scene(pilot: StagePilot) -> None:
        supervisor.silent = asyncio.Event()
        stage.push_screen(screen_of(supervisor, stage.store, "infra1"), told.append)
        await supervisor.silent.wait()
        await pilot.press("right", key)
        await pilot.pause()
        assert not isinstance(stage.screen, DetailsScreen)

    play(stage, scene, SMALL)
    assert told == ["infra2"]


def test_nobody_is_asked_any_more_once_it_is_closed_or_covered() -> None:
    stage = Stage(members_of(), MembersTable())
    supervisor = Supervisor(infra1=(detail(1) for _ in iter(int, 1)))

    async def asked_meanwhile(pilot: StagePilot) -> int:
        before = len(supervisor.asked)
        for _ in range(5):
            await asyncio.sleep(0)
        await pilot.pause()
        return len(supervisor.asked) - before

    async def scene(pilot: StagePilot) -> None:
        screen = screen_of(supervisor, stage.store, "infra1")
        await stage.push_screen(screen)
        assert await asked_meanwhile(pilot) > 0
        await stage.push_screen(ModalScreen())
        await pilot.pause()
        assert await asked_meanwhile(pilot) == 0
        await stage.pop_screen()
        await pilot.pause()
        assert await asked_meanwhile(pilot) > 0
        await pilot.press("escape")
        assert await asked_meanwhile(pilot) == 0

    play(stage, scene, SMALL)


def test_only_the_one_that_is_looked_at_is_asked_about() -> None:
    stage = Stage(members_of(), MembersTable())
    supervisor = Supervisor(infra1=(detail(1) for _ in iter(int, 1)), infra2=[detail(2)])

    async def scene(pilot: StagePilot) -> None:
        await stage.push_screen(screen_of(supervisor, stage.store, "infra1"))
        await pilot.press("right")
        await supervisor.silent.wait()
        before = supervisor.asked.count("infra1")
        for _ in range(5):
            await asyncio.sleep(0)
        assert supervisor.asked.count("infra1") == before

    play(stage, scene, SMALL)


def test_the_command_is_copied_as_it_was_executed() -> None:
    argv = ("/opt/my etcd", "--name=it's")

    async def scene(stage: Stage, pilot: StagePilot) -> None:
        await pilot.press("y")
        assert shlex.split(stage.clipboard) == list(argv)
        assert "\n" not in stage.clipboard

    show(Supervisor(infra1=[detail(argv=argv)]), members_of(), "infra1", scene)


def test_before_the_command_is_known_nothing_is_copied() -> None:
    async def scene(stage: Stage, pilot: StagePilot) -> None:
        await pilot.press("y")
        assert stage.clipboard == ""

    show(Supervisor(), members_of(), "infra1", scene)


def test_it_scrolls_by_keys_and_by_the_wheel_and_the_name_stays() -> None:
    async def scene(stage: Stage, pilot: StagePilot) -> None:
        view = stage.screen.query_one(DetailsView)
        head = stage.text()[0]

        async def after(*keys: str) -> int:
            await pilot.press(*keys)
            await pilot.pause()
            assert stage.text()[0].startswith(head[:40])
            return view.scroll_offset.y

        page = view.scrollable_content_region.height - 2
        assert await after("down", "down") == 2
        assert await after("up") == 1
        assert await after("pagedown") == 1 + page
        assert await after("pageup") == 1
        end = await after("end")
        assert end > page
        assert any(line.startswith("etcd ") for line in stage.text())
        assert await after("home") == 0
        view.post_message(wheel(view))
        await pilot.pause()
        await pilot.pause(0.3)
        assert await after() > 0

    show(Supervisor(infra1=busy(60)), members_of(), "infra1", scene)


def test_another_process_is_shown_from_its_top() -> None:
    async def scene(stage: Stage, pilot: StagePilot) -> None:
        await pilot.press("end", "right")
        await pilot.pause()
        assert stage.screen.query_one(DetailsView).scroll_offset.y == 0

    show(Supervisor(infra1=busy(9), infra2=[detail(2)]), members_of(), "infra1", scene)


# What may go wrong.


def test_an_error_is_told_and_what_was_known_stays() -> None:
    trouble = NotRunning("cluster 'default' does not run", hint="etcd-sandbox up starts it")
    supervisor = Supervisor(infra1=[detail(1), trouble])

    async def scene(stage: Stage, _: StagePilot) -> None:
        assert stage.text()[1] == "! cluster 'default' does not run"
        assert stage.text()[2] == "etcd-sandbox up starts it"
        assert "infra1 itself" in stage.whole()

    show(supervisor, members_of(), "infra1", scene)


def test_it_goes_on_asking_after_an_error() -> None:
    supervisor = Supervisor(infra1=[NotRunning("gone"), detail(1)])

    async def scene(stage: Stage, _: StagePilot) -> None:
        assert "gone" not in stage.whole()
        assert "infra1 itself" in stage.whole()

    show(supervisor, members_of(), "infra1", scene)


def test_the_time_without_answers_is_a_gap() -> None:
    few, many = detail(metrics=metrics(puts=1)), detail(metrics=metrics(puts=500))
    supervisor = Supervisor(infra1=[few, NotRunning("gone"), many])

    async def scene(stage: Stage, _: StagePilot) -> None:
        (line,) = (line for line in stage.text() if line.startswith("puts"))
        assert line.split() == ["puts", "-", "-", "500"]

    show(supervisor, members_of(), "infra1", scene)


def test_an_answer_that_is_not_understood_is_told() -> None:
    async def ask(_: str) -> dict[str, Any]:
        return {"process": 7}

    stage = Stage(members_of(), MembersTable())

    async def scene(pilot: StagePilot) -> None:
        await stage.push_screen(DetailsScreen(ask, stage.store, "infra1"))
        await pilot.pause()
        assert stage.text()[1] == "! the supervisor's answer is not understood"

    play(stage, scene, SMALL)


def test_news_of_the_store_is_shown_without_an_answer() -> None:
    async def scene(stage: Stage, pilot: StagePilot) -> None:
        stage.store.take_status(status(member(1, term=77), member(2), member(3)))
        while "term 77" not in stage.whole():
            await pilot.pause(0.02)

    show(Supervisor(infra1=[detail(1)]), members_of(), "infra1", scene)


def test_the_keys_of_the_dashboard_beneath_do_nothing_here() -> None:
    async def scene(stage: Stage, pilot: StagePilot) -> None:
        table = stage.widgets[0]
        assert isinstance(table, MembersTable)
        selected = table.selected
        await pilot.press("down", "end")
        assert table.selected == selected

    show(Supervisor(infra1=[detail(1)]), members_of(), "infra1", scene)


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (30, 8)])
def test_twenty_five_members_can_be_gone_through_at_any_size(size: tuple[int, int]) -> None:
    store = Store(cluster="default")
    store.take_status(status(*(member(n) for n in range(1, 26))))
    peers = tuple(peer(n) for n in range(1, 26))
    supervisor = Supervisor(infra1=[detail(1, peers=peers)], infra25=[detail(25)])

    async def scene(stage: Stage, pilot: StagePilot) -> None:
        await pilot.press("left")
        assert stage.text()[0].rstrip().endswith("25 of 25")

    show(supervisor, store, "infra1", scene, size)


def test_without_colours_it_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    async def scene(stage: Stage, _: StagePilot) -> None:
        shown.append(stage.whole())

    show(Supervisor(infra1=busy(60)), members_of(), "infra1", scene, MIDDLE)
    monkeypatch.setenv("NO_COLOR", "1")
    show(Supervisor(infra1=busy(60)), members_of(), "infra1", scene, MIDDLE)
    assert shown[0] == shown[1]


def test_every_key_has_a_word_and_a_sentence_for_the_help() -> None:
    for binding in DetailsScreen.BINDINGS:
        assert isinstance(binding, Binding)
        assert binding.description
        assert binding.tooltip.endswith(".")


def wheel(view: DetailsView) -> MouseScrollDown:
    return MouseScrollDown(view, 5, 5, 0, 1, 0, False, False, False)
