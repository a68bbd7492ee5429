"""How long something was missing: histories as tables."""

from __future__ import annotations

import pytest
from etcd_sandbox.cluster.gaps import Try, leaderless_s, service_of
from etcd_sandbox.model.service import How, Service


@pytest.mark.parametrize(
    ("changes", "ended", "seconds"),
    [
        ([(0.0, "a")], 5.0, 0.0),
        ([(0.0, "a"), (1.0, None), (2.5, "b")], 5.0, 1.5),
        # Straight from one to the next, as at a transfer.
        ([(0.0, "a"), (1.0, "b")], 5.0, 0.0),
        # Two gaps add up.
        ([(0.0, "a"), (1.0, None), (2.0, "b"), (3.0, None), (3.5, "a")], 5.0, 1.5),
        # Told twice that there is none: it counts from the first.
        ([(0.0, "a"), (1.0, None), (1.2, None), (2.0, "b")], 5.0, 1.0),
        # Nobody led at the beginning: from then on.
        ([(0.0, None), (2.0, "b")], 5.0, 2.0),
        # It has not ended.
        ([(0.0, "a"), (1.0, None)], 5.0, None),
        ([(0.0, None)], 5.0, None),
        ([], 5.0, None),
    ],
)
def test_time_without_a_leader_is_summed_until_there_is_one(
    changes: list[tuple[float, str | None]], ended: float, seconds: float | None
) -> None:
    assert leaderless_s(changes, ended) == seconds


def tries(text: str) -> tuple[list[Try], list[float]]:
    """`a:1-1.1` a read at a from 1 to 1.1, `b:2!2.3` one that failed, `c:3-` one without an answer yet."""
    ended, pending = [], []
    for entry in text.split():
        where, _, times = entry.partition(":")
        served = "!" not in times
        began, _, end = times.replace("!", "-").partition("-")
        if end:
            ended.append(Try(where=where, began=float(began), ended=float(end), served=served))
        else:
            pending.append(float(began))
    return ended, pending


def steady(began: float, ended: float, took_s: float = 0.001, where: str = "a") -> str:
    """Reads one after the other, each 20 ms or as long as it takes."""
    found = []
    while began + took_s <= ended:
        found.append(f"{where}:{began:.3f}-{began + took_s:.3f}")
        began += max(0.02, took_s)
    return " ".join(found)


@pytest.mark.parametrize(
    ("text", "leaderless", "how", "seconds"),
    [
        # Served all the time.
        (steady(0, 5), [], How.WENT_ON, (0.02, 0.001)),
        # None for 1.5 s, and one of them said that it failed.
        (f"{steady(0, 1)} b:1.01!2.4 {steady(2.481, 5)}", [], How.FAILED, (1.5, 0.001)),
        # The same, told by nobody but the logs: nobody led.
        (f"{steady(0, 1)} {steady(2.481, 5)}", [(1.0, 2.4)], How.FAILED, (1.5, 0.001)),
        # Nobody led, but nobody noticed.
        (steady(0, 5), [(1.0, 1.01)], How.WENT_ON, (0.02, 0.001)),
        # One fails while others are served.
        (f"{steady(0, 5)} b:2!2.3", [], How.WENT_ON, (0.02, 0.001)),
        # Each read takes 0.4 s from the deed on: slow is not failed, and no read "went on".
        (f"{steady(0, 1)} {steady(1, 5, 0.4)}", [], How.SLOW, (0.4, 0.4)),
        # One of the members is slow.
        (
            f"{steady(0, 5)} {steady(0, 1, 0.001, 'b')} {steady(1, 5, 0.8, 'b')}",
            [],
            How.SLOW,
            (0.02, 0.8),
        ),
        # One read waited, for a while.
        (f"{steady(0, 1)} a:1-1.6 {steady(1.6, 5)}", [], How.WAITED, (0.619, 0.6)),
        # The last one waited for the machine: one alone does not show that reads are slow.
        (f"{steady(0, 4.6)} a:4.6-4.99", [], How.WAITED, (0.4, 0.39)),
        # A gap in which nothing was tried shows nothing.
        (f"{steady(0, 1)} {steady(2, 5)}", [], How.WENT_ON, (1.02, 0.001)),
        # What has just been started lets its first reader wait.
        (f"{steady(0, 5)} b:1-2.5 {steady(2.5, 5, 0.001, 'b')}", [], How.WENT_ON, (0.02, 0.001)),
        # Each member's first reader waited, and meanwhile nobody was served anywhere.
        (
            f"a:0.5-2 b:0.52-2 {steady(2.02, 5)} {steady(2.02, 5, 0.001, 'b')}",
            [],
            How.WAITED,
            (1.5, 1.5),
        ),
        # A gap that is open at the end counts.
        (f"{steady(0, 1)} a:1!4", [], How.FAILING, (4.019, 0.001)),
        (f"{steady(0, 1)} a:1-", [], How.WAITING, (4.019, 0.001)),
        # Nothing was served at all.
        ("a:0.5-", [], How.WAITING, (4.5, 0.0)),
        ("a:0.5!0.6 a:0.6!0.7", [], How.FAILING, (4.5, 0.0)),
        # A slow read on its way is none that hangs.
        (f"{steady(0, 1)} {steady(1, 4.6, 0.4)} a:4.6-", [], How.SLOW, (0.4, 0.4)),
        # The longest of several.
        (
            f"{steady(0, 1)} a:1!1.2 {steady(1.499, 2)} a:2!2.1 {steady(2.999, 5)}",
            [],
            How.FAILED,
            (1.019, 0.001),
        ),
    ],
)
def test_requests_that_come_late_are_late_and_only_what_failed_has_failed(
    text: str, leaderless: list[tuple[float, float]], how: How, seconds: tuple[float, float]
) -> None:
    ended, pending = tries(text)
    found = service_of(ended, pending, 0.5, 5.0, calm=0.6, leaderless=leaderless)
    assert found is not None
    assert found.how is how
    assert (found.gap_s, found.wait_s) == pytest.approx(seconds, abs=0.021)


