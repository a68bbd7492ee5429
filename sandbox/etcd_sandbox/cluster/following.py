"""Makes what runs match an edited plan: the processes that changed, came and went, and no other."""

from __future__ import annotations

from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.cluster.verbs import Verbs
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.changes import Changes
from etcd_sandbox.supervise.supervisor import Supervisor


def refusal_of(wanted: ClusterSpec, changes: Changes) -> SandboxError | None:
    """Why a running cluster does not take the changes; None when it does."""
    if not changes.refused:
        return None
    return SandboxError(
        f"the {changes.refused} of a running cluster cannot be changed by its file",
        wanted.source.path,
        "etcd-sandbox down, then etcd-sandbox up --fresh starts a new cluster as the file says",
    )


def moved(wanted: ClusterSpec, changes: Changes) -> list[ProcessSpec]:
    """The members that get another peer URL, as they are to be."""
    names = {each.process for each in changes.moved}
    return [process for process in wanted.members if process.name in names]


def told(changes: Changes, refusal: SandboxError | None) -> dict[str, object]:
    """What changed, came and went, by process name, and the same in one line."""
    line = changes.one_line()
    if refusal is not None:
        line = f"{line} ({changes.refused} changed: {refusal.hint})".lstrip()
    return {
        "changed": list(changes.changed),
        "came": list(changes.came),
        "went": list(changes.went),
        "moved": [
            {
                "process": each.process,
                "member": each.member,
                "before": each.before,
                "after": each.after,
            }
            for each in changes.moved
        ],
        "refused": changes.refused,
        "line": line,
    }


async def drop_what_went(changes: Changes, supervisor: Supervisor, roster: Roster) -> None:
    """Stop and forget the processes that the plan has no more."""
    for name in changes.went:
        await supervisor.processes[name].stop()
        supervisor.remove(name)
        roster.drop(name)


async def take_in_the_rest(
    wanted: ClusterSpec, changes: Changes, supervisor: Supervisor, roster: Roster, verbs: Verbs
) -> None:
    """Start what came, and restart what changed if it ran; put all in the plan's order."""
    for name in (*changes.changed, *changes.came):
        spec = wanted.process(name)
        if spec is None:
            continue
        old = supervisor.processes.get(name)
        runs = old is None or old.state.alive or old.state is ProcessState.BACKOFF
        if old is not None:
            await old.stop()
            old.adopt(spec)
        else:
            supervisor.add(spec)
        roster.add(spec)
        if runs:
            await verbs.start([supervisor.processes[name]])
    supervisor.arrange(process.name for process in wanted.processes)
