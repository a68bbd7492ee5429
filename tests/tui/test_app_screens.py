"""What lies over the dashboard: help, palette, menu, the prompt for etcdctl; and its edges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from etcd_sandbox.model.event import Kind
from etcd_sandbox.tui.actions import ACTIONS, Scope
from etcd_sandbox.tui.app import Dashboard
from etcd_sandbox.tui.keys import ANYWHERE, PANEL_KEYS, VIEW_KEYS, Commands, help_of
from etcd_sandbox.tui.screens.ctl import CtlScreen, Output, run_guarded
from etcd_sandbox.tui.screens.dialogs import HelpScreen, MenuScreen
from etcd_sandbox.tui.widgets.drawing import AvailabilityStrip, Ring
from etcd_sandbox.tui.widgets.logpanel import LogPanel
from etcd_sandbox.tui.widgets.members import MembersTable
from etcd_sandbox.tui.widgets.outputpane import OutputPane
from msgspec.structs import replace
from textual.command import CommandPalette
from textual.widgets import Input, OptionList

from tests.conftest import until_gone
from tests.tui.appstage import DashboardPilot, playing, text_of, told, until
from tests.tui.fakecluster import FakeCluster, sample
from tests.tui.samples import bucket, cluster, event, member, process, status

HEALTHY = cluster(3, "healthy")


# Help.


@pytest.mark.parametrize("key", ["question_mark", "f1"])
def test_help_has_every_key_and_says_what_makes_no_sense(key: str) -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.pause()
        shown = " ".join(text_of(app).split())
        for each in app.actions:
            assert each.label in shown
        for binding in (*PANEL_KEYS, *VIEW_KEYS):
            assert binding.description in shown
        assert "it leads already." in shown
        assert "there is no fault." in shown
        for head in ("Selected process", "Cluster", "Screen", "Logs, from anywhere", "Details"):
            assert head in shown
        assert ".." not in shown
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)

    playing(FakeCluster(HEALTHY), scene, (130, 110))


def test_help_scrolls_to_its_last_key_on_the_smallest_screen_and_acts_on_nothing() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("question_mark", "k", "end")
        await until(pilot, lambda: "Scroll to the bottom." in text_of(app))
        await pilot.press("q")
        assert len(app.screen_stack) == 1

    playing(fake, scene, (80, 24))
    assert fake.asked == []


# The palette.


def test_the_palette_lists_every_action_with_its_key_and_every_key_of_the_logs() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        hits = [hit async for hit in Commands(app.screen).discover()]
        shown = {str(hit.prompt): hit.help for hit in hits}
        for each in app.actions:
            if each.id != "palette":
                reason = app.refusal(each)
                expected = each.help if reason is None else f"Not now: {reason}."
                assert shown.pop(f"{each.label}  {each.keys_shown}") == expected
        assert sorted(filter(None, shown.values())) == sorted(map(help_of, ANYWHERE))

    playing(FakeCluster(HEALTHY), scene)


def test_the_palette_does_what_is_chosen_and_says_why_not() -> None:
    fake = FakeCluster(HEALTHY)

    async def chosen(app: Dashboard, pilot: DashboardPilot, words: str) -> None:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*words)
        await until(pilot, lambda: words.capitalize() in text_of(app))
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await chosen(app, pilot, "resume")
        await until(pilot, lambda: "Resume: it is not paused" in told(app))
        assert fake.asked == []
        await chosen(app, pilot, "partition")
        await until(pilot, lambda: bool(fake.asked))

    playing(fake, scene)
    assert [(one.verb.name, one.select) for one in fake.asked] == [("partition", ("infra1",))]


# The menu.


def options(app: Dashboard) -> dict[str, bool]:
    menu = app.screen.query_one(OptionList)
    return {option.id: not option.disabled for option in menu.options if option.id is not None}


def test_a_right_click_on_a_row_selects_it_and_opens_its_menu_at_the_mouse() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.click(MembersTable, offset=(10, 2), button=3)
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        assert app.selected == "infra2"
        scopes = (Scope.SELECTED, Scope.CLUSTER)
        assert set(options(app)) == {each.id for each in ACTIONS if each.scope in scopes}
        assert options(app)["kill"]
        assert not options(app)["start"]
        await pilot.pause()
        menu = app.screen.query_one(OptionList).region
        assert menu.offset == (10, 3)
        assert "it runs" in text_of(app)
        row = next(
            y
            for y, line in enumerate(text_of(app).splitlines())
            if "x" in line and "Partition" in line
        )
        await pilot.click(offset=(menu.x + 5, row))
        await until(pilot, lambda: bool(fake.asked))
        assert len(app.screen_stack) == 1

    playing(fake, scene)
    assert [(one.verb.name, one.select) for one in fake.asked] == [("partition", ("infra2",))]


def test_a_right_click_on_what_shows_the_cluster_opens_the_menu_of_the_cluster() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        for where in ("#headline", "Ring", "AvailabilityStrip"):
            await pilot.click(where, offset=(3, 0), button=3)
            await until(pilot, lambda: isinstance(app.screen, MenuScreen))
            assert {"heal", "start-all", "snapshot", "quit"} <= set(options(app))
            assert "kill" not in options(app)
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)

    playing(FakeCluster(HEALTHY), scene)


def test_a_left_click_opens_no_menu() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.click(MembersTable, offset=(10, 2))
        await pilot.pause()
        assert app.selected == "infra2"
        assert len(app.screen_stack) == 1

    playing(FakeCluster(HEALTHY), scene)


def test_the_menu_is_opened_closed_and_used_with_keys_alone() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("down", "space")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        await pilot.press("escape")
        assert len(app.screen_stack) == 1
        await pilot.press("space")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        await pilot.press("s")  # it runs: the menu stays
        assert isinstance(app.screen, MenuScreen)
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(fake.asked) == 1)
        await pilot.press("up", "space", "x")
        await until(pilot, lambda: len(fake.asked) == 2)

    playing(fake, scene)
    assert [(one.verb.name, one.select) for one in fake.asked] == [
        ("stop", ("infra2",)),
        ("partition", ("infra1",)),
    ]


def test_a_click_elsewhere_closes_the_menu_and_does_nothing_else() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("space")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        await pilot.click(offset=(110, 35))
        await until(pilot, lambda: len(app.screen_stack) == 1)

    playing(fake, scene)
    assert fake.asked == []


@pytest.mark.parametrize(
    ("where", "at", "size"), [("#headline", (78, 0), (80, 24)), ("#ring", (2, 9), (120, 24))]
)
def test_the_menu_at_the_edge_is_seen_whole(
    where: str, at: tuple[int, int], size: tuple[int, int]
) -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.click(where, offset=at, button=3)
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        await pilot.pause()
        assert app.screen.region.contains_region(app.screen.query_one(OptionList).region)

    playing(FakeCluster(HEALTHY), scene, size)


# The prompt for etcdctl.


class FakeCtl:
    """Stands for `etcd-sandbox ctl`: says what it was asked; `watch` ends only when it is stopped."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.stopped = 0

    async def __call__(self, words: Sequence[str], output: Output) -> int:
        self.asked.append(list(words))
        output(b"half a ")
        output(b"line\n\x1b[31mred\x1b[0m [b]no markup[/b]\nthe end")
        if "watch" in words:
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped += 1
        return 5 if "fail" in words else 0


