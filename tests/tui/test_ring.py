"""The ring on a screen: it follows the news, and gives way where there is no room."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.drawing import Ring

from tests.tui.samples import cluster, down, member, status, store_of
from tests.tui.stage import Stage, StagePilot, draws_of, play


def ring_of(store: Store) -> tuple[Stage, Ring]:
    ring = Ring()
    return Stage(store, ring), ring


def test_a_new_leader_gets_the_star_as_soon_as_there_is_news() -> None:
    store = store_of(3, "healthy")
    stage, _ = ring_of(store)

    async def scene(pilot: StagePilot) -> None:
        assert "★ infra1" in stage.whole()
        store.take_status(status(down(1), member(2, leader=3, term=3), member(3, leader=3, term=3)))
        stage.show()
        await pilot.pause()
        assert "★ infra3" in stage.whole()
        assert "† infra1" in stage.whole()
        assert "exited" in stage.whole()

    play(stage, scene)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((80, 24), "ring"), ((40, 4), "list"), ((12, 2), "nothing")],
    ids=["ring", "list", "nothing"],
)
def test_a_small_area_gets_a_list_and_a_tiny_one_nothing(
    size: tuple[int, int], expected: str
) -> None:
    stage, _ = ring_of(store_of(3, "healthy"))

    async def scene(pilot: StagePilot) -> None:
        shown = stage.whole()
        assert ("★ infra1" in shown) == (expected != "nothing")
        assert any("⠀" < character <= "⣿" for character in shown) == (expected == "ring")

    play(stage, scene, size)


def test_it_grows_again_with_the_terminal() -> None:
    stage, _ = ring_of(store_of(3, "healthy"))

    async def scene(pilot: StagePilot) -> None:
        assert "quorum:" not in stage.whole()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "quorum:" in stage.whole()

    play(stage, scene, (40, 4))


def test_nothing_is_drawn_while_hidden() -> None:
    store = store_of(3, "healthy")
    stage, ring = ring_of(store)

    async def scene(pilot: StagePilot) -> None:
        ring.display = False
        await pilot.pause()
        drawn = draws_of(ring)
        store.take_status(cluster(3, "all down"))
        stage.show()
        await pilot.pause()
        assert not drawn
        ring.display = True
        await pilot.pause()
        assert "† infra1" in stage.whole()

    play(stage, scene)


def test_without_an_answer_there_is_no_ring() -> None:
    stage, _ = ring_of(Store(cluster="default"))

    async def scene(pilot: StagePilot) -> None:
        assert stage.whole().strip() == ""

    play(stage, scene)
