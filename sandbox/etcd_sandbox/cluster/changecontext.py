"""What the changes of the members share: the cluster around them, and the plan that follows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.cluster import preflight
from etcd_sandbox.errors import SandboxError
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
    from etcd_sandbox.cluster.memberlist import MemberList
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.cluster.verbs import Verbs
    from etcd_sandbox.supervise.bus import Bus
    from etcd_sandbox.supervise.supervisor import Supervisor

ENDS_BY_ITSELF_S = 2.0
"""What a removed member is given to learn of it and end; 0.05 s is usual."""


class ChangeContext(Struct, frozen=True, kw_only=True):
    """`spec` gives the plan, and `adopt` takes a new one; `listed` is etcd's own list of members."""

    spec: Callable[[], ClusterSpec]
    adopt: Callable[[ClusterSpec], None]
    data_root: Path
    supervisor: Supervisor
    members: Members
    verbs: Verbs
    bus: Bus
    listed: MemberList

    def begin(self, verb: Verb, process: ProcessSpec) -> None:
        """From here on a supervisor that dies leaves it to the next to say what was going on."""
        begun = Unfinished(verb=verb.name, process=process.name)
        plan = with_member(self.spec(), process)
        self.adopt(replace(plan, unfinished=(*_others(plan, process.name), begun)))

    def end(self, process: str) -> None:
        """Nothing is half done with that process any more."""
        plan = self.spec()
        self.adopt(replace(plan, unfinished=_others(plan, process)))

    def remember(self, kind: PastKind, member: str, id_: str) -> None:
        """It is done: a later upgrade asks what was, and under which etcd."""
        self.adopt(with_past(self.spec(), kind, member, id_))

    def leave_out(self, process: str) -> None:
        """It is in the plan no more."""
        plan = without_member(self.spec(), process)
        self.adopt(replace(plan, unfinished=_others(plan, process)))


def _others(plan: ClusterSpec, process: str) -> tuple[Unfinished, ...]:
    return tuple(each for each in plan.unfinished if each.process != process)


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
