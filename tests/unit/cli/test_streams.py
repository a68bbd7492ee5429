from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from etcd_sandbox.cli import output
from etcd_sandbox.cli.streams import EventStream, LogStream, Merger, Speaker
from etcd_sandbox.cli.waiting import ENDING, EndSignals, Interrupted, interruptible
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.control.wire import lines_header

from tests.unit.conftest import FakeSupervisor

STALLED_S = 1.0
Begin = Callable[..., FakeSupervisor]


def test_nobody_waits_for_a_reader_that_is_stuck() -> None:
    stuck = threading.Event()
    written: list[bytes] = []

    def write(piece: bytes) -> None:
        stuck.wait(10.0)
        written.append(piece)

    speaker = Speaker(write)
    speaker.say(b"one")
    speaker.say(b"two")
    before = time.monotonic()
    speaker.drain(0.05)
    assert time.monotonic() - before < 5.0
    assert written == []
    stuck.set()
    speaker.drain(10.0)
    assert written == [b"one", b"two"]


def test_a_reader_that_is_gone_is_not_written_to_again() -> None:
    tries: list[bytes] = []

    def write(piece: bytes) -> None:
        tries.append(piece)
        raise BrokenPipeError

    speaker = Speaker(write)
    speaker.say(b"one")
    speaker.say(b"two")
    speaker.drain(10.0)
    assert tries == [b"one"]


def test_only_notable_events_are_told_and_the_last_one_tells_the_exit_code(
    supervisor: Begin,
) -> None:
    ts = "2026-01-31T12:00:00.000000Z"
    fake = supervisor(
        events=(
            f'{{"seq":1,"ts":"{ts}","kind":"process.started","member":"a","pid":1}}\n'
            f'{{"seq":2,"ts":"{ts}","kind":"cluster.ready","member":null,"after_s":0.41}}\n'
            f'{{"seq":3,"ts":"{ts}","kind":"cluster.stopped","member":null,"exit_code":7}}\n'
        ).encode()
    )
    told: list[bytes] = []
    speaker = Speaker(told.append)
    stream = EventStream(
        ControlClient(fake.paths), ["a"], ["http://127.0.0.1:1"], speaker, colour=False
    )
    stream.run()
    speaker.drain(10.0)
    assert stream.ended == 7
    assert [piece.split(b"| ")[1] for piece in told] == [
        b"cluster ready in 0.41 s: ETCDCTL_ENDPOINTS=http://127.0.0.1:1\n",
        b"cluster stopped\n",
    ]


def test_where_nobody_reads_stdout_it_is_said_and_the_stream_ends(supervisor: Begin) -> None:
    fake = supervisor(logs=lines_header(1, 1, 2, "web") + b"a\n")
    said: list[str] = []
    read, write = os.pipe()
    os.close(read)
    kept = os.dup(1)
    os.dup2(write, 1)
    os.close(write)
    try:
        stream = LogStream(ControlClient(fake.paths), Merger(["web"], colour=False), 1, said.append)
        stream.start()
        stream.join(10.0)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert said == ["nobody reads the output any more; the cluster goes on"]


@pytest.mark.parametrize("taken", [True, False])
def test_the_end_of_the_lines_is_waited_for_while_their_reader_takes_them(
    supervisor: Begin, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """The reader takes each line after a while; or none, and its time counts from when it was offered one."""
    fake = supervisor(logs=b"".join(lines_header(seq, 1, 2, "web") + b"a\n" for seq in range(4)))
    offered, go_on, written = threading.Event(), threading.Event(), []

    def write(piece: bytes) -> None:
        offered.set()
        if not taken:
            go_on.wait(10.0)
        time.sleep(0.3)
        written.append(piece)

    monkeypatch.setattr(output, "raw", write)
    stream = LogStream(ControlClient(fake.paths), Merger(["web"], colour=False), 1, lambda _: None)
    stream.start()
    assert offered.wait(10.0)
    if not taken:
        time.sleep(STALLED_S)
    before = time.monotonic()
    try:
        assert stream.finish(STALLED_S) is taken
        assert taken or time.monotonic() - before < 0.9 * STALLED_S
    finally:
        go_on.set()
        stream.join(10.0)
    assert len(written) == 4


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts every handler back as it was."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_an_ending_signal_is_raised_where_work_must_tidy_up(
    handlers: None, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, interruptible():
        signal.raise_signal(number)
    assert caught.value.number == number
    assert signal.getsignal(number) == before


def test_ending_signals_are_counted_and_only_a_second_one_breaks_into_a_start(
    handlers: None,
) -> None:
    signals = EndSignals()
    signals.install()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGTERM)
    assert signals.taken() == 2
    signals.raising = False
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGHUP)
    assert signals.taken() == 2
    assert signals.taken() == 0


def test_a_hangup_that_is_ignored_on_purpose_stays_ignored(handlers: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptible():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
