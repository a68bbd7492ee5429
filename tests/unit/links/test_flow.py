"""One direction of a connection, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from etcd_sandbox.links.flow import Flow
from etcd_sandbox.links.lane import EARLY_BYTES, LATE_BYTES, Lane
from etcd_sandbox.model.fault import Rule
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.links.sockets import FakeTransport


class Clock:
    """A loop that only knows the time and what is to be called when."""

    def __init__(self) -> None:
        self.now = 100.0
        self._calls: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> Any:
        entry = (when, call)
        self._calls.append(entry)
        calls = self._calls

        class Handle:
            def cancel(self) -> None:
                if entry in calls:
                    calls.remove(entry)

        return Handle()

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while due := sorted((each for each in self._calls if each[0] <= until), key=lambda e: e[0]):
            self._calls.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = until


class Ears:
    """Hears what a connection is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def made(self, flow: Flow) -> None:
        self.heard.append("made")

    def ended(self, flow: Flow) -> None:
        self.heard.append("ended")

    def gave_up(self, flow: Flow) -> None:
        self.heard.append("gave up")

    def lost(self, flow: Flow) -> None:
        self.heard.append("lost")

    def broke(self, flow: Flow) -> None:
        self.heard.append("broke")


class Pipe:
    """A flow from `source` to `sink`, not yet open."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ears = Ears()
        self.source, self.sink = FakeTransport(), FakeTransport()
        loop = cast(asyncio.AbstractEventLoop, self.clock)
        self.flow, self.back = Flow(self.ears, loop), Flow(self.ears, loop)
        self.flow.connection_made(self.source)
        self.back.connection_made(self.sink)

    def open(self, rule: Rule | None = None) -> None:
        self.flow.open(self.back, Lane(rule or Rule()))
        self.back.open(self.flow, Lane(rule or Rule()))


def test_what_came_before_it_was_open_goes_first() -> None:
    pipe = Pipe()
    pipe.flow.data_received(b"early")
    assert pipe.sink.written == []
    pipe.open()
    pipe.flow.data_received(b"then")
    assert pipe.sink.written == [b"early", b"then"]


def test_without_a_delay_the_source_writes_into_the_sink_itself() -> None:
    pipe = Pipe()
    pipe.open()
    assert pipe.flow.data_received == pipe.sink.write
    assert pipe.source.protocol is pipe.flow  # uvloop remembers the method until this is said


def test_little_is_taken_before_it_is_open() -> None:
    pipe = Pipe()
    pipe.flow.data_received(bytes(EARLY_BYTES - 1))
    assert not pipe.source.paused
    pipe.flow.data_received(b"1")
    assert pipe.source.paused
    pipe.open()
    assert not pipe.source.paused


def test_a_late_byte_comes_after_the_delay_and_not_before() -> None:
    pipe = Pipe()
    pipe.open(Rule(delay_s=0.5))
    pipe.flow.data_received(b"x")
    pipe.clock.advance(0.49)
    assert pipe.sink.written == []
    pipe.clock.advance(0.02)
    assert pipe.sink.written == [b"x"]


def test_a_shorter_delay_counts_for_what_is_held_as_well() -> None:
    pipe = Pipe()
    pipe.open(Rule(delay_s=60))
    pipe.flow.data_received(b"x")
    pipe.clock.advance(1)
    pipe.flow.take(Lane(Rule(delay_s=2)))
    pipe.clock.advance(0.9)
    assert pipe.sink.written == []
    pipe.clock.advance(0.2)
    assert pipe.sink.written == [b"x"]


def test_late_bytes_are_bounded_and_the_source_is_read_again_when_they_are_out() -> None:
    pipe = Pipe()
    pipe.open(Rule(delay_s=1))
    for _ in range(4):
        pipe.flow.data_received(bytes(LATE_BYTES // 4))
    assert pipe.source.paused
    pipe.clock.advance(1.1)
    assert not pipe.source.paused


def test_a_sink_that_is_full_pauses_the_source() -> None:
    pipe = Pipe()
    pipe.open()
    pipe.back.pause_writing()
    assert pipe.source.paused
    assert not pipe.sink.paused
    pipe.back.resume_writing()
    assert not pipe.source.paused


def test_the_end_waits_behind_late_bytes_and_comes_once() -> None:
    pipe = Pipe()
    pipe.open(Rule(delay_s=1))
    pipe.flow.data_received(b"x")
    assert pipe.flow.eof_received()
    assert "ended" not in pipe.ears.heard
    pipe.clock.advance(1.1)
    assert pipe.sink.written == [b"x", b""]
    assert pipe.ears.heard.count("ended") == 1


def test_a_source_that_has_ended_is_never_read_again() -> None:
    pipe = Pipe()
    pipe.open()
    pipe.flow.eof_received()
    pipe.back.pause_writing()
    pipe.back.resume_writing()
    assert not pipe.source.paused  # and FakeTransport would object to a resume alone


def test_nothing_is_written_after_a_flow_is_discarded() -> None:
    pipe = Pipe()
    pipe.open(Rule(delay_s=1))
    pipe.flow.data_received(b"x")
    pipe.flow.discard()
    pipe.clock.advance(2)
    assert pipe.sink.written == []


def test_what_is_cut_one_way_waits_for_ever_and_the_end_behind_it() -> None:
    pipe = Pipe()
    pipe.open(Rule(cut=True))
    pipe.flow.data_received(b"x")
    pipe.flow.eof_received()
    pipe.clock.advance(3600)
    assert pipe.sink.written == []
    assert pipe.flow.is_cut
    assert "ended" not in pipe.ears.heard


def test_a_limited_flow_sends_as_much_a_second_and_not_in_one_lump() -> None:
    pipe = Pipe()
    pipe.open(Rule(bytes_per_s=1000.0))
    pipe.flow.data_received(bytes(5000))
    for second in range(1, 5):
        pipe.clock.advance(1)
        assert sum(map(len, pipe.sink.written)) == pytest.approx(1000 * second, abs=150)
    assert max(map(len, pipe.sink.written)) <= 50
    pipe.clock.advance(2)
    assert sum(map(len, pipe.sink.written)) == 5000


def test_two_connections_of_one_lane_share_its_rate_evenly() -> None:
    lane = Lane(Rule(bytes_per_s=1000.0))
    one, other = Pipe(), Pipe()
    other.clock = one.clock
    other.flow = Flow(other.ears, cast(asyncio.AbstractEventLoop, one.clock))
    other.flow.connection_made(other.source)
    for pipe in (one, other):
        pipe.flow.open(pipe.back, lane)
        pipe.flow.data_received(bytes(5000))
    one.clock.advance(4)
    passed = [sum(map(len, pipe.sink.written)) for pipe in (one, other)]
    assert sum(passed) == pytest.approx(4000, abs=150)
    assert passed[0] == pytest.approx(passed[1], abs=200)  # what one made up for at first


def test_the_end_of_a_limit_lets_all_go_at_once() -> None:
    pipe = Pipe()
    pipe.open(Rule(bytes_per_s=10.0))
    pipe.flow.data_received(bytes(500))
    pipe.flow.take(Lane(Rule()))
    assert sum(map(len, pipe.sink.written)) == 500
    assert pipe.flow.data_received == pipe.sink.write


def test_a_stalled_piece_makes_those_behind_it_wait_and_none_is_lost() -> None:
    pipe = Pipe()
    pipe.open(Rule(stall=1.0, seed=1))
    pipe.flow.data_received(b"x")
    pipe.flow.data_received(b"y")
    pipe.clock.advance(0.19)
    assert pipe.sink.written == []
    pipe.clock.advance(60)
    assert pipe.sink.written == [b"x", b"y"]


@pytest.mark.parametrize("early", [True, False])
def test_a_piece_that_breaks_its_connection_is_told_and_not_sent(early: bool) -> None:
    pipe = Pipe()
    if early:
        pipe.flow.data_received(b"x")
    pipe.open(Rule(reset=1.0))
    if not early:
        pipe.flow.data_received(b"x")
    assert pipe.ears.heard[-1] == "broke"
    assert pipe.sink.written == []


delays = st.floats(min_value=0, max_value=2)
steps = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.builds(
        Rule,
        delay_s=delays,
        jitter_s=delays,
        bytes_per_s=st.none() | st.floats(min_value=1, max_value=1e6),
        stall=st.sampled_from([0.0, 0.5]),
    ),
    st.floats(min_value=0, max_value=1),
)


@given(st.lists(steps), st.integers(0, 5))
def test_nothing_is_lost_or_reordered_whatever_becomes_of_the_delay(
    history: list[bytes | Rule | float], opened_after: int
) -> None:
    pipe = Pipe()
    sent, opened = b"", False
    for number, step in enumerate(history):
        if number >= opened_after and not opened:
            pipe.open()
            opened = True
        match step:
            case bytes():
                sent += step
                pipe.flow.data_received(step)
            case Rule():
                pipe.flow.take(Lane(step))
            case seconds:
                pipe.clock.advance(seconds)
    pipe.flow.eof_received()
    if not opened:
        pipe.open()
    pipe.flow.take(Lane(Rule()))
    assert b"".join(pipe.sink.written) == sent
    assert pipe.sink.written[-1] == b""
    assert pipe.flow.is_over