def test_the_prompt_runs_etcdctl_and_shows_what_it_says_as_text() -> None:
    ctl = FakeCtl()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("c", *"etcdctl put 'a b' fail", "enter")
        await until(pilot, lambda: "exit status 5" in text_of(app))
        shown = text_of(app)
        assert "half a line" in shown
        assert "␛[31mred␛[0m [b]no markup[/b]" in shown
        assert "the end" in shown
        await pilot.press("'", "enter")
        await until(pilot, lambda: "this is no command" in text_of(app))
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: len(ctl.asked) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)

    playing(FakeCluster(HEALTHY), scene, run_ctl=ctl)
    assert ctl.asked == [["put", "a b", "fail"], ["put", "a b", "fail"]]


def test_the_prompt_asks_one_member_or_all() -> None:
    ctl = FakeCtl()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("down", "c")
        await until(pilot, lambda: "Ctrl-O infra2 only" in text_of(app))
        await pilot.press(*"get a", "enter")
        await pilot.press("ctrl+o", *"get b", "enter")
        assert "etcdctl --on infra2" in text_of(app)
        await pilot.press("ctrl+o", *"get c", "enter")
        await until(pilot, lambda: len(ctl.asked) == 3)

    playing(FakeCluster(HEALTHY), scene, run_ctl=ctl)
    assert ctl.asked == [["get", "a"], ["--on", "infra2", "get", "b"], ["get", "c"]]


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
def test_a_command_that_runs_for_ever_is_stopped_and_then_the_prompt_closed(key: str) -> None:
    ctl = FakeCtl()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("c", *"watch x", "enter")
        await until(pilot, lambda: "half a line" in text_of(app))
        await pilot.press(*"get a", "enter")  # one at a time
        await pilot.press(key)
        await until(pilot, lambda: "stopped" in text_of(app))
        assert isinstance(app.screen, CtlScreen)
        assert app.screen.query_one(Input).value == "get a"
        await pilot.press(key)
        await until(pilot, lambda: len(app.screen_stack) == 1)

    playing(FakeCluster(HEALTHY), scene, run_ctl=ctl)
    assert ctl.asked == [["watch", "x"]]
    assert ctl.stopped == 1


