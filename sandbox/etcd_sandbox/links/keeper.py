"""The supervisor's side of the links: owns their addresses, keeps their process alive, tells it the rules.

The addresses stay bound here, so that they stay ours when the process dies; one that ends
unexpectedly is replaced at once and told everything again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.links import wire
from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.supervise.kept import Kept


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


class Links(Kept):
    """The links of one cluster. Who dials is refused until `open`."""

    def __init__(
        self,
        links: Sequence[Link],
        *,
        on_started: Callable[[int], None],
        on_ended: Callable[[int], None],
        environment: Mapping[str, str],
    ) -> None:
        super().__init__("the links' process", on_started=on_started, on_ended=on_ended)
        self._links = list(links)
        self._environment = dict(environment)
        self._sockets: dict[str, socket.socket] = {}
        self._changes: socket.socket | None = None
        self._state = wire.LinkState(number=1)
        self._sent = 0
        self._in_force = 0
        self._waiting: dict[asyncio.Future[None], int] = {}
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
        self._end()
        self._release_addresses()
        for future in self._waiting:
            if not future.done():
                future.set_exception(_closed())

    async def _execute(self) -> Process:
        lines = [_line(link, self._sockets[link.key]) for link in self._links]
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        # What changes from now on is said there, and read when the process is up.
        self._hang_up()
        self._changes = ours
        with theirs:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "etcd_sandbox.links.relay"),
                *(wire.encode_lines(lines), str(theirs.fileno())),
                stdin=PIPE,
                stdout=PIPE,
                env=self._environment,
                pass_fds=[*(line.fd for line in lines), theirs.fileno()],
                start_new_session=True,
            )

    def _executed(self) -> None:
        self._sent = self._in_force = 0
        self._send()

    async def _attend(self, process: Process) -> None:
        """Take acknowledgements until the process has ended."""
        if process.stdout is not None:
            while line := await process.stdout.readline():
                self._acknowledged(int(line))

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


def _closed() -> SandboxError:
    return SandboxError("the peer links have been closed")
