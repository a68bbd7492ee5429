"""The verbs of a cluster in Python, written once for the blocking API and for the awaited one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from etcd_sandbox import verbs
from etcd_sandbox.api import failover, values
from etcd_sandbox.api.failover import Round
from etcd_sandbox.api.faultverbs import Done, FaultVerbs
from etcd_sandbox.control import requests
from etcd_sandbox.control.requests import Request
from etcd_sandbox.verbs import Verb


def order(
    verb: Verb, select: Iterable[str], *, versus: str | Iterable[str] = (), **how: Any
) -> Request:
    """What the supervisor is asked. Raises InputError for arguments that cannot be meant."""
    values.check_order(verb.identifier, select, how)
    other = (versus,) if isinstance(versus, str) else tuple(versus)
    return requests.act(verb, select, versus=other, **how)


class Verbs(FaultVerbs[Done]):
    """What can be done to the members, and broken."""

    @abstractmethod
    def _upgrade(self, select: Iterable[str], to: str, **how: Any) -> Done: ...

    def _rounds(self, rounds: int, how: str, timeout_s: float) -> Iterator[Round]:
        values.check_count("rounds", rounds, 1)
        values.check_seconds("timeout_s", timeout_s)
        return failover.rounds(self._control, values.way_of(how), rounds, timeout_s=timeout_s)

    def start(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Start processes that do not run, with the data that they had."""
        return self._act(verbs.START, select, seed=seed, wait=wait, timeout_s=timeout_s)

    def stop(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Stop processes gracefully: SIGTERM, and SIGKILL to those that do not go."""
        return self._act(verbs.STOP, select, seed=seed, wait=wait, timeout_s=timeout_s)

    def restart(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Stop processes gracefully and start them again, with the data that they had."""
        return self._act(verbs.RESTART, select, seed=seed, wait=wait, timeout_s=timeout_s)

    def kill(
        self,
        *select: str,
        signal: str | int = "SIGKILL",
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Crash processes: no goodbye, as when a machine fails. `signal` is a name or a number."""
        return self._act(
            verbs.KILL,
            select,
            signal=values.signal_meant(signal),
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def move_leader(
        self, to: str, *, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Have the leader hand leadership over to this member."""
        return self._act(verbs.MOVE_LEADER, (to,), seed=seed, wait=wait, timeout_s=timeout_s)

    def add(
        self,
        name: str | None = None,
        *,
        learner: bool = False,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Add a member (by default `infraN` with the next number), and start it. A `learner` has no vote.

        If it does not come up it is taken out again, and the error says so. One that is on etcd's list
        with its peer URL, and never started, is started as it is, and stays on the list.
        """
        return self._act(verbs.ADD, (), name=name, learner=learner, wait=wait, timeout_s=timeout_s)

    def promote(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Give learners their vote, as soon as they have caught up with the leader."""
        return self._act(verbs.PROMOTE, select, seed=seed, wait=wait, timeout_s=timeout_s)

    def remove(
        self,
        *select: str,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Take members out of the cluster, and delete their data; a leader hands over first.

        An ID of a member on etcd's list that is no process of ours takes it off the list. Raises
        SandboxError for what would break the quorum; with `force` etcd itself is asked.
        """
        return self._act(
            verbs.REMOVE, select, force=force, seed=seed, wait=wait, timeout_s=timeout_s
        )

    def replace(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Put new members in the place of these, dead or alive: same name and URLs, new ID, no old data."""
        return self._act(verbs.REPLACE, select, seed=seed, wait=wait, timeout_s=timeout_s)

    def upgrade(
        self,
        *select: str,
        to: str | Path,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Give members another etcd, one at a time, the leader last; each waits until all others are healthy.

        `to` is a version (`3.5`, `3.5.1`) or a path. `timeout_s` is what each member may take, and the
        cluster version at the end. `Verdict.upgrade` has the figures of each member, and how etcd's
        list of members differs from the plan afterwards (`unlike`). Raises
        InputError for a step that etcd does not allow, and for changes of the members in the past
        that the new etcd may not know of (unless `force`), SandboxError where a member does not come
        up: it runs its old etcd again then. Interrupted or cancelled, it ends with the member that it is at.
        """
        return self._upgrade(
            select, str(to), force=force, seed=seed, wait=wait, timeout_s=timeout_s
        )
