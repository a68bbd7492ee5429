"""The picture of the cluster: who stands where, and how links look."""

from __future__ import annotations

from itertools import combinations

import pytest
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, Role
from etcd_sandbox.tui.colours import BAD, ODD, of_process
from etcd_sandbox.tui.memberrows import symbol_and_words
from etcd_sandbox.tui.ring import CUT, draw, places_of, shown_of
from etcd_sandbox.tui.text import Line, text_of, width_of
from msgspec.structs import replace

from tests.tui.samples import CONDITIONS, cluster, down, member, status

AREA = (60, 20)


def drawn(answer: ClusterStatus, size: tuple[int, int] = AREA) -> str:
    return "\n".join(text_of(line).rstrip() for line in draw(answer, *size))


def dots(line: Line, style: str | None = None) -> int:
    """How many cells of braille a line has, of one style."""
    return sum(
        sum("⠀" < character <= "⣿" for character in text)
        for text, painted in line
        if style is None or painted == style
    )


def has_lines(
    answer: ClusterStatus, size: tuple[int, int] = AREA, style: str | None = None
) -> bool:
    return any(dots(line, style) for line in draw(answer, *size))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_picture_fits_its_area(condition: str) -> None:
    for count in range(1, 10):
        for size in [(1, 1), (12, 3), (20, 8), (40, 12), (80, 24), (130, 30)]:
            lines = draw(cluster(count, condition), *size)
            assert len(lines) <= size[1], (count, size)
            assert all(width_of(line) <= size[0] for line in lines), (count, size)


@pytest.mark.parametrize("count", range(1, 10))
def test_every_member_is_named_once(count: int) -> None:
    picture = drawn(cluster(count, "healthy"), (100, 28))
    assert picture.count("★ infra1") == 1
    assert [picture.count(f"● infra{n}") for n in range(2, count + 1)] == [1] * (count - 1)


def test_three_members_stand_at_the_corners_with_links_between_them() -> None:
    assert drawn(cluster(3, "healthy"), (40, 12)).splitlines() == [
        "               ★ infra1",
        "            leader · term 2",
        "                 ⡰⠁ ⠈⢢",
        "               ⢀⠜     ⠱⡀",
        "              ⢀⠎       ⠈⢆",
        "             ⡠⠃          ⠣⡀",
        "            ⡔⠁            ⠑⡄",
        "          ⢀⠜               ⠈⢢",
        "         ⢠⠊                  ⠱⡀",
        "    ● infra3                ● infra2",
        "    follower ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ follower",
        "    quorum: 3 of 3 healthy, 2 needed",
    ]


def test_the_links_to_the_leader_have_its_colour() -> None:
    assert has_lines(cluster(3, "healthy"), style=of_process(0))
    assert not has_lines(cluster(3, "leaderless"), style=of_process(0))


def test_a_partition_cuts_the_links_between_its_sides_only() -> None:
    picture = drawn(cluster(3, "partitioned"))
    assert picture.splitlines()[-1].strip() == "quorum: 3 of 3 healthy, 2 needed  ✕ cut"
    assert picture.count(CUT) == 2 + 1
    assert has_lines(cluster(3, "partitioned"), style=of_process(1))


def test_two_who_claim_to_lead_both_have_a_star_and_one_is_stale() -> None:
    picture = drawn(cluster(3, "partitioned"))
    assert picture.count("★") == 2
    assert picture.count("leader (stale) · term 2") == 1


def test_a_slow_link_is_dotted_and_has_its_delay_written_on_it() -> None:
    slow = {
        "kind": "slow",
        "members": ["infra2"],
        "versus": ["infra3"],
        "delay_s": 0.2,
        "jitter_s": 0,
    }
    whole = cluster(3, "healthy")
    late = replace(whole, faults=(slow,))
    assert any(" 200 ms " in line for line in drawn(late).splitlines()[:-1])
    assert "┄ slow: 200 ms" in drawn(late)
    assert has_lines(late, style=ODD)
    assert sum(dots(line) for line in draw(late, *AREA)) < sum(
        dots(line) for line in draw(whole, *AREA)
    )


def test_many_slow_links_share_one_line_for_their_delay() -> None:
    names = [f"infra{n}" for n in range(1, 6)]
    slow = {"kind": "slow", "members": names, "versus": names, "delay_s": 0.2, "jitter_s": 0.05}
    picture = drawn(replace(cluster(5, "healthy"), faults=(slow,)), (100, 30))
    assert picture.count("200 ms ± 50 ms") == 1


def test_nothing_passes_to_a_member_that_is_down_or_paused() -> None:
    assert not has_lines(cluster(3, "all down"))
    paused = member(2, state=ProcessState.PAUSED, role=None)
    assert not has_lines(status(member(1), paused))
    assert has_lines(status(member(1), member(2)))


