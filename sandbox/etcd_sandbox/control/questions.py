"""What both clients of the control API ask: each question written once, answered or awaited."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar, Unpack

from etcd_sandbox.control import requests
from etcd_sandbox.control.requests import ActOptions, Request
from etcd_sandbox.model.access import USER_VARIABLE
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.verbs import HEAL, START, Verb

Answer = TypeVar("Answer", covariant=True)
Objects = TypeVar("Objects", covariant=True)
Frames = TypeVar("Frames", covariant=True)


class Questions(Generic[Answer, Objects, Frames]):
    """Asks and tells the supervisor of one cluster.

    `Answer` is a JSON object, `Objects` a stream of these, `Frames` a stream of log frames; for an
    event loop all three are to be awaited. Every method raises NotRunning when there is no such
    supervisor, and the error that the supervisor answered with.
    """

    def __init__(self, paths: ClusterPaths, user: str | None = None) -> None:
        """`user` is `NAME:PASSWORD` of a user of etcd; by default what `$ETCD_SANDBOX_USER` says."""
        self.paths = paths
        self.user = user or os.environ.get(USER_VARIABLE)

    @abstractmethod
    def ask(self, request: Request) -> Answer:
        """The answer to any question that has one in JSON (`control.requests` makes them)."""

    @abstractmethod
    def _objects(self, request: Request) -> Objects:
        """The objects of a stream that has one a line."""

    @abstractmethod
    def _news(self, request: Request) -> Objects:
        """The objects of a stream that tells of work, up to the verdict. Raises the error that ended the work."""

    @abstractmethod
    def _frames(self, request: Request) -> Frames:
        """The frames of a stream of log lines."""

    def status(self, *, with_hash: bool = False) -> Answer:
        """The cluster as it is now, in the shape of `status --json` (schema 1)."""
        return self.ask(requests.status(with_hash=with_hash))

    def plan(self) -> Answer:
        """The running ClusterSpec as JSON."""
        return self.ask(requests.plan())

    def detail(self, process: str) -> Answer:
        """One process from near: a Detail (`model.state`) as JSON."""
        return self.ask(requests.detail(process))

    def ready(self, timeout_s: float) -> Answer:
        """Wait until every process that `up` started is ready; `{"ready_s": …}`.

        Raises TimedOut, or SandboxError with the last lines of a process that ended.
        """
        return self.ask(requests.ready(timeout_s))

    def act(self, verb: Verb, select: Iterable[str] = (), **options: Unpack[ActOptions]) -> Answer:
        """Do `verb` to the selected processes; the Verdict (`model.verdict`) as JSON.

        The options are those of `requests.act`. Returns when the verb is done and, with `wait`,
        when the cluster has settled.
        """
        return self.ask(requests.act(verb, select, **options))

    def heal(self, **options: Unpack[ActOptions]) -> Answer:
        """Undo every fault."""
        return self.act(HEAL, **options)

    def start(self, select: Iterable[str], **options: Unpack[ActOptions]) -> Answer:
        """Start what rests of the selected processes."""
        return self.act(START, select, **options)

    def upgrade(
        self,
        select: Iterable[str],
        to: Mapping[str, object],
        *,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Objects:
        """Give the selected members the etcd `to` (an EtcdBinary as JSON), one after the other.

        What is told, as `control.wire` has it: the plan, each member that is done, the verdict.
        Raises the error that ended it. An iterator that is closed before its end halts the upgrade.
        """
        return self._news(
            requests.upgrade(select, to, force=force, seed=seed, wait=wait, timeout_s=timeout_s)
        )

    def halt_upgrade(self) -> Answer:
        """Have the upgrade end after the member that it is at; `{"halting": true}` if one is under way."""
        return self.ask(requests.halt_upgrade())

    def apply(self, spec: dict[str, Any], *, dry_run: bool) -> Answer:
        """Make the running set match `spec`: `{"changed": […], "came": […], "went": […], "line": "…"}`."""
        return self.ask(requests.apply(spec, dry_run=dry_run))

    def shutdown(self, *, kill: bool = False, purge: bool = False) -> Answer:
        """Begin to stop everything, the supervisor last; returns at once. Repeat with `kill` to hurry."""
        return self.ask(requests.shutdown(kill=kill, purge=purge))

    def events(self, *, follow: bool, tail: int | None = None) -> Objects:
        """What happened, oldest first: the last `tail` events (all that are held, if None), then new ones."""
        return self._objects(requests.events(follow=follow, tail=tail))

    def availability(self, *, writes: bool = False) -> Objects:
        """Whether clients are served: a Bucket (`model.service`) as JSON each 100 ms, from now on.

        `writes` tries writes, too; each is a revision.
        """
        return self._objects(requests.availability(writes=writes))

    def logs(
        self,
        select: Iterable[str] = (),
        *,
        follow: bool,
        tail: int | None = None,
        since_us: int | None = None,
    ) -> Frames:
        """Log lines in order of arrival, of the selected processes (all, if none is named).

        `tail` lines of the past, or those since `since_us` (microseconds since the epoch), or
        all that the files hold.
        """
        return self._frames(requests.logs(select, follow=follow, tail=tail, since_us=since_us))
