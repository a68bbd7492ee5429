"""The life of one process as a pure function: (life, input, now) → (life, actions).

States are those of `ProcessState`. All rules about restarts, back-off and the ladder from
SIGTERM to SIGKILL are here; nothing here touches a process or a clock.
"""

from __future__ import annotations

import signal

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.model.spec import ProcessSpec, Restart, Stdin
from etcd_sandbox.model.state import ProcessState

BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 30.0
BACKOFF_RESETS_AFTER_S = 10.0

AT_ONCE_S = 2.0
"""A process that ends so soon, and well, may not have found what it reads from."""


class Life(Struct, frozen=True, kw_only=True):
    """What is known of one process.

    `code` is the last wait code (negative: the signal's number). `forgiven` says that the
    present end was wished for, so no restart policy applies. Times are monotonic seconds.
    """

    restart: Restart = Restart.NEVER
    ready_at_start: bool = True
    state: ProcessState = ProcessState.STOPPED
    pid: int | None = None
    started_at: float | None = None
    starts: int = 0
    code: int | None = None
    error: str | None = None
    backoff_s: float = BACKOFF_FIRST_S
    ready: bool = False
    main_ended: bool = False
    forgiven: bool = False
    removed: bool = False

    @property
    def restarts(self) -> int:
        """How often it was started again after its first start."""
        return max(0, self.starts - 1)


# Inputs: what somebody wants, or what has happened.


class Start(Struct, frozen=True):
    """Somebody wants it to run."""


class Started(Struct, frozen=True):
    """It was executed."""

    pid: int


class StartFailed(Struct, frozen=True):
    """It could not be executed."""

    error: str


class Ready(Struct, frozen=True):
    """It does what it is for."""


class Stop(Struct, frozen=True):
    """Somebody wants it to end in order: SIGTERM, then SIGKILL after the time."""

    timeout_s: float


class Crash(Struct, frozen=True):
    """Somebody wants to see it hit by a signal."""

    number: int


class Pause(Struct, frozen=True):
    """Somebody wants it to hang."""


class Resume(Struct, frozen=True):
    """Somebody wants it to go on after a pause."""


class Removed(Struct, frozen=True):
    """It was told that it is no longer wanted for good; its next end is no crash."""


class MainEnded(Struct, frozen=True):
    """The process itself has ended; others of its group may live."""

    code: int


class GroupGone(Struct, frozen=True):
    """The process and everything in its group have ended."""


class PatienceEnded(Struct, frozen=True):
    """The time after SIGTERM is over."""


class BackoffEnded(Struct, frozen=True):
    """The pause before a restart is over."""


Input = (
    Start
    | Started
    | StartFailed
    | Ready
    | Stop
    | Crash
    | Pause
    | Resume
    | Removed
    | MainEnded
    | GroupGone
    | PatienceEnded
    | BackoffEnded
)

# Actions: what is to be done about it.


class Execute(Struct, frozen=True):
    """Execute it; answer with Started or StartFailed."""


class Signal(Struct, frozen=True):
    """Signal the whole process group."""

    number: int


class WaitPatiently(Struct, frozen=True):
    """Answer with PatienceEnded after so many seconds; None ends the wait."""

    seconds: float | None


class WaitBackoff(Struct, frozen=True):
    """Answer with BackoffEnded after so many seconds; None ends the wait."""

    seconds: float | None


class Tell(Struct, frozen=True):
    """Publish an event: started, ready, exited, removed, restarting, paused or resumed."""

    what: str


Action = Execute | Signal | WaitPatiently | WaitBackoff | Tell
Step = tuple[Life, tuple[Action, ...]]

_REST = (
    ProcessState.STOPPED,
    ProcessState.EXITED,
    ProcessState.FAILED,
    ProcessState.BACKOFF,
    ProcessState.REMOVED,
)
_UP = (ProcessState.STARTING, ProcessState.RUNNING, ProcessState.PAUSED)


