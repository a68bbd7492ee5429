"""`Cluster`: a real etcd cluster for the time of a with-block, broken on purpose by its methods."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from etcd_sandbox.api import values
from etcd_sandbox.api.failover import Round
from etcd_sandbox.api.lifetime import begin
from etcd_sandbox.api.resetting import reset
from etcd_sandbox.api.values import LogLine
from etcd_sandbox.api.verbs import Verbs, order
from etcd_sandbox.backup.snapshot import Snapshot, save
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.host.etcdctl import run_etcdctl
from etcd_sandbox.host.start import stop, too_late
from etcd_sandbox.inputs.plan import as_json, etcd_meant
from etcd_sandbox.model.event import Event, event_from_wire
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import working_directory
from etcd_sandbox.verbs import Verb


class Cluster(Verbs[Verdict]):
    """A real etcd cluster on this machine.

        with Cluster(members=3) as cluster:
            verdict = cluster.kill("leader")
            print(verdict.leader_after, verdict.leader_gap_s)

    It is up within the with-block and gone afterwards, and also when this process ends in
    whatever way. Selectors are those of the commands: names of members or processes, member IDs,
    `leader`, `followers`, `learners`, `members`, `majority`, `minority`, `random`, `all`.

    Every fault verb returns a `Verdict`. With `wait` it returns when the cluster has settled,
    and raises NotSettled after `timeout_s` seconds; without, the verdict's measured figures are None. `seed` is
    what `random` draws from. Errors are those of `etcd_sandbox.errors`: InputError for a selector that
    names nobody, NotRunning when the cluster is gone, TimedOut, and SandboxError for the rest.
    """

    def __enter__(self) -> Self:
        return self if self._attached is not None else self.up()

    def __exit__(self, *_: object) -> None:
        self.close()

    def up(self) -> Self:
        """Start the cluster and return when it is ready, as entering the with-block does.

        Raises TimedOut, or SandboxError with the last lines of a member that ended; then nothing
        is left running.
        """
        self._check_not_up()
        life = begin(self._wishes)
        try:
            ControlClient(life.paths).ready(self._wishes.timeout_s)
        except TimedOut as error:
            late = too_late(error, life.paths)
            life.end()
            raise late from None
        except BaseException:
            life.end()
            raise
        life.ready()
        self._life = life
        return self

    def down(self) -> None:
        """Stop everything. Of a cluster that is ours nothing is left, unless `keep_data` says so."""
        paths, life = self._paths, self._life
        self._life = self._attached = None
        if life is not None:
            life.end()
        else:
            stop(paths)

    def close(self) -> None:
        """What leaving the with-block does: `down`, but a cluster that is not ours runs on."""
        if self._life is not None:
            self.down()
        self._attached = None

    def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster as it is now; every member is asked anew. `with_hash` adds the KV hashes."""
        return values.status_of(self._control.status(with_hash=with_hash))

    def leader(self) -> str | None:
        """The name of the member that leads now; of two that claim it, the one with the higher term."""
        return self.status().leader

    def wait_healthy(self, timeout_s: float = 30.0) -> ClusterStatus:
        """Return when every member answers, all follow one leader and no alarm is up; raises TimedOut."""
        is_healthy = values.health_within(timeout_s)
        while not is_healthy(status := self.status()):
            time.sleep(values.HEALTH_EVERY_S)
        return status

    def reset(self, *, timeout_s: float = 30.0) -> None:
        """Make the cluster what it was when it began: for the next test, instead of a new one.

        Faults are healed, members that do not run are started, and keys, leases, users, roles and
        alarms are gone; revision and term go on. Where that is not enough (other members by now,
        another etcd, authentication, a snapshot that it began with) it is started anew, on the
        same ports. Raises TimedOut, and SandboxError for an attached cluster where that is needed.
        """
        reset(self._paths, self._life, self._wishes.user, timeout_s)

    def failover(
        self, rounds: int = 5, *, how: str = values.USUAL_WAY, timeout_s: float = 30.0
    ) -> Iterator[Round]:
        """Lose the leader so many times; each `Round` comes when the cluster is whole again.

        `how`: `kill`, `stop`, `pause` or `partition`. `timeout_s` is for each step of a round.
        Raises SandboxError for a cluster that is not whole to begin with, or when a round fails;
        what it broke is mended in any case.
        """
        return self._rounds(rounds, how, timeout_s)

    def events(self, *, follow: bool = False, tail: int | None = None) -> Iterator[Event]:
        """What happened, oldest first: the last `tail` events, or all; with `follow` also new ones."""
        values.check_reading((), tail)
        return map(event_from_wire, self._control.events(follow=follow, tail=tail))

    def logs(
        self, *select: str, follow: bool = False, tail: int | None = None
    ) -> Iterator[LogLine]:
        """Log lines of the selected processes (all by default), in the order in which they arrived.

        The last `tail` lines, or all that the files hold; with `follow` also new ones.
        """
        values.check_reading(select, tail)
        for frame in self._control.logs(select, follow=follow, tail=tail):
            yield from values.lines_of(frame)

    def ctl(self, *args: str, timeout_s: float = 30.0) -> str:
        """What `etcdctl ARGS` prints, with the endpoints of all members set.

        Raises SandboxError with what it complained about when it fails or is not there.
        """
        values.check_words("ctl", args)
        values.check_seconds("timeout_s", timeout_s)
        return run_etcdctl(self._plan, args, timeout_s, self._control)

    def snapshot(
        self,
        path: str | Path,
        *,
        on: str | None = None,
        overwrite: bool = False,
        timeout_s: float = 30.0,
    ) -> Snapshot:
        """Save all keys in the file `path`, for `Cluster(restore=path)` or etcdutl.

        `on` selects the member that it is taken from, by default the leader; without a quorum,
        whoever has the newest. `timeout_s` is how long that may be silent. Raises InputError for a file that is
        there already (unless `overwrite`) or cannot be.
        """
        chosen = () if on is None else (on,)
        return save(self._control, Path(path), on=chosen, overwrite=overwrite, timeout_s=timeout_s)

    def _act(self, verb: Verb, select: Iterable[str], **how: Any) -> Verdict:
        return values.settled(self._control.ask(order(verb, select, **how)), how["timeout_s"])

    def _upgrade(self, select: Iterable[str], to: str, **how: Any) -> Verdict:
        values.check_order("upgrade", select, how)
        binary = etcd_meant(to, self._control.plan(), working_directory())
        with closing(self._control.upgrade(select, as_json(binary), **how)) as news:
            return values.settled(list(news)[-1]["verdict"], how["timeout_s"])
