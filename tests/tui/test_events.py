"""The events on a screen: following, and reading back."""

from __future__ import annotations

from etcd_sandbox.model.event import Kind
from etcd_sandbox.tui.store import EVENTS_KEPT, Store
from etcd_sandbox.tui.widgets.drawing import EventLine

from tests.tui.samples import event, member, status
from tests.tui.stage import Stage, StagePilot, play


def started(number: int) -> Store:
    store = Store(cluster="default")
    store.take_status(status(member(1), member(2), member(3)))
    for n in range(number):
        store.take_event(event(n, Kind.PROCESS_STARTED, "infra1", process="infra1", pid=n))
    return store


def test_each_event_has_its_time_and_the_time_since_the_one_before() -> None:
    store = Store(cluster="default")
    store.take_event(event(1.0, Kind.LEADER_ELECTED, "infra1", term=2))
    store.take_event(event(1.12, Kind.CLUSTER_READY, ready_s=0.4))
    store.take_event(event(200.0, Kind.CLUSTER_STOPPED))
    stage = Stage(store, EventLine())

    async def scene(pilot: StagePilot) -> None:
        first, second, third = stage.text()[:3]
        assert first.split() == ["09:00:01.000", "★", "infra1", "leads", "(term", "2)"]
        assert second.startswith("09:00:01.120   +0.12 s  ● cluster ready")
        assert third.startswith("09:03:20.000    +3m19s  ·")

    play(stage, scene)


def test_the_newest_is_at_the_bottom_and_in_view() -> None:
    store = started(50)
    stage = Stage(store, EventLine())

    async def scene(pilot: StagePilot) -> None:
        assert "(pid 49)" in stage.text()[9]
        store.take_event(event(50, Kind.CLUSTER_STOPPED))
        stage.show()
        await pilot.pause()
        assert "cluster stopped" in stage.text()[9]

    play(stage, scene, (80, 10))


def test_who_scrolled_back_stays_there_and_follows_again_from_the_end() -> None:
    store = started(50)
    stage = Stage(store, EventLine())

    async def scene(pilot: StagePilot) -> None:
        await pilot.press("up", "up", "up")
        await pilot.wait_for_animation()
        before = stage.text()
        assert "(pid 46)" in before[9]
        store.take_event(event(50, Kind.CLUSTER_STOPPED))
        stage.show()
        await pilot.pause()
        assert [line[:70] for line in stage.text()] == [line[:70] for line in before]
        await pilot.press("end")
        await pilot.wait_for_animation()
        assert "cluster stopped" in stage.text()[9]
        store.take_event(event(51, Kind.CLUSTER_READY))
        stage.show()
        await pilot.pause()
        assert "cluster ready" in stage.text()[9]

    play(stage, scene, (80, 10))


def test_the_lines_that_are_read_stay_put_when_the_oldest_are_dropped() -> None:
    store = started(EVENTS_KEPT)
    stage = Stage(store, EventLine())

    async def scene(pilot: StagePilot) -> None:
        await pilot.press("pageup", "pageup")
        await pilot.wait_for_animation()
        before = [line[:70] for line in stage.text()]
        for n in range(7):
            store.take_event(event(EVENTS_KEPT + n, Kind.CLUSTER_READY))
        stage.show()
        await pilot.pause()
        assert [line[:70] for line in stage.text()] == before

    play(stage, scene, (80, 10))


def test_it_keeps_to_the_end_when_the_terminal_gets_smaller() -> None:
    stage = Stage(started(50), EventLine())

    async def scene(pilot: StagePilot) -> None:
        await pilot.resize_terminal(80, 6)
        await pilot.pause()
        assert "(pid 49)" in stage.text()[5]

    play(stage, scene, (80, 20))


def test_words_beyond_the_edge_are_reached_with_the_arrow_keys() -> None:
    store = Store(cluster="default")
    store.take_event(
        event(0, Kind.PROCESS_EXITED, "infra1", error="no such file: " + "x" * 60 + "END")
    )
    stage = Stage(store, EventLine())

    async def scene(pilot: StagePilot) -> None:
        assert "END" not in stage.whole()
        await pilot.press(*["right"] * 70)
        await pilot.wait_for_animation()
        assert "END" in stage.whole()

    play(stage, scene, (60, 5))


def test_texts_from_outside_are_shown_as_they_are() -> None:
    store = Store(cluster="default")
    store.take_event(event(0, Kind.PROCESS_EXITED, "[b]x[/b]", error="\x1b[31mbad\nend"))
    stage = Stage(store, EventLine())

    async def scene(pilot: StagePilot) -> None:
        assert "[b]x[/b] could not be run: ␛[31mbad␊end" in stage.text()[0]

    play(stage, scene)
