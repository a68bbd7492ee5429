"""A lesson in the dashboard on a fake cluster: every key of it, and everything that it may have to say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from etcd_sandbox.learn import library
from etcd_sandbox.learn.course import Course
from etcd_sandbox.learn.library import Place
from etcd_sandbox.tui.actions import ACTIONS, Action, Leave, Phase, Scope, action
from etcd_sandbox.tui.app import Dashboard
from etcd_sandbox.tui.keys import ANYWHERE, Commands
from etcd_sandbox.tui.screens.dialogs import HelpScreen, MenuScreen, QuitScreen
from etcd_sandbox.tui.tutor import Tutor
from etcd_sandbox.tui.widgets.lessonpanel import LessonPanel
from etcd_sandbox.tui.widgets.members import MembersTable

from tests.conftest import until_gone
from tests.tui.appstage import DashboardPilot, playing, settled, text_of, told, until
from tests.tui.fakecluster import sample
from tests.tui.lessonstage import LESSON, learning
from tests.tui.samples import cluster
from tests.tui.stage import DEADLINE_S

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)
ALONE = [each for each in ACTIONS if each.scope is Scope.LESSON]
KILL, BACK_AGAIN, WATCH_IT = 1, 2, 3


@pytest.fixture(autouse=True)
def _places_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETCD_SANDBOX_HOME", "home")  # its name is shown


def words_of(app: Dashboard) -> str:
    """What the lesson's panel says, its lines joined."""
    region = app.query_one(LessonPanel).region
    rows = text_of(app).splitlines()[region.y : region.bottom]
    return " ".join(" ".join(row[region.x + 1 : region.right - 1] for row in rows).split())


async def until_said(app: Dashboard, pilot: DashboardPilot, *texts: str) -> None:
    """Wait until the panel says all of it: Textual reads Markdown in a thread, each piece when it is ready."""
    await until(pilot, lambda: all(text in words_of(app) for text in texts))


def kept() -> Place:
    return library.places()[LESSON.slug]


def test_a_step_is_shown_with_its_number_its_text_and_its_commands() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await until_said(
            app,
            pilot,
            "Lesson 2: Electing a leader · 1 of 4",
            "finds another by itself",
            "export ETCD_SANDBOX_CLUSTER=learn-2",
            "1 of 4 · Who leads now $ colour=blue; echo infra1 leads",
            "look, then o goes on",
        )
        assert "3 of 4" not in words_of(app)
        await pilot.press("o")
        await until_said(
            app,
            pilot,
            "2 of 4 · A crash: kill",
            "All three agree on the leader and on the term. 2 of 4",
            "the same as kill -9 with the leader's pid: $ echo crash",
            "watching the cluster",
        )
        await until(pilot, lambda: "finds another by itself" not in words_of(app))

    learning(sample(), scene)
    assert kept() == Place(step=1)


def test_a_step_that_is_done_with_a_key_is_seen_and_the_next_one_follows() -> None:
    fake = sample()

    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("k")
        seen = "✓ infra1 was killed, and it was the leader; infra2 leads in term 3 after"
        why = "Nobody told the followers"
        await until_said(app, pilot, "3 of 4 · Bring it back again", seen, why)
        await pilot.press("a")
        await until_said(app, pilot, "4 of 4 · Watch it", "✓ all 3 members are healthy")

    learning(fake, scene, at=KILL)
    assert kept() == Place(step=3)


def test_what_went_another_way_is_told_with_its_remedy_and_so_is_that_it_is_mended() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await until_said(app, pilot, "You left it at step 2; --again begins anew.")
        await pilot.press("down", "k")
        odd = "! infra2 was killed, and it was not the leader: this step asks for something else "
        remedy = "back to where you were: etcd-sandbox start infra2"
        await until_said(app, pilot, odd + remedy)
        await pilot.press("s")
        await until(pilot, lambda: "✓ the cluster is whole again" in words_of(app))
        assert "3 of 4" not in words_of(app)

    learning(sample(), scene, at=KILL)


def test_a_hint_says_what_helps_and_what_it_looks_like() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("exclamation_mark")
        hint = "kill -9 with the leader's PID does the same. It looks like this"
        await until_said(app, pilot, hint, "killed infra1 (pid 32580, SIGKILL)")

    learning(sample(), scene, at=KILL)


def test_commands_are_run_one_after_the_other_in_one_shell_and_their_output_stays() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("e")
        await until(pilot, lambda: "$ colour=blue; echo infra1 leads infra1 leads" in words_of(app))
        await until(pilot, lambda: app.refusal(action("lesson-run")) is None)
        assert tutor.guide.at == 0
        await pilot.press("e")
        await until(pilot, lambda: "2 of 4 · A crash: kill" in words_of(app))
        await until_said(app, pilot, "$ echo the sky is $colour the sky is blue All three agree")
        await pilot.press("e")
        await until(pilot, lambda: "$ echo crash crash" in words_of(app))
        await until(pilot, lambda: tutor.standing.typed)
        await pilot.press("e")
        await until(pilot, lambda: "Run: every command of this step was run" in told(app))

    learning(sample(), scene)


