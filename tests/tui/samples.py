"""Sample clusters: what a dashboard may have to show, the same on every run."""

from __future__ import annotations

from datetime import UTC, datetime

from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.model.state import (
    ClusterStatus,
    Exit,
    MemberStatus,
    ProcessState,
    ProcessStatus,
    Quorum,
    Role,
    SupervisorStatus,
)
from etcd_sandbox.tui.store import Store
from msgspec.structs import replace

BEGAN = datetime(2026, 3, 14, 9, 0, 0, tzinfo=UTC)
BEGAN_US = int(BEGAN.timestamp()) * 1_000_000

SIZES = (1, 3, 5, 9)
CONDITIONS = ("healthy", "leaderless", "partitioned", "all down")


def member(number: int, *, leader: int | None = 1, **changes: object) -> MemberStatus:
    """A member that is well, and follows the one with the number `leader`."""
    role = Role.LEADER if number == leader else Role.FOLLOWER if leader else Role.CANDIDATE
    port = 12379 + 1000 * (number - 1)
    sample = MemberStatus(
        name=f"infra{number}",
        process=f"infra{number}",
        id=f"{0x8211F1D0F64F3269 + number:x}",
        pid=4241 + number,
        state=ProcessState.RUNNING,
        role=role,
        healthy=leader is not None,
        term=2,
        revision=1,
        raft_index=8,
        raft_applied_index=8,
        db_size_bytes=20480,
        hash=None,
        version="3.5.1",
        client_url=f"http://127.0.0.1:{port}",
        peer_url=f"http://127.0.0.1:{port + 1}",
        data_dir=f"/data/infra{number}",
        cpu_percent=1.2,
        rss_bytes=31_000_000,
        restarts=0,
        uptime_s=62.0,
        exit=None,
        follows=f"infra{leader}" if leader else None,
    )
    return replace(sample, **changes)


def down(number: int) -> MemberStatus:
    """A member that was killed."""
    return member(
        number,
        pid=None,
        state=ProcessState.EXITED,
        role=None,
        healthy=False,
        term=None,
        revision=None,
        raft_index=None,
        raft_applied_index=None,
        db_size_bytes=None,
        version=None,
        cpu_percent=None,
        rss_bytes=None,
        uptime_s=None,
        exit=Exit(code=None, signal="SIGKILL", ts="2026-03-14T09:00:40.000000Z"),
        follows=None,
    )


def process(name: str = "app", **changes: object) -> ProcessStatus:
    """A process beside the members."""
    sample = ProcessStatus(
        name=name,
        pid=5000,
        state=ProcessState.RUNNING,
        cpu_percent=0.4,
        rss_bytes=12_000_000,
        restarts=0,
        uptime_s=60.0,
        exit=None,
        command="python app.py",
    )
    return replace(sample, **changes)


def status(
    *members: MemberStatus,
    faults: tuple[dict[str, object], ...] = (),
    processes: tuple[ProcessStatus, ...] = (),
) -> ClusterStatus:
    """What the supervisor would answer of these members."""
    claims = [one for one in members if one.role is Role.LEADER]
    leader = max(claims, key=lambda one: one.term or 0, default=None)
    needed = len(members) // 2 + 1
    healthy = sum(one.healthy for one in members)
    return ClusterStatus(
        schema=1,
        cluster="default",
        supervisor=SupervisorStatus(pid=1, version="0.1.0", uptime_s=62.0),
        leader=leader.name if leader else None,
        term=leader.term if leader else None,
        quorum=Quorum(voters=len(members), needed=needed, healthy=healthy, ok=healthy >= needed),
        members=members,
        processes=processes,
        faults=faults,
    )


def partition(size: int) -> dict[str, object]:
    """The first members, less than half, cut off from the others."""
    side = max(1, (size - 1) // 2)
    names = [f"infra{number}" for number in range(1, size + 1)]
    return {"kind": "partition", "members": names[:side], "versus": names[side:]}


def cluster(size: int, condition: str) -> ClusterStatus:
    """A cluster of that size in one of the CONDITIONS."""
    numbers = range(1, size + 1)
    if condition == "healthy":
        return status(*(member(number) for number in numbers), processes=(process(),))
    if condition == "leaderless":
        return status(*(member(number, leader=None, term=3) for number in numbers))
    if condition == "all down":
        return status(*(down(number) for number in numbers))
    side = max(1, (size - 1) // 2)
    stale = [member(number, healthy=number == 1) for number in numbers if number <= side]
    rest = [member(n, leader=side + 1, term=3, raft_index=9) for n in numbers if n > side]
    return status(*stale, *rest, faults=(partition(size),) if size > 1 else ())


def event(at_s: float, kind: Kind, who: str | None = None, /, **fields: object) -> Event:
    """Something that happened so many seconds after BEGAN."""
    moment = datetime.fromtimestamp(BEGAN.timestamp() + at_s, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Event(seq=int(at_s * 1000) + 1, ts=text, kind=kind, member=who, fields=fields)


def bucket(at_s: float, *, reads: bool = True, writes: bool | None = None) -> Bucket:
    """The tenth of a second that began so long after BEGAN."""
    return Bucket(
        time_us=BEGAN_US + round(at_s * 1_000_000),
        reads=15 if reads else 0,
        reads_failed=0 if reads else 15,
        writes=1 if writes else 0,
        writes_failed=1 if writes is False else 0,
    )


def store_of(size: int, condition: str, *, writes: bool = False) -> Store:
    """A store that has heard a minute of a cluster: a kill of the leader, and what came of it."""
    store = Store(cluster="default")
    store.take_status(cluster(size, condition))
    kinds = Kind
    story = [
        event(0.00, kinds.PROCESS_STARTED, "infra1", process="infra1", pid=4242),
        event(0.42, kinds.CLUSTER_READY, ready_s=0.42),
        event(20.00, kinds.PROCESS_EXITED, "infra2", process="infra2", signal="SIGKILL", code=None),
        event(20.02, kinds.LEADER_LOST, "infra2", seen_by="infra1", term=1),
        event(21.13, kinds.CANDIDATE, "infra1", term=2),
        event(21.20, kinds.LEADER_ELECTED, "infra1", term=2),
        event(24.00, kinds.PROCESS_STARTED, "infra2", process="infra2", pid=4250),
        event(24.31, kinds.PROCESS_READY, "infra2", process="infra2", after_s=0.31),
    ]
    if condition == "partitioned" and size > 1:
        fault = partition(size)
        sides = {"members": fault["members"], "versus": fault["versus"]}
        story.append(event(40.00, kinds.FAULT_APPLIED, None, fault="partition", **sides))
        new = cluster(size, condition)
        story.append(event(41.10, kinds.LEADER_ELECTED, new.leader, term=new.term))
    if condition in ("all down", "leaderless"):
        story.append(event(50.0, kinds.QUORUM_LOST, up=0, voters=size, needed=size // 2 + 1))
    for one in story:
        store.take_event(one)
    gaps = [(20.0, 21.2)]
    if condition == "partitioned":
        gaps.append((40.0, 41.1))
    if condition in ("all down", "leaderless"):
        gaps.append((50.0, 99.0))
    for tenth in range(620):
        served = not any(began <= tenth / 10 < ended for began, ended in gaps)
        store.take_bucket(bucket(tenth / 10, reads=served, writes=served if writes else None))
    return store
