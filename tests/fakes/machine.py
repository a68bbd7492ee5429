"""The machine that runs the model: its processes, the network between them, and what makes them unlucky."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from urllib.parse import urlsplit

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.links.keeper import Link
from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.spec import ProcessSpec
from etcd_sandbox.supervise.process import Executed

from tests.fakes.clock import Clock
from tests.fakes.etcd import FakeEtcd
from tests.fakes.messages import Disk, Message

_FIRST_PID = 1 << 23
"""Beyond the pids that Linux gives: no real process is ever meant."""

_CLEAR = Rule()
_PASSES_S = 0.0005
_SENT_AGAIN_S = 0.2
_READS_FAIL_S = 5.0
"""After so much silence on a stream a peer counts as away (etcd: rafthttp's read time-out)."""


class Machine:
    """Everything that is drawn by lot comes from `seed`.

    What tests may set: `broken` (why an etcd of that version ends at its start), `read_late_s` (by process:
    how late its lines are read), `unexecutable` (process names), `answer_late_s` (by process), `crossing` (processes
    whose answers are late by up to that, so that a later one may overtake an earlier one), `lost_answers` (by process and the end
    of the path: how many questions are obeyed and never answered), `left_over` (IDs that the database
    alone has), `users` (by name: the password).
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.seed = seed
        self.etcds: dict[str, FakeEtcd] = {}
        self.disks: dict[str, Disk] = {}
        self.ids: dict[str, str] = {}
        self.rules: Mapping[Pair, Rule] = {}
        self.broken: dict[str, str] = {}
        self.unexecutable: set[str] = set()
        self.read_late_s: dict[str, float] = {}
        self.answer_late_s: dict[str, float] = {}
        self.lost_answers: dict[tuple[str, str], int] = {}
        self.users: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.crossing: set[str] = set()
        self.left_over: set[str] = set()
        self._panicked: set[tuple[str, str]] = set()
        self.elections: list[tuple[int, str]] = []
        self.asked: list[tuple[str, str]] = []
        self._draw = random.Random(seed)
        self._pids = itertools.count(_FIRST_PID)
        self._numbers = itertools.count(1)
        self._arrives: dict[Pair, float] = {}
        self._since: dict[Pair, float] = {}

    def number(self) -> int:
        """One that nobody has had."""
        return next(self._numbers)

    # Processes.

    async def execute(
        self,
        spec: ProcessSpec,
        environment: Mapping[str, str],
        on_lines: Callable[[memoryview], None],
    ) -> FakeChild:
        """As `supervise.process.execute`."""
        if spec.name in self.unexecutable:
            raise FileNotFoundError(2, "no such etcd")
        etcd = FakeEtcd(self, spec, next(self._pids), on_lines)
        self.etcds[spec.name] = etcd
        etcd.begin()
        return FakeChild(etcd)

    def running(self) -> Iterator[FakeEtcd]:
        """Those that have not ended."""
        return (each for each in self.etcds.values() if not each.ended.done())

    def by_id(self, id_: str) -> FakeEtcd | None:
        """The process that is that member."""
        return next((each for each in self.running() if each.id == id_), None)

    def at(self, url: str) -> FakeEtcd | None:
        """Who listens there for clients, or for questions about its figures."""
        place = urlsplit(url).netloc
        return next(
            (
                each
                for each in self.running()
                if place
                in (
                    urlsplit(each.member.client_url).netloc,
                    urlsplit(each.member.metrics_url or "").netloc,
                )
            ),
            None,
        )

    def check_free(self, member: str, urls: tuple[str, ...]) -> None:
        """As `preflight.check_free`: an address belongs to one process."""
        for each in self.running():
            for url in set(urls) & set(each.member.listen_urls):
                raise SandboxError(f"port {urlsplit(url).port} of {member} is taken by etcd")

    def gone(self, etcd: FakeEtcd) -> None:
        """The process has ended."""
        self.look_at_links()

    def panics(self, etcd: FakeEtcd, removed: str) -> bool:
        """Whether it ends of that entry: 3.6 does once at the removal of a member that an upgrade brought back."""
        once = (etcd.name, removed)
        if removed not in self.left_over or once in self._panicked:
            return False
        self._panicked.add(once)
        return etcd.version.startswith("3.6")

    def lateness_s(self, name: str) -> float:
        """How late the next answer of that process is."""
        late_s = self.answer_late_s.get(name, 0.0)
        return late_s * self._draw.random() if name in self.crossing else late_s

    # The network between them.

    def carry(self, sender: FakeEtcd, to: str, message: Message) -> None:
        """Bring it there, in the order in which one sends to another."""
        target = self.by_id(to)
        if target is None or not target.peers_served:
            return
        pair = (sender.name, target.name)
        rule = self.rules.get(pair, _CLEAR)
        if rule.cut:
            return
        delay_s = _PASSES_S + rule.delay_s + rule.jitter_s * self._draw.uniform(-1, 1)
        if rule.stall and self._draw.random() < rule.stall:
            delay_s += _SENT_AGAIN_S
        moment = max(self.clock.now_s + delay_s, self._arrives.get(pair, 0.0))
        self._arrives[pair] = moment
        asyncio.get_running_loop().call_at(moment, self._arrive, pair, rule, target, message)

    def _arrive(self, pair: Pair, rule: Rule, target: FakeEtcd, message: Message) -> None:
        if rule is self.rules.get(pair, _CLEAR):
            target.receive(message)

    def obey(self, rules: Mapping[Pair, Rule]) -> None:
        """These hold from now on. What is on its way is lost where they change: the links close it."""
        for pair in rules.keys() | self.rules.keys():
            if rules.get(pair) != self.rules.get(pair):
                self._arrives.pop(pair, None)
        kept = {pair: rule for pair, rule in self.rules.items() if rules.get(pair) == rule}
        self.rules = {**rules, **kept}
        self.look_at_links()

    def tell_removed(self, by: FakeEtcd, removed: str) -> None:
        """A peer's answer to whoever is on its list no more."""
        target = self.by_id(removed)
        if target is not None and not self.rules.get((by.name, target.name), Rule()).cut:
            asyncio.get_running_loop().call_later(_PASSES_S, target.removed)

    def connected_s(self, one: str, other: str) -> float:
        """For how long these two members, by ID, have been connected; 0 where they are not."""
        pair = self._pair(one, other)
        since = self._since.get(pair) if pair else None
        return 0.0 if since is None else max(1e-9, self.clock.now_s - since)

    def _pair(self, one: str, other: str) -> Pair | None:
        ends = self.by_id(one), self.by_id(other)
        return (ends[0].name, ends[1].name) if ends[0] and ends[1] else None

    def look_at_links(self) -> None:
        """Note who is connected from now on, and who no more."""
        serving = [each for each in self.running() if each.peers_served]
        now: set[Pair] = set()
        for one in serving:
            for other in serving:
                pair = (one.name, other.name)
                knows = other.id in one.store.members
                if one is not other and knows and not self.rules.get(pair, Rule()).cut:
                    now.add(pair)
                    frozen = other.paused
                    if frozen:
                        asyncio.get_running_loop().call_later(_READS_FAIL_S, self._silent, pair)
                    self._since.setdefault(pair, self.clock.now_s)
        for pair in self._since.keys() - now:
            del self._since[pair]

    def _silent(self, pair: Pair) -> None:
        if self.etcds[pair[1]].paused:
            self._since.pop(pair, None)


class FakeOutput:
    """As `supervise.process.Output`: the lines that have not been read yet."""

    def __init__(self, etcd: FakeEtcd) -> None:
        self._etcd = etcd

    def catch_up(self) -> None:
        """Read them now, however late they would be read."""
        self._etcd.read_lines()


class FakeChild:
    """As `supervise.process.Child`."""

    def __init__(self, etcd: FakeEtcd) -> None:
        self._etcd = etcd
        self.pid = etcd.pid
        self.pids = {"": etcd.pid}
        self.executed = Executed.now()
        self.output = FakeOutput(etcd)

    async def main_ended(self) -> int:
        return await asyncio.shield(self._etcd.ended)

    async def group_gone(self) -> None:
        return

    def signal(self, number: int) -> bool:
        if self._etcd.ended.done():
            return False
        self._etcd.signal(number)
        return True


class FakeExchange:
    """As `etcd.exchange.Exchange`: HTTP with whoever listens at a URL of the machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def send(
        self,
        method: str,
        url: str,
        body: bytes,
        content_type: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> tuple[int, bytes]:
        etcd = self._machine.at(url)
        if etcd is None:
            await asyncio.sleep(0)
            raise ConnectionRefusedError(111, "Connection refused")
        path = urlsplit(url).path
        self._machine.asked.append((etcd.name, path))
        work = asyncio.ensure_future(
            etcd.asked(method, url, body, dict(headers).get("Authorization", ""))
        )
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        for (name, end), times in self._machine.lost_answers.items():
            if times and name == etcd.name and path.endswith(end):
                self._machine.lost_answers[name, end] -= 1
                await asyncio.sleep(60)
        answer = await asyncio.shield(work)
        await asyncio.sleep(self._machine.lateness_s(etcd.name))
        return answer

    def certificate(self, url: str) -> bytes | None:
        return None

    async def aclose(self) -> None:
        return


class FakeLinks:
    """As `links.keeper.Links`: the rules hold at once, or when `relays` is set."""

    def __init__(self, machine: Machine, links: list[Link]) -> None:
        self._machine = machine
        self._links = links
        self.resets: list[tuple[Pair, ...]] = []
        self.relays = asyncio.Event()
        self.relays.set()

    async def start(self) -> None:
        return

    def open(self) -> None:
        return

    def __contains__(self, link: Link) -> bool:
        return link in self._links

    def add(self, link: Link) -> None:
        self._links.append(link)

    def drop(self, member: str) -> None:
        self._links = [link for link in self._links if link.member != member]

    async def tell(
        self, pids: Mapping[str, int], rules: Mapping[Pair, Rule], resets: Collection[Pair] = ()
    ) -> None:
        await asyncio.sleep(_PASSES_S)
        await self.relays.wait()
        self._machine.obey(rules)
        self.resets += [tuple(resets)] if resets else []

    def note_pids(self, pids: Mapping[str, int]) -> None:
        return

    def close(self) -> None:
        return

    async def wait_closed(self) -> None:
        return
