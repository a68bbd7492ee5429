"""The observer: a thread of its own that reads, writes, asks and looks, and notes when it saw what.

It knows of the product the directory of the cluster and the client URLs of the first members. All else it
finds out: whom to ask from etcd's member list, processes from the process table, leadership from the
log files.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.witness.etcdclient import Endpoint, Unanswered
from tests.witness.logreading import LogFile
from tests.witness.observed import (
    Answer,
    Attempt,
    Entry,
    MemberList,
    Outcome,
    Pulse,
    Sample,
    Seen,
    Watch,
)
from tests.witness.processtable import ProcessTable

PREFIX = "d2l0bmVzcy8="
"""The witness's own keys: `witness/`, in base64."""

READ_EVERY_S = 0.025
WRITE_EVERY_S = 0.1
ANSWER_EVERY_S = 0.05
LIST_EVERY_S = 0.2
LOOK_EVERY_S = 0.08
"""How often each member is asked in a cluster of up to five; larger ones are asked as much in all."""

REQUEST_TIMEOUT_S = 10.0
"""Longer than etcd's own limit of seven: who gives a read up earlier never sees how long one takes."""

ANSWER_TIMEOUT_S = 0.5
MOST_UNDER_WAY = 8
_UNHURRIED = 5


class Observer:
    """Watches one cluster for the time of a with-block."""

    def __init__(self, root: Path, endpoints: Mapping[str, str]) -> None:
        self.watch = Watch(began=time.time())
        self._root = root
        self._endpoints = {name: Endpoint(url) for name, url in endpoints.items()}
        self._table = ProcessTable(root)
        self._logs: dict[str, LogFile] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looked: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="witness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        for name in list(self._endpoints):
            self._attend(name)
        for step, every_s in (
            (self._look, LOOK_EVERY_S),
            (self._read_logs, LOOK_EVERY_S),
            (self._list, LIST_EVERY_S),
        ):
            self._spawn(self._each(every_s, step))
        self._spawn(self._note_lateness())
        await asyncio.to_thread(self._over.wait)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for endpoint in self._endpoints.values():
            endpoint.close()

    def _attend(self, name: str) -> None:
        """Read from, write to and ask this member from now on."""
        for ask, every_s, most in (
            (self._read, READ_EVERY_S, MOST_UNDER_WAY),
            (self._write, WRITE_EVERY_S, MOST_UNDER_WAY),
            (self._ask, ANSWER_EVERY_S, 2),
        ):
            self._spawn(self._keep(name, ask, every_s, most))

    def _spawn(self, doing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(
        self, name: str, ask: Callable[[str], Awaitable[None]], every_s: float, most: int
    ) -> None:
        """Ask again and again, without waiting for what is under way unless that is too much."""
        under_way: set[asyncio.Task[None]] = set()
        while name in self._endpoints:
            if len(under_way) < most:
                task = asyncio.ensure_future(ask(name))
                under_way.add(task)
                self._tasks.add(task)
                task.add_done_callback(under_way.discard)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(every_s * max(1.0, len(self._endpoints) / _UNHURRIED))

    async def _each(self, every_s: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await step()
            await asyncio.sleep(every_s)

    async def _note_lateness(self) -> None:
        while True:
            due = time.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            now = time.time()
            self.watch.late.append((now, max(0.0, now - due)))

    # What a client sees.

    async def _read(self, name: str) -> None:
        body = {"key": PREFIX, "count_only": True}
        await self._attempt(name, "/v3/kv/range", body, self.watch.reads)

    async def _write(self, name: str) -> None:
        body: dict[str, object] = {"key": PREFIX, "value": PREFIX}
        await self._attempt(name, "/v3/kv/put", body, self.watch.writes)

    async def _attempt(
        self, name: str, path: str, body: dict[str, object], into: list[Attempt]
    ) -> None:
        sent = time.time()
        try:
            reply = await self._endpoints[name].ask(path, body, REQUEST_TIMEOUT_S)
        except Unanswered as error:
            into.append(Attempt(name, sent, time.time(), Outcome.FAILED, str(error)))
            return
        except asyncio.CancelledError:
            into.append(Attempt(name, sent, time.time(), Outcome.FAILED, "the witness went"))
            raise
        quorum = into is self.watch.reads and reply.wants_user
        outcome = Outcome.SERVED if not reply.error or quorum else Outcome.REFUSED
        into.append(Attempt(name, sent, time.time(), outcome, reply.error))

    async def _ask(self, name: str) -> None:
        sent, answer = time.time(), None
        try:
            reply = await self._endpoints[name].ask("/v3/maintenance/status", {}, ANSWER_TIMEOUT_S)
            answer = Answer(refused=True) if reply.error else answer_in(reply.body)
        except Unanswered:
            pass
        self.watch.answers.setdefault(name, []).append(Sample(sent, time.time(), answer))

    async def _list(self) -> None:
        """The member list through whoever gives it under a quorum; the same without one, else."""
        for linearizable in (True, False):
            for name in list(self._endpoints):
                if not self._is_up(name):
                    continue
                sent = time.time()
                try:
                    reply = await self._endpoints[name].ask(
                        "/v3/cluster/member/list", {"linearizable": linearizable}, ANSWER_TIMEOUT_S
                    )
                except Unanswered:
                    continue
                if not reply.error:
                    listed = list_in(reply.body)
                    self.watch.lists.append(Sample(sent, time.time(), listed))
                    self._follow(listed)
                    return

    def _is_up(self, name: str) -> bool:
        pulses = self.watch.pulses.get(name)
        return not pulses or pulses[-1].value.pulse is Pulse.ALIVE

    def _follow(self, listed: MemberList) -> None:
        """Whoever came is watched, too; who went is asked no more."""
        for entry in listed:
            self.watch.names[entry.id] = entry.name
            if entry.name and entry.client_urls and entry.name not in self._endpoints:
                self._endpoints[entry.name] = Endpoint(entry.client_urls[0])
                self._attend(entry.name)
        for name in list(self._endpoints):
            if (
                listed
                and name not in {entry.name for entry in listed}
                and not self._has_process(name)
            ):
                self._endpoints.pop(name).close()

    def _has_process(self, name: str) -> bool:
        pulses = self.watch.pulses.get(name)
        return not pulses or pulses[-1].value.pulse is not Pulse.ENDED

    # What the machine shows.

    async def _look(self) -> None:
        sent = time.time()
        found = self._table.look()
        received = time.time()
        for name in {*self.watch.pulses, *found}:
            seen = found.get(name, Seen(pulse=Pulse.ENDED))
            samples = self.watch.pulses.setdefault(name, [])
            if not samples and self._looked is not None:
                samples.append(Sample(self._looked, self._looked, Seen(pulse=Pulse.ENDED)))
            samples.append(Sample(sent, received, seen))
        self._looked = received

    async def _read_logs(self) -> None:
        names = {*self._endpoints, *self.watch.pulses}
        for path in (self._root / "logs").glob("*.log"):
            # A process is called as its member, or etcd1 for infra1: as the files are named here.
            member = path.stem if path.stem in names else _member_of(path.stem, names)
            if member and member not in self._logs:
                self._logs[member] = LogFile(member, path)
        for log in self._logs.values():
            self.watch.signs.extend(log.news())


def _member_of(process: str, names: set[str]) -> str | None:
    candidate = process.replace("etcd", "infra")
    return candidate if candidate in names else None


def answer_in(body: Mapping[str, Any]) -> Answer:
    """The values of `/v3/maintenance/status`; what is zero is left out by etcd."""
    header = body.get("header", {})
    leader = int(body.get("leader", 0))
    alarms = {
        word for word in ("NOSPACE", "CORRUPT") for error in body.get("errors", ()) if word in error
    }
    return Answer(
        member_id=f"{int(header.get('member_id', 0)):x}",
        leader=f"{leader:x}" if leader else None,
        term=int(body.get("raftTerm", 0)),
        revision=int(header.get("revision", 0)),
        learner=bool(body.get("isLearner")),
        version=str(body.get("version", "")),
        alarms=frozenset(alarms),
    )


def list_in(body: Mapping[str, Any]) -> MemberList:
    """etcd's own member list."""
    return frozenset(
        Entry(
            id=f"{int(member.get('ID', 0)):x}",
            name=str(member.get("name", "")),
            learner=bool(member.get("isLearner")),
            client_urls=tuple(member.get("clientURLs", ())),
            peer_urls=tuple(member.get("peerURLs", ())),
        )
        for member in body.get("members", ())
    )
