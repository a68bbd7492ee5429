"""One child process: executing it, reading what it writes, signalling its group, seeing it end.

The only module that touches pids and signals. It decides nothing: it reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import fnmatch
import os
import signal
import sys
import termios
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from etcd_sandbox.model.spec import ProcessSpec
from etcd_sandbox.supervise import openfiles
from etcd_sandbox.supervise.stdin import HeldStdin

PIPE_BYTES = 1 << 20
"""The size asked for a child's pipe (Linux), so that a burst does not make it wait for us."""

BUFFER_BYTES = 256 << 10
LONGEST_LINE_BYTES = 64 << 20
"""An unfinished line is held back until it ends, or until it is this long."""

_F_SETPIPE_SZ = 1031
_GROUP_POLL_S = 0.005
_GROUP_POLL_LAST_S = 0.1


def child_environment(spec: ProcessSpec, caller: Mapping[str, str]) -> dict[str, str]:
    """What the child gets: the supervisor's own, less what is dropped, with the spec's laid over.

    Python keeps back what it writes to a pipe, and loses it when SIGTERM comes: unless the caller
    says otherwise it is told not to.
    """
    kept = {
        name: value
        for name, value in caller.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in spec.env_drop)
    }
    return {"PYTHONUNBUFFERED": "1"} | kept | spec.env


class Output:
    """The reading end of one child's pipe: hands on whole lines, and the last one as it is.

    It outlives the child while a grandchild holds the pipe. `on_lines` gets a view of the
    buffer that the next read will overwrite: no line is copied on its way to the file.
    """

    def __init__(self, fd: int, on_lines: Callable[[memoryview], None]) -> None:
        self._fd = fd
        self._on_lines = on_lines
        self._buffer = bytearray(BUFFER_BYTES)
        self._held = 0  # bytes of an unfinished line, at the buffer's front
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self.read)

    @property
    def closed(self) -> bool:
        """Nobody holds the writing end any more, and everything has been read."""
        return self._fd < 0

    def read(self) -> int:
        """Take what is there, as much as the buffer holds; how many bytes that was."""
        if self.closed:
            return 0
        with memoryview(self._buffer) as view:
            try:
                taken = os.readv(self._fd, [view[self._held :]])
            except BlockingIOError:
                return 0
            except OSError:
                taken = 0
            if taken:
                self._take(view, self._held + taken)
        if not taken:
            self.close()
        elif self._held == len(self._buffer):
            self._make_room()
        return taken

    def catch_up(self) -> None:
        """Take the whole lines that are there now.

        Not what comes meanwhile: a grandchild that writes without end would hold everybody up.
        """
        left = 0 if self.closed else _bytes_in(self._fd)
        while left > 0 and (taken := self.read()):
            left -= taken

    def drain(self) -> None:
        """Take everything that is there now, the unfinished last line included."""
        self.catch_up()
        self._flush()

    def close(self) -> None:
        """Stop reading, handing on the unfinished last line."""
        if not self.closed:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._flush()

    def _take(self, view: memoryview, filled: int) -> None:
        end = self._buffer.rfind(b"\n", self._held, filled) + 1
        if end:
            self._on_lines(view[:end])
            view[: filled - end] = view[end:filled]
        self._held = filled - end

    def _make_room(self) -> None:
        if self._held >= LONGEST_LINE_BYTES:
            self._flush()
        else:
            self._buffer.extend(bytes(len(self._buffer)))

    def _flush(self) -> None:
        if self._held:
            # The file is one of lines: the newline keeps the next start's first line apart.
            line = bytes(self._buffer[: self._held]) + b"\n"
            self._held = 0
            self._on_lines(memoryview(line))


def _bytes_in(fd: int) -> int:
    """How many bytes wait in a pipe."""
    count = array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


class Executed(Struct, frozen=True):
    """When a process was executed: microseconds since the epoch, and monotonic seconds."""

    at_us: int
    moment: float

    @classmethod
    def now(cls) -> Executed:
        """Just now."""
        return cls(time.time_ns() // 1000, time.monotonic())


class AnyChild(Protocol):
    """What was executed, as the supervisor knows it. `pid` is what its signals and figures mean.

    `pids` are all that it is known by to the guard, each by what follows the process's name in the ledger.
    """

    output: Output
    executed: Executed
    pid: int
    pids: dict[str, int]

    async def main_ended(self) -> int: ...
    async def group_gone(self) -> None: ...
    def signal(self, number: int) -> bool: ...


class Child:
    """A process that was executed, in a session and process group of its own."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        output: Output,
        executed: Executed,
        stdin: HeldStdin,
    ) -> None:
        self._process = process
        self._stdin = stdin
        self.executed = executed
        self.output = output
        self.pid = process.pid
        self.pids = {"": process.pid}

    async def main_ended(self) -> int:
        """Wait for the process itself; its wait code, negative for a signal. Its output is drained."""
        code = await self._process.wait()
        self.output.drain()
        return code

    async def group_gone(self) -> None:
        """Wait until no process of the group is left."""
        pause_s = _GROUP_POLL_S
        while self.signal(0):
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _GROUP_POLL_LAST_S)
        self.output.drain()
        self._stdin.close()

    def signal(self, number: int) -> bool:
        """Signal the whole group; False when there is nobody left."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            # macOS answers so when only zombies are left in the group.
            return sys.platform != "darwin"
        return True


async def execute(
    spec: ProcessSpec,
    environment: Mapping[str, str],
    on_lines: Callable[[memoryview], None],
    pass_fds: Sequence[int] = (),
) -> Child:
    """Execute `spec`; stdout and stderr go to one pipe, stdin is what the spec says.

    `on_lines` gets every chunk of whole lines, valid until it returns; `pass_fds` are descriptors that the child has
    as well. Raises OSError when it cannot be executed.
    """
    stdin = HeldStdin(spec.stdin)
    try:
        read_end, write_end = os.pipe()
    except OSError:
        stdin.close()
        stdin.given()
        raise
    try:
        with contextlib.suppress(OSError):
            fcntl.fcntl(write_end, _F_SETPIPE_SZ, PIPE_BYTES)
        executed = Executed.now()
        process = await asyncio.create_subprocess_exec(
            *spec.argv,
            stdin=stdin.child_fd,
            stdout=write_end,
            stderr=write_end,
            cwd=spec.cwd,
            env=dict(environment),
            start_new_session=True,
            # A child begins with no signal ignored, whatever our own parent had set.
            restore_signals=True,
            pass_fds=pass_fds,
        )
    except BaseException:
        os.close(read_end)
        stdin.close()
        raise
    finally:
        os.close(write_end)
        stdin.given()
    openfiles.give_back(process.pid)
    return Child(process, Output(read_end, on_lines), executed, stdin)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; the number where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
