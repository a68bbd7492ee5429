"""The blocking client of the control API, on the standard library's `http.client`.

It is what every command pays for at its start, so it imports nothing heavy.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast
from urllib.parse import urlencode

from sandbox.control.wire import Frame, Verb, error_from_wire, read_frames
from sandbox.errors import NotRunning, SandboxError, TimedOut
from sandbox.paths import ClusterPaths

ANSWER_TIMEOUT_S = 10.0
"""How long a plain question may take; what waits for a cluster adds its own time to this."""


class _UnixConnection(http.client.HTTPConnection):
    # HTTP/1.0, so that a stream's body is its bytes as they are, ended by the connection's end.
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"

    def __init__(self, path: str, timeout_s: float | None) -> None:
        super().__init__("sandbox", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


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
        response = self._send(method, path, query, body, ANSWER_TIMEOUT_S + extra_s)
        try:
            content = response.read()
        except TimeoutError as error:
            raise self._silent() from error
        except OSError as error:
            raise self._gone() from error
        return cast(dict[str, Any], self._checked(response, content))

    @contextmanager
    def _stream(self, path: str, query: dict[str, object]) -> Iterator[BinaryIO]:
        response = self._send("GET", path, query, None, None)
        if response.status >= 400:
            self._checked(response, response.read())
        try:
            # Under HTTP/1.0 the rest of the connection is the body: read it without http.client.
            yield cast(BinaryIO, response.fp)
        except ConnectionResetError as error:
            raise self._gone() from error
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: object,
        timeout_s: float | None,
    ) -> http.client.HTTPResponse:
        connection = _UnixConnection(str(self.paths.socket), timeout_s)
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content is not None else {}
        try:
            connection.request(method, target, content, headers)
            return connection.getresponse()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise not_running(self.paths.name) from error
        except TimeoutError as error:
            raise self._silent() from error
        except (OSError, http.client.HTTPException) as error:
            raise self._gone() from error

    @staticmethod
    def _checked(response: http.client.HTTPResponse, content: bytes) -> object:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = content.decode(errors="replace")
        if response.status >= 400:
            raise error_from_wire(answer)
        return answer

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
