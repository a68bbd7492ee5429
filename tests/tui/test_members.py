"""The table of the members under keys, mouse and news."""

from __future__ import annotations

from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.members import MembersTable

from tests.tui.samples import down, member, process, status, store_of
from tests.tui.stage import Stage, StagePilot, draws_of, play


def table_of(store: Store) -> tuple[Stage, MembersTable]:
    table = MembersTable()
    return Stage(store, table), table


def heard(stage: Stage) -> list[str]:
    return [
        message.process for message in stage.heard if isinstance(message, MembersTable.Selected)
    ]


def test_the_first_member_is_selected_at_first_and_the_app_is_told() -> None:
    stage, table = table_of(store_of(3, "healthy"))

    async def scene(pilot: StagePilot) -> None:
        assert table.selected == "infra1"
        assert heard(stage) == ["infra1"]

    play(stage, scene)


def test_the_arrow_keys_move_the_selection_on_into_the_other_processes_and_stop_at_the_ends() -> (
    None
):
    stage, table = table_of(store_of(3, "healthy"))

    async def scene(pilot: StagePilot) -> None:
        await pilot.press("up")
        assert table.selected == "infra1"
        await pilot.press("down", "down", "down")
        assert table.selected == "app"
        await pilot.press("down")
        assert table.selected == "app"
        await pilot.press("home")
        assert table.selected == "infra1"
        await pilot.press("end")
        await pilot.pause()
        assert heard(stage) == ["infra1", "infra2", "infra3", "app", "infra1", "app"]

    play(stage, scene)


def test_a_click_selects_the_row_under_it_and_one_on_a_head_does_nothing() -> None:
    stage, table = table_of(store_of(3, "healthy"))

    async def scene(pilot: StagePilot) -> None:
        await pilot.click(table, offset=(10, 2))
        assert table.selected == "infra2"
        await pilot.click(table, offset=(10, 0))
        assert table.selected == "infra2"
        await pilot.click(table, offset=(10, 6))
        assert table.selected == "app"

    play(stage, scene)


def test_the_selection_stays_on_its_member_when_rows_come_and_go() -> None:
    store = store_of(3, "healthy")
    stage, table = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        await pilot.press("down", "down")
        store.take_status(status(member(2), member(3), member(4)))
        stage.show()
        await pilot.pause()
        assert table.selected == "infra3"
        assert stage.text()[2].startswith("▸   infra3")
        store.take_status(status(member(2), member(4)))
        stage.show()
        await pilot.pause()
        assert table.selected == "infra4"

    play(stage, scene)


def test_only_the_rows_that_changed_are_painted_again() -> None:
    store = store_of(5, "healthy")
    stage, table = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        painted: list[int] = []
        real = table.refresh_line

        def refresh_line(y: int) -> None:
            painted.append(y)
            real(y)

        table.refresh_line = refresh_line  # type: ignore[method-assign]
        store.take_status(
            status(*(member(n, revision=1 + (n == 3)) for n in range(1, 6)), processes=(process(),))
        )
        stage.show()
        await pilot.pause()
        assert painted == [3]
        assert "2" in stage.text()[3]

    play(stage, scene)


def test_nothing_is_drawn_while_hidden_and_the_newest_is_there_when_it_is_seen_again() -> None:
    store = store_of(3, "healthy")
    stage, table = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        table.display = False
        await pilot.pause()
        drawn = draws_of(table)
        store.take_status(status(member(1), member(2), down(3)))
        stage.show()
        await pilot.pause()
        assert not drawn
        table.display = True
        await pilot.pause()
        assert "exited: killed by SIGKILL" in stage.whole()

    play(stage, scene)


def test_eighty_columns_show_who_leads_state_role_term_health_and_pid() -> None:
    stage, _ = table_of(store_of(9, "partitioned"))

    async def scene(pilot: StagePilot) -> None:
        head, *rows = stage.text()
        assert head.split() == ["MEMBER", "STATE", "ROLE", "TERM", "HEALTH", "PID"]
        assert rows[0].startswith("▸★  infra1")
        assert rows[0].endswith("4242")

    play(stage, scene, (80, 24))


def test_what_is_old_is_called_old() -> None:
    store = store_of(3, "healthy")
    stage, _ = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        store.lose("the supervisor does not answer")
        stage.show()
        await pilot.pause()
        assert "MEMBER (old)" in stage.text()[0]

    play(stage, scene)


def test_a_selected_row_outside_the_view_is_scrolled_to_and_the_head_stays() -> None:
    store = Store(cluster="default")
    store.take_status(status(*(member(number) for number in range(1, 21))))
    stage, _ = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        await pilot.press("end")
        await pilot.pause()
        shown = stage.text()
        assert "MEMBER" in shown[0]
        assert any(line.startswith("▸   infra20") for line in shown)
        await pilot.press("home")
        await pilot.pause()
        assert stage.text()[1].startswith("▸★  infra1")

    play(stage, scene, (100, 16))


def test_a_name_is_never_markup_and_acts_on_no_terminal() -> None:
    store = Store(cluster="default")
    store.take_status(status(member(1, name="[red]x[/]\x1b[2J")))
    stage, _ = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        assert "[red]x[/]␛[2J" in stage.text()[1]

    play(stage, scene)


def test_a_paused_member_says_so() -> None:
    store = Store(cluster="default")
    pause: dict[str, object] = {"kind": "pause", "process": "infra2", "member": "infra2"}
    frozen = member(2, state=ProcessState.PAUSED, role=None, healthy=False, term=None)
    store.take_status(status(member(1), frozen, member(3), faults=(pause,)))
    stage, _ = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        assert "paused" in stage.text()[2]

    play(stage, scene)


def test_the_table_grows_with_the_cluster() -> None:
    store = Store(cluster="default")
    store.take_status(status(member(1)))
    stage, table = table_of(store)

    async def scene(pilot: StagePilot) -> None:
        assert table.size.height == 2
        store.take_status(status(*(member(number) for number in range(1, 6))))
        stage.show()
        await pilot.pause()
        await pilot.pause()
        assert table.size.height == 6
        assert "infra5" in stage.text()[5]

    play(stage, scene)


def test_the_cursor_shows_where_the_keys_go_without_any_colour() -> None:
    stage, _ = table_of(store_of(3, "healthy"))

    async def scene(pilot: StagePilot) -> None:
        assert stage.text()[1].startswith("▸★  infra1")
        stage.set_focus(None)
        await pilot.pause()
        assert stage.text()[1].startswith("▹★  infra1")

    play(stage, scene)