def test_a_command_that_runs_on_is_ended_by_the_key_that_ran_it() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("e")
        await until(pilot, lambda: "watching" in words_of(app) and "e End" in text_of(app))
        await until_said(app, pilot, "a command runs · e ends it")
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "Skip: a command runs" in told(app))
        await pilot.press("e")
        await until(pilot, lambda: tutor.standing.phase is Phase.QUESTION)
        await until_said(app, pilot, "Enough. A question")

    learning(sample(), scene, at=WATCH_IT)


def test_a_command_that_runs_on_ends_with_the_dashboard() -> None:
    seen: list[psutil.Process] = []

    def sleeping() -> list[psutil.Process]:
        found = []
        for one in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # some come and go
                if one.name() == "sleep" and one.cmdline()[-1:] == ["60"]:
                    found.append(one)
        return found

    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("e")
        await until(pilot, lambda: bool(sleeping()))
        seen.extend(sleeping())

    learning(sample(), scene, at=WATCH_IT)
    assert seen
    until_gone(one.pid for one in seen)


def test_it_can_be_told_to_end_while_it_ends_already(monkeypatch: pytest.MonkeyPatch) -> None:
    ends, really = asyncio.Event(), Course.close_shell

    async def close(course: Course) -> None:
        ends.set()
        await really(course)

    monkeypatch.setattr(Course, "close_shell", close)

    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        app.workers.cancel_group(app, "lesson")
        await ends.wait()
        async with asyncio.timeout(DEADLINE_S):
            await tutor.stop()

    learning(sample(), scene)


def test_a_step_is_passed_over_and_the_guide_does_what_the_next_one_needs() -> None:
    fake = sample()

    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        fake.now = cluster(3, "all down")  # what the next step mends
        await pilot.press("greater_than_sign")
        await until_said(app, pilot, "$ echo crash 3 of 4 · Bring it back again")
        assert "Nobody told the followers" not in words_of(app)

    learning(fake, scene, at=KILL)


def test_the_step_before_is_shown_again_and_before_the_first_there_is_none() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("less_than_sign")
        await until(pilot, lambda: "1 of 4 · Who leads now" in words_of(app))
        await until(pilot, lambda: tutor.standing.phase is Phase.STEP)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: "Back: this is the first step" in told(app))

    learning(sample(), scene, at=KILL)


def test_who_thinks_that_it_is_done_is_told_what_is_not_seen_yet() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("o")
        expected = "not seen yet: killed leader; leader elected. ! helps, > goes on."
        await until(pilot, lambda: expected in words_of(app))

    learning(sample(), scene, at=KILL)


@pytest.mark.parametrize("by_mouse", [False, True])
def test_the_lesson_ends_with_its_question_and_the_answer_that_was_folded(by_mouse: bool) -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: tutor.standing.phase is Phase.QUESTION)
        await until(pilot, lambda: "What if two were killed?" in words_of(app))
        assert "nobody could lead" not in words_of(app)
        assert not kept().done
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "Hint: there is no step any more" in told(app))
        if by_mouse:
            await pilot.click("CollapsibleTitle")
        else:
            await pilot.press("o")
        read_next = "To read next • Raft: the algorithm"
        left = "q leaves, and its cluster is removed"
        await until_said(app, pilot, "Then nobody could lead.", read_next, left)
        await until(pilot, lambda: tutor.done)
        await pilot.press("o")
        await until(pilot, lambda: "Go on: the lesson is done" in told(app))
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)

    app = learning(sample(), scene, at=WATCH_IT)
    assert app.return_value is Leave.STOP
    assert kept().done


def test_from_the_question_there_is_a_way_back() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: tutor.standing.phase is Phase.QUESTION)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: "4 of 4 · Watch it" in words_of(app))

    learning(sample(), scene, at=WATCH_IT)


def test_a_cluster_that_is_gone_is_told_and_brought_back() -> None:
    fake = sample()

    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await fake.go()
        gone = "! the lesson's cluster does not run any more; o brings it up again"
        await until(pilot, lambda: gone in words_of(app))
        await until(pilot, lambda: "the cluster is down · o brings it up" in words_of(app))
        await pilot.press("o")
        await until(pilot, lambda: "the cluster was brought up" in words_of(app))
        await until(pilot, lambda: "2 of 4 · A crash: kill" in words_of(app))
        assert gone not in words_of(app)
        await until(pilot, lambda: app.store.connected)
        await pilot.press("k")
        await until(pilot, lambda: "3 of 4" in words_of(app))

    learning(fake, scene, at=KILL)


def test_leaving_asks_what_becomes_of_the_cluster_and_the_place_is_kept() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        await pilot.press("o")
        await until(pilot, lambda: tutor.standing.number == 2)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, QuitScreen))
        await until(pilot, lambda: "Your place in the lesson is kept." in text_of(app))
        await pilot.press("l")
        await until(pilot, lambda: not app.is_running)

    assert learning(sample(), scene).return_value is Leave.RUNNING
    assert kept() == Place(step=1)


