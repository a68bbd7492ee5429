"""Histories of one process as tables: what comes in, which state and which actions come out."""

from __future__ import annotations

import signal

import pytest
from etcd_sandbox.model.spec import Restart
from etcd_sandbox.model.state import ProcessState as S
from etcd_sandbox.supervise.lifecycle import (
    BACKOFF_LAST_S,
    Action,
    BackoffEnded,
    Crash,
    Execute,
    GroupGone,
    Input,
    Life,
    MainEnded,
    PatienceEnded,
    Pause,
    Ready,
    Removed,
    Resume,
    Signal,
    Start,
    Started,
    StartFailed,
    Stop,
    Tell,
    WaitBackoff,
    WaitPatiently,
    step,
)

TERM, KILL = Signal(signal.SIGTERM), Signal(signal.SIGKILL)
CONT, FREEZE = Signal(signal.SIGCONT), Signal(signal.SIGSTOP)

History = list[tuple[Input, S, tuple[Action, ...]]]


def play(life: Life, history: History, *, gap_s: float = 1.0) -> Life:
    """Feed a history, one input every `gap_s`, and check each step."""
    now = 100.0
    for number, (event, state, actions) in enumerate(history):
        life, done = step(life, event, now)
        assert (number, life.state, done) == (number, state, actions)
        now += gap_s
    return life


RUNNING: History = [
    (Start(), S.STARTING, (WaitBackoff(None), Execute())),
    (Started(7), S.RUNNING, (Tell("started"), Tell("ready"))),
]

