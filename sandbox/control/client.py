"""The blocking client of the control API: HTTP/1.0 over a Unix socket, a connection a question.

It is what every command pays for at its start. `http.client` would bring the parsers of mail and
TLS with it, 35 ms of imports; a question here is one line and its headers, and an answer ends
where the connection ends.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast
from urllib.parse import urlencode

from sandbox.control.wire import Frame, Verb, error_from_wire, read_frames
from sandbox.errors import NotRunning, SandboxError, TimedOut
from sandbox.paths import ClusterPaths

STREAM_BUFFER_BYTES = 256 << 10
ANSWER_TIMEOUT_S = 10.0
"""How long a plain question may take; what waits for a cluster adds its own time to this."""


class _Answer:
    """The status of an answer, and the connection's rest, which is its body."""

    def __init__(self, connection: socket.socket) -> None:
        self.body = connection.makefile("rb", buffering=STREAM_BUFFER_BYTES)
        words = self.body.readline().split(None, 2)
        if len(words) < 2 or not words[1].isdigit():
            raise ConnectionResetError("the connection ended before the answer")
        self.status = int(words[1])
        while self.body.readline().strip():
            pass  # what the headers say is known: JSON, or the stream that was asked for


class ControlClient:
    """Asks and tells the supervisor of one cluster.

    Every method raises NotRunning when there is no such supervisor, and the error that the
    supervisor answered with.
    """

    def __init__(self, paths: ClusterPaths) -> None:
        self.paths = paths

    def status(self, *, with_hash: bool = False) -> dict[str, Any]:
        """The cluster as it is now, in the shape of `status --json` (schema 1)."""
        return self._ask("GET", "/v1/status", {"hash": "1"} if with_hash else None)

    def plan(self) -> dict[str, Any]:
        """The running ClusterSpec as JSON."""
        return self._ask("GET", "/v1/plan")

    def ready(self, timeout_s: float) -> dict[str, Any]:
        """Wait until every process that `up` started is ready; `{"ready_s": …}`.

        Raises TimedOut, or SandboxError with the last lines of a process that ended.
        """
        return self._ask("GET", "/v1/ready", {"timeout_s": timeout_s}, extra_s=timeout_s)

    def act(
        self,
        verb: Verb,
        select: Iterable[str],
        *,
        signal: str | None = None,
        timeout_s: float = 30.0,
    ) -> dict[str, Any]:
        """Do `verb` to the selected processes and wait until it is done.

        The answer's `targets` has, per process in the order of the cluster: `process`,
        `member`, `pid` (before), `before` and `state` (states), `was_leader`, and `done`
        (False where there was nothing to do). `signal` is a name (`SIGKILL`), for kill.
        """
        body = {"select": list(select), "signal": signal, "timeout_s": timeout_s}
        return self._ask("POST", f"/v1/act/{verb}", body=body, extra_s=timeout_s)

    def apply(self, spec: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Make the running set match `spec`: `{"changed": […], "came": […], "went": […], "line": "…"}`."""
        return self._ask(
            "POST", "/v1/apply", {"dry_run": "1"} if dry_run else None, body=spec, extra_s=30.0
        )

    def shutdown(self, *, kill: bool = False, purge: bool = False) -> dict[str, Any]:
        """Begin to stop everything, the supervisor last; returns at once. Repeat with `kill` to hurry."""
        return self._ask("POST", "/v1/shutdown", body={"kill": kill, "purge": purge})

    def events(self, *, follow: bool, tail: int | None = None) -> Iterator[dict[str, Any]]:
        """What happened, oldest first: the last `tail` events (all that are held, if None), then new ones."""
        query: dict[str, object] = {"follow": int(follow)}
        if tail is not None:
            query["tail"] = tail
        with self._stream("/v1/events", query) as stream:
            for line in stream:
                yield json.loads(line)

    def logs(
        self,
        select: Iterable[str] = (),
        *,
        follow: bool,
        tail: int | None = None,
        since_us: int | None = None,
    ) -> Iterator[Frame]:
        """Log lines in order of arrival, of the selected processes (all, if none is named).

        `tail` lines of the past, or those since `since_us` (microseconds since the epoch), or
        all that the files hold.
        """
        query: dict[str, object] = {"follow": int(follow), "select": list(select)}
        if tail is not None:
            query["tail"] = tail
        if since_us is not None:
            query["since_us"] = since_us
        with self._stream("/v1/logs", query) as stream:
            yield from read_frames(stream)

    def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        body: object = None,
        extra_s: float = 0.0,
    ) -> dict[str, Any]:
        with (
            self._errors(),
            self._send(method, path, query, body, ANSWER_TIMEOUT_S + extra_s) as connection,
        ):
            answer = _Answer(connection)
            with answer.body:
                return cast(dict[str, Any], _checked(answer.status, answer.body.read()))

    @contextmanager
    def _stream(self, path: str, query: dict[str, object]) -> Iterator[BinaryIO]:
        with self._errors(), self._send("GET", path, query, None, None) as connection:
            answer = _Answer(connection)
            with answer.body:
                if answer.status >= 400:
                    _checked(answer.status, answer.body.read())
                yield cast(BinaryIO, answer.body)

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: object,
        timeout_s: float | None,
    ) -> socket.socket:
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {target} HTTP/1.0\r\nHost: sandbox\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            connection.connect(str(self.paths.socket))
            connection.sendall(head.encode() + content)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What goes wrong with the connection, as an error of ours."""
        try:
            yield
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise not_running(self.paths.name) from error
        except TimeoutError as error:
            raise self._silent() from error
        except OSError as error:
            raise self._gone() from error

    def _gone(self) -> SandboxError:
        return NotRunning(
            f"the supervisor of cluster {self.paths.name!r} ended while it was asked",
            hint=f"its log is {self.paths.supervisor_log}",
        )

    def _silent(self) -> SandboxError:
        return TimedOut(
            f"the supervisor of cluster {self.paths.name!r} did not answer in time",
            hint=f"its log is {self.paths.supervisor_log}",
        )


def not_running(name: str) -> NotRunning:
    """The error for a cluster that has no supervisor."""
    return NotRunning(
        f"no cluster {name!r} is running",
        hint="etcd-sandbox up starts one; etcd-sandbox ls shows what there is",
    )


def _checked(status: int, content: bytes) -> object:
    try:
        answer = json.loads(content)
    except ValueError:
        if status < 400:
            raise ConnectionResetError("the connection ended amid the answer") from None
        answer = content.decode(errors="replace")
    if status >= 400:
        raise error_from_wire(answer)
    return answer
