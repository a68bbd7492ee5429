"""The faults of the members' disks: calls that are held, or fail, by a filter that a member is started with."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.cluster.faults.processes import hit
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import ClusterSpec, MemberProcess, MemberSpec, ProcessSpec
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.runtimes import runtime_of
from etcd_sandbox.supervise.process import AnyChild
from etcd_sandbox.supervise.supervisor import Supervised
from etcd_sandbox.verbs.disks import SLOW_DISK, SYNC, WRITE

if TYPE_CHECKING:
    from etcd_sandbox.cluster.faults.diskmeter import DiskMeter
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.disks.keeper import Disks
    from etcd_sandbox.disks.rules import Rule

DISKS_NAME = "disk faults"
"""What the handler's process is called where pids are written down."""

IN_FORCE_WITHIN_S = 10.0

_SELF = ("process", "member")


class _DiskFault(NamedTuple):
    """One fault on one process's disk; `number` is that of its rule, `how` are the options of its verb."""

    number: int
    kind: str
    process: str
    seed: int
    how: Mapping[str, Any]

    def replaces(self, other: _DiskFault) -> bool:
        """Whether the other one is over with this: the same verb, for the same calls."""
        return self._same == other._same

    @property
    def _same(self) -> tuple[object, ...]:
        return self.kind, self.process, self.how["on"], self.how["calls"]


