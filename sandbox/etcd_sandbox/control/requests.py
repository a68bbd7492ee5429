"""The questions of the control API: one function for each, and what it sends. Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypedDict
from urllib.parse import quote, urlencode

from etcd_sandbox.model.access import USER_VARIABLE
from etcd_sandbox.verbs import Verb

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


def status(*, with_hash: bool = False) -> Request:
    """The cluster as it is now."""
    return _get("/v1/status", hash="1" if with_hash else None)


def plan() -> Request:
    """The running ClusterSpec."""
    return _get("/v1/plan")


def detail(process: str) -> Request:
    """One process from near."""
    return _get(f"/v1/processes/{quote(process, safe='')}")


def ready(timeout_s: float) -> Request:
    """Wait until every process that `up` started is ready."""
    return _get("/v1/ready", extra_s=timeout_s, timeout_s=timeout_s)


class ActOptions(TypedDict, total=False):
    """What a verb can be told beside whom it is for: the keywords of `act`, for those who pass them on."""

    versus: Iterable[str]
    signal: str | None
    delay_s: float
    jitter_s: float
    seed: int | None
    name: str | None
    learner: bool
    force: bool
    wait: bool
    timeout_s: float


def act(
    verb: Verb,
    select: Iterable[str] = (),
    *,
    versus: Iterable[str] = (),
    signal: str | None = None,
    delay_s: float = 0.0,
    jitter_s: float = 0.0,
    seed: int | None = None,
    name: str | None = None,
    learner: bool = False,
    force: bool = False,
    wait: bool = True,
    timeout_s: float = 30.0,
    **declared: object,
) -> Request:
    """Do `verb` to the selected processes.

    `versus` selects the other side of a fault on links (empty: everyone else), `delay_s` and
    `jitter_s` are for `slow`, `signal` is a name (`SIGKILL`) for `kill`, `seed` is what `random`
    draws from, `name` and `learner` are for `add`, `force` is for `remove`. `wait` is for the answer to come when the cluster has settled, `timeout_s` at most.
    `declared` are the options that only this verb has.
    """
    body = {
        "select": list(select),
        "versus": list(versus),
        "signal": signal,
        "delay_s": delay_s,
        "jitter_s": jitter_s,
        "seed": seed,
        "name": name,
        "learner": learner,
        "force": force,
        "wait": wait,
        "timeout_s": timeout_s,
        **declared,
    }
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
    query = (("dry_run", "1"),) if dry_run else ()
    return _post("/v1/upgrade", body, query=query, extra_s=timeout_s if dry_run else None)


def halt_upgrade() -> Request:
    """End the upgrade after the member that it is at."""
    return _post("/v1/upgrade/halt", {})


def apply(spec: Mapping[str, object], *, dry_run: bool) -> Request:
    """Make the running set match `spec`, or only compare."""
    query = (("dry_run", "1"),) if dry_run else ()
    return _post("/v1/apply", dict(spec), query=query, extra_s=_APPLY_S)


def shutdown(*, kill: bool = False, purge: bool = False) -> Request:
    """Begin to stop everything, the supervisor last."""
    return _post("/v1/shutdown", {"kill": kill, "purge": purge})


def events(*, follow: bool, tail: int | None = None) -> Request:
    """A stream of events, one JSON object a line."""
    return _get("/v1/events", extra_s=_of_stream(follow), follow=int(follow), tail=tail)


def logs(
    select: Iterable[str] = (),
    *,
    follow: bool,
    tail: int | None = None,
    since_us: int | None = None,
) -> Request:
    """A stream of log lines in frames (`control.wire`)."""
    asked = _get(
        "/v1/logs", extra_s=_of_stream(follow), follow=int(follow), tail=tail, since_us=since_us
    )
    return asked._replace(query=asked.query + tuple(("select", word) for word in select))


def availability(*, writes: bool = False) -> Request:
    """A stream of buckets of 100 ms, one JSON object a line."""
    return _get("/v1/availability", extra_s=None, writes=int(writes))


def _of_stream(follow: bool) -> float | None:
    return None if follow else 0.0


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
