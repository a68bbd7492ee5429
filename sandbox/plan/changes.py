"""What an edited input would change in a running cluster, process by process."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.model.spec import Bootstrap, ClusterSpec, PeerLink, ProcessSpec


@dataclass(frozen=True, slots=True)
class Changes:
    """Process names that changed, came or went, in the order of the inputs.

    `refused` is what differs that a running cluster cannot take from an input, empty for nothing:
    the `member list` (a name, a peer URL or a link), the `bootstrap` (the way or its token), the
    `runtime`.
    """

    changed: tuple[str, ...] = ()
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    refused: str = ""

    def __bool__(self) -> bool:
        return bool(self.changed or self.came or self.went or self.refused)

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
        refused=_refused(running, wanted),
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


def _refused(running: ClusterSpec, wanted: ClusterSpec) -> str:
    # The other ways give members other peer URLs and other programs: what is the cause comes first.
    if running.runtime is not wanted.runtime:
        return "runtime"
    if _bootstrap(running) != _bootstrap(wanted):
        return "bootstrap"
    return "member list" if _membership(running) != _membership(wanted) else ""


def _bootstrap(spec: ClusterSpec) -> tuple[Bootstrap, str]:
    return spec.bootstrap, spec.discovery.token if spec.discovery is not None else ""


def _membership(spec: ClusterSpec) -> set[tuple[str, str, PeerLink | None]]:
    members = [process.member for process in spec.processes if process.member]
    return {(member.name, member.peer_url, member.link) for member in members}