def test_many_cut_links_show_those_of_the_leaders_only() -> None:
    picture = drawn(cluster(9, "partitioned"), (120, 36))
    assert picture.count(CUT) <= 5 + 3 + 1


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (member(1), ("★", "leader")),
        (member(2), ("●", "follower")),
        (member(2, role=Role.LEARNER), ("○", "learner")),
        (member(2, role=Role.CANDIDATE), ("◇", "candidate")),
        (member(2, role=None), ("?", "no answer")),
        (member(2, role=None, state=ProcessState.PAUSED), ("‖", "paused")),
        (member(2, role=None, state=ProcessState.STARTING), ("…", "starting")),
        (down(2), ("†", "exited")),
        (replace(down(2), state=ProcessState.STOPPED), ("†", "stopped")),
    ],
)
def test_a_member_is_a_symbol_and_a_word(one: MemberStatus, expected: tuple[str, str]) -> None:
    assert symbol_and_words(one, status(member(1))) == expected


def test_the_end_of_a_quorum_is_told_below() -> None:
    assert "no quorum: 0 of 5 healthy, 3 needed" in drawn(cluster(5, "all down"))


@pytest.mark.parametrize("size", [(60, 4), (20, 20), (60, 1)])
def test_a_small_area_gets_a_list_in_words(size: tuple[int, int]) -> None:
    answer = cluster(2, "healthy")
    assert not has_lines(answer, size)
    picture = drawn(answer, size)
    assert "★ infra1 leader" in picture
    assert "● infra2 follower" in picture


def test_the_list_tells_the_faults_too() -> None:
    picture = drawn(cluster(5, "partitioned"), (200, 3))
    assert "infra2 follower · cut from 3 peers" in picture


def test_an_area_that_cannot_tell_all_of_it_tells_nothing() -> None:
    assert draw(cluster(5, "healthy"), 30, 1) == []
    assert draw(cluster(5, "healthy"), 8, 40) == []
    assert draw(status(), 80, 24) == []


def test_a_name_without_end_is_cut_and_a_hostile_one_is_harmless() -> None:
    answer = status(member(1, name="n" * 200), member(2, name="\x1b]0;x\x07"))
    picture = drawn(answer)
    assert "n…" in picture
    assert "\x1b" not in picture


@pytest.mark.parametrize("count", range(2, 10))
def test_places_keep_clear_of_each_other_and_reach_the_edges(count: int) -> None:
    places = places_of([18] * count, 2, 150, 40)
    assert places is not None
    for one, another in combinations(places, 2):
        assert abs(one.y - another.y) >= 3 or abs(one.x - another.x) > 18
    if count > 2:
        assert min(place.y for place in places) == 0
        assert max(place.y for place in places) == 38


def test_there_are_no_places_without_room() -> None:
    assert places_of([18, 18], 2, 17, 40) is None
    assert places_of([18] * 9, 2, 60, 8) is None


def test_a_broken_link_is_drawn_in_the_colour_of_what_is_wrong() -> None:
    cut: dict[str, object] = {"kind": "cut", "members": ["infra2"], "versus": ["infra3"]}
    lines = draw(replace(cluster(3, "healthy"), faults=(cut,)), *AREA)
    assert any((CUT, f"bold {BAD}") in line for line in lines)


@pytest.mark.parametrize(
    "changed",
    [
        status(member(1), member(2, follows="infra1x")),
        status(member(1), member(2, role=Role.CANDIDATE)),
        status(member(1, term=9), member(2)),
        status(member(1), member(2, healthy=False)),
        status(member(1), member(2, state=ProcessState.PAUSED)),
        status(member(1), member(2, name="other")),
        status(
            member(1),
            member(2),
            faults=({"kind": "cut", "members": ["infra1"], "versus": ["infra2"]},),
        ),
    ],
    ids=["follows", "role", "term", "health", "state", "name", "fault"],
)
def test_what_changes_the_picture_is_news_for_it(changed: ClusterStatus) -> None:
    before = status(member(1), member(2))
    assert draw(changed, *AREA) != draw(before, *AREA)
    assert shown_of(changed) != shown_of(before)


def test_what_the_picture_does_not_show_is_no_news_for_it() -> None:
    before = status(member(1), member(2))
    busy = status(member(1, cpu_percent=99.0, revision=7), member(2, uptime_s=63.0))
    assert shown_of(busy) == shown_of(before)


BETWEEN: dict[str, object] = {"kind": "cut", "members": ["infra1"], "versus": ["infra2"]}


@pytest.mark.parametrize(
    ("faults", "legend"),
    [
        (({**BETWEEN, "one_way": True},), "✕ cut one way"),
        ((BETWEEN, {**BETWEEN, "versus": ["infra3"], "one_way": True}), "✕ cut"),
        (
            ({**BETWEEN, "kind": "throttle", "bytes_per_s": 64e3},),
            "┄ 64 KB/s",
        ),
        (
            ({**BETWEEN, "kind": "slow", "delay_s": 0.2, "one_way": True},),
            "┄ slow: 200 ms",
        ),
    ],
)
def test_the_legend_says_what_is_half_of_something(
    faults: tuple[dict[str, object], ...], legend: str
) -> None:
    shown = draw(replace(cluster(3, "healthy"), faults=faults), 70, 12)
    assert "".join(text for text, _ in shown[-1]).strip().endswith(f"needed  {legend}")
