"""What the dashboard remembers, and how it counts outages."""

from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.tui.store import BUCKETS_KEPT, EVENTS_KEPT, Outage, Store
from etcd_sandbox.words import story

from tests.tui.samples import BEGAN_US, bucket, cluster, event, process, status


def store_with(*served: bool) -> Store:
    store = Store(cluster="default")
    for tenth, reads in enumerate(served):
        store.take_bucket(bucket(tenth / 10, reads=reads))
    return store


def at(tenths: int) -> int:
    return BEGAN_US + tenths * 100_000


def test_each_kind_of_news_has_a_number_that_only_its_own_news_raises() -> None:
    store = Store(cluster="default")
    store.take_status(cluster(3, "healthy"))
    assert (store.status_news, store.event_news, store.bucket_news) == (1, 0, 0)
    store.take_event(event(0, Kind.CLUSTER_READY))
    assert (store.status_news, store.event_news, store.bucket_news) == (1, 1, 0)
    store.take_bucket(bucket(0))
    assert (store.status_news, store.event_news, store.bucket_news) == (1, 1, 1)


def test_a_supervisor_that_is_lost_leaves_what_was_known_and_says_why() -> None:
    store = Store(cluster="default")
    store.take_status(cluster(3, "healthy"))
    store.lose("it does not answer")
    assert not store.connected
    assert store.trouble == "it does not answer"
    assert len(store.members) == 3
    store.take_status(cluster(1, "healthy"))
    assert store.connected
    assert store.trouble == ""


def test_before_any_answer_there_are_no_members_and_no_processes() -> None:
    store = Store(cluster="default")
    assert store.members == ()
    assert store.processes == ()


def test_each_event_knows_the_seconds_since_the_one_before() -> None:
    store = Store(cluster="default")
    for seconds in (1.0, 1.12, 61.12):
        store.take_event(event(seconds, Kind.CLUSTER_READY))
    first, second, third = (timed.after_s for timed in store.events)
    assert first is None
    assert second == pytest.approx(0.12)
    assert third == pytest.approx(60.0)


def test_further_requests_of_a_member_alone_are_one_event_that_moves_on() -> None:
    store = Store(cluster="default")
    for seconds in range(1, 6):
        for member in ("infra1", "infra2"):
            store.take_event(event(seconds, Kind.CANDIDATE, member, term=2, pre_vote=True))
    store.take_event(event(6.0, Kind.QUORUM_LOST))
    assert [story.sentence(timed.event.to_wire()) for timed in store.events] == [
        "infra1 asks whether it could win (term 2)",
        "infra2 asks whether it could win (term 2)",
        "infra1 asked 4 times more whether it could win (term 2)",
        "infra2 asked 4 times more whether it could win (term 2)",
        "quorum lost",
    ]


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        ("", []),
        ("yyyy", []),
        ("ynny", [(1, 3, 0.2)]),
        ("nny", [(0, 2, 0.2)]),
        ("ynn", [(1, None, 0.2)]),
        ("nyyn", [(0, 1, 0.1), (3, None, 0.1)]),
        ("ynynny", [(1, 2, 0.1), (3, 5, 0.2)]),
    ],
)
def test_an_outage_lasts_from_the_first_failed_tenth_to_the_next_that_was_served(
    served: str, expected: list[tuple[int, int | None, float]]
) -> None:
    outages = store_with(*(one == "y" for one in served)).outages
    assert list(outages) == [
        Outage(began_us=at(began), ended_us=None if ended is None else at(ended), seconds=seconds)
        for began, ended, seconds in expected
    ]


def test_an_outage_ends_with_what_is_known_of_it() -> None:
    store = store_with(True, False, False)
    store.take_bucket(bucket(30.0))
    (outage,) = store.outages
    assert (outage.ended_us, outage.seconds) == (at(3), 0.2)
    store.take_bucket(bucket(30.1, reads=False))
    store.take_bucket(bucket(60.0, reads=False))
    assert [(one.began_us, one.seconds) for one in store.outages][1:] == [
        (at(301), 0.1),
        (at(600), 0.1),
    ]


