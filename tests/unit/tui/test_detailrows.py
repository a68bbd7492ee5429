"""What is said of one process."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import PeerLink
from etcd_sandbox.model.state import Detail, ProcessState
from etcd_sandbox.tui.detailrows import WIDE_FROM, Near, command_line, draw
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import text_of, width_of
from msgspec.structs import replace

from tests.tui.detailsamples import KILLED, busy, dead, detail, metrics, peer, plain, spec
from tests.tui.samples import down, event, member, partition, process, status

NARROW, WIDE = 79, 140


@pytest.fixture(autouse=True)
def _one_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def store_with(*faults: dict[str, object], infra3_down: bool = False) -> Store:
    store = Store(cluster="default")
    members = [member(n) for n in (1, 2)] + [down(3) if infra3_down else member(3)]
    store.take_status(status(*members, faults=faults, processes=(process(),)))
    return store


def near_of(*answers: Detail, **changes: object) -> Near:
    near = Near(answers[-1].process, detail=answers[-1])
    for second, answer in enumerate(answers):
        near.history.take(answer, float(second))
    for name, value in changes.items():
        setattr(near, name, value)
    return near


def rows(near: Near, store: Store | None = None, width: int = NARROW) -> list[str]:
    return [text_of(line).rstrip() for line in draw(near, store or store_with(), width)]


def row(shown: list[str], label: str) -> str:
    """The one row that begins with the label."""
    (found,) = [each for each in shown if each.startswith(label)]
    return found


def words(near: Near, store: Store | None = None) -> str:
    return "\n".join(rows(near, store, 300))


# The head.


def test_the_head_has_the_name_the_state_and_the_place_among_all() -> None:
    head = rows(near_of(detail()))[0]
    assert head.startswith(" ★ infra1 · running · leader · healthy ")
    assert head.endswith(" 1 of 4")


def test_the_name_has_the_colour_of_the_member() -> None:
    first, second = (draw(near_of(detail(n)), store_with(), NARROW)[0][0] for n in (1, 2))
    assert (first[1], second[1]) == ("bold cyan", "bold yellow")


def test_the_head_tells_of_broken_links() -> None:
    assert "running · cut off" in rows(near_of(detail()), store_with(partition(3)))[0]


def test_a_process_name_that_is_not_the_members_is_told_as_well() -> None:
    store = Store(cluster="default")
    store.take_status(status(member(1, process="etcd1")))
    assert " infra1 (etcd1) · " in rows(near_of(replace(detail(), process="etcd1")), store)[0]


def test_while_the_supervisor_is_away_the_head_says_that_it_is_old() -> None:
    store = store_with()
    store.lose("gone")
    assert "old: the supervisor does not answer" in rows(near_of(detail()), store, 120)[0]


def test_a_process_that_the_store_does_not_know_is_told_all_the_same() -> None:
    shown = rows(near_of(detail()), Store(cluster="default"))
    assert shown[0].startswith(" infra1 · running")
    assert "/usr/bin/etcd \\" in shown


# What is now.


def test_the_state_is_told_in_figures() -> None:
    told = words(near_of(detail()))
    for figure in (
        "term 2",
        "revision 1",
        "raft index 8",
        "applied 8",
        "db 20.0 KiB",
        "version 3.5.1",
        "pid 4242",
        "cpu 1.2%",
        "memory 29.6 MiB",
        "restarts 0",
        "uptime 1m02s",
    ):
        assert figure in told.splitlines()[1].split(" · ")


def test_figures_that_are_not_known_are_left_out() -> None:
    assert rows(near_of(dead()), store_with(infra3_down=True))[1] == "restarts 0"


@pytest.mark.parametrize(("expected", "word"), [(True, "expected"), (False, "unexpected")])
def test_the_last_exit_has_its_time_its_way_and_whether_it_was_expected(
    expected: bool, word: str
) -> None:
    store = store_with(infra3_down=True)
    fields = {"process": "infra3", "code": None, "signal": "SIGKILL"}
    store.take_event(event(20, Kind.PROCESS_EXITED, "infra3", **fields, expected=expected))
    store.take_event(event(21, Kind.PROCESS_EXITED, "infra2", process="infra2", code=1))
    assert row(rows(near_of(dead()), store), "last exit").endswith(
        f"2026-03-14 09:00:20.000 · killed by SIGKILL · {word}"
    )


def test_of_an_exit_whose_event_is_not_known_it_is_not_said_whether_it_was_expected() -> None:
    assert row(rows(near_of(dead())), "last exit").endswith("killed by SIGKILL")


def test_an_exit_that_is_newer_than_its_event_is_not_taken_for_an_older_one() -> None:
    store = store_with(infra3_down=True)
    fields = {"process": "infra3", "code": 0, "signal": None}
    store.take_event(event(10, Kind.PROCESS_EXITED, "infra3", **fields, expected=True))
    assert row(rows(near_of(dead()), store), "last exit").endswith("killed by SIGKILL")


def test_a_member_that_was_started_again_still_has_its_last_exit() -> None:
    assert row(rows(near_of(replace(detail(), exit=KILLED))), "last exit")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (dead(), "it does not run"),
        (detail(state=ProcessState.PAUSED, metrics=None, peers=None), "it does not answer"),
    ],
)
def test_without_metrics_it_is_said_why(answer: Detail, why: str) -> None:
    assert f"no metrics and no peers: {why}" in rows(near_of(answer))


def test_what_went_wrong_with_asking_is_told_above_what_was_known() -> None:
    shown = rows(near_of(detail(), trouble="nobody is there, x.sock", hint="etcd-sandbox up"))
    assert shown[1:3] == ["! nobody is there, x.sock", "etcd-sandbox up"]
    assert "COMMAND" in shown


def test_before_the_first_answer_it_is_said_that_it_was_asked() -> None:
    shown = rows(Near("infra1"))
    assert shown[1] == "asking …"
    assert "pid 4242" in "\n".join(shown)


# What it is.


def test_the_command_is_what_was_executed() -> None:
    answer = detail(argv=("/opt/my etcd", "--name=it's"))
    assert command_line(answer) == """'/opt/my etcd' '--name=it'"'"'s'"""
    shown = rows(near_of(answer))
    at = shown.index("COMMAND")
    assert shown[at + 1 : at + 3] == ["'/opt/my etcd' \\", """  '--name=it'"'"'s'"""]


def test_the_environment_is_what_is_laid_over_and_what_is_taken_away() -> None:
    shown = rows(near_of(detail()))
    assert {"GOMAXPROCS=2", "NOTE='two words'", "without ETCD_* http_proxy"} <= set(shown)


def test_the_listener_behind_a_link_is_told_beside_the_link() -> None:
    shown = rows(near_of(detail()))
    assert row(shown, "peer ").endswith(" http://127.0.0.1:12380, a link")
    assert row(shown, "behind it").endswith(" http://127.0.0.1:12382, the member's own listener")


def test_without_a_link_it_is_said_why() -> None:
    direct = spec(1, link=None, no_link="a Procfile's members reach each other directly")
    shown = rows(near_of(detail(member=direct)))
    assert row(shown, "links").endswith("none: a Procfile's members reach each other directly")
    assert not [each for each in shown if each.startswith("behind it")]


def test_listeners_that_are_none_of_the_others_are_told() -> None:
    other = spec(1, link=None, listen_urls=("http://127.0.0.1:12379", "http://0.0.0.0:1"))
    assert row(rows(near_of(detail(member=other))), "listens").endswith(" http://0.0.0.0:1")
    assert not [each for each in rows(near_of(detail())) if each.startswith("listens")]


def test_text_from_outside_is_shown_as_text() -> None:
    told = words(near_of(detail(env={"X": "\x1b[31m[bold]"})))
    assert "X='␛[31m[bold]'" in told


def test_a_plain_process_has_neither_metrics_nor_peers() -> None:
    told = words(near_of(plain()))
    assert "COMMAND" in told
    assert "/home/learner" in told
    assert "METRICS" not in told
    assert "PEERS" not in told
    assert "no metrics" not in told


# How it does.


def test_each_figure_has_its_points_the_latest_the_largest_and_all() -> None:
    shown = rows(near_of(*busy(60)), width=107)
    label, drawn, *numbers = row(shown, "puts").split()
    assert (label, numbers) == ("puts", ["106/s", "109/s", "3722"])
    assert set(drawn) <= set("▁▂▃▄▅▆▇█")
    assert row(shown, "WAL fsync").endswith("0.79 ms   1.00 ms      0.56 ms")
    assert row(shown, "leader changes").endswith("0        +1            2")


def test_an_etcd_that_does_not_measure_puts_has_no_such_row_and_a_note() -> None:
    shown = "\n".join(rows(near_of(*busy(5, put=False)), width=107))
    assert "\nput latency" not in shown
    assert "does not measure the latency of puts" in shown
    measured = "\n".join(rows(near_of(*busy(5)), width=107))
    assert "\nput latency" in measured
    assert "does not measure" not in measured


def test_a_member_that_died_keeps_the_picture_of_how_it_did() -> None:
    shown = rows(near_of(*busy(60), detail(metrics=None, peers=None)))
    assert row(shown, "puts").split()[-1] == "-"
    assert "█" in row(shown, "puts")


def test_each_peer_has_its_round_trip_its_id_its_vote_and_its_urls() -> None:
    answer = detail(peers=(peer(1), peer(2, is_learner=True)))
    shown = rows(near_of(answer))
    assert row(shown, "infra1 itself").split()[-1] == "-"
    assert row(shown, "infra2").endswith("0.30 ms")
    told = "\n".join(shown)
    assert f"{peer(1).id} · voter · peer http://127.0.0.1:12380" in told
    assert f"{peer(2).id} · learner · peer http://127.0.0.1:13380" in told
    assert "client http://127.0.0.1:13379" in told


def test_a_peer_that_never_started_has_no_name_yet() -> None:
    shown = rows(near_of(detail(peers=(peer(1), peer(2, name="", client_urls=())))))
    at = shown.index(row(shown, "(never started)"))
    assert "client" not in shown[at + 1]


# The room.


def test_where_there_is_room_metrics_are_beside_the_command() -> None:
    assert any(
        "COMMAND" in each and "METRICS" in each for each in rows(near_of(detail()), None, WIDE)
    )
    narrow = rows(near_of(detail()), None, WIDE_FROM - 1)
    assert not any("COMMAND" in each and "METRICS" in each for each in narrow)


def test_what_is_long_on_the_left_does_not_hide_what_is_on_the_right() -> None:
    long = spec(
        1,
        data_dir="/x" * 100,
        link=PeerLink(listen_url=Address("u" * 90), target_url=Address("v" * 90)),
    )
    answer = detail(member=long, argv=("etcd", "--data-dir=" + "§" * 300))
    shown = rows(near_of(answer), None, WIDE)
    assert "".join(shown).count("§") == 300
    assert row([each[WIDE // 3 :].lstrip() for each in shown], "puts").endswith(" 0")


@pytest.mark.parametrize("width", [30, 40, 58, 79, 80, 107, 108, 109, 118, 198])
def test_no_line_is_wider_than_its_room(width: int) -> None:
    store = store_with(partition(3), infra3_down=True)
    long = peer(2, name="n" * 60, peer_urls=("http://" + "h" * 100 + ":1",))
    nears = [
        near_of(*busy(60)),
        near_of(dead()),
        near_of(plain()),
        near_of(detail(peers=(long,), metrics=metrics()), trouble="t " * 80, hint="h" * 200),
    ]
    for near in nears:
        assert max(map(width_of, draw(near, store, width))) <= width
