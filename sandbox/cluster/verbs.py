"""What can be done to processes of a living cluster, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence

from sandbox.cluster import ordering, preflight
from sandbox.cluster.roster import Roster
from sandbox.errors import SandboxError, TimedOut
from sandbox.etcd.raftlog import fatal_cause
from sandbox.model.state import ProcessState
from sandbox.supervise.supervisor import TAIL_OF_EXIT, Supervised, Supervisor

_LOOK_AGAIN_S = 0.5


class Verbs:
    """The verbs over the processes of one cluster."""

    def __init__(
        self,
        supervisor: Supervisor,
        roster: Roster,
        serving: ordering.Serving,
        leader: Callable[[], str | None],
    ) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._serving = serving
        self._leader = leader

    async def act(
        self,
        verb: str,
        names: Sequence[str],
        signal_number: int,
        timeout_s: float,
    ) -> dict[str, object]:
        """Do one verb to these processes; the answer of `ControlClient.act`.

        Raises TimedOut when it is not done in time, SandboxError for a member that ended at
        its start.
        """
        leader = self._leader()
        processes = [self._supervisor.processes[name] for name in names]
        before = [(process.state, process.life.pid, process.life.starts) for process in processes]
        try:
            async with asyncio.timeout(timeout_s):
                await self._do(verb, processes, signal_number)
        except TimeoutError:
            raise TimedOut(
                f"{verb} {', '.join(names)} did not finish within {timeout_s:g} s"
            ) from None
        targets = []
        for process, (state, pid, starts) in zip(processes, before, strict=True):
            member = process.spec.member
            changed = process.state is not state or process.life.starts != starts
            targets.append(
                {
                    "process": process.name,
                    "member": member.name if member is not None else None,
                    "pid": process.life.pid if pid is None else pid,
                    "before": state,
                    "state": process.state,
                    "was_leader": process.name == leader and state.alive,
                    "done": changed or (verb == "kill" and pid is not None),
                    "exit": None
                    if process.exit is None or process.state.alive
                    else str(process.exit),
                }
            )
        return {"verb": verb, "targets": targets}

    async def start(self, processes: list[Supervised]) -> None:
        """Start those that rest, in the fastest order, and wait until they are ready."""
        resting = [process.spec for process in processes if not process.state.alive]
        for spec in resting:
            preflight.check_ports(spec)
            preflight.check_data_directory(spec)
        stopping = [process for process in processes if process.state is ProcessState.STOPPING]
        await asyncio.gather(*(process.start() for process in stopping))
        await ordering.start(self._supervisor, self._serving, resting)
        await self._up(processes)

    def quorum_runs(self) -> bool:
        """Whether as many members run as a leader needs."""
        members = [self._supervisor.processes[name] for name, _ in self._roster.items()]
        alive = sum(
            process.state in (ProcessState.STARTING, ProcessState.RUNNING) for process in members
        )
        return alive >= len(members) // 2 + 1

    async def _do(self, verb: str, processes: list[Supervised], signal_number: int) -> None:
        match verb:
            case "start":
                await self.start(processes)
            case "stop":
                names = [process.name for process in processes]
                await ordering.stop(self._supervisor, self._roster, names, self._leader)
            case "restart" if len(processes) == 1:
                await processes[0].restart()
                await self._up(processes)
            case "restart":
                names = [process.name for process in processes]
                await ordering.stop(self._supervisor, self._roster, names, self._leader)
                await self.start(processes)
            case "kill":
                await asyncio.gather(*(self._kill(process, signal_number) for process in processes))
            case "pause":
                await asyncio.gather(*(process.pause() for process in processes))
            case "resume":
                await asyncio.gather(*(process.resume() for process in processes))

    async def _up(self, processes: list[Supervised]) -> None:
        """Wait until the processes are ready, as far as that can happen by itself."""
        await asyncio.gather(*(self._one_up(process) for process in processes))

    async def _one_up(self, process: Supervised) -> None:
        while process.state is ProcessState.STARTING and self.quorum_runs():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    process.wait_for(lambda life: life.state is not ProcessState.STARTING),
                    _LOOK_AGAIN_S,
                )
        if process.state in (ProcessState.EXITED, ProcessState.FAILED, ProcessState.BACKOFF):
            lines = self._supervisor.logbook.last_lines(process.name, TAIL_OF_EXIT)
            if process.spec.member is None and process.state is not ProcessState.FAILED:
                return
            raise SandboxError(
                f"{process.name} ended at its start ({process.exit})",
                hint=fatal_cause(lines) or "its last lines, above, say why" if lines else "",
                detail=b"\n".join(lines).decode(errors="replace"),
            )

    async def _kill(self, process: Supervised, number: int) -> None:
        await process.crash(number)
        if number == signal.SIGKILL:
            await process.wait_for(
                lambda life: life.pid is None or life.main_ended or not life.state.alive
            )
