"""The questions of the control API, each written once for both clients, and what is sent. Pure."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from etcd_sandbox.model.access import USER_VARIABLE
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.verbs import HEAL, START, Verb

ANSWER_TIMEOUT_S = 10.0
"""How long a plain question may take; what waits for a cluster adds its own time to this."""

_APPLY_S = 30.0


USER_HEADER = "Etcd-Sandbox-User"
"""The header with the user of etcd to ask the members as, in base64."""


def user_header(user: str | None) -> dict[str, str]:
    """The header for `NAME:PASSWORD`; none where no user is given, there or by the environment."""
    user = user or os.environ.get(USER_VARIABLE)
    if not user:
        return {}
    from base64 import b64encode

    return {USER_HEADER: b64encode(user.encode()).decode()}


class Request(NamedTuple):
    """One question. `extra_s` is the time that it may take beyond that of a plain one.

    It is None for a stream without an end, which may be silent for any time.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: object = None
    extra_s: float | None = 0.0

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def encoded(self, user: str | None) -> bytes:
        """What is sent: HTTP/1.0, so that the answer ends where the connection ends."""
        content = b"" if self.body is None else json.dumps(self.body).encode()
        named = "".join(f"{name}: {value}\r\n" for name, value in user_header(user).items())
        return (
            f"{self.method} {self.target} HTTP/1.0\r\nHost: sandbox\r\n{named}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        ).encode() + content

    @property
    def timeout_s(self) -> float | None:
        """How long the answer may take, or the next part of a stream."""
        return None if self.extra_s is None else ANSWER_TIMEOUT_S + self.extra_s


PLAIN: Mapping[str, object] = {
    "versus": (),
    "signal": None,
    "delay_s": 0.0,
    "jitter_s": 0.0,
    "seed": None,
    "name": None,
    "learner": False,
    "force": False,
    "wait": True,
}
"""What an order says that says nothing else."""


def act(
    verb: Verb, select: Iterable[str] = (), *, timeout_s: float = 30.0, **options: object
) -> Request:
    """Do `verb` to the selected processes; the options are those of an Order, and those that only this verb has.

    `versus` selects the other side of a fault on links (empty: everyone else), `signal` is a name (`SIGKILL`).
    `wait` is for the answer to come when the cluster has settled, `timeout_s` at most.
    """
    given = {name: value for name, value in options.items() if name in PLAIN or value is not None}
    body = {"select": list(select), **PLAIN, **given, "timeout_s": timeout_s}
    return _post(f"/v1/act/{verb}", body, extra_s=timeout_s)


def upgrade(
    select: Iterable[str],
    to: Mapping[str, object],
    *,
    force: bool = False,
    seed: int | None = None,
    wait: bool = True,
    timeout_s: float = 30.0,
    dry_run: bool = False,
) -> Request:
    """Give the selected members the etcd `to` (an EtcdBinary as JSON), one after the other.

    With `force` also where it may not know of changes of the members in the past. A stream of what is done (`control.wire`); with `dry_run` the plan alone, as one answer.
    """
    body = {
        "select": list(select),
        "to": dict(to),
        "force": force,
        "seed": seed,
        "wait": wait,
        "timeout_s": timeout_s,
    }
    return _post("/v1/upgrade", body, query=_dry(dry_run), extra_s=timeout_s if dry_run else None)


def _dry(dry_run: bool) -> tuple[tuple[str, str], ...]:
    return (("dry_run", "1"),) if dry_run else ()


def _stream(path: str, *, follow: bool, select: Iterable[str] = (), **query: int | None) -> Request:
    asked = _get(path, extra_s=None if follow else 0.0, follow=int(follow), **query)
    return asked._replace(query=asked.query + tuple(("select", word) for word in select))


def _get(path: str, *, extra_s: float | None = 0.0, **query: float | str | None) -> Request:
    given = tuple((name, str(value)) for name, value in query.items() if value is not None)
    return Request(method="GET", path=path, query=given, extra_s=extra_s)


def _post(
    path: str,
    body: object,
    *,
    query: tuple[tuple[str, str], ...] = (),
    extra_s: float | None = 0.0,
) -> Request:
    return Request(method="POST", path=path, query=query, body=body, extra_s=extra_s)


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
        """The answer to any question that has one in JSON ."""

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
        return self.ask(_get("/v1/status", hash="1" if with_hash else None))

    def plan(self) -> Answer:
        """The running ClusterSpec as JSON."""
        return self.ask(_get("/v1/plan"))

    def detail(self, process: str) -> Answer:
        """One process from near: a Detail (`model.state`) as JSON."""
        return self.ask(_get(f"/v1/processes/{quote(process, safe='')}"))

    def ready(self, timeout_s: float) -> Answer:
        """Wait until every process that `up` started is ready; `{"ready_s": …}`.

        Raises TimedOut, or SandboxError with the last lines of a process that ended.
        """
        return self.ask(_get("/v1/ready", extra_s=timeout_s, timeout_s=timeout_s))

    def act(self, verb: Verb, select: Iterable[str] = (), **options: Any) -> Answer:
        """Do `verb` to the selected processes; the Verdict (`model.verdict`) as JSON.

        The options are those of `act`. Returns when the verb is done and, with `wait`,
        when the cluster has settled.
        """
        return self.ask(act(verb, select, **options))

    def heal(self, **options: Any) -> Answer:
        """Undo every fault."""
        return self.act(HEAL, **options)

    def start(self, select: Iterable[str], **options: Any) -> Answer:
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
            upgrade(select, to, force=force, seed=seed, wait=wait, timeout_s=timeout_s)
        )

    def halt_upgrade(self) -> Answer:
        """Have the upgrade end after the member that it is at; `{"halting": true}` if one is under way."""
        return self.ask(_post("/v1/upgrade/halt", {}))

    def apply(self, spec: dict[str, Any], *, dry_run: bool) -> Answer:
        """Make the running set match `spec`: `{"changed": […], "came": […], "went": […], "line": "…"}`."""
        return self.ask(_post("/v1/apply", spec, query=_dry(dry_run), extra_s=_APPLY_S))

    def shutdown(self, *, kill: bool = False, purge: bool = False) -> Answer:
        """Begin to stop everything, the supervisor last; returns at once. Repeat with `kill` to hurry."""
        return self.ask(_post("/v1/shutdown", {"kill": kill, "purge": purge}))

    def events(self, *, follow: bool, tail: int | None = None) -> Objects:
        """What happened, oldest first: the last `tail` events (all that are held, if None), then new ones."""
        return self._objects(_stream("/v1/events", follow=follow, tail=tail))

    def availability(self, *, writes: bool = False) -> Objects:
        """Whether clients are served: a Bucket (`model.service`) as JSON each 100 ms, from now on.

        `writes` tries writes, too; each is a revision.
        """
        return self._objects(_get("/v1/availability", extra_s=None, writes=int(writes)))

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
        return self._frames(
            _stream("/v1/logs", follow=follow, tail=tail, since_us=since_us, select=select)
        )
