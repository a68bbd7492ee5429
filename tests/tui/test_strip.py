"""The availability strip on a screen."""

from __future__ import annotations

from etcd_sandbox.model.event import Kind
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.drawing import AvailabilityStrip

from tests.tui.samples import bucket, event, store_of
from tests.tui.stage import Stage, StagePilot, draws_of, play


def test_it_moves_to_the_left_as_the_tenths_come_and_shows_a_failure_at_once() -> None:
    store = store_of(3, "healthy")
    stage = Stage(store, AvailabilityStrip())

    async def scene(pilot: StagePilot) -> None:
        before = stage.text()[2]
        assert before.startswith("reads")
        assert before.endswith("█")
        for tenth in range(620, 632):
            store.take_bucket(bucket(tenth / 10, reads=False))
        stage.show()
        await pilot.pause()
        assert stage.text()[2].endswith("╳")
        assert "1.2 s…" in stage.text()[1]
        for tenth in range(632, 700):
            store.take_bucket(bucket(tenth / 10))
        stage.show()
        await pilot.pause()
        assert stage.text()[2].endswith("█")
        assert stage.text()[1].count("1.2 s") == 2
        assert "…" not in stage.text()[1]

    play(stage, scene, (80, 5))


def test_an_election_is_marked_over_its_moment() -> None:
    store = store_of(3, "healthy")
    stage = Stage(store, AvailabilityStrip())

    async def scene(pilot: StagePilot) -> None:
        store.take_event(event(61.9, Kind.LEADER_ELECTED, "infra3", term=4))
        stage.show()
        await pilot.pause()
        marks = stage.text()[0]
        assert marks.endswith("★")
        assert len(marks) == 80

    play(stage, scene, (80, 5))


def test_a_row_for_writes_is_there_while_they_are_probed() -> None:
    store = store_of(3, "healthy")
    stage = Stage(store, AvailabilityStrip())

    async def scene(pilot: StagePilot) -> None:
        assert not any(line.startswith("writes") for line in stage.text())
        store.take_bucket(bucket(62.0, writes=False))
        stage.show()
        await pilot.pause()
        row = next(line for line in stage.text() if line.startswith("writes"))
        assert row.split() == ["writes", "╳"]

    play(stage, scene, (80, 5))


def test_nothing_is_drawn_while_hidden() -> None:
    store = store_of(3, "healthy")
    strip = AvailabilityStrip()
    stage = Stage(store, strip)

    async def scene(pilot: StagePilot) -> None:
        strip.display = False
        await pilot.pause()
        drawn = draws_of(strip)
        store.take_bucket(bucket(62.0, reads=False))
        stage.show()
        await pilot.pause()
        assert not drawn
        strip.display = True
        await pilot.pause()
        assert "╳" in stage.text()[2]

    play(stage, scene, (80, 5))


def test_before_the_first_bucket_there_is_nothing() -> None:
    stage = Stage(Store(cluster="default"), AvailabilityStrip())

    async def scene(pilot: StagePilot) -> None:
        assert stage.whole().strip() == ""

    play(stage, scene, (80, 5))