def test_one_key_gives_the_lesson_the_whole_screen_and_takes_it_away() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        panel, table = app.query_one(LessonPanel), app.query_one(MembersTable)
        assert panel.region.width == 60
        assert panel.region.right == 120
        await pilot.press("g")
        await until(pilot, lambda: panel.region.width == 120 and not table.display)
        assert panel.has_focus
        await pilot.press("g")
        await until(pilot, lambda: not panel.display and table.display)
        assert table.has_focus
        await pilot.press("down", "k")
        await until(pilot, lambda: any("infra2 was killed" in words for words in told(app)))
        await pilot.press("g")
        await until(pilot, lambda: panel.region.width == 60)
        await until_said(app, pilot, "infra2 was killed")

    learning(sample(), scene, at=KILL)


def test_the_logs_over_the_whole_screen_put_the_lesson_away_and_its_key_brings_it_back() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        panel = app.query_one(LessonPanel)
        await pilot.press("g", "z")
        await until(pilot, lambda: not panel.display)
        await pilot.press("g")
        await until(pilot, lambda: panel.display and app.query_one(MembersTable).display)

    learning(sample(), scene)


def test_on_a_small_terminal_it_takes_the_place_of_the_logs_and_is_read_page_by_page() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        panel = app.query_one(LessonPanel)
        assert panel.region.width == 80
        assert not app.query_one("#logs").display
        assert app.query_one(MembersTable).display
        await until(pilot, lambda: panel.max_scroll_y > 0)
        await pilot.press("full_stop")
        await until(pilot, lambda: panel.scroll_offset.y > 0)
        await pilot.press("comma")
        await until(pilot, lambda: panel.scroll_offset.y == 0)
        assert app.focused is app.query_one(MembersTable)
        footer = text_of(app).splitlines()[-1]
        assert all(key in footer for key in ("o Go on", "e Run", "! Hint", "g Guide", "k Kill"))

    learning(sample(), scene, size=SMALL)


def test_a_lesson_has_its_keys_in_help_palette_and_menu() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        hits = [str(hit.prompt) async for hit in Commands(app.screen).discover()]
        assert {f"{each.label}  {each.keys_shown}" for each in ALONE} <= set(hits)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        rows = [f"{each.keys_shown:<12}{each.label}" for each in ALONE]
        rows.append("Lesson: to the step before. Not now: this is the")
        await until(pilot, lambda: all(row in text_of(app) for row in rows))
        await pilot.press("escape")
        await pilot.click(LessonPanel, button=3)
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        await until(pilot, lambda: "Back       this is the first step" in text_of(app))
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "Read the first line." in words_of(app))

    learning(sample(), scene, size=LARGE)


def test_without_a_lesson_there_are_no_keys_of_one() -> None:
    fake = sample()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        before = await settled(app, pilot)
        for each in ALONE:
            await pilot.press(each.key)
        assert not told(app)
        assert await settled(app, pilot) == before
        hits = [str(hit.prompt) async for hit in Commands(app.screen).discover()]
        assert not any("Hint" in prompt for prompt in hits)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "Lesson" not in text_of(app)

    playing(fake, scene, LARGE)
    assert fake.asked == []


@pytest.mark.parametrize("each", ALONE, ids=[each.id for each in ALONE])
def test_no_key_of_a_lesson_is_any_other_key_of_the_screen(each: Action) -> None:
    others = {key for one in ACTIONS if one.scope is not Scope.LESSON for key in one.key.split(",")}
    others |= {key for binding in ANYWHERE for key in binding.key.split(",")}
    assert each.key not in others


PICTURES = [
    ("seen", SMALL, KILL, ["k"]),
    ("seen", MIDDLE, KILL, ["k"]),
    ("whole", SMALL, KILL, ["g"]),
    ("odd", MIDDLE, KILL, ["down", "k", "exclamation_mark"]),
    ("run", SMALL, KILL, ["e"]),
    ("answer", MIDDLE, WATCH_IT, ["greater_than_sign", "o"]),
    ("quit", SMALL, KILL, ["q"]),
]


@pytest.mark.parametrize(("name", "size", "at", "press"), PICTURES)
def test_a_lesson_looks_as_it_did(
    name: str,
    size: tuple[int, int],
    at: int,
    press: list[str],
    golden: Callable[[str, str], None],
) -> None:
    taken: list[str] = []

    async def scene(app: Dashboard, pilot: DashboardPilot, tutor: Tutor) -> None:
        # Step by step, each to its end: what is shown is then the same on every run.
        for key in press:
            await settled(app, pilot)
            await pilot.press(key)
            if key == "k" and press == ["k"]:
                await until(
                    pilot,
                    lambda: (
                        tutor.standing.number == BACK_AGAIN + 1
                        and tutor.standing.phase is Phase.STEP
                    ),
                )
            elif key == "k":
                await until(pilot, lambda: "not the leader" in words_of(app))
            elif key == "e":
                await until(pilot, lambda: tutor.standing.typed)
            elif key == "greater_than_sign":
                await until(pilot, lambda: tutor.standing.phase is Phase.QUESTION)
        taken.append(await settled(app, pilot))

    learning(sample(), scene, at=at, size=size)
    golden(f"lesson-{name}-{size[0]}x{size[1]}", taken[0])
