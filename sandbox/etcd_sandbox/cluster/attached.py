"""What of a living cluster asks its members: made once there is a gateway to ask them through."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.cluster.availability import Availability
from etcd_sandbox.cluster.faults import Faults
from etcd_sandbox.cluster.healthcheck import HealthCheck
from etcd_sandbox.cluster.listing import Listing
from etcd_sandbox.cluster.measure import Measure
from etcd_sandbox.cluster.membership import Membership
from etcd_sandbox.cluster.monitor import Monitor
from etcd_sandbox.cluster.orders import Orders
from etcd_sandbox.cluster.overview import Overview
from etcd_sandbox.cluster.probe import LOST_S, Probe
from etcd_sandbox.cluster.raft import RaftWatch
from etcd_sandbox.cluster.readiness import MemberReadiness
from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.cluster.swapping import Swapping
from etcd_sandbox.cluster.upgrading import Upgrading
from etcd_sandbox.cluster.verbs import Verbs
from etcd_sandbox.cluster.versions import Versions
from etcd_sandbox.cluster.voters import RUNS, Voters
from etcd_sandbox.cluster.ways.static import Static
from etcd_sandbox.cluster.wholeness import Wholeness
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor


class Attached(Struct, frozen=True, kw_only=True):
    """Who asks, acts and measures, each over the same members."""

    gateway: Gateway
    monitor: Monitor
    overview: Overview
    orders: Orders
    membership: Membership
    listing: Listing
    upgrading: Upgrading
    availability: Availability
    readiness: MemberReadiness


def attach(
    gateway: Gateway,
    *,
    spec: Callable[[], ClusterSpec],
    adopt: Callable[[ClusterSpec], None],
    paths: ClusterPaths,
    bus: Bus,
    supervisor: Supervisor,
    roster: Roster,
    raft: RaftWatch,
    faults: Faults,
    voters: Voters,
    verbs: Verbs,
    introduction: Static,
) -> Attached:
    """Put them together. `spec` is the plan as it is at the time, `adopt` makes another one hold."""

    def renew(process: ProcessSpec) -> None:
        """A process has another spec from its next start on; the plan says so, too."""
        roster.renew(process)
        now = spec()
        processes = (process if each.name == process.name else each for each in now.processes)
        adopt(replace(now, processes=tuple(processes)))

    def served() -> list[str]:
        """Where running members serve clients; a learner refuses what needs a quorum."""
        return [
            member.client_url
            for name, member in roster.items()
            if supervisor.processes[name].state in RUNS and roster.may_vote(name)
        ]

    check = HealthCheck(supervisor, roster, raft, voters, gateway)
    monitor = Monitor(supervisor, roster, bus, faults, raft, voters, check)
    reads = Probe(gateway.linearizable_read, served)
    writes = Probe(gateway.empty_write, served, lost_s=LOST_S)
    measure = Measure(monitor, roster, raft, faults, voters, reads, writes)
    wholeness = Wholeness(supervisor, roster, monitor)
    versions = Versions(supervisor, roster, monitor, wholeness, gateway)
    listing = Listing(spec, supervisor, roster, gateway)
    membership = Membership(
        spec,
        adopt,
        paths.data,
        supervisor,
        roster,
        monitor,
        verbs,
        faults,
        voters,
        gateway,
        bus,
    )
    swapping = Swapping(renew, supervisor, roster, monitor, verbs, measure, versions, gateway, bus)
    return Attached(
        gateway=gateway,
        monitor=monitor,
        overview=Overview(
            supervisor,
            roster,
            gateway,
            faults,
            raft,
            voters,
            check,
            monitor,
            introduction.told,
        ),
        orders=Orders(
            supervisor,
            roster,
            monitor,
            verbs,
            faults,
            voters,
            measure,
            gateway,
            membership,
            listing,
        ),
        membership=membership,
        listing=listing,
        upgrading=Upgrading(
            spec,
            supervisor,
            roster,
            monitor,
            wholeness,
            versions,
            listing,
            swapping,
            bus,
        ),
        availability=Availability(gateway, served, reads, raft),
        readiness=MemberReadiness(supervisor, roster, check),
    )
