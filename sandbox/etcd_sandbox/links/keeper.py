"""The supervisor's side of the links: owns their addresses, keeps their process alive, tells it the rules.

The addresses stay bound here, so that they stay ours when the process dies; one that ends
unexpectedly is replaced at once and told everything again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.links import wire
from etcd_sandbox.model.fault import Pair, Rule

BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 5.0
SHORT_LIFE_S = 1.0
"""A process that ended sooner than this is one that keeps dying: the next one waits longer."""

log = logging.getLogger(__name__)


class Link(Struct, frozen=True, kw_only=True):
    """The link in front of one member: the address that it advertises, and where it really listens.

    It is its peers' link, or that of its `clients`.
    """

    member: str
    listen: tuple[str, int]
    target: tuple[str, int]
    clients: bool = False

    @property
    def key(self) -> str:
        """What it is known by."""
        return wire.key_of(self.member, clients=self.clients)


class Links:
    """The links of one cluster. `on_started` and `on_ended` are told the pid of their process."""

    def __init__(
        self,
        links: Sequence[Link],
        *,
        on_started: Callable[[int], None],
        on_ended: Callable[[int], None],
        environment: Mapping[str, str],
    ) -> None:
        self._links = list(links)
        self._on_started = on_started
        self._on_ended = on_ended
        self._environment = dict(environment)
        self._sockets: dict[str, socket.socket] = {}
        self._changes: socket.socket | None = None
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._state = wire.LinkState(number=1)
        self._sent = 0
        self._in_force = 0
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._closed = asyncio.Event()
        self._held = True

    def bind(self) -> None:
        """Take the advertised addresses, all or none.

        Raises the OSError of the first that cannot be had, with `HOST:PORT` as its file name.
        """
        for link in self._links:
            try:
                self._sockets[link.key] = _bound(*link.listen)
            except OSError as error:
                self._release_addresses()
                host, port = link.listen
                raise OSError(error.errno, error.strerror, f"{host}:{port}") from error

    async def start(self) -> None:
        """Execute the process; who dials is refused until `open`. Raises OSError."""
        process = await self._execute()
        self._keeping = asyncio.create_task(self._keep(process))

    def open(self) -> None:
        """Let it relay from now on."""
        self._held = False
        self._send()

    def add(self, link: Link) -> None:
        """One more link, at once; the others are not disturbed. One that is there stays as it is.

        Raises OSError when its address cannot be had.
        """
        if link in self._links:
            return
        self._drop(link.key)
        bound = self._sockets[link.key] = _bound(*link.listen)
        self._links.append(link)
        if self._changes is not None:
            # A process that has just died gets nothing; its successor is told of all links.
            with contextlib.suppress(OSError):
                said = wire.encode_change(_line(link, bound))
                socket.send_fds(self._changes, [said], [bound.fileno()])

    def __contains__(self, link: Link) -> bool:
        return link in self._links

    def drop(self, member: str) -> None:
        """The links in front of that member go, and their addresses are given back."""
        for clients in (False, True):
            self._drop(wire.key_of(member, clients=clients))

    def _drop(self, key: str) -> None:
        self._links = [link for link in self._links if link.key != key]
        if (bound := self._sockets.pop(key, None)) is not None:
            bound.close()
            if self._changes is not None:
                with contextlib.suppress(OSError):
                    self._changes.send(wire.encode_change(key))

    async def tell(
        self, pids: Mapping[str, int], rules: Mapping[Pair, Rule], resets: Collection[Pair] = ()
    ) -> None:
        """Put these rules in force, reset the connections of the pairs `resets`, and return when that is done.

        `pids` are the members' processes, by which it is known who dials. A process that dies
        meanwhile only makes it take longer. Raises SandboxError when the links are closed.
        """
        if self._closed.is_set():
            raise _closed()
        self._change(pids, rules, resets)
        reached = asyncio.get_running_loop().create_future()
        self._waiting[reached] = self._state.number
        try:
            await reached
        finally:
            self._waiting.pop(reached, None)

    def note_pids(self, pids: Mapping[str, int]) -> None:
        """Tell which processes the members are now, and do not wait."""
        self._change(pids, self._state.rules)

    def close(self) -> None:
        """End the process and give the addresses back; `wait_closed` waits until it is gone."""
        self._closed.set()
        self._kill()
        self._release_addresses()
        for future in self._waiting:
            if not future.done():
                future.set_exception(_closed())

    async def wait_closed(self) -> None:
        """After `close`: return when the process is gone and has been reported."""
        if self._keeping is not None:
            await self._keeping

    async def _keep(self, process: Process) -> None:
        pause_s = 0.0
        while True:
            began = time.monotonic()
            code = await self._attend(process)
            lived_s, successor = time.monotonic() - began, None
            while successor is None:
                if self._closed.is_set():
                    return
                pause_s, lived_s = next_pause(pause_s, lived_s), 0.0
                log.warning("the links' process ended (%d): another in %.1f s", code, pause_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), pause_s)
                    return
                with contextlib.suppress(OSError):
                    successor = await self._execute()
            process = successor

    async def _execute(self) -> Process:
        lines = [_line(link, self._sockets[link.key]) for link in self._links]
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        # What changes from now on is said there, and read when the process is up.
        self._hang_up()
        self._changes = ours
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "etcd_sandbox.links.relay"),
                *(wire.encode_lines(lines), str(theirs.fileno())),
                stdin=PIPE,
                stdout=PIPE,
                env=self._environment,
                pass_fds=[*(line.fd for line in lines), theirs.fileno()],
                start_new_session=True,
            )
        self._on_started(process.pid)
        self._process = process
        self._sent = self._in_force = 0
        self._send()
        return process

    async def _attend(self, process: Process) -> int:
        """Take acknowledgements until the process has ended; its exit code."""
        try:
            if self._closed.is_set():
                self._kill()
            if process.stdout is not None:
                while line := await process.stdout.readline():
                    self._acknowledged(int(line))
            return await process.wait()
        finally:
            self._process = None
            self._on_ended(process.pid)

    def _change(
        self, pids: Mapping[str, int], rules: Mapping[Pair, Rule], resets: Collection[Pair] = ()
    ) -> None:
        counts = Counter(self._state.resets)
        counts.update({(min(pair), max(pair)) for pair in resets})
        self._state = wire.LinkState(
            number=self._state.number + 1, pids=dict(pids), rules=dict(rules), resets=counts
        )
        self._send()

    def _send(self) -> None:
        """Send the newest state, unless an answer is due: then it goes when that has come."""
        if self._held or self._process is None or self._process.stdin is None:
            return
        if self._sent == self._in_force and self._sent < self._state.number:
            self._sent = self._state.number
            self._process.stdin.write(wire.encode_state(self._state))

    def _acknowledged(self, number: int) -> None:
        self._in_force = number
        for future, wanted in self._waiting.items():
            if wanted <= number and not future.done():
                future.set_result(None)
        self._send()

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _hang_up(self) -> None:
        if self._changes is not None:
            self._changes.close()
            self._changes = None

    def _release_addresses(self) -> None:
        self._hang_up()
        for bound in self._sockets.values():
            bound.close()
        self._sockets.clear()


def _line(link: Link, bound: socket.socket) -> wire.Line:
    host, port = link.target
    return wire.Line(
        member=link.member, fd=bound.fileno(), host=host, port=port, clients=link.clients
    )


def _bound(host: str, port: int) -> socket.socket:
    """A socket with the address, on which nobody listens yet: who dials it is refused at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def next_pause(last_s: float, lived_s: float) -> float:
    """How long to wait before the next process: not at all, unless they keep dying."""
    if lived_s >= SHORT_LIFE_S:
        return 0.0
    return min(max(BACKOFF_FIRST_S, last_s * 2), BACKOFF_LAST_S)


def _closed() -> SandboxError:
    return SandboxError("the peer links have been closed")
