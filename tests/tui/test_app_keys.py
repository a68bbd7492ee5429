"""Every key of the dashboard on a fake cluster: what it orders, and what it says when it makes no sense."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.state import ClusterStatus, ProcessState
from etcd_sandbox.tui.actions import ACTIONS, Leave, action
from etcd_sandbox.tui.app import Dashboard
from etcd_sandbox.tui.keys import ANYWHERE
from etcd_sandbox.tui.painting import CALM_TICKS
from etcd_sandbox.tui.screens.dialogs import QuitScreen
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.drawing import AvailabilityStrip
from etcd_sandbox.tui.widgets.logpanel import LogPanel
from etcd_sandbox.tui.widgets.members import MembersTable
from textual.command import CommandPalette
from textual.worker import WorkerState

from tests.tui.appstage import DashboardPilot, playing, text_of, told, until
from tests.tui.fakecluster import Asked, FakeCluster, sample
from tests.tui.samples import bucket, cluster, down, member, partition, process, status

HEALTHY = cluster(3, "healthy")
HURT = status(member(1), member(2), down(3), processes=(process(),), faults=(partition(3),))
HANGS = status(member(1), member(2), member(3, state=ProcessState.PAUSED, role=None, healthy=False))

ORDERS = [
    ("kill", HEALTHY, 1, ("infra2",)),
    ("stop", HEALTHY, 1, ("infra2",)),
    ("start", HURT, 2, ("infra3",)),
    ("restart", HEALTHY, 0, ("infra1",)),
    ("pause", HEALTHY, 1, ("infra2",)),
    ("resume", HANGS, 2, ("infra3",)),
    ("partition", HEALTHY, 1, ("infra2",)),
    ("slow", HEALTHY, 1, ("infra2",)),
    ("move-leader", HEALTHY, 2, ("infra3",)),
    ("heal", HURT, 0, ()),
    ("start-all", HURT, 0, ("all",)),
]
REFUSED = [
    (
        HURT,
        [
            ("kill", 2, "Kill: it does not run"),
            ("stop", 2, "Stop: it does not run"),
            ("restart", 2, "Restart: it does not run"),
            ("pause", 2, "Pause: it does not run"),
        ],
    ),
    (
        HEALTHY,
        [
            ("start", 0, "Start: it runs"),
            ("move-leader", 0, "Lead: it leads already"),
            ("heal", 0, "Heal: there is no fault"),
            ("start-all", 0, "Start all: everything runs"),
            ("partition", 3, "Partition: it is no member"),
            ("slow", 3, "Slow: it is no member"),
        ],
    ),
    (status(processes=(process(),)), [("ctl", 0, "etcdctl: there is no etcd member")]),
]
"""Which keys make no sense on which row, in the order of the rows."""


def test_the_tables_here_have_every_order() -> None:
    orders = {each.id for each in ACTIONS if each.verb is not None}
    assert {id_ for id_, *_ in ORDERS} == orders
    assert {id_ for _, rows in REFUSED for id_, *_ in rows} >= orders - {
        "resume"
    }  # p pauses where it cannot resume


@pytest.mark.parametrize(("id_", "now", "steps", "whom"), ORDERS)
def test_each_key_orders_exactly_that_for_the_selected_process(
    id_: str, now: ClusterStatus, steps: int, whom: tuple[str, ...]
) -> None:
    fake, chosen = FakeCluster(now), action(id_)
    assert chosen.verb is not None

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press(*["down"] * steps, chosen.key)
        await until(pilot, lambda: f"{chosen.verb}" in text_of(app) and bool(fake.asked))
        assert not told(app)

    playing(fake, scene)
    assert fake.asked == [Asked(chosen.verb, whom, 0.2 if id_ == "slow" else 0.0)]


@pytest.mark.parametrize(("now", "rows"), REFUSED)
def test_a_key_that_makes_no_sense_asks_nothing_and_says_why(
    now: ClusterStatus, rows: list[tuple[str, int, str]]
) -> None:
    fake = FakeCluster(now)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        at = 0
        for id_, row, why in rows:
            await pilot.press(*["down"] * (row - at), action(id_).key)
            await until(pilot, lambda why=why: why in told(app))  # type: ignore[misc]
            at = row

    playing(fake, scene)
    assert fake.asked == []


def test_the_footer_has_the_keys_that_matter_and_a_click_does_what_the_key_does() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        footer = text_of(app).splitlines()[-1]
        assert footer.startswith("k Kill t Stop s Start p Pause x Partition")
        assert footer.endswith("? Help q Quit")
        await pilot.click(offset=(footer.index("s Start") + 2, 23))
        await until(pilot, lambda: "Start: it runs" in told(app))
        await pilot.click(offset=(footer.index("k Kill") + 2, 23))
        await until(pilot, lambda: bool(fake.asked))

    playing(fake, scene, (80, 24))
    assert [one.select for one in fake.asked] == [("infra1",)]


def test_one_key_pauses_and_resumes_and_the_footer_says_which() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("down", "p")
        await until(pilot, lambda: "p Resume" in text_of(app))
        await pilot.press("p")
        await until(pilot, lambda: "p Pause" in text_of(app))

    playing(fake, scene)
    assert [one.verb.name for one in fake.asked] == ["pause", "resume"]


def test_the_verdict_of_a_fault_appears_and_long_ones_are_readable_at_80_columns() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("k")
        await until(pilot, lambda: "reads failed for 1.14 s" in " ".join(text_of(app).split()))
        shown = text_of(app)
        assert "kill infra1: infra1 → infra2 · term 2 → 3 · 1.12 s without a leader" in shown
        await pilot.press("down", "k")
        await until(
            pilot, lambda: "✖ kill infra2: quorum lost: 1 of 3 up, 2 needed" in text_of(app)
        )
        assert "until a member returns" in " ".join(text_of(app).split())
        assert app.query_one("#verdict").has_class("-alarming")

    playing(fake, scene, (80, 24))


def test_orders_that_overlap_each_say_that_they_run_and_none_hides_another() -> None:
    fake = FakeCluster(HEALTHY)
    fake.hold.clear()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("down", "x", "down", "d")
        await until(pilot, lambda: "partition infra2 … · slow infra3 …" in text_of(app))
        fake.hold.set()
        await until(pilot, lambda: "slow infra3: " in text_of(app))
        assert "infra2 …" not in text_of(app)

    playing(fake, scene)


def test_an_order_that_fails_says_why_and_what_to_do_without_reading_markup() -> None:
    fake = FakeCluster(HEALTHY)
    fake.refuse = InputError("[b]this[/b] cannot be", "infra1", "try [red]another[/red]")

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("k")
        await until(pilot, lambda: "kill infra1: [b]this[/b] cannot be, infra1" in text_of(app))
        assert any("try [red]another[/red]" in words for words in told(app))

    playing(fake, scene)


def test_the_write_probe_is_switched_on_and_off_and_says_what_it_costs() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("w")
        await until(pilot, lambda: fake.probes[1:] == [True])
        assert any("each adds a revision" in words for words in told(app))
        await pilot.press("w")
        await until(pilot, lambda: fake.probes[1:] == [True, False])

    playing(fake, scene)


def test_the_logs_of_the_selected_process_alone_and_of_all_again() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        panel = app.query_one(LogPanel)
        await pilot.press("down", "l")
        assert panel.filter.processes == frozenset({"infra2"})
        await pilot.press("l")
        assert panel.filter.processes is None

    playing(sample(), scene)


def test_the_log_keys_act_while_the_members_have_the_focus() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        panel = app.query_one(LogPanel)
        assert app.focused is app.query_one(MembersTable)
        await pilot.press("L")
        assert panel.filter.level is not None
        await pilot.press("L", "L", "L", "W")
        assert panel.filter.level is None
        assert panel.view.wrap
        was_pretty = panel.view.pretty
        await pilot.press("P", "F")
        assert panel.view.pretty is not was_pretty
        assert not panel.view.following
        assert app.focused is app.query_one(MembersTable)
        await pilot.press("slash", *"snapshot", "enter")
        await until(pilot, lambda: panel.view.marked is not None)
        first = panel.view.marked
        app.query_one(MembersTable).focus()
        await pilot.press("N")
        await until(pilot, lambda: panel.view.marked != first)
        await pilot.press("n")
        await until(pilot, lambda: panel.view.marked == first)
        await pilot.press("f", *"flock", "enter")
        assert panel.filter.pattern is not None

    playing(sample(), scene)


def test_no_key_of_the_logs_is_taken_by_an_action() -> None:
    taken = {key for each in ACTIONS for key in each.key.split(",")}
    assert not taken & {each.key for each in ANYWHERE}


def test_details_are_asked_for_the_selected_process_and_the_selection_follows_them() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("down", "enter")
        await until(pilot, lambda: fake.detailed == ["infra2"])
        await pilot.press("right")
        await until(pilot, lambda: "infra3" in fake.detailed)
        await pilot.press("escape")
        await until(pilot, lambda: app.selected == "infra3")

    playing(fake, scene)


def test_a_picture_of_the_screen_is_saved_under_the_clusters_name_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("S")
        await until(pilot, lambda: any("saved the screen" in words for words in told(app)))

    playing(sample(), scene)
    (picture,) = tmp_path.iterdir()
    assert picture.name.startswith("default-20")
    assert "infra1" in picture.read_text()


def test_a_picture_that_cannot_be_saved_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("S")
        await until(pilot, lambda: any("not saved" in words for words in told(app)))

    playing(sample(), scene)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_leaving_a_cluster_that_is_not_ours_asks_nothing(key: str) -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press(key)

    assert playing(fake, scene).return_value is Leave.RUNNING
    assert not fake.followed


@pytest.mark.parametrize(("key", "left"), [("s", Leave.STOP), ("l", Leave.RUNNING)])
def test_leaving_our_own_cluster_asks_what_becomes_of_it(key: str, left: Leave) -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("q")
        await until(pilot, lambda: "Leave the dashboard of default?" in text_of(app))
        await pilot.press("escape", "ctrl+c", "ctrl+c")
        assert isinstance(app.screen, QuitScreen)
        assert len(app.screen_stack) == 2
        await pilot.press(key)

    assert playing(FakeCluster(HEALTHY), scene, owned=True).return_value is left


def test_the_logs_take_the_whole_screen_go_away_and_come_back() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("z")
        await until(pilot, lambda: "reads" not in text_of(app))
        assert "lines · pretty" in text_of(app)
        assert app.query_one(LogPanel).view.has_focus
        await pilot.press("z")
        await until(pilot, lambda: "lines · pretty" not in text_of(app))
        for words in ("reads", "follower", "quorum: 3 of 3 healthy, 2 needed", "cluster ready"):
            assert words in text_of(app)
        assert app.query_one(MembersTable).has_focus
        await pilot.press("z")
        await until(pilot, lambda: "lines · pretty" in text_of(app))
        assert "reads" in text_of(app)

    playing(sample(3), scene, (80, 24))


def test_the_logs_come_back_for_a_key_that_asks_something_of_them() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("z", "z")
        await until(pilot, lambda: "lines · pretty" not in text_of(app))
        await pilot.press("slash")
        await until(pilot, lambda: "search: a regular expression" in text_of(app))

    playing(sample(3), scene)


def test_nothing_is_done_to_a_member_that_nobody_sees() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        assert "needs 80 columns" in text_of(app)
        await pilot.press("k", "t", "x")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, QuitScreen))

    playing(fake, scene, (60, 20), owned=True)
    assert fake.asked == []


def test_a_search_that_finds_its_widgets_gone_at_the_end_is_no_crash() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        async def search() -> None:
            app.exit(Leave.RUNNING)
            app.query_one("#gone")

        worker = app.run_worker(search())
        await until(pilot, lambda: worker.is_finished)
        assert worker.state is WorkerState.ERROR

    app = playing(sample(3), scene)
    assert (app.crash, app.return_code) == (None, 0)


def test_a_crash_is_kept_for_who_runs_it_and_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = Dashboard(FakeCluster(HEALTHY).client)

    async def run() -> None:
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.store.status is not None)
            app.call_later(lambda: 1 // 0)
            await until(pilot, lambda: app.crash is not None)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run())
    assert isinstance(app.crash, ZeroDivisionError)
    assert app.return_code == 1
    assert "Traceback" not in capsys.readouterr().err


def test_an_answer_of_another_version_is_told_and_the_dashboard_goes_on_asking() -> None:
    fake = FakeCluster(HEALTHY)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        async def strange() -> dict[str, object]:
            return {"schema": "two"}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fake, "status", strange)
            await until(pilot, lambda: "answer is not understood" in text_of(app))
        await until(pilot, lambda: app.store.connected)

    playing(fake, scene, (160, 40))


def test_a_name_that_cannot_be_a_file_is_refused_in_words() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await pilot.press("ctrl+s", *"~nosuchuser/x", "enter")
        await until(pilot, lambda: "not saved: " in text_of(app))

    playing(sample(3), scene)


def test_the_row_of_writes_has_its_place_while_writes_are_tried() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        height = app.query_one(AvailabilityStrip).size.height
        await pilot.press("w")
        await until(pilot, lambda: app.query_one(AvailabilityStrip).size.height == height + 1)
        await pilot.press("w")
        await until(pilot, lambda: app.query_one(AvailabilityStrip).size.height == height)

    playing(sample(3), scene)


def test_what_is_known_is_painted_before_anything_is_asked() -> None:
    fake = FakeCluster(HEALTHY)
    fake.away.set()
    app = Dashboard(fake.client, known=HEALTHY)

    async def run() -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: "infra3" in text_of(app))

    asyncio.run(run())


def test_lines_from_outside_are_shown_as_text_until_their_end() -> None:
    read, write = os.pipe()
    os.write(write, b"Procfile: [b]etcd4[/b] came\x1b[2J\n")

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        await until(pilot, lambda: bool(told(app)))
        assert told(app) == ["Procfile: [b]etcd4[/b] came␛[2J"]
        os.close(write)
        await pilot.press("question_mark", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)

    playing(FakeCluster(HEALTHY), scene, notices=read)
    os.close(read)


def test_while_all_is_calm_the_screen_is_painted_less_often() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        painted: list[int] = []
        show = AvailabilityStrip.show

        def counted(strip: AvailabilityStrip, store: Store) -> None:
            painted.append(store.bucket_news)
            show(strip, store)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AvailabilityStrip, "show", counted)
            for tenth in range(12):
                app.store.take_bucket(bucket(70 + tenth / 10))
                app._pace.note_news()  # noqa: SLF001 - as the feed does
                app._paint()  # noqa: SLF001 - as its timer does
            calm = len(painted)
            for tenth in range(12):
                app.store.take_bucket(bucket(80 + tenth / 10, reads=False))
                app._pace.note_news()  # noqa: SLF001
                app._paint()  # noqa: SLF001
        assert calm <= 12 // CALM_TICKS + 2
        assert len(painted) - calm == 12

    playing(fake, scene)


def test_the_theme_is_chosen_with_a_key_and_nothing_else_changes() -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        before = text_of(app)
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press("escape")
        app.theme = "textual-light"
        await until(pilot, lambda: text_of(app) == before)

    playing(sample(), scene)