def test_an_outage_that_began_before_the_deed_is_told_whole() -> None:
    ended, pending = tries(f"a:40!41 {steady(41.1, 42)}")
    found = service_of(ended, pending, 0.0, 42.0, calm=41.1, leaderless=[(0.0, 41.0)])
    assert found == Service(how=How.FAILED, gap_s=41.101, wait_s=0.001)


@pytest.mark.parametrize(
    ("text", "leaderless", "gap_s"),
    [
        # A follower hears at the end of a cut, at 3.1, of what was agreed to before the leader was lost.
        (f"{steady(0, 1)} b:0.6-3.12 {steady(4.7, 5)}", (1.0, 4.69), 3.701),
        # It hears in the instant after the leader was lost: until then somebody was served.
        (f"{steady(0, 0.8)} b:0.6-1.15 {steady(2.5, 5)}", (1.0, 2.49), 1.501),
        # What was asked while nobody led and was served shows that somebody could be.
        (f"{steady(0, 1)} b:1.1-3.12 {steady(4.7, 5)}", (1.0, 4.69), 2.14),
        # The next leader answers what was asked before.
        (f"{steady(0, 1)} b:0.6-3.12 {steady(4.7, 5)}", (1.0, 3.11), 2.14),
    ],
)
def test_an_answer_while_nobody_leads_to_what_was_asked_before_ends_no_outage(
    text: str, leaderless: tuple[float, float], gap_s: float
) -> None:
    ended, pending = tries(text)
    found = service_of(ended, pending, 0.5, 5.0, calm=4.7, leaderless=[leaderless])
    assert found is not None
    assert found.how is How.FAILED
    assert found.gap_s == pytest.approx(gap_s, abs=0.021)


def test_where_nothing_was_tried_nothing_is_known() -> None:
    assert service_of([], [], 0.0, 5.0, calm=0.0) is None


@pytest.mark.parametrize(
    ("text", "untried", "gap_s"),
    [
        # A member has forgotten the token: nothing is tried for a second, and served again then.
        (f"{steady(0.0, 1.0)} {steady(2.1, 4.0)}", [(1.0, 2.08)], 0.02),
        # What is missing beside the rest counts.
        (f"{steady(0.0, 1.0)} {steady(2.5, 4.0)}", [(1.0, 2.0)], 0.501),
        (f"{steady(0.0, 1.0)} {steady(2.1, 4.0)}", [], 1.12),
    ],
)
def test_a_time_in_which_nothing_could_be_tried_is_no_gap(
    text: str, untried: list[tuple[float, float]], gap_s: float
) -> None:
    ended, pending = tries(text)
    found = service_of(ended, pending, 0.5, 4.0, calm=0.6, untried=untried)
    assert found is not None
    assert found.gap_s == pytest.approx(gap_s, abs=0.03)


def test_of_a_time_in_which_nothing_could_be_tried_nothing_is_said() -> None:
    ended, pending = tries(steady(0.0, 1.0))
    assert service_of(ended, pending, 1.0, 2.0, calm=1.0, untried=[(0.99, 3.0)]) is None
