"""The time line: cells, marks, and the lengths of outages."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.stripdrawing import GUTTER, buckets_per_cell, draw, in_view
from etcd_sandbox.tui.text import text_of, width_of

from tests.tui.samples import bucket, event


def drawn(
    buckets: list[Bucket], events: list[Event] | None = None, width: int = 68, height: int = 5
) -> dict[str, str]:
    """The rows by what they begin with; the one for marks has no name."""
    store = Store(cluster="default")
    for one in buckets:
        store.take_bucket(one)
    for other in events or []:
        store.take_event(other)
    rows = [text_of(line) for line in draw(buckets, store.marks(), store.outages, width, height)]
    assert all(len(row) <= width for row in rows)
    return {row[:GUTTER].strip() or "marks": row[GUTTER:] for row in rows}


def served(pattern: str, tenths_each: int = 10) -> list[Bucket]:
    """A second a letter: `y` served, `n` not."""
    return [
        bucket(number / 10, reads=pattern[number // tenths_each] == "y")
        for number in range(len(pattern) * tenths_each)
    ]


@pytest.mark.parametrize(
    ("width", "buckets"), [(68, 10), (80, 8), (128, 5), (208, 3), (700, 1), (8, 600), (1, 600)]
)
def test_about_a_minute_is_in_view(width: int, buckets: int) -> None:
    assert buckets_per_cell(width) == buckets
    if width > GUTTER + 20:
        assert 500 <= in_view(width) <= 720


def test_the_newest_is_at_the_right_and_success_and_failure_differ_without_colour() -> None:
    assert drawn(served("yyynny"))["reads"] == " " * 54 + "███╳╳█"


def test_a_cell_with_both_is_neither() -> None:
    half = [bucket(tenth / 10, reads=tenth < 5) for tenth in range(10)]
    assert drawn(half)["reads"].endswith(" ▄")


def test_slow_reads_are_late_and_what_still_waits_is_told_apart() -> None:
    late = [
        Bucket(time_us=one.time_us, reads=3, reads_late=3, asked=3)
        if number % 4 == 3
        else Bucket(time_us=one.time_us, reads_waiting=3, asked=3)
        for number, one in enumerate(served("y" * 4))
    ]
    waiting = [
        Bucket(time_us=one.time_us, reads_waiting=3, asked=3) for one in served("y" * 6)[40:]
    ]
    rows = drawn([*late, *waiting], width=120)
    assert rows["reads"].strip() == "▒" * (len(late) // 5) + "┄" * (len(waiting) // 5)
    legend = next(row for name, row in rows.items() if name.startswith("█"))
    assert "▒ late  ┄ waiting" in legend
    assert rows["outage"].strip() == ""


def test_a_cell_keeps_what_it_stands_for_while_the_line_moves() -> None:
    before = drawn(served("ynyyn"))["reads"].strip()
    assert drawn([*served("ynyyn"), bucket(5.0)])["reads"].strip() == before + "█"


def test_tenths_of_which_nothing_is_known_stay_blank() -> None:
    known = [*served("yy"), *(bucket(4 + tenth / 10) for tenth in range(10))]
    assert drawn(known)["reads"].strip() == "██  █"


def test_the_length_of_an_outage_stands_over_its_beginning() -> None:
    rows = drawn(served("y" * 10 + "nn" + "y" * 10))
    assert rows["outage"].rstrip() == " " * 48 + "2.0 s"
    assert rows["reads"].index("╳") == 48


def test_an_outage_that_goes_on_says_so_inside_the_line() -> None:
    rows = drawn(served("y" * 10 + "n"))
    assert rows["outage"].rstrip().endswith("1.0 s…")


def test_of_two_lengths_without_room_for_both_the_newer_is_told() -> None:
    rows = drawn(served("yyyyynynn" + "y" * 10))
    assert rows["outage"].split() == ["2.0", "s"]


def test_an_outage_that_began_before_the_view_keeps_its_length() -> None:
    rows = drawn(served("n" * 90))
    assert "90.0 s…" in rows["outage"]


def test_signs_stand_over_their_moment_and_are_explained() -> None:
    marks = [
        event(5.0, Kind.PROCESS_EXITED, "infra1"),
        event(7.0, Kind.LEADER_ELECTED, "infra2", term=3),
        event(9.0, Kind.FAULT_APPLIED, fault="partition"),
        event(11.0, Kind.FAULT_HEALED, fault="partition"),
    ]
    rows = drawn(served("y" * 15), marks, width=100)
    assert " ".join(rows["marks"].split()) == "† ★ ✂ ♥"
    legend = next(row for name, row in rows.items() if name.startswith("█"))
    assert "† exit  ★ leader  ✂ fault  ♥ healed" in legend


def test_the_weightier_of_two_signs_has_the_cell_and_the_other_stands_beside_it() -> None:
    marks = [event(5.1, Kind.FAULT_APPLIED, fault="cut"), event(5.2, Kind.LEADER_ELECTED, term=3)]
    row = drawn(served("y" * 15), marks)["marks"]
    assert row.strip() == "★✂"
    assert row.index("★") == 50


def test_a_pause_and_its_end_have_signs_of_their_own() -> None:
    marks = [
        event(3.0, Kind.FAULT_APPLIED, "infra1", fault="pause"),
        event(9.0, Kind.FAULT_HEALED, "infra1", fault="pause"),
    ]
    assert drawn(served("y" * 15), marks)["marks"].split() == ["‖", "▸"]


def test_what_happened_before_the_view_is_not_marked() -> None:
    marks = [event(0.0, Kind.LEADER_ELECTED, term=2)]
    assert drawn(served("y" * 90), marks)["marks"].strip() == ""


def test_writes_have_a_row_when_they_are_tried() -> None:
    tried = [bucket(tenth / 10, writes=tenth >= 10) for tenth in range(20)]
    assert drawn(tried)["writes"].strip() == "╳█"
    assert "writes" not in drawn(served("yy"))


@pytest.mark.parametrize(
    ("height", "names"),
    [
        (0, []),
        (1, ["reads"]),
        (2, ["outage", "reads"]),
        (3, ["marks", "outage", "reads"]),
        (4, ["marks", "outage", "reads", "writes"]),
    ],
)
def test_what_matters_most_stays_when_it_is_low(height: int, names: list[str]) -> None:
    tried = [bucket(tenth / 10, writes=True) for tenth in range(20)]
    assert list(drawn(tried, height=height)) == names


@pytest.mark.parametrize("width", [0, 1, 8, 9, 10, 12, 20, 40, 700])
def test_no_row_is_wider_than_the_room(width: int) -> None:
    marks = [event(1.0, Kind.LEADER_ELECTED, term=2)]
    store = Store(cluster="default")
    for one in served("ynyn"):
        store.take_bucket(one)
    for other in marks:
        store.take_event(other)
    lines = draw(list(store.buckets), store.marks(), store.outages, width, 6)
    assert all(width_of(line) <= width for line in lines)


def test_the_scale_tells_how_long_ago() -> None:
    rows = draw(served("y" * 60), [], [], 200, 5)
    axis = text_of(rows[-1])
    assert axis.startswith("█ served  ▄ partly  ╳ failed")
    assert axis.endswith("now")
    cell = buckets_per_cell(200) / 10
    assert axis.index("-10s") == 199 - round(10 / cell)


def test_without_a_bucket_there_is_no_line() -> None:
    assert draw([], [], [], 80, 5) == []
