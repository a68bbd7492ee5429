"""Requests are tried in turns, and no member is asked more than it answers: on members that are functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from etcd_sandbox.cluster.probe import Probe

EVERY_S = 0.005


class Members:
    """Each answers at once, but for those that hang or fail; counts what it is asked at a time."""

    def __init__(self, count: int) -> None:
        self.urls = [f"m{number}" for number in range(count)]
        self.asked: list[str] = []
        self.under_way: dict[str, int] = dict.fromkeys(self.urls, 0)
        self.most: dict[str, int] = dict.fromkeys(self.urls, 0)
        self.hanging: dict[str, asyncio.Event] = {}
        self.failing: set[str] = set()

    async def request(self, url: str, timeout_s: float) -> bool | None:
        self.asked.append(url)
        self.under_way[url] += 1
        self.most[url] = max(self.most[url], self.under_way[url])
        try:
            if url in self.hanging:
                await self.hanging[url].wait()
            return url not in self.failing
        finally:
            self.under_way[url] -= 1


def with_members(count: int, work: Callable[[Members, Probe], Awaitable[None]]) -> None:
    async def run() -> None:
        members = Members(count)
        await work(members, Probe(members.request, lambda: members.urls))

    asyncio.run(asyncio.wait_for(run(), 20))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - of what has no event
        await asyncio.sleep(0.001)


def test_a_member_that_does_not_answer_is_asked_no_more_and_keeps_no_other_waiting() -> None:
    async def work(members: Members, probe: Probe) -> None:
        members.hanging["m1"] = asyncio.Event()
        with probe.watching(EVERY_S) as record:
            await until(lambda: members.asked.count("m0") > 20)
            assert members.asked.count("m1") == 1
            assert len(record.pending) == 1
            members.hanging.pop("m1").set()
            await until(lambda: members.asked.count("m1") > 1)
            late = next(each for each in record.tries if each.where == "m1")
            assert late.served
        assert set(members.most.values()) == {1}

    with_members(3, work)


@pytest.mark.parametrize(("count", "a_round"), [(3, 3), (4, 2), (9, 1), (15, 1)])
def test_many_members_take_turns(count: int, a_round: int) -> None:
    async def work(members: Members, probe: Probe) -> None:
        with probe.watching(60.0):
            await until(lambda: len(members.asked) == a_round)
            await asyncio.sleep(0.01)
        assert members.asked == members.urls[:a_round]
        with probe.watching(EVERY_S):
            await until(lambda: len(members.asked) >= 4 * count)
        counts = [members.asked.count(url) for url in members.urls]
        assert max(counts) - min(counts) <= 2

    with_members(count, work)


def test_who_only_looks_on_has_one_member_asked_at_a_time_and_who_measures_more() -> None:
    async def work(members: Members, probe: Probe) -> None:
        with probe.watching(60.0, at_a_time=1):
            await until(lambda: members.asked == ["m0"])
            with probe.watching(60.0):
                await until(lambda: sorted(members.asked) == ["m0", "m0", "m1", "m2"])

    with_members(3, work)


def test_where_one_fails_the_next_is_tried_at_once() -> None:
    async def work(members: Members, probe: Probe) -> None:
        members.failing = set(members.urls) - {"m7"}
        with probe.watching(60.0) as record:
            assert await record.served_after(0.0, 10.0)
        assert members.asked == members.urls[:8]

    with_members(9, work)


def test_each_round_asks_each_member_once_even_when_all_fail() -> None:
    async def work(members: Members, probe: Probe) -> None:
        members.failing = set(members.urls)
        with probe.watching(60.0) as record:
            assert not await record.served_after(0.0, 0.05)
        assert sorted(members.asked) == sorted(members.urls)

    with_members(5, work)


def test_nothing_is_tried_while_nobody_watches_and_two_watch_the_same() -> None:
    async def work(members: Members, probe: Probe) -> None:
        await asyncio.sleep(0.02)
        assert members.asked == []
        with probe.watching(60.0) as seldom, probe.watching(EVERY_S) as often:
            await until(lambda: len(often.tries) > 9)
            assert seldom.tries[-9:] == often.tries[-9:]
        asked = len(members.asked)
        with suppress(TimeoutError):
            await asyncio.wait_for(until(lambda: len(members.asked) > asked), 0.05)
        assert len(members.asked) == asked

    with_members(3, work)


def test_what_cannot_be_known_is_not_noted() -> None:
    async def work(members: Members, _: Probe) -> None:
        asked = []

        async def refused(url: str, timeout_s: float) -> bool | None:
            asked.append(url)
            return None

        with Probe(refused, lambda: members.urls).watching(EVERY_S) as record:
            await until(lambda: record.unknown)
            # Members log each of them as a warning: the next ones come a while later.
            assert len(asked) == 3
            await until(lambda: len(asked) > 3)
            assert record.tries == []

    with_members(3, work)


def test_of_requests_that_are_all_refused_nothing_is_known_and_nobody_waits_for_them() -> None:
    async def work(members: Members, _: Probe) -> None:
        forbidden = True

        async def request(url: str, timeout_s: float) -> bool | None:
            if url == "m0":
                return False
            return None if forbidden else True

        with Probe(request, lambda: members.urls).watching(EVERY_S) as record:
            assert not record.unknown
            assert not await asyncio.wait_for(record.served_after(0.0, 60.0), 10.0)
            assert record.unknown
            forbidden = False
            await until(lambda: any(each.served for each in record.tries))
            assert not record.unknown

    with_members(3, work)