def test_what_runs_at_the_prompt_ends_with_the_dashboard() -> None:
    ctl = FakeCtl()

    async def run() -> None:
        app = Dashboard(FakeCluster(HEALTHY).client, run_ctl=ctl)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.store.status is not None and app.selected is not None)
            await pilot.press("c", *"watch x", "enter")
            await until(pilot, lambda: bool(ctl.asked))
        assert ctl.stopped == 1

    asyncio.run(run())


def test_much_output_is_kept_up_to_its_limit_and_its_end_is_in_view() -> None:
    async def much(words: Sequence[str], output: Output) -> int:
        for start in range(0, 30_000, 500):
            output(b"".join(b"line %d\n" % n for n in range(start, start + 500)))
        return 0

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("c", "x", "enter")
        await until(pilot, lambda: "line 29999" in text_of(app))
        assert app.screen.query_one(OutputPane).virtual_size.height == 10_000
        await pilot.press("pageup")
        await until(pilot, lambda: "line 29999" not in text_of(app))

    playing(FakeCluster(HEALTHY), scene, run_ctl=much)


def test_a_program_gives_its_output_and_its_exit_code() -> None:
    said: list[bytes] = []
    code = asyncio.run(
        run_guarded(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], said.append)
    )
    assert code == 3
    assert sorted(b"".join(said).split()) == [b"err", b"out"]


