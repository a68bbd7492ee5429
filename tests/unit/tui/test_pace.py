"""When the dashboard says that it stood still."""

from __future__ import annotations

from etcd_sandbox.tui.painting import CAUGHT_UP_WITHIN_S, NOTICED_S, Standstill

US = 1_000_000


def looks(*moments: tuple[float, int, int, float]) -> list[str]:
    """What is said at each look: seconds, oldest and next line, when the newest line arrived."""
    watch = Standstill()
    return [
        watch.look(at_s, round(at_s * US), first, end, round(newest_s * US))
        for at_s, first, end, newest_s in moments
    ]


def test_while_it_goes_on_nothing_is_said() -> None:
    almost = NOTICED_S - 0.1
    assert looks((0, 0, 10, 0), (0.1, 0, 10, 0), (almost, 0, 500, almost)) == ["", "", ""]


def test_after_a_standstill_it_counts_what_came_once_it_has_caught_up() -> None:
    said = looks(
        (0.0, 0, 100, 0.0),
        (60.0, 0, 100, 0.0),
        (60.1, 0, 5_100, 30.0),
        (60.2, 0, 10_100, 60.0),
        (60.3, 0, 10_200, 60.3),
    )
    words = "stood still for 1m00s: 10,000 lines came"
    assert said == ["", "", "", words, ""]


def test_lines_that_did_not_stay_are_told_apart() -> None:
    said = looks((0.0, 0, 100, 0.0), (8.0, 0, 100, 0.0), (8.1, 400, 1_100, 8.0))
    assert said[-1] == ("stood still for 8.0s: 1,000 lines came, 300 of them only in the log files")


def test_lines_that_were_rotated_away_are_counted_as_well() -> None:
    watch = Standstill()
    watch.look(0.0, 0, 0, 100, 0, lost=7)
    watch.look(60.0, 60 * US, 0, 100, 0, lost=7)
    said = watch.look(60.1, 60 * US, 0, 300, 60 * US, lost=5_007)
    assert said == "stood still for 1m00s: 5,200 lines came, 5,000 rotated away unread"


def test_where_no_line_comes_it_does_not_wait_for_one() -> None:
    late = 9.0 + CAUGHT_UP_WITHIN_S
    moments = [0.0, 9.0, 12.0, 15.0, late - 0.1, late]
    said = looks(*((at_s, 0, 100, 0.0) for at_s in moments))
    assert said == [""] * 5 + ["stood still for 9.0s: 0 lines came"]
