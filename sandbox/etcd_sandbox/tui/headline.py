"""The cluster in one line. Pure."""

from __future__ import annotations

from msgspec.structs import asdict

from etcd_sandbox.model.access import WANTS_USER
from etcd_sandbox.model.spec import Bootstrap, Runtime
from etcd_sandbox.model.state import BootstrapStatus, Quorum
from etcd_sandbox.tui.store import Store
from etcd_sandbox.words import shown


def headline(store: Store) -> str:
    """Name, leader and term, quorum, faults; and whether the supervisor answers."""
    status = store.status
    if status is None:
        return f"{store.cluster} · {store.trouble or 'connecting'}"
    parts = [store.cluster]
    if status.members:
        parts.append(
            f"★ {status.leader}{shown.in_term(status.term)}" if status.leader else "no leader"
        )
        parts.append(_quorum(status.quorum))
        parts += shown.alarms((up.alarm, up.member) for up in status.alarms)
        if any(member.why == WANTS_USER for member in status.members):
            parts.append("authentication is on: --user NAME:PASSWORD")
        if status.elsewhere:
            parts.append(f"{len(status.elsewhere)} on etcd's list not run here")
        parts += status.notes
        parts += _way(status.bootstrap)
    else:
        running = sum(process.state.alive for process in status.processes)
        count = len(status.processes)
        parts.append(f"{running} of {count} process{'es' * (count != 1)} running")
    if status.faults:
        parts.append(f"{len(status.faults)} fault{'s' * (len(status.faults) > 1)}")
    if not store.connected:
        parts.append(f"NOT CONNECTED: {store.trouble}")
    return " · ".join(parts)


def _quorum(quorum: Quorum) -> str:
    words = shown.quorum(**asdict(quorum))
    return words.replace("no quorum", "NO QUORUM").replace(f", {quorum.needed} needed", "")


def _way(told: BootstrapStatus) -> list[str]:
    """How the members were told of each other and what runs them, where that is not the usual."""
    words = []
    if told.lack:
        words.append(told.lack)
    elif told.registered is not None and told.size is not None and len(told.registered) < told.size:
        words.append(f"discovery: {len(told.registered)} of {told.size} registered")
    elif told.way is not Bootstrap.STATIC:
        words.append(f"by {told.way.value}")
    return words + ([f"{told.runtime.value} containers"] * (told.runtime is not Runtime.PROCESS))
