"""The blocking client of the control API: HTTP/1.0 over a Unix socket, a connection a question.

It is what every command pays for at its start. `http.client` would bring the parsers of mail and
TLS with it, 35 ms of imports; a question here is one line and its headers, and an answer ends
where the connection ends.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Unpack, cast

from etcd_sandbox.control import requests
from etcd_sandbox.control.answers import checked, checked_news, gone, not_ours, not_running, silent
from etcd_sandbox.control.requests import ANSWER_TIMEOUT_S, ActOptions, Request, user_header
from etcd_sandbox.control.wire import Frame, read_frames
from etcd_sandbox.model.credentials import USER_VARIABLE
from etcd_sandbox.model.verb import Verb
from etcd_sandbox.paths import ClusterPaths

STREAM_BUFFER_BYTES = 256 << 10


class _Answer:
    """The status of an answer, and the connection's rest, which is its body."""

    def __init__(self, connection: socket.socket) -> None:
        self.body = connection.makefile("rb", buffering=STREAM_BUFFER_BYTES)
        try:
            self.status = self._read_head()
        except BaseException:
            self.body.close()  # the descriptor is open as long as it is
            raise

    def _read_head(self) -> int:
        words = self.body.readline().split(None, 2)
        if len(words) < 2 or not words[1].isdigit():
            raise ConnectionResetError("the connection ended before the answer")
        while self.body.readline().strip():
            pass  # what the headers say is known: JSON, or the stream that was asked for
        return int(words[1])


class ControlClient:
    """Asks and tells the supervisor of one cluster.

    Every method raises NotRunning when there is no such supervisor, and the error that the
    supervisor answered with.
    """

    def __init__(self, paths: ClusterPaths, user: str | None = None) -> None:
        """`user` is `NAME:PASSWORD` of a user of etcd; by default what `$ETCD_SANDBOX_USER` says."""
        self.paths = paths
        self.user = user or os.environ.get(USER_VARIABLE)

    def status(self, *, with_hash: bool = False) -> dict[str, Any]:
        """The cluster as it is now, in the shape of `status --json` (schema 1)."""
        return self.ask(requests.status(with_hash=with_hash))

    def plan(self) -> dict[str, Any]:
        """The running ClusterSpec as JSON."""
        return self.ask(requests.plan())

    def detail(self, process: str) -> dict[str, Any]:
        """One process from near: a Detail (`model.detail`) as JSON."""
        return self.ask(requests.detail(process))

    def ready(self, timeout_s: float) -> dict[str, Any]:
        """Wait until every process that `up` started is ready; `{"ready_s": …}`.

        Raises TimedOut, or SandboxError with the last lines of a process that ended.
        """
        return self.ask(requests.ready(timeout_s))

    def act(
        self,
        verb: Verb,
        select: Iterable[str] = (),
        **options: Unpack[ActOptions],
    ) -> dict[str, Any]:
        """Do `verb` to the selected processes; the Verdict (`model.verdict`) as JSON.

        The options are those of `requests.act`. Returns when the verb is done and, with `wait`,
        when the cluster has settled.
        """
        return self.ask(requests.act(verb, select, **options))

    def upgrade(
        self,
        select: Iterable[str],
        to: Mapping[str, object],
        *,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Generator[dict[str, Any], None, None]:
        """Give the selected members the etcd `to` (an EtcdBinary as JSON), one after the other.

        What is told, as `control.wire` has it: the plan, each member that is done, the verdict.
        Raises the error that ended it. An iterator that is left before its end halts the upgrade.
        """
        request = requests.upgrade(
            select, to, force=force, seed=seed, wait=wait, timeout_s=timeout_s
        )
        with self._stream(request) as stream:
            for line in stream:
                yield (news := checked_news(json.loads(line)))
                if "verdict" in news:
                    return
        raise gone(self.paths)

    def halt_upgrade(self) -> dict[str, Any]:
        """Have the upgrade end after the member that it is at; `{"halting": true}` if one is under way."""
        return self.ask(requests.halt_upgrade())

    def apply(self, spec: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Make the running set match `spec`: `{"changed": […], "came": […], "went": […], "line": "…"}`."""
        return self.ask(requests.apply(spec, dry_run=dry_run))

    def shutdown(self, *, kill: bool = False, purge: bool = False) -> dict[str, Any]:
        """Begin to stop everything, the supervisor last; returns at once. Repeat with `kill` to hurry."""
        return self.ask(requests.shutdown(kill=kill, purge=purge))

    def events(self, *, follow: bool, tail: int | None = None) -> Iterator[dict[str, Any]]:
        """What happened, oldest first: the last `tail` events (all that are held, if None), then new ones."""
        with self._stream(requests.events(follow=follow, tail=tail)) as stream:
            for line in stream:
                yield json.loads(line)

    def availability(self, *, writes: bool = False) -> Iterator[dict[str, Any]]:
        """Whether clients are served: a Bucket (`model.availability`) as JSON each 100 ms, from now on.

        `writes` tries writes, too; each is a revision.
        """
        with self._stream(requests.availability(writes=writes)) as stream:
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
        request = requests.logs(select, follow=follow, tail=tail, since_us=since_us)
        with self._stream(request) as stream:
            yield from read_frames(stream)

    def ask(self, request: Request) -> dict[str, Any]:
        """The answer to any question that has one in JSON (`control.requests` makes them)."""
        with self._errors(), self._send(request) as connection:
            answer = _Answer(connection)
            with answer.body:
                return cast(dict[str, Any], checked(answer.status, answer.body.read()))

    @contextmanager
    def _stream(self, request: Request) -> Iterator[BinaryIO]:
        with self._errors(), self._send(request) as connection:
            answer = _Answer(connection)
            with answer.body:
                if answer.status >= 400:
                    checked(answer.status, answer.body.read())
                yield cast(BinaryIO, answer.body)

    def _send(self, request: Request) -> socket.socket:
        content = request.content
        head = f"{request.method} {request.target} HTTP/1.0\r\nHost: sandbox\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in user_header(self.user).items())
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(request.timeout_s)
            _connect(connection, str(self.paths.socket), request.timeout_s)
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
            raise silent(self.paths) from error
        except PermissionError as error:
            raise not_ours(self.paths) from error
        except OSError as error:
            raise gone(self.paths) from error


def _connect(connection: socket.socket, path: str, timeout_s: float | None) -> None:
    """Connect within the time: where too many wait at the socket already, Linux refuses at once."""
    deadline = time.monotonic() + (ANSWER_TIMEOUT_S if timeout_s is None else timeout_s)
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(0.01)
