"""Brings a cluster back to how it began: as it runs where that will do, else anew on the same ports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from etcd_sandbox.api import values
from etcd_sandbox.api.lifetime import Life
from etcd_sandbox.api.values import check_seconds
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.clearing import CannotBeCleared, Clearing
from etcd_sandbox.etcd.exchange import Exchange, tls_context
from etcd_sandbox.host.clusterlock import is_running
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, ProcessStatus, Role
from etcd_sandbox.paths import ClusterPaths

T = TypeVar("T")

LOOK_EVERY_S = 0.01
_CHECK_WITHIN_S = 0.3
_ONLY_ATTACHED = "this program did not start it"
_ENDED = (ProcessState.STOPPED, ProcessState.EXITED, ProcessState.FAILED, ProcessState.BACKOFF)


def reset(paths: ClusterPaths, life: Life | None, user: str | None, timeout_s: float) -> None:
    """Return when the cluster is as it began; what takes a new start is done where it is ours (`life`).

    Raises TimedOut, and SandboxError where the cluster is not ours and cannot be emptied as it runs.
    """
    check_seconds("timeout_s", timeout_s)
    deadline = time.monotonic() + timeout_s
    try:
        if life is not None:
            _check_rest(life)
        _Running(paths, user, deadline, timeout_s).empty()
    except CannotBeCleared as reason:
        if hindrance := _ONLY_ATTACHED if life is None else life.hindrance():
            raise SandboxError(
                f"cluster {paths.name!r} cannot be emptied while it runs: {reason}",
                hint=f"nor is it started anew: {hindrance}",
            ) from None
        assert life is not None
        life.begin_again(max(1.0, deadline - time.monotonic()))


def _check_rest(life: Life) -> None:
    """Raises CannotBeCleared for what only a new start brings back."""
    if not is_running(life.paths):
        raise CannotBeCleared("it does not run any more")
    if life.restoration is not None:
        raise CannotBeCleared("it began with the keys of a snapshot")
    recorded = recorded_plan(life.paths)
    if recorded is None or values.members_told(recorded) != life.members_at_first:
        raise CannotBeCleared("it has other members by now")


class _Running:
    """A cluster that is to be emptied as it runs, until `deadline`."""

    def __init__(
        self, paths: ClusterPaths, user: str | None, deadline: float, timeout_s: float
    ) -> None:
        self._client = ControlClient(paths, user)
        self._deadline = deadline
        self._timeout_s = timeout_s
        self._plan = recorded_plan(paths)

    def empty(self) -> None:
        """Return when all members follow one leader and have nothing of what was put into them.

        Raises CannotBeCleared where that takes a new start.
        """
        status = self._whole(self._mend(self._status()))
        leader = next((each for each in status.members if each.name == status.leader), None)
        if leader is None:  # a Procfile without members
            return
        urls = [each.asked_url for each in status.members if each.role is not Role.PROXY]
        within_s = self._left_s()
        revision = self._asking(leader, within_s, lambda clearing: clearing.clear(urls))
        # Who asks a follower for what it has itself must not see what was there before.
        while any(
            member.revision is not None and member.revision < revision for member in status.members
        ):
            status = self._next_look(status)

    def _mend(self, status: ClusterStatus) -> ClusterStatus:
        """Undo faults and start what was ended, without waiting; the status from then on."""
        paused = any(member.state is ProcessState.PAUSED for member in status.members)
        if status.faults or paused:
            self._client.heal(wait=False, timeout_s=self._left_s())
        ended = [each.process for each in status.members if each.state in _ENDED]
        ended += [each.name for each in status.processes if _was_ended(each)]
        if ended:
            self._client.start(ended, wait=False, timeout_s=self._left_s())
        return self._status() if status.faults or paused or ended else status

    def _whole(self, status: ClusterStatus) -> ClusterStatus:
        """The status when all members follow one leader."""
        while not _is_whole(status):
            gone = [member for member in status.members if member.state in _ENDED]
            if gone:
                raise CannotBeCleared(f"{gone[0].name} does not run with the data that it has")
            self._check_user(status)
            status = self._next_look(status)
        return status

    def _check_user(self, status: ClusterStatus) -> None:
        """Raises CannotBeCleared where a member answers, but not without a user."""
        running = (each for each in status.members if each.state is ProcessState.RUNNING)
        if (member := next(running, None)) is not None:
            with suppress(SandboxError):
                self._asking(member, _CHECK_WITHIN_S, Clearing.check)

    def _asking(
        self,
        member: MemberStatus,
        within_s: float,
        question: Callable[[Clearing], Coroutine[Any, Any, T]],
    ) -> T:
        process = self._plan.process(member.process) if self._plan is not None else None
        spec = process.member if process is not None else None
        tls = partial(
            tls_context, spec.client_cert if spec else "", spec.client_key if spec else ""
        )

        async def ask() -> T:
            http = Exchange(tls)
            try:
                return await question(Clearing(http, member.asked_url, within_s))
            finally:
                await http.aclose()

        # The caller's own thread may have a loop that runs already.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(ask())).result()

    def _next_look(self, status: ClusterStatus) -> ClusterStatus:
        if time.monotonic() > self._deadline:
            raise values.not_healthy(status, self._timeout_s)
        time.sleep(LOOK_EVERY_S)
        return self._status()

    def _status(self) -> ClusterStatus:
        return values.status_of(self._client.status())

    def _left_s(self) -> float:
        return max(0.1, self._deadline - time.monotonic())


def _was_ended(process: ProcessStatus) -> bool:
    """Whether it runs no more, and not because it had done its work."""
    done = process.exit is not None and process.exit.code == 0
    return process.state in _ENDED and not (process.state is ProcessState.EXITED and done)


def _is_whole(status: ClusterStatus) -> bool:
    members = [member for member in status.members if member.state is not ProcessState.REMOVED]
    return all(
        member.state is ProcessState.RUNNING
        and (member.role is Role.PROXY or member.follows == status.leader is not None)
        for member in members
    ) and all(process.state is not ProcessState.STARTING for process in status.processes)