def tenth(number: int, **counts: Any) -> Bucket:
    return Bucket(time_us=at(number), asked=3, **counts)


def served_at(number: int, first_us: int, last_us: int, **counts: int) -> Bucket:
    return tenth(number, reads=3, first_read_us=first_us, last_read_us=last_us, **counts)


def test_an_outage_is_as_long_as_in_the_verdict_from_the_last_read_served_to_the_next() -> None:
    store = Store(cluster="default")
    store.take_bucket(served_at(0, at(0), at(0) + 87_000))
    store.take_bucket(tenth(1, reads_waiting=3))
    store.take_bucket(tenth(2, reads_failed=1, reads_waiting=1))
    assert [(one.began_us, one.ended_us) for one in store.outages] == [(at(0) + 87_000, None)]
    store.take_bucket(tenth(3, reads_waiting=2))
    assert store.outages[-1].seconds == pytest.approx(0.3)
    store.take_bucket(served_at(4, at(4) + 61_000, at(5)))
    assert [(one.began_us, one.ended_us) for one in store.outages] == [
        (at(0) + 87_000, at(4) + 61_000)
    ]


def test_reads_that_are_slow_make_no_outage() -> None:
    store = Store(cluster="default")
    for number in range(0, 40, 4):
        for waiting in range(1, 4):
            store.take_bucket(tenth(number + waiting - 1, reads_waiting=3))
        store.take_bucket(served_at(number + 3, at(number + 3), at(number + 3), reads_late=3))
    assert list(store.outages) == []


def test_what_nobody_would_have_noticed_is_no_outage() -> None:
    store = Store(cluster="default")
    store.take_bucket(served_at(0, at(0), at(0) + 90_000))
    store.take_bucket(tenth(1, reads_failed=1))
    store.take_bucket(served_at(2, at(1) + 80_000, at(2)))
    assert list(store.outages) == []


def test_a_tenth_that_was_left_out_belongs_to_the_outage() -> None:
    store = store_with(True, False)
    store.take_bucket(bucket(0.4, reads=False))
    store.take_bucket(bucket(0.5))
    assert [one.seconds for one in store.outages] == [0.4]


def test_only_what_belongs_on_the_time_line_is_marked_at_its_microsecond() -> None:
    store = Store(cluster="default")
    store.take_event(event(0.5, Kind.PROCESS_STARTED, "infra1"))
    store.take_event(event(1.25, Kind.LEADER_ELECTED, "infra1", term=2))
    store.take_event(event(2.0, Kind.CANDIDATE, "infra1", term=3))
    store.take_event(event(3.0, Kind.FAULT_HEALED, fault="partition"))
    assert [(time_us, found.kind) for time_us, found in store.marks()] == [
        (BEGAN_US + 1_250_000, Kind.LEADER_ELECTED),
        (BEGAN_US + 3_000_000, Kind.FAULT_HEALED),
    ]


def test_it_keeps_a_bounded_past_and_the_numbers_go_on() -> None:
    store = store_with(*([True] * (BUCKETS_KEPT + 5)))
    assert len(store.buckets) == BUCKETS_KEPT
    assert store.bucket_news == BUCKETS_KEPT + 5
    assert store.buckets[0].time_us == at(5)
    for n in range(EVENTS_KEPT + 3):
        store.take_event(event(n, Kind.CLUSTER_READY))
    assert len(store.events) == EVENTS_KEPT
    assert store.events[0].after_s == pytest.approx(1.0)


def test_without_members_there_is_no_outage_whichever_comes_first() -> None:
    store = store_with(False, False)
    assert not store.lacks_members
    store.take_status(status(processes=(process(),)))
    assert store.lacks_members
    assert list(store.outages) == []
    store.take_bucket(bucket(0.2, reads=False))
    assert list(store.outages) == []
    store.take_status(cluster(3, "healthy"))
    store.take_bucket(bucket(0.3, reads=False))
    assert len(store.outages) == 1
