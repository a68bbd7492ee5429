"""One change of the members under way: the cluster around it, its time, the plan that follows it, what is told of it."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.cluster import preflight
from etcd_sandbox.cluster.memberlist import MemberList, Report
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.model.spec import (
    ClusterSpec,
    MemberProcess,
    MemberSpec,
    PastKind,
    ProcessSpec,
    Unfinished,
    as_member,
)
from etcd_sandbox.plan.membership import with_member, with_past, without_member
from etcd_sandbox.verbs import Verb

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster
    from etcd_sandbox.supervise.supervisor import Supervised

ENDS_BY_ITSELF_S = 2.0
"""What a removed member is given to learn of it and end; 0.05 s is usual."""

LEAST_START_S = 1.0
"""What a member is given to start in any case: it is on etcd's list by then."""


class Change:
    """It may take until `deadline` (monotonic). `listed` is etcd's own list of members.

    `asked` are the processes that etcd may have on its list because of this change: these alone are
    taken out again.
    """

    def __init__(self, cluster: Cluster, deadline: float) -> None:
        self.cluster = cluster
        self.members = cluster.members
        self.deadline = deadline
        self.report = Report()
        self.listed = MemberList(cluster.members, cluster.bus, deadline, self.report)
        self.asked: set[str] = set()

    def listed_within(self, within_s: float) -> MemberList:
        """The list as it is asked beside the change, in a time of its own."""
        return MemberList(self.members, self.cluster.bus, time.monotonic() + within_s, Report())

    def begin(self, verb: Verb, process: ProcessSpec) -> None:
        """From here on a supervisor that dies leaves it to the next to say what was going on."""
        begun = Unfinished(verb=verb.name, process=process.name)
        self._adopt(with_member(self.cluster.spec, process), process.name, begun)

    def end(self, process: str) -> None:
        """Nothing is half done with that process any more."""
        self._adopt(self.cluster.spec, process)

    def leave_out(self, process: str) -> None:
        """It is in the plan no more."""
        self._adopt(without_member(self.cluster.spec, process), process)

    def remember(self, kind: PastKind, member: str, id_: str) -> None:
        """It is done: a later upgrade asks what was, and under which etcd."""
        self.cluster.adopt(with_past(self.cluster.spec, kind, member, id_))

    def _adopt(self, plan: ClusterSpec, process: str, *begun: Unfinished) -> None:
        others = (each for each in plan.unfinished if each.process != process)
        self.cluster.adopt(replace(plan, unfinished=(*others, *begun)))

    async def start(self, processes: Sequence[Supervised], late: str, hint: str) -> None:
        """Start them in the time that is left; raises TimedOut, which says that they are `late`."""
        try:
            async with asyncio.timeout(max(LEAST_START_S, self.deadline - time.monotonic())):
                await self.cluster.verbs.start(list(processes))
        except TimeoutError:
            raise TimedOut(late, hint=hint) from None


def member_of(process: ProcessSpec) -> MemberSpec:
    """The member that the process is."""
    return as_member(process).member


def look_before(process: MemberProcess) -> None:
    """What would be in the way of its start is found before etcd is asked. Raises SandboxError."""
    preflight.check_ports(process)
    preflight.check_data_directory(process)
    preflight.check_disk([process.member])


def delete_data(process: ProcessSpec) -> None:
    """Delete a member's data, which is ours and of no use any more. Raises SandboxError."""
    member = member_of(process)
    places = [member.data_dir]
    if member.wal_dir and member.wal_owned:
        places.append(member.wal_dir)
    for place in places:
        try:
            # At once, so that nobody begins with half of it when this is interrupted.
            going = Path(f"{place}.going")
            shutil.rmtree(going, ignore_errors=True)
            Path(place).replace(going)
            shutil.rmtree(going)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SandboxError(
                f"the data of {member.name} cannot be deleted ({error.strerror})",
                str(error.filename),
            ) from error
