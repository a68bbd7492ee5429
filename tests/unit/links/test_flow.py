"""One direction of a connection, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from etcd_sandbox.links.flow import EARLY_BYTES, LATE_BYTES, Flow
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
        self.flow.open(self.back, rule or Rule())
        self.back.open(self.flow, rule or Rule())


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
    pipe.flow.slow(Rule(delay_s=2))
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


delays = st.floats(min_value=0, max_value=2)
steps = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.builds(Rule, delay_s=delays, jitter_s=delays),
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
                pipe.flow.slow(step)
            case seconds:
                pipe.clock.advance(seconds)
    pipe.flow.eof_received()
    if not opened:
        pipe.open()
    pipe.flow.slow(Rule())
    assert b"".join(pipe.sink.written) == sent
    assert pipe.sink.written[-1] == b""
    assert pipe.flow.is_over