def step(life: Life, event: Input, now: float) -> Step:
    """The life after `event`, and what is to be done. Inputs that do not apply change nothing."""
    match event:
        case Start() if life.state in _REST:
            fresh = replace(life, backoff_s=BACKOFF_FIRST_S, removed=False)
            return _execute(fresh, (WaitBackoff(None),))
        case BackoffEnded() if life.state is ProcessState.BACKOFF:
            return _execute(life)
        case Started(pid):
            return _started(life, pid, now)
        case StartFailed(error):
            failed = replace(life, state=ProcessState.FAILED, error=error, code=None)
            return failed, (Tell("exited"),)
        case Ready() if life.state is ProcessState.STARTING:
            return replace(life, state=ProcessState.RUNNING, ready=True), (Tell("ready"),)
        case Stop(timeout_s):
            return _stop(life, timeout_s)
        case Crash(number) if life.pid is not None:
            return life, (Signal(number),)
        case Pause() if life.state in (ProcessState.STARTING, ProcessState.RUNNING):
            paused = replace(life, state=ProcessState.PAUSED)
            return paused, (Signal(signal.SIGSTOP), Tell("paused"))
        case Resume() if life.state is ProcessState.PAUSED:
            before = ProcessState.RUNNING if life.ready else ProcessState.STARTING
            resumed = replace(life, state=before)
            return resumed, (Signal(signal.SIGCONT), Tell("resumed"))
        case Removed() if not life.removed:
            if life.state in _REST:
                gone = replace(life, removed=True, state=ProcessState.REMOVED)
                return gone, (WaitBackoff(None), Tell("removed"))
            return replace(life, removed=True), (Tell("removed"),)
        case PatienceEnded() if life.state is ProcessState.STOPPING:
            return life, (Signal(signal.SIGKILL),)
        case MainEnded(code) if life.pid is not None:
            return _main_ended(life, code, now)
        case GroupGone() if life.pid is not None and life.main_ended:
            return _come_to_rest(replace(life, pid=None))
        case _:
            return life, ()


def _execute(life: Life, before: tuple[Action, ...] = ()) -> Step:
    begun = replace(
        life,
        state=ProcessState.STARTING,
        forgiven=False,
        ready=False,
        main_ended=False,
        error=None,
        starts=life.starts + 1,
    )
    return begun, (*before, Execute())


def _started(life: Life, pid: int, now: float) -> Step:
    running = replace(life, pid=pid, started_at=now, code=None)
    if life.state is ProcessState.STOPPING:
        # Somebody wanted it to stop while it was being executed.
        return running, (Tell("started"), Signal(signal.SIGTERM))
    if life.ready_at_start:
        running = replace(running, state=ProcessState.RUNNING, ready=True)
        return running, (Tell("started"), Tell("ready"))
    return running, (Tell("started"),)


def _stop(life: Life, timeout_s: float) -> Step:
    if life.state is ProcessState.BACKOFF:
        return replace(life, state=ProcessState.STOPPED, forgiven=True), (WaitBackoff(None),)
    if life.state in _UP:
        stopping = replace(life, state=ProcessState.STOPPING, forgiven=True)
        if life.pid is None:
            return stopping, (WaitPatiently(timeout_s),)
        # A paused process sees SIGTERM only once it goes on.
        wake = (Signal(signal.SIGCONT),) if life.state is ProcessState.PAUSED else ()
        return stopping, (Signal(signal.SIGTERM), *wake, WaitPatiently(timeout_s))
    if life.state is ProcessState.STOPPING and not life.forgiven:
        # Its main process ended by itself and the rest of its group is being cleared.
        return replace(life, forgiven=True), (WaitPatiently(timeout_s),)
    return life, ()


def _main_ended(life: Life, code: int, now: float) -> Step:
    up_s = now - (life.started_at if life.started_at is not None else now)
    backoff_s = BACKOFF_FIRST_S if up_s >= BACKOFF_RESETS_AFTER_S else life.backoff_s
    ended = replace(life, main_ended=True, code=code, backoff_s=backoff_s)
    if life.state is ProcessState.STOPPING:
        return ended, (Tell("exited"),)
    # What is left of its group holds ports and pipes: it goes the same way as in a stop.
    clearing = replace(ended, state=ProcessState.STOPPING)
    return clearing, (Tell("exited"), Signal(signal.SIGTERM), WaitPatiently(2.0))


def _come_to_rest(life: Life) -> Step:
    quiet: tuple[Action, ...] = (WaitPatiently(None),)
    if life.removed:
        return replace(life, state=ProcessState.REMOVED), quiet
    if life.forgiven:
        return replace(life, state=ProcessState.STOPPED), quiet
    wants_restart = life.restart is Restart.ALWAYS or (
        life.restart is Restart.ON_FAILURE and life.code != 0
    )
    if not wants_restart:
        return replace(life, state=ProcessState.EXITED), quiet
    waiting = replace(
        life,
        state=ProcessState.BACKOFF,
        backoff_s=min(life.backoff_s * 2, BACKOFF_LAST_S),
    )
    return waiting, (*quiet, WaitBackoff(life.backoff_s), Tell("restarting"))


def new_life(spec: ProcessSpec) -> Life:
    """The life of a process that was never started."""
    return Life(restart=spec.restart, ready_at_start=spec.member is None)


def note_of_end(spec: ProcessSpec, code: int, uptime_s: float | None) -> str | None:
    """What a reader may want to know of the end of a process that nobody stopped."""
    at_once = uptime_s is not None and uptime_s < AT_ONCE_S
    alone = spec.is_beside
    if code == 0 and at_once and alone and spec.stdin is Stdin.NULL:
        return "an empty stdin may be why: see up --stdin"
    return None
