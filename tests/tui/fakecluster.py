"""A cluster that is only a model: it answers as a supervisor does, at once, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from etcd_sandbox import verbs
from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.control.wire import Frame, LinesFrame, NowFrame
from etcd_sandbox.errors import InputError, NotRunning
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.service import How, Service
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, ProcessStatus, Role
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.verbs import Verb
from msgspec.structs import asdict, replace

from tests.tui.samples import BEGAN_US, bucket, cluster, down, event, member, status, store_of

SERVED_READS = Service(how=How.WENT_ON, gap_s=0.02, wait_s=0.001)
LOST_READS = Service(how=How.FAILED, gap_s=1.14, wait_s=0.001)


@dataclass(frozen=True)
class Asked:
    """One order that came in."""

    verb: Verb
    select: tuple[str, ...]
    delay_s: float


class FakeCluster:
    """The methods of AsyncControlClient over a model. `asked` has each order, `probes` each probe's writes.

    `hold` makes orders wait until it is set; while `away` is set, nothing answers.
    """

    def __init__(self, now: ClusterStatus, *, name: str = "default") -> None:
        self.paths = ClusterPaths(name=name, root=Path("/nowhere"))
        self.now = now
        self.asked: list[Asked] = []
        self.detailed: list[str] = []
        self.probes: list[bool] = []
        self.past: deque[Event] = deque()
        self.buckets = [bucket(tenth / 10) for tenth in range(20)]
        self.lines: list[LinesFrame] = []
        self.followed = 0
        self.away = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.refuse: InputError | None = None
        self._news = asyncio.Condition()

    @property
    def client(self) -> AsyncControlClient:
        """Itself, as what it stands for."""
        return cast(AsyncControlClient, self)

    # What is asked of a client.

    async def status(self) -> dict[str, Any]:
        """The model as it is now."""
        self._be_there()
        return cast(dict[str, Any], msgspec.to_builtins(self.now))

    async def events(
        self, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The past, and then what orders cause."""
        self._be_there()
        if not follow:
            for one in list(self.past)[-(tail or 0) :]:
                yield one.to_wire()
            return
        told = 0
        while True:
            self._be_there()
            past = list(self.past)
            for one in past[told:]:
                yield one.to_wire()
            told = len(past)
            await self._something(partial(self._more_than, told))

    async def availability(self, *, writes: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """The buckets that there are, once."""
        self._be_there()
        self.probes.append(writes)
        if len(self.probes) == 1:
            for one in self.buckets:
                yield asdict(one)
        await self._something(lambda: False)

    async def logs(
        self,
        select: Iterable[str] = (),
        *,
        follow: bool,
        tail: int | None = None,
        since_us: int | None = None,
    ) -> AsyncGenerator[Frame, None]:
        """The lines that there are, or those since then."""
        self._be_there()
        for frame in self.lines:
            if frame.time_us >= (since_us or 0):
                yield frame
        yield NowFrame()
        await self._something(lambda: False)

    async def detail(self, process: str) -> dict[str, Any]:
        """How a process was executed; no member is asked for more."""
        self._be_there()
        self.detailed.append(process)
        return {
            "process": process,
            "state": "running",
            "argv": ["etcd", "--name", process],
            "cwd": "/",
            "env": {},
            "env_drop": [],
            "exit": None,
        }

    async def act(
        self, verb: Verb, select: Iterable[str] = (), *, delay_s: float = 0.0
    ) -> dict[str, Any]:
        """Do it to the model, tell of it, and judge it."""
        self._be_there()
        asked = Asked(verb, tuple(select), delay_s)
        self.asked.append(asked)
        await self.hold.wait()
        if self.refuse is not None:
            raise self.refuse
        return cast(dict[str, Any], msgspec.to_builtins(await self._done(asked)))

    # What a test does to it.

    async def go(self) -> None:
        """The supervisor goes away; streams end with an error."""
        self.away.set()
        async with self._news:
            self._news.notify_all()

    def come_back(self) -> None:
        """It answers again."""
        self.away.clear()

    # The model.

    def _be_there(self) -> None:
        if self.away.is_set():
            raise NotRunning("cluster 'default' is not running")

    def _more_than(self, told: int) -> bool:
        return len(self.past) > told

    async def _something(self, there_is: Callable[[], bool]) -> None:
        self.followed += 1
        try:
            async with self._news:
                await self._news.wait_for(lambda: self.away.is_set() or there_is())
        finally:
            self.followed -= 1
        self._be_there()

    async def _happen(self, kind: Kind, who: str | None, **fields: object) -> None:
        seconds = 70.0 + len(self.past)
        async with self._news:
            self.past.append(event(seconds, kind, who, **fields))
            self._news.notify_all()

    async def _done(self, asked: Asked) -> Verdict:
        before = self.now
        names = self._names(asked)
        changed = [
            self._changed(one, asked.verb) if one.process in names else one
            for one in before.members
        ]
        others = [
            self._beside(one, asked.verb) if one.name in names else one for one in before.processes
        ]
        faults = before.faults
        if asked.verb in (verbs.PARTITION, verbs.SLOW):
            versus = [one.name for one in before.members if one.process not in names]
            sides = {"members": sorted(names), "versus": versus}
            delay = {"delay_s": asked.delay_s} if asked.verb is verbs.SLOW else {}
            faults = (*faults, {"kind": asked.verb.name, **sides, **delay})
            await self._happen(Kind.FAULT_APPLIED, None, fault=asked.verb.name, **sides, **delay)
        elif asked.verb is verbs.HEAL:
            faults = ()
            changed = [self._changed(one, verbs.RESUME) for one in changed]
            await self._happen(Kind.FAULT_HEALED, None)
        elif asked.verb is verbs.KILL:
            for name in sorted(names):
                await self._happen(
                    Kind.PROCESS_EXITED, name, process=name, signal="SIGKILL", code=None
                )
        chosen = next(iter(names)) if asked.verb is verbs.MOVE_LEADER else before.leader
        self.now = _elected(changed, chosen, faults, tuple(others))
        if self.now.leader is not None and self.now.leader != before.leader:
            await self._happen(Kind.LEADER_ELECTED, self.now.leader, term=self.now.term)
        return _verdict(asked, sorted(names), before, self.now)

    def _names(self, asked: Asked) -> set[str]:
        everyone = {one.process for one in self.now.members} | {
            one.name for one in self.now.processes
        }
        return everyone if "all" in asked.select else set(asked.select)

    def _changed(self, one: MemberStatus, verb: Verb) -> MemberStatus:
        number = int(one.name.removeprefix("infra"))
        match verb:
            case verbs.KILL | verbs.STOP:
                return replace(down(number), name=one.name, process=one.process)
            case verbs.PAUSE:
                return replace(one, state=ProcessState.PAUSED, role=None, healthy=False, term=None)
            case verbs.START | verbs.RESTART | verbs.RESUME:
                fresh = member(number, leader=None)
                return one if one.role is not None else fresh
        return one

    def _beside(self, one: ProcessStatus, verb: Verb) -> ProcessStatus:
        if verb in (verbs.KILL, verbs.STOP):
            return replace(one, state=ProcessState.STOPPED, pid=None)
        return replace(one, state=ProcessState.RUNNING)


def _elected(
    members: list[MemberStatus],
    chosen: str | None,
    faults: tuple[dict[str, object], ...],
    processes: tuple[ProcessStatus, ...],
) -> ClusterStatus:
    """Who answers follows the chosen one, or the first that answers, where there is a quorum."""
    answering = [one.name for one in members if one.role is not None]
    highest = max((one.term or 0 for one in members), default=0)
    quorum = len(answering) > len(members) // 2
    leader = (chosen if chosen in answering else answering[0]) if quorum else None
    led_before = any(one.name == leader and one.role is Role.LEADER for one in members)
    term = highest if led_before else max(highest, 2) + 1
    told = [
        one
        if one.role is None
        else replace(
            one,
            role=Role.CANDIDATE
            if leader is None
            else Role.LEADER
            if one.name == leader
            else Role.FOLLOWER,
            healthy=leader is not None,
            term=term,
            follows=leader,
        )
        for one in members
    ]
    return status(*told, faults=faults, processes=processes)


def _verdict(
    asked: Asked, names: list[str], before: ClusterStatus, after: ClusterStatus
) -> Verdict:
    lost = after.leader != before.leader
    up = sum(one.state is ProcessState.RUNNING for one in after.members)
    return Verdict(
        verb=asked.verb.name,
        targets=tuple(names) if asked.verb is not verbs.HEAL else (),
        leader_before=before.leader,
        leader_after=after.leader,
        term_before=before.term,
        term_after=after.term,
        leader_gap_s=1.12 if lost else 0.0,
        read_gap_s=None if after.leader is None else 1.14 if lost else 0.02,
        reads=None if after.leader is None else LOST_READS if lost else SERVED_READS,
        quorum=after.quorum,
        up=up,
        reach=up,
    )


def sample(size: int = 3, condition: str = "healthy") -> FakeCluster:
    """A cluster of the samples with the minute of history that `store_of` has, and its log lines."""
    fake = FakeCluster(cluster(size, condition))
    told = store_of(size, condition)
    fake.past.extend(one.event for one in told.events)
    fake.buckets = list(told.buckets)
    fake.lines = log_lines(size)
    return fake


_SAID: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("info", "starting an etcd server", {"etcd-version": "3.5.1", "go-version": "go1.16.3"}),
    ("info", "serving client traffic", {"address": "127.0.0.1:12379"}),
    ("info", "published local member to cluster through raft", {"cluster-id": "ef37ad9dc622a7c4"}),
    ("info", "raft.node: elected leader 8211f1d0f64f3269 at term 2", {}),
    (
        "warn",
        "lost TCP streaming connection with remote peer",
        {"remote-peer-id": "91bc3c398fb3c146"},
    ),
    ("warn", "apply request took too long", {"took": "143.2ms", "expected-duration": "100ms"}),
    ("info", "trigger snapshot", {"local-member-applied-index": 10001}),
    ("error", "failed to flock exclusively: resource temporarily unavailable", {}),
)


def log_lines(size: int) -> list[LinesFrame]:
    """A few lines of each member, as etcd writes them, in an order that mixes the members."""
    frames = []
    for at in range(24 * size):
        level, message, fields = _SAID[at % len(_SAID)]
        clock = f"2026-03-14T09:{at // 60:02}:{at % 60:02}.{at * 37 % 1000:03}Z"
        line = json.dumps(
            {
                "level": level,
                "ts": clock,
                "caller": "etcdserver/server.go:843",
                "msg": message,
                **fields,
            }
        )
        who = f"infra{at % size + 1}"
        frames.append(LinesFrame(at + 1, BEGAN_US + at * 1_000_000, who, line.encode() + b"\n"))
    return frames
