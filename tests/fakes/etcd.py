"""One etcd process that is a model: its start, its log, its part in Raft, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import ProcessSpec, as_member

from tests.fakes.answers import ANSWERS_S, Answers, Refused
from tests.fakes.firstdisk import CannotBegin, first_disk
from tests.fakes.messages import Entry, Message, changes
from tests.fakes.raft import Raft
from tests.fakes.store import Change, Store

if TYPE_CHECKING:
    from tests.fakes.machine import Machine

BOOTS_S, SERVES_PEERS_S = 0.02, 0.03
READ_AGAIN_S = 0.5
VERSION_EVERY_S = 4.0


class FakeEtcd:
    """It begins with `begin`, and is over when `ended` has its wait code."""

    def __init__(
        self, machine: Machine, spec: ProcessSpec, pid: int, on_lines: Callable[[memoryview], None]
    ) -> None:
        self.machine = machine
        self.name = spec.name
        self.pid = pid
        self.member = as_member(spec).member
        self.flags = dict(
            word.removeprefix("--").partition("=")[::2]
            for word in spec.argv
            if word.startswith("--")
        )
        self.version = self.member.etcd.version if self.member.etcd is not None else "3.6.16"
        self.store = Store()
        self.raft: Raft | None = None
        self.id = ""
        self.paused = False
        self.peers_served = False
        self.led_since_s = 0.0
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._on_lines = on_lines
        self._unread: list[bytes] = []
        self.serves = asyncio.Event()
        self._closing = False
        self.resumed = asyncio.Event()
        self.resumed.set()
        self._answers = Answers(self)
        self._waiting: dict[object, asyncio.Future[str]] = {}
        self._inbox: list[Message] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._draw = random.Random(f"{machine.seed} {self.name} {pid}")

    def begin(self) -> None:
        """It was executed."""
        self._spawn(self._live())

    async def _live(self) -> None:
        await asyncio.sleep(BOOTS_S)
        if why := self.machine.broken.get(self.version):
            self._fail(why)
            return
        data = Path(self.member.data_dir) / "member"
        if not (data / "wal").is_dir():
            self.machine.disks.pop(self.member.data_dir, None)
        (data / "wal").mkdir(parents=True, exist_ok=True)
        (data / "snap").mkdir(exist_ok=True)
        (data / "snap" / "db").touch()
        disk = self.machine.disks.get(self.member.data_dir)
        if disk is None:
            try:
                disk, self.machine.ids[self.member.data_dir] = first_disk(self)
            except CannotBegin as cause:
                self._fail(str(cause))
                return
            self.machine.disks[self.member.data_dir] = disk
        self.id = self.machine.ids[self.member.data_dir]
        agreed = next(
            (
                change.value
                for change in changes(reversed(disk.log[: disk.committed]))
                if change.kind == "version"
            ),
            "",
        )
        if parse(agreed)[:2] > parse(self.version)[:2]:
            self._fail("invalid downgrade; server version is lower than determined cluster version")
            return
        self.say("starting local member", **{"local-member-id": self.id})
        self.raft = Raft(
            self.id,
            disk,
            self,
            self._draw,
            pre_vote=self._pre_vote,
            election_ticks=round(self.election_s / self.beat_s),
        )
        await asyncio.sleep(SERVES_PEERS_S - BOOTS_S)
        self.peers_served = True
        self.machine.look_at_links()
        self.say("serving peer traffic", address=self.member.listen_urls[1])
        self._spawn(self._publish())
        self._spawn(self._agree_on_version())
        await asyncio.sleep(self._draw.random() * self.beat_s)
        while True:
            await asyncio.sleep(self.beat_s)
            if not self.paused:
                self.raft.tick()

    async def _publish(self) -> None:
        """Have its name and URLs on the list; then it serves clients."""
        while True:
            change = self.change(
                "publish", self.id, name=self.member.name, urls=(self.member.client_url,)
            )
            try:
                await self.propose(change)
                break
            except Refused:
                continue
        self.say("published local member to cluster through raft", **{"local-member-id": self.id})
        self.say("ready to serve client requests")
        self.serves.set()
        self.say("serving client traffic insecurely; this is strongly discouraged!")

    async def _agree_on_version(self) -> None:
        """The leader sets the cluster version to the lowest of its members'."""
        while True:
            await asyncio.sleep(0.1 if not self.store.version else VERSION_EVERY_S)
            if not self.leads or self.paused:
                continue
            versions = {
                each: other.version
                for each in self.store.members
                if (other := self.machine.by_id(each))
            }
            if versions.keys() != self.store.members.keys() and self.store.version:
                continue
            lowest = min(versions.values(), key=parse)
            agreed = f"{'.'.join(map(str, parse(lowest)[:2]))}.0"
            if parse(agreed) > parse(self.store.version or "0.0.0"):
                self._offer(self.change("version", value=agreed))

    def signal(self, number: int) -> None:
        """The process gets a signal."""
        match number:
            case signal.SIGSTOP:
                self.paused = True
                self.resumed.clear()
                self.machine.look_at_links()
            case signal.SIGCONT:
                self.paused = False
                self.resumed.set()
                self.machine.look_at_links()
                self._spawn(self._catch_up())
            case signal.SIGTERM | signal.SIGINT:
                if not self._closing:
                    self._closing = True
                    self._spawn(self._close(number))
            case 0:
                pass
            case _:
                self.end(-number)

    async def _catch_up(self) -> None:
        """What came while it was frozen is read when it goes on; its own timers had not gone on."""
        inbox, self._inbox = self._inbox, []
        for message in inbox:
            if self.raft is not None:
                self.raft.step(message)

    async def _close(self, number: int) -> None:
        await self.resumed.wait()
        name = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt"}[signal.Signals(number)]
        self.say("received signal; shutting down", signal=name)
        heirs = [
            each
            for each in sorted(self.voters - {self.id})
            if self.machine.connected_s(self.id, each) > 0
        ]
        if self.leads and heirs:
            heir = max(heirs, key=lambda each: self.machine.connected_s(self.id, each))
            with contextlib.suppress(Refused):
                await self.hand_over(heir)
        await asyncio.sleep(0.005)
        self.end(-number)

    def _fail(self, why: str) -> None:
        self.say("discovery failed", "fatal", error=why)
        self.end(1)

    def end(self, code: int) -> None:
        """The process is over; whoever talks with it sees the connection reset."""
        if self.ended.done():
            return
        self.read_lines()
        self.machine.gone(self)
        self.ended.set_result(code)
        for future in self._waiting.values():
            if not future.done():
                future.cancel()
        me = asyncio.current_task()
        for task in self._tasks:
            if task is not me:
                task.cancel()

    @property
    def voters(self) -> set[str]:
        return {each.id for each in self.store.members.values() if not each.learner}

    @property
    def everyone(self) -> set[str]:
        return set(self.store.members)

    @property
    def leads(self) -> bool:
        return self.raft is not None and self.raft.role == "leader"

    def send(self, to: str, message: Message) -> None:
        if not self.paused:
            self.machine.carry(self, to, message)

    def receive(self, message: Message) -> None:
        """A peer's message has come."""
        if self.raft is None or self.ended.done():
            return
        if self.paused:
            self._inbox.append(message)
        elif message.sender in self.store.removed:
            self.machine.tell_removed(self, message.sender)
        else:
            self.raft.step(message)

    def apply(self, index: int, entry: Entry) -> None:
        change = entry.change
        if change is None:
            return
        if change.kind == "remove" and self.machine.panics(self, change.id):
            self.say("failed to find member", "panic")
            self.end(2)
        refusal = self.store.apply(change)
        waiting = self._waiting.pop(change.number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(refusal)
        if change.kind in ("add", "remove"):
            self.machine.look_at_links()
        if (
            change.kind == "remove"
            and change.id == self.id
            and not refusal
            and self.raft is not None
        ):
            self._spawn(self._leave())

    async def _leave(self) -> None:
        await asyncio.sleep(0.03)
        self.removed()

    def removed(self) -> None:
        """It has learnt that it is no member any more."""
        self.say(
            "server error",
            "error",
            error="the member has been permanently removed from the cluster",
        )
        self.end(0)

    def read_ready(self, read: object) -> None:
        waiting = self._waiting.pop(read, None)
        if waiting is not None and not waiting.done():
            waiting.set_result("")

    def say(self, text: str, level: str = "info", **fields: object) -> None:
        """One line in zap's JSON, read by the supervisor a moment later."""
        if " became leader at term " in text:
            self.led_since_s = self.machine.clock.now_s
            self.machine.elections.append((int(text.rpartition(" ")[2]), self.member.name))
        now = datetime.fromtimestamp(self.machine.clock.time_ns() / 1e9, UTC)
        stamp = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = json.dumps(
            {"level": level, "ts": stamp, "msg": text, **fields}, separators=(",", ":")
        )
        self._unread.append(line.encode() + b"\n")
        late_s = self.machine.read_late_s.get(self.name, 0.0)
        asyncio.get_running_loop().call_later(ANSWERS_S + late_s, self._read_one)

    def _read_one(self) -> None:
        if self._unread:
            self._on_lines(memoryview(self._unread.pop(0)))

    def read_lines(self) -> None:
        """The supervisor reads what is left."""
        while self._unread:
            self._read_one()

    @property
    def beat_s(self) -> float:
        return int(self.flags.get("heartbeat-interval", "100")) / 1000

    @property
    def election_s(self) -> float:
        return int(self.flags.get("election-timeout", "1000")) / 1000

    @property
    def request_s(self) -> float:
        """What a request has (etcd: `server/config`, ReqTimeout)."""
        return 5.0 + 2 * self.election_s

    @property
    def _pre_vote(self) -> bool:
        usual = "true" if parse(self.version) >= (3, 5) else "false"
        return self.flags.get("pre-vote", usual) == "true"

    async def hand_over(self, to: str) -> None:
        assert self.raft is not None
        who = {"local-member-id": self.id, "current-leader-member-id": self.id}
        self.say("leadership transfer starting", **who, **{"transferee-member-id": to})
        self.raft.transfer(to)
        waited_s = 0.0
        while self.raft.lead != to:
            await asyncio.sleep(self.beat_s)
            waited_s += self.beat_s
            if waited_s > self.request_s:
                raise Refused(14, "request timed out, leader transfer took too long")
        self.say(
            "leadership transfer finished",
            **{"local-member-id": self.id, "old-leader-member-id": self.id},
            **{"new-leader-member-id": to},
        )

    def change(self, kind: str, id_: str = "", **fields: Any) -> Change:
        return Change(kind=kind, number=self.machine.number(), id=id_, **fields)

    def _offer(self, change: Change) -> None:
        if self.raft is not None:
            self.raft.propose(change)

    async def propose(self, change: Change) -> str:
        """Its outcome once it is applied here; Refused when it is not in time."""
        assert self.raft is not None
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[change.number] = waiting
        try:
            async with asyncio.timeout(self.request_s):
                while True:
                    await self.resumed.wait()
                    if self.raft.propose(change):
                        return await waiting
                    await asyncio.sleep(self.beat_s / 4)
        except TimeoutError:
            raise Refused(14, "request timed out") from None
        finally:
            self._waiting.pop(change.number, None)

    async def confirmed(self) -> None:
        """Wait until a quorum confirms who leads; Refused when it does not in time."""
        assert self.raft is not None
        number = self.machine.number()
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.request_s):
                while not waiting.done():
                    await self.resumed.wait()
                    self.raft.read(number)
                    await asyncio.wait({waiting}, timeout=READ_AGAIN_S)
        except TimeoutError:
            raise Refused(14, "request timed out") from None
        finally:
            self._waiting.pop(number, None)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def asked(self, method: str, url: str, body: bytes, token: str) -> tuple[int, bytes]:
        """As `answer`, for whoever is connected: the answer is made though nobody may wait for it."""
        if self._closing:
            raise ConnectionRefusedError(111, "Connection refused")
        work = self._spawn(self._answers.answer(method, url, body, token))
        await asyncio.wait({work, self.ended}, return_when=asyncio.FIRST_COMPLETED)
        going_on: asyncio.Future[Any] = self._spawn(self.resumed.wait())
        await asyncio.wait({going_on, self.ended}, return_when=asyncio.FIRST_COMPLETED)
        going_on.cancel()  # who ended while it was stopped does not go on
        if work.done() and not work.cancelled():
            return work.result()  # type: ignore[no-any-return]
        raise ConnectionResetError(104, "Connection reset by peer")