HISTORIES: dict[str, tuple[Life, History]] = {
    "a process that is stopped gets SIGTERM and time": (
        Life(),
        [
            *RUNNING,
            (Stop(10.0), S.STOPPING, (TERM, WaitPatiently(10.0))),
            (MainEnded(-15), S.STOPPING, (Tell("exited"),)),
            (GroupGone(), S.STOPPED, (WaitPatiently(None),)),
        ],
    ),
    "a stubborn one gets SIGKILL when the time is over": (
        Life(),
        [
            *RUNNING,
            (Stop(10.0), S.STOPPING, (TERM, WaitPatiently(10.0))),
            (PatienceEnded(), S.STOPPING, (KILL,)),
            (MainEnded(-9), S.STOPPING, (Tell("exited"),)),
            (GroupGone(), S.STOPPED, (WaitPatiently(None),)),
        ],
    ),
    "one whose grandchild lives on is not stopped before that is gone": (
        Life(),
        [
            *RUNNING,
            (Stop(10.0), S.STOPPING, (TERM, WaitPatiently(10.0))),
            (MainEnded(0), S.STOPPING, (Tell("exited"),)),
            (PatienceEnded(), S.STOPPING, (KILL,)),
            (GroupGone(), S.STOPPED, (WaitPatiently(None),)),
        ],
    ),
    "a crash without a policy leaves it exited, its group cleared": (
        Life(),
        [
            *RUNNING,
            (MainEnded(-9), S.STOPPING, (Tell("exited"), TERM, WaitPatiently(2.0))),
            (GroupGone(), S.EXITED, (WaitPatiently(None),)),
        ],
    ),
    "a member is ready only when somebody says so": (
        Life(ready_at_start=False),
        [
            (Start(), S.STARTING, (WaitBackoff(None), Execute())),
            (Started(7), S.STARTING, (Tell("started"),)),
            (Ready(), S.RUNNING, (Tell("ready"),)),
            (Ready(), S.RUNNING, ()),
        ],
    ),
    "a pause during the start goes back to starting": (
        Life(ready_at_start=False),
        [
            (Start(), S.STARTING, (WaitBackoff(None), Execute())),
            (Started(7), S.STARTING, (Tell("started"),)),
            (Pause(), S.PAUSED, (FREEZE, Tell("paused"))),
            (Resume(), S.STARTING, (CONT, Tell("resumed"))),
        ],
    ),
    "a paused process is woken so that it can end in order": (
        Life(),
        [
            *RUNNING,
            (Pause(), S.PAUSED, (FREEZE, Tell("paused"))),
            (Stop(3.0), S.STOPPING, (TERM, CONT, WaitPatiently(3.0))),
        ],
    ),
    "a second start and a resume of what runs change nothing": (
        Life(),
        [*RUNNING, (Start(), S.RUNNING, ()), (Resume(), S.RUNNING, ())],
    ),
    "on-failure restarts a failure": (
        Life(restart=Restart.ON_FAILURE),
        [
            *RUNNING,
            (MainEnded(1), S.STOPPING, (Tell("exited"), TERM, WaitPatiently(2.0))),
            (
                GroupGone(),
                S.BACKOFF,
                (WaitPatiently(None), WaitBackoff(0.1), Tell("restarting")),
            ),
            (BackoffEnded(), S.STARTING, (Execute(),)),
        ],
    ),
    "on-failure leaves a success alone": (
        Life(restart=Restart.ON_FAILURE),
        [
            *RUNNING,
            (MainEnded(0), S.STOPPING, (Tell("exited"), TERM, WaitPatiently(2.0))),
            (GroupGone(), S.EXITED, (WaitPatiently(None),)),
        ],
    ),
    "a manual stop beats the policy, also in the back-off": (
        Life(restart=Restart.ALWAYS),
        [
            *RUNNING,
            (MainEnded(0), S.STOPPING, (Tell("exited"), TERM, WaitPatiently(2.0))),
            (
                GroupGone(),
                S.BACKOFF,
                (WaitPatiently(None), WaitBackoff(0.1), Tell("restarting")),
            ),
            (Stop(10.0), S.STOPPED, (WaitBackoff(None),)),
            (BackoffEnded(), S.STOPPED, ()),
        ],
    ),
    "a manual stop beats the policy, also while the group of a crash is cleared": (
        Life(restart=Restart.ALWAYS),
        [
            *RUNNING,
            (MainEnded(1), S.STOPPING, (Tell("exited"), TERM, WaitPatiently(2.0))),
            (Stop(10.0), S.STOPPING, (WaitPatiently(10.0),)),
            (GroupGone(), S.STOPPED, (WaitPatiently(None),)),
        ],
    ),
    "a stop during the execution is carried out after it": (
        Life(),
        [
            (Start(), S.STARTING, (WaitBackoff(None), Execute())),
            (Stop(10.0), S.STOPPING, (WaitPatiently(10.0),)),
            (Started(7), S.STOPPING, (Tell("started"), TERM)),
        ],
    ),
    "what cannot be executed has failed, and can be tried again": (
        Life(restart=Restart.ALWAYS),
        [
            (Start(), S.STARTING, (WaitBackoff(None), Execute())),
            (StartFailed("no such file"), S.FAILED, (Tell("exited"),)),
            (Start(), S.STARTING, (WaitBackoff(None), Execute())),
        ],
    ),
    "a removed member that ends is removed, whatever the policy": (
        Life(restart=Restart.ALWAYS),
        [
            *RUNNING,
            (Removed(), S.RUNNING, (Tell("removed"),)),
            (Removed(), S.RUNNING, ()),
            (MainEnded(0), S.STOPPING, (Tell("exited"), TERM, WaitPatiently(2.0))),
            (GroupGone(), S.REMOVED, (WaitPatiently(None),)),
        ],
    ),
    "a member that rests and is removed is so at once, and can be started as a new one": (
        Life(state=S.BACKOFF, restart=Restart.ALWAYS),
        [
            (Removed(), S.REMOVED, (WaitBackoff(None), Tell("removed"))),
            (Start(), S.STARTING, (WaitBackoff(None), Execute())),
        ],
    ),
    "a signal to what does not run is nothing": (
        Life(),
        [(Crash(9), S.STOPPED, ()), (Pause(), S.STOPPED, ()), (MainEnded(0), S.STOPPED, ())],
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_history(name: str) -> None:
    life, history = HISTORIES[name]
    play(life, history)


def crash(life: Life, now: float, up_s: float) -> tuple[Life, float]:
    """One crash `up_s` after the start; the life after it, and the back-off it chose."""
    life, _ = step(life, Started(7), now)
    life, _ = step(life, MainEnded(1), now + up_s)
    life, actions = step(life, GroupGone(), now + up_s)
    pause = next(action.seconds for action in actions if isinstance(action, WaitBackoff))
    assert pause is not None
    return step(life, BackoffEnded(), now + up_s + pause)[0], pause


def test_the_back_off_doubles_to_its_limit_and_counts_restarts() -> None:
    life, _ = step(Life(restart=Restart.ALWAYS), Start(), 0.0)
    pauses = []
    for _ in range(12):
        life, pause = crash(life, 0.0, 1.0)
        pauses.append(pause)
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == BACKOFF_LAST_S
    assert life.restarts == 12


def test_the_back_off_begins_anew_after_ten_seconds_up() -> None:
    life, _ = step(Life(restart=Restart.ALWAYS), Start(), 0.0)
    for _ in range(4):
        life, _ = crash(life, 0.0, 1.0)
    life, pause = crash(life, 0.0, 10.0)
    assert pause == 0.1


def test_a_manual_start_ends_the_back_off_and_begins_it_anew() -> None:
    life, _ = step(Life(restart=Restart.ALWAYS), Start(), 0.0)
    for _ in range(4):
        life, _ = crash(life, 0.0, 1.0)
    life, _ = step(life, Started(7), 0.0)
    life, _ = step(life, MainEnded(1), 1.0)
    life, _ = step(life, GroupGone(), 1.0)
    assert life.state is S.BACKOFF
    life, actions = step(life, Start(), 1.1)
    assert actions == (WaitBackoff(None), Execute())
    assert life.backoff_s == 0.1
