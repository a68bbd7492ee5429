"""The product's own `Cluster` over the model: a history is played in milliseconds, and what was told is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from etcd_sandbox.cluster import addmember, preflight
from etcd_sandbox.cluster import cluster as cluster_module
from etcd_sandbox.cluster.cluster import Cluster
from etcd_sandbox.cluster.faults.links import links_for
from etcd_sandbox.cluster.runtimes import process as process_runtime
from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.config.profileshape import Profile
from etcd_sandbox.etcd import gateway as gateway_module
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.host.planfile import record_plan
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, Source, SourceKind
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.upgrade import UpgradeOrder
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.generated import plan_members
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.supervise.logbook import Logbook
from etcd_sandbox.verbs import Verb, named

from tests.fakes.clock import Clock, run
from tests.fakes.etcd import FakeEtcd
from tests.fakes.machine import FakeExchange, FakeLinks, Machine

VERSION = "3.6.16"
READY_S = 30.0


class Sandbox:
    """A cluster of the model under the product's supervisor."""

    def __init__(self, spec: ClusterSpec, home: Path, machine: Machine, user: str = "") -> None:
        self.machine = machine
        self.paths = ClusterPaths(spec.name, home)
        self.events: list[Event] = []
        home.mkdir(parents=True, exist_ok=True)
        self.bus = Bus(self.paths.events)
        self.bus.listen(self.events.append)
        self.cluster = Cluster(
            spec,
            self.paths,
            bus=self.bus,
            logbook=Logbook(self.paths.logs),
            ledger=Ledger(self.paths.supervisor, "run"),
            guard=lambda line: None,
            run="run",
            connect=lambda: self.gateway,
        )
        record_plan(self.paths, spec)
        self.gateway = Gateway(user=Credentials.parse(user) if user else None)

    async def up(self) -> dict[str, object]:
        """Start it, and wait until it is ready."""
        self.begin()
        return await self.cluster.ready(READY_S)

    def begin(self) -> None:
        """Start it."""
        self.cluster.begin()
        self.cluster.watch()

    async def down(self, *, kill: bool = False) -> None:
        """End it."""
        self.cluster.shutdown(kill=kill)
        await self.cluster.ended.wait()

    async def do(self, verb: Verb | str, *select: str, **options: Any) -> Verdict:
        """Carry out one order."""
        fields = Order.__struct_fields__
        more = {name: options.pop(name) for name in options.keys() - set(fields)}
        return await self.cluster.operations.act(
            Order(verb=named(str(verb)), select=select, more=more, **options)
        )

    async def upgrade(self, version: str, *select: str, **options: Any) -> Verdict:
        """Give members another etcd; its verdict, or its error."""
        order = UpgradeOrder(select=select or ("all",), to=binary(version), **options)
        upgrade = await self.cluster.operations.upgrading.begin(order)
        last = [news async for news in upgrade.told()][-1]
        if isinstance(last, Exception):
            raise last
        assert isinstance(last, Verdict)
        return last

    async def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """What `status` shows."""
        return await self.cluster.operations.status(with_hash=with_hash)

    async def apply(self, kind: str, id_: str = "", **fields: Any) -> None:
        """Have every member apply a change that the product itself never asks for."""
        leader = self.leader
        change = leader.change(kind, id_, **fields)
        await leader.propose(change)
        await asyncio.sleep(0.2)

    def told(self, *kinds: Kind) -> list[Event]:
        """The events of these kinds."""
        return [event for event in self.events if event.kind in kinds]

    # The model behind it.

    @property
    def leader(self) -> FakeEtcd:
        """Who leads in the highest term, by the model itself."""
        claims = [each for each in self.machine.running() if each.leads]
        return max(claims, key=lambda each: each.raft.disk.term)  # type: ignore[union-attr]

    @property
    def followers(self) -> list[FakeEtcd]:
        """Those that run and do not lead."""
        leader = self.leader
        return [each for each in self.machine.running() if each is not leader]

    @property
    def term(self) -> int:
        """The highest term that any of them is in."""
        rafts = [each.raft for each in self.machine.running()]
        return max(raft.disk.term for raft in rafts if raft is not None)

    def led_since(self) -> float:
        """Since when the leader leads, on the virtual clock."""
        return self.leader.led_since_s

    @property
    def asked(self) -> set[str]:
        """The paths that any member was asked for."""
        return {path for _, path in self.machine.asked}

    async def until(self, holds: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until it holds, for so many seconds of the virtual clock at most."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while not holds():
            assert loop.time() < deadline, "it did not come to hold"
            await asyncio.sleep(0.005)


History = Callable[[Sandbox], Awaitable[None]]


def binary(version: str) -> EtcdBinary:
    """An etcd that is the model."""
    return EtcdBinary(path=f"/fake/{version}/etcd", version=version, origin="a model")


def planned(
    home: Path,
    members: int = 3,
    version: str = VERSION,
    flags: dict[str, Flag] | None = None,
    profile: Profile | None = None,
    **options: Any,
) -> ClusterSpec:
    """The plan of `up -n MEMBERS`, or of a profile."""
    return plan_members(
        "fake",
        Source(kind=SourceKind.MEMBERS),
        profile or Profile(etcd=flags or {}),
        choose_etcd=lambda wish: binary(wish or version),
        data_root=home / "data",
        cwd=str(home),
        caller_env={},
        members=None if profile else members,
        **options,
    )


def play(
    home: Path,
    history: History,
    *,
    members: int = 3,
    version: str = VERSION,
    seed: int = 1,
    flags: dict[str, Flag] | None = None,
    profile: Profile | None = None,
    user: str = "",
    spec: ClusterSpec | None = None,
    up: bool = True,
    **options: Any,
) -> Sandbox:
    """Play `history` on a cluster that is up; the cluster afterwards, for its events.

    With `up=False` the history begins before the first member does.
    """

    async def played(clock: Clock) -> Sandbox:
        machine = Machine(clock, seed)
        with on(machine):
            plan = spec or planned(home, members, version, flags, profile, **options)
            sandbox = Sandbox(plan, home, machine, user)
            try:
                if up:
                    assert (await sandbox.up())["ready"]
                await history(sandbox)
            finally:
                await sandbox.down(kill=True)
            return sandbox

    with without_complaints():
        return run(played)


class _Complaints(logging.Handler):
    """What the product logs as an error: no history may bring it to that."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


@contextmanager
def without_complaints() -> Iterator[None]:
    """Within, an error in the supervisor's log is one of the test."""
    complaints = _Complaints()
    logging.getLogger("etcd_sandbox").addHandler(complaints)
    try:
        yield
    finally:
        logging.getLogger("etcd_sandbox").removeHandler(complaints)
    assert complaints.said == []


def on(machine: Machine) -> ExitStack:
    """Within, the product executes, dials and binds on the model's machine."""
    stack = ExitStack()
    for owner, name, fake in (
        (process_runtime, "execute", machine.execute),
        (gateway_module, "Exchange", lambda tls: FakeExchange(machine)),
        (
            cluster_module,
            "make_links",
            lambda processes, *others: FakeLinks(machine, links_for(processes)),
        ),
        (preflight, "check_free", machine.check_free),
        (addmember, "is_free", lambda port: True),
        (preflight, "check_disk", lambda places: None),
    ):
        stack.enter_context(mock.patch.object(owner, name, fake))
    return stack
