"""Clusters and histories for the guide, and a small lesson."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.spec import Runtime
from etcd_sandbox.model.state import (
    BootstrapStatus,
    ClusterStatus,
    MemberStatus,
    ProcessState,
    Quorum,
    Role,
    SupervisorStatus,
)
from msgspec.structs import replace

BEGAN = datetime(2026, 3, 14, 9, 0, 0, tzinfo=UTC)

PAGE = """# A small lesson

<!-- minutes: 10 -->
<!-- etcd: 3.4 3.5 -->

It begins.

## What you will see

- something

## Before you begin

```console
$ export ETCD_SANDBOX_CLUSTER=learn-5
$ etcd-sandbox up -d -n 3 --base-port auto
```

## Kill it

<!-- needs: healthy; key colour is blue -->
<!-- until: killed leader; leader elected -->
<!-- hint: kill -9 does it, too. -->

Before.

```console
$ etcd-sandbox kill leader
killed infra1 (pid 1, SIGKILL); it was the leader
…
```

After.

## Look

<!-- until: enter -->
<!-- etcd: 3.5 -->

```console
$ etcd-sandbox ctl watch colour
PUT
^C
$ etcd-sandbox status
```

## Question

Why?

<details><summary>Answer</summary>

Because.

</details>

## Read next

- [etcd](https://etcd.io)
"""


def member(name: str, **changes: object) -> MemberStatus:
    """A follower that is well."""
    sample = MemberStatus(
        name=name,
        process=name.replace("infra", "etcd"),
        id="8211f1d0f64f3269",
        pid=4242,
        state=ProcessState.RUNNING,
        role=Role.FOLLOWER,
        healthy=True,
        term=2,
        revision=1,
        raft_index=8,
        raft_applied_index=8,
        db_size_bytes=20480,
        hash=None,
        version="3.5.1",
        client_url="http://127.0.0.1:1",
        peer_url="http://127.0.0.1:2",
        data_dir="/data",
        cpu_percent=1.0,
        rss_bytes=1,
        restarts=0,
        uptime_s=1.0,
        exit=None,
    )
    return replace(sample, **changes)


def down(name: str) -> MemberStatus:
    """A member that was killed."""
    return member(name, state=ProcessState.EXITED, role=None, healthy=False, term=None, pid=None)


def status(
    *members: MemberStatus, leader: str | None = "infra1", **changes: object
) -> ClusterStatus:
    """A cluster of these, or of three that are well."""
    there = members or tuple(map(member, ("infra1", "infra2", "infra3")))
    healthy = sum(each.healthy for each in there)
    needed = len(there) // 2 + 1
    sample = ClusterStatus(
        schema=1,
        cluster="learn-5",
        supervisor=SupervisorStatus(pid=1, version="0", uptime_s=1.0),
        leader=leader,
        term=2,
        quorum=Quorum(voters=len(there), needed=needed, healthy=healthy, ok=healthy >= needed),
        members=there,
        processes=(),
        faults=(),
    )
    return replace(sample, **changes)


def another(way: str = "static", runtime: str = "process", *members: MemberStatus) -> ClusterStatus:
    """The cluster as another supervisor has brought it up, in that way."""
    how = BootstrapStatus(way=Bootstrap(way), runtime=Runtime(runtime))
    supervisor = SupervisorStatus(pid=2, version="0", uptime_s=1.0)
    return status(*members, bootstrap=how, supervisor=supervisor)


class Story:
    """Events one after another, each at its second."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, at_s: float, kind: Kind, who: str | None = None, **fields: object) -> Story:
        ts = (BEGAN + timedelta(seconds=at_s)).isoformat().replace("+00:00", "Z")
        seq = len(self.events) + 1
        self.events.append(Event(seq=seq, ts=ts, kind=kind, member=who, fields=fields))
        return self

    def killed(self, at_s: float, who: str, signal: str = "SIGKILL", **fields: object) -> Story:
        return self.add(at_s, Kind.PROCESS_EXITED, who, signal=signal, **fields)

    def leads(self, at_s: float, who: str, term: int) -> Story:
        return self.add(at_s, Kind.LEADER_ELECTED, who, term=term)

    def fault(self, at_s: float, kind: str, who: str, *others: str, healed: bool = False) -> Story:
        what = Kind.FAULT_HEALED if healed else Kind.FAULT_APPLIED
        if kind == "pause":
            return self.add(at_s, what, who, fault=kind)
        return self.add(at_s, what, fault=kind, members=who.split(), versus=list(others))