class DiskFaults(Fault):
    """What is broken of the members' disks. A fault stays over a restart of its member, until it is healed."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._faults: dict[int, _DiskFault] = {}
        self._numbers = itertools.count(1)
        self._filtered: dict[str, str] = {}
        self._runs_with: dict[str, tuple[int, str]] = {}
        self._plain = ground.supervisor.execute
        self._disks: Disks | None = None
        self._possible = False
        self._from_the_start = False

    def begin(self, spec: ClusterSpec) -> None:
        """Have every member run under the filter from the start on, where the plan says so."""
        if spec.disk_faults:
            self._from_the_start = True
            self._possible = True
            self._supervisor.execute = self._execute

    def check(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> None:
        """Raises SandboxError for what has no disk that can be broken."""
        self._meant(order, names)

    async def prepare(self, order: Order, names: Sequence[str]) -> Collection[str]:
        """Have the members run under the filter that the fault needs: those that were restarted for it.

        One after the other, so that the others go on. A member that rests will start under the filter. Raises SandboxError.
        """
        processes = self._meant(order, names)
        await self._be_possible()
        calls, restarted = order.given("calls"), []
        for process in processes:
            if self._filtered.get(process.name) != WRITE:
                self._filtered[process.name] = calls
            if process.state.alive and not self._is_filtered(process, calls):
                await process.restart()
                await process.wait_for(lambda life: life.state is not ProcessState.STARTING)
                restarted.append(process.name)
        return restarted

    def meter(self, order: Order, members: Members, names: Sequence[str]) -> DiskMeter | None:
        """What measures syncs and writes."""
        from etcd_sandbox.cluster.faults.diskmeter import DiskMeter

        slow = order.verb is SLOW_DISK and order.given("once") is None
        syncs = slow and order.given("calls") == SYNC
        meant = [name for name in names if name in members]
        return DiskMeter(members, meant, syncs=syncs, writes=slow)

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Put the fault on these disks; returns when it is in force."""
        fields = [option.parameter for option in order.verb.options]
        how = {name: value for name in fields if (value := order.given(name)) is not None}
        if not how.get("jitter_s"):
            how.pop("jitter_s", None)
        changed, handles = [], []
        for process in self._meant(order, names):
            number = next(self._numbers)
            fault = _DiskFault(number, order.verb.name, process.name, order.seed or 0, how)
            old = [each for each in self._faults.values() if fault.replaces(each)]
            if any(each.how == how and "once" not in how for each in old):
                handles += [each.number for each in old]
                continue
            for each in old:
                self._over(each.number)
            self._faults[number] = fault
            self._publish(Kind.FAULT_APPLIED, fault)
            changed.append(process.name)
            handles.append(number)
        await self._tell()
        return Applied(
            [process.name for process in self._meant(order, names)], (), changed, handles
        )

    def _meant(self, order: Order, names: Sequence[str]) -> list[Supervised]:
        processes = [self._supervisor.processes[name] for name in names]
        others = [each for each in processes if not isinstance(each.spec, MemberProcess)]
        if others and "all" not in order.select:
            raise InputError(
                f"{others[0].name} is no member of the cluster",
                hint=f"members: {', '.join(map(self._roster.title, self._roster.names))}",
            )
        members = [each for each in processes if isinstance(each.spec, MemberProcess)]
        for each in members:
            name = each.spec.own_name
            if no_filter := runtime_of(each.spec).no_filter:
                raise SandboxError(
                    f"{name} {no_filter}",
                    hint="etcd-sandbox pause makes it hang as a whole",
                )
            if each.state is ProcessState.REMOVED:
                raise SandboxError(
                    f"{name} was removed from the cluster",
                    hint="etcd-sandbox replace brings a new member of that name",
                )
            if each.state is ProcessState.PAUSED and not self._is_filtered(
                each, order.given("calls")
            ):
                raise SandboxError(
                    f"{name} is paused, and has to be restarted to have its calls stopped",
                    hint=f"etcd-sandbox resume {name}",
                )
        return members

    def _is_filtered(self, process: Supervised, calls: str) -> bool:
        pid, filter_ = self._runs_with.get(process.name, (0, ""))
        return pid == process.life.pid and filter_ in (calls, WRITE)

    async def _be_possible(self) -> None:
        """Raises SandboxError where this machine cannot do it."""
        if self._possible:
            return
        from etcd_sandbox.disks.possible import why_not

        if why := await asyncio.to_thread(why_not):
            raise SandboxError(
                f"disk faults cannot be had: {why}",
                hint="etcd-sandbox pause makes a member hang as a whole",
            )
        self._possible = True
        self._supervisor.execute = self._execute

    async def _execute(
        self,
        spec: ProcessSpec,
        environment: Mapping[str, str],
        on_lines: Callable[[memoryview], None],
    ) -> AnyChild:
        calls = self._filtered.get(spec.name, SYNC if self._from_the_start else None)
        if calls is None or not isinstance(spec, MemberProcess):
            return await self._plain(spec, environment, on_lines)
        child = await self._made().execute(
            spec, calls, places_of(spec.member), environment, on_lines
        )
        self._runs_with[spec.name] = (child.pid, calls)
        return child

    def _made(self) -> Disks:
        if self._disks is None:
            from etcd_sandbox.disks.keeper import Disks

            supervisor = self._supervisor

            def started(pid: int) -> None:
                supervisor.guard(f"+{pid}")
                supervisor.ledger.add(DISKS_NAME, pid)

            def ended(pid: int) -> None:
                supervisor.guard(f"-{pid}")
                supervisor.ledger.drop(DISKS_NAME)

            self._disks = Disks(
                on_started=started,
                on_ended=ended,
                on_used_up=self._over,
                environment=supervisor.environment,
            )
        return self._disks

    async def heal(self) -> Collection[str]:
        """Undo everything; whose disks were hit."""
        names = [fault.process for fault in self._faults.values()]
        healed, self._faults = self._faults, {}
        await self._tell()
        for fault in healed.values():
            self._publish(Kind.FAULT_HEALED, fault)
        return names

    async def end(self, handle: Hashable) -> None:
        """Undo one fault, if it is there still."""
        if isinstance(handle, int) and handle in self._faults:
            self._over(handle)
            await self._tell()

    async def replaced(self, process: str) -> None:
        """The new member has a disk of its own."""
        gone = [fault.number for fault in self._faults.values() if fault.process == process]
        for number in gone:
            self._over(number)
        if gone:
            await self._tell()

    async def let_go(self, process: str) -> None:
        """A member has gone, and its disk with it."""
        await self.replaced(process)
        self._filtered.pop(process, None)
        if self._disks is not None:
            self._disks.drop(process)

    def told(self) -> list[dict[str, object]]:
        """Each fault that there is, as `status` shows it."""
        return [
            {"kind": fault.kind, **self._fields(fault), **self.time_left(fault.number)}
            for fault in self._faults.values()
        ]

    async def close(self) -> None:
        """No member runs any more."""
        if self._disks is not None:
            self._disks.close()
            await self._disks.wait_closed()

    def _over(self, number: int) -> None:
        fault = self._faults.pop(number, None)
        if fault is not None:
            self._publish(Kind.FAULT_HEALED, fault)

    async def _tell(self) -> None:
        if self._disks is None:
            return
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN_S):
                await self._disks.tell([_rule_of(fault) for fault in self._faults.values()])
        except TimeoutError:
            raise TimedOut(
                f"the disks' handler did not take the rules within {IN_FORCE_WITHIN_S:g} s",
                hint="the supervisor's log says why it does not stay up",
            ) from None

    def _fields(self, fault: _DiskFault) -> dict[str, object]:
        return {**hit(self._supervisor.processes[fault.process]), **fault.how}

    def _publish(self, kind: Kind, fault: _DiskFault) -> None:
        fields = self._fields(fault)
        member = fields.pop("member")
        self._bus.publish(kind, str(member), fault=fault.kind, **fields)


def _rule_of(fault: _DiskFault) -> Rule:
    from etcd_sandbox.disks.rules import ERRORS, Rule

    how = fault.how
    return Rule(
        fault.number,
        fault.process,
        how["on"],
        how["calls"],
        how.get("delay_s", 0.0),
        how.get("jitter_s", 0.0),
        ERRORS.get(how.get("error", ""), 0),
        how.get("once", 0),
        fault.seed,
    )


def places_of(member: MemberSpec) -> dict[str, str]:
    """The directories of a member's data by what they hold: etcd's own layout (3.4 to 3.7: `storage/datadir`)."""
    data = os.path.realpath(member.data_dir)
    wal = os.path.realpath(member.wal_dir) if member.wal_dir else f"{data}/member/wal"
    return {"wal": wal, "db": f"{data}/member/snap"}
