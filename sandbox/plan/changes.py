"""What an edited input would change in a running cluster, process by process."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.model.spec import ClusterSpec, ProcessSpec


@dataclass(frozen=True, slots=True)
class Changes:
    """Process names that changed, came or went, in the order of the inputs.

    `members_changed`: the set of member names or a peer URL differs, which a running cluster
    cannot take from an input.
    """

    changed: tuple[str, ...] = ()
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    members_changed: bool = False

    def __bool__(self) -> bool:
        return bool(self.changed or self.came or self.went or self.members_changed)

    def one_line(self) -> str:
        """`web, api changed, db came, old went`; empty when nothing differs."""
        kinds = ((self.changed, "changed"), (self.came, "came"), (self.went, "went"))
        return ", ".join(f"{', '.join(names)} {verb}" for names, verb in kinds if names)


def compare(running: ClusterSpec, wanted: ClusterSpec) -> Changes:
    """What makes `wanted` differ from `running`, by process name."""
    before = {process.name: process for process in running.processes}
    after = {process.name: process for process in wanted.processes}
    return Changes(
        changed=tuple(
            name
            for name, process in after.items()
            if name in before and _runs_as(before[name]) != _runs_as(process)
        ),
        came=tuple(name for name in after if name not in before),
        went=tuple(name for name in before if name not in after),
        members_changed=_membership(running) != _membership(wanted),
    )


def _runs_as(process: ProcessSpec) -> tuple[object, ...]:
    return (
        process.argv,
        process.cwd,
        process.env,
        process.env_drop,
        process.restart,
        process.stop_timeout_s,
        process.after,
    )


def _membership(spec: ClusterSpec) -> set[tuple[str, str]]:
    return {(p.member.name, p.member.peer_url) for p in spec.processes if p.member}
