"""The links' process: `python -P -m etcd_sandbox.links.relay LINKS-AS-JSON FD`.

It takes states from stdin, a line each, and says on stdout when one is in force. It accepts
nothing before the first, so that after a crash no byte crosses a link that was cut. It ends at
the end of stdin. FD is a socket over which links come and go while the others work on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import sys
from functools import partial

from msgspec.structs import replace

from etcd_sandbox.links import wire
from etcd_sandbox.links.switchboard import Switchboard

BACKLOG = 1024
FILES = 10_240
"""What macOS allows at most, where it says that there is no limit."""

FDS = 32
"""How many sockets are taken at once; each comes with its link."""

_STDIN, _STDOUT = 0, 1

log = logging.getLogger("links")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, else asyncio's own where uvloop is not to be had."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class States:
    """The newest state from stdin; those that it overtakes are never put in force."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._unfinished = b""
        self._newest: wire.LinkState | None = None
        self._arrived = asyncio.Event()
        loop.add_reader(_STDIN, self._read)

    async def next(self) -> wire.LinkState:
        """Wait for one that has not been handed out."""
        await self._arrived.wait()
        self._arrived.clear()
        assert self._newest is not None
        return self._newest

    def _read(self) -> None:
        content = os.read(_STDIN, 1 << 20)
        if not content:
            # The supervisor is gone or wants the end: nothing here is worth a delay.
            os._exit(0)
        *lines, self._unfinished = (self._unfinished + content).split(b"\n")
        if lines:
            self._newest = wire.decode_state(lines[-1])
            self._arrived.set()


def raise_file_limit() -> None:
    """A connection has two descriptors, and common limits of 256 or 1024 are for programs without."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class Listeners:
    """The links' own sockets: they listen from `open` on, and so does each that comes later."""

    def __init__(self, switchboard: Switchboard, lines: list[wire.Line], fd: int) -> None:
        self._switchboard = switchboard
        self._lines = {line.key: line for line in lines}
        self._servers: dict[str, asyncio.Server] = {}
        self._opened = False
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changes = socket.socket(fileno=fd)
        self._changes.setblocking(False)
        self._unfinished = b""
        self._passed: list[int] = []
        asyncio.get_running_loop().add_reader(fd, self._read)

    async def open(self) -> None:
        """Listen, from the first call on."""
        self._opened = True
        await self._follow()

    def _read(self) -> None:
        content, passed, _, _ = socket.recv_fds(self._changes, 1 << 16, FDS)
        self._passed += passed
        if not content:
            asyncio.get_running_loop().remove_reader(self._changes)
            return
        *changes, self._unfinished = (self._unfinished + content).split(b"\n")
        for change in map(wire.decode_change, changes):
            if isinstance(change, wire.Line):
                self._lines[change.key] = replace(change, fd=self._passed.pop(0))
            elif server := self._servers.pop(change, None):
                del self._lines[change]
                server.close()
            elif line := self._lines.pop(change, None):
                os.close(line.fd)
        if self._opened:
            task = asyncio.create_task(self._follow())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._turn:
            for key in self._lines.keys() - self._servers.keys():
                line = self._lines[key]
                listener = socket.socket(fileno=line.fd)
                listener.setblocking(False)
                make = partial(self._switchboard.protocol, line)
                self._servers[key] = await loop.create_server(make, sock=listener, backlog=BACKLOG)


async def serve(lines: list[wire.Line], fd: int) -> None:
    """Relay for as long as the process lives."""
    states, switchboard = States(asyncio.get_running_loop()), Switchboard()
    listeners = Listeners(switchboard, lines, fd)
    while True:
        state = await states.next()
        await switchboard.enforce(state)
        await listeners.open()
        os.write(_STDOUT, b"%d\n" % state.number)


def main() -> int:
    """Run until stdin ends."""
    logging.basicConfig(format="links: %(message)s", level=logging.INFO)
    raise_file_limit()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve(wire.decode_lines(sys.argv[1]), int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