def test_a_program_that_is_stopped_leaves_no_child_behind() -> None:
    said: list[bytes] = []

    async def stopped() -> None:
        heard = asyncio.Event()

        def hear(data: bytes) -> None:
            said.append(data)
            heard.set()

        child = "trap '' TERM INT; sleep 600 & echo $! $$; wait; sleep 600"
        running = asyncio.create_task(run_guarded(["/bin/sh", "-c", child], hear))
        await asyncio.wait_for(heard.wait(), 10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(stopped())
    until_gone(map(int, b"".join(said).split()))


def test_a_program_that_is_stopped_is_asked_first(tmp_path: Path) -> None:
    said = tmp_path / "said"

    async def stopped() -> None:
        heard = asyncio.Event()
        script = f"trap 'echo bye > {said}; exit' TERM; echo ready; while :; do sleep 0.05; done"
        asked = run_guarded(["/bin/sh", "-c", script], lambda _: heard.set())
        running = asyncio.create_task(asked)
        await asyncio.wait_for(heard.wait(), 10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(stopped())
    assert said.read_text() == "bye\n"


# Edges.


def test_a_terminal_that_is_too_small_is_told_so_until_it_is_larger() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        for size in ((79, 24), (80, 23), (20, 5)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: "The dashboard needs" in text_of(app))
            assert "infra1" not in text_of(app)
            await pilot.resize_terminal(80, 24)
            await until(pilot, lambda: "infra1" in text_of(app))
            assert "The dashboard needs" not in text_of(app)

    playing(FakeCluster(HEALTHY), scene, (79, 24))


def test_panels_come_and_go_with_the_room() -> None:
    def fits(app: Dashboard, size: tuple[int, int], ring: bool, events: bool) -> bool:
        return (
            app.size == size
            and bool(app.query_one("#ring").size) is ring
            and bool(app.query_one("#events").size) is events
            and app.query_one("#logs").size.height >= 5
            and app.query_one(AvailabilityStrip).size.height >= 4
        )

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        for columns, rows, ring, events in (
            (80, 24, False, False),
            (120, 24, True, False),
            (80, 40, False, True),
            (120, 40, True, True),
        ):
            await pilot.resize_terminal(columns, rows)
            await until(pilot, partial(fits, app, (columns, rows), ring, events))

    playing(sample(), scene)


ODD = "in[b]fra[/b]\x1b[31m\n" + "long" * 20


def test_names_of_any_length_with_markup_and_control_characters_are_text_everywhere() -> None:
    odd = replace(member(2), name=ODD, process=ODD)
    beside = replace(process(ODD + "app"), command="\x1b[2J[blink]")
    fake = FakeCluster(status(member(1), odd, member(3), processes=(beside,)), name="default")

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        assert "in[b]fra[/b]␛" in text_of(app)
        await pilot.press("down", "space")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        assert "\x1b" not in text_of(app)
        await pilot.press("escape", "x")
        await until(pilot, lambda: "partition in[b]fra[/b]␛" in text_of(app))
        await pilot.press("c", "ctrl+o")
        await until(pilot, lambda: "etcdctl --on in[b]fra[/b]␛" in text_of(app))
        assert "\x1b" not in text_of(app)

    fake.hold.clear()
    playing(fake, scene)


def test_a_supervisor_that_goes_away_is_told_refuses_orders_and_comes_back() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await fake.go()
        await until(pilot, lambda: "NOT CONNECTED" in text_of(app))
        assert "MEMBER (old)" in text_of(app)
        await pilot.press("k")
        await until(pilot, lambda: "Kill: the supervisor does not answer" in told(app))
        assert fake.asked == []
        fake.come_back()
        await until(pilot, lambda: "NOT CONNECTED" not in text_of(app))
        await pilot.press("k")
        await until(pilot, lambda: bool(fake.asked))

    playing(fake, scene)


def test_after_an_interruption_the_logs_go_on_where_they_were() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        ring = app.query_one(LogPanel).view.ring
        await until(pilot, lambda: ring.end == len(fake.lines))
        await fake.go()
        await until(pilot, lambda: "NOT CONNECTED" in text_of(app))
        last = fake.lines[-1]
        fake.lines.append(last._replace(seq=last.seq + 1, time_us=last.time_us + 1))
        fake.come_back()
        await until(pilot, lambda: "NOT CONNECTED" not in text_of(app))
        await until(pilot, lambda: ring.end >= len(fake.lines))
        await pilot.pause(0.2)
        assert ring.end == len(fake.lines)

    playing(fake, scene)


def test_the_events_of_another_supervisor_are_heard_though_it_numbers_them_anew() -> None:
    fake = sample()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await until(pilot, lambda: app.store.event_news > 0)
        heard = app.store.event_news
        await fake.go()
        await until(pilot, lambda: "NOT CONNECTED" in text_of(app))
        fake.now = replace(fake.now, supervisor=replace(fake.now.supervisor, pid=2))
        fake.past.clear()
        fake.past.append(event(0.0, Kind.PROCESS_STARTED, "infra1", process="infra1", pid=1))
        fake.come_back()
        await until(pilot, lambda: app.store.event_news == heard + 1)

    playing(fake, scene)


# Without members.


@pytest.mark.parametrize("size", [(130, 40), (130, 26), (90, 26), (90, 40)])
def test_a_cluster_without_members_has_no_strip_and_no_ring_until_one_comes(
    size: tuple[int, int],
) -> None:
    web = process("web")
    fake = FakeCluster(status(processes=(web,)))
    fake.buckets = [bucket(tenth / 10, reads=False) for tenth in range(20)]

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await until(pilot, lambda: "1 of 1 process running" in text_of(app))
        await until(pilot, lambda: bool(app.store.buckets))
        await pilot.pause()
        shown = text_of(app)
        assert "outage" not in shown
        assert "reads" not in shown
        assert not app.query_one(AvailabilityStrip).display
        assert not app.query_one(Ring).display
        assert app.refusals()["writes"] == "there is no etcd member"
        fake.now = status(member(1), processes=(web,))
        await until(pilot, lambda: app.query_one(AvailabilityStrip).display)

    playing(fake, scene, size)
