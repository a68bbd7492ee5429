"""The supervisor's side of the disks: executes members under the filter, keeps the handler alive, tells it the rules.

A copy of each listener stays here: a listener that nobody holds has the kernel refuse the calls (ENOSYS), which etcd does not survive.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from etcd_sandbox.disks import calls as filters
from etcd_sandbox.disks import filter as shim
from etcd_sandbox.disks.journal import SIZE
from etcd_sandbox.disks.rules import Rule
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import ProcessSpec
from etcd_sandbox.supervise.kept import Kept, log
from etcd_sandbox.supervise.process import Child, execute

FILTERED_WITHIN_S = 10.0
"""How long a member's listener is waited for."""

PING_EVERY_S = 1.0
ANSWERS_WITHIN_S = 2.0
"""A handler that is silent for longer stands still, and the members' disks with it."""

LONGEST_ANSWER = 4096


class _Listener(NamedTuple):
    fd: int
    process: str
    places: Mapping[str, str]


class Disks(Kept):
    """The disks of one cluster's members.

    `on_used_up` is told the number of a rule that was for so many calls as it should be.
    """

    longest_pause_s = 0.05
    """Each member's writes wait meanwhile."""

    def __init__(
        self,
        *,
        on_started: Callable[[int], None],
        on_ended: Callable[[int], None],
        on_used_up: Callable[[int], None],
        environment: Mapping[str, str],
    ) -> None:
        super().__init__("the disks' handler", on_started=on_started, on_ended=on_ended)
        self._on_used_up = on_used_up
        self._environment = dict(environment)
        self._journal = os.memfd_create("disks")
        os.ftruncate(self._journal, SIZE)
        self._control: socket.socket | None = None
        self._listeners: dict[int, _Listener] = {}
        self._numbers = 0
        self._rules: tuple[Rule, ...] = ()
        self._number = 0
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._starting: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()

    async def execute(
        self,
        spec: ProcessSpec,
        calls: str,
        places: Mapping[str, str],
        environment: Mapping[str, str],
        on_lines: Callable[[memoryview], None],
    ) -> Child:
        """Execute a member under the filter for these calls (`sync`, `write`).

        `places` are the directories of its data, `wal` and `db`. Raises OSError when it cannot be executed; one that
        cannot have the filter says so in its log, and ends.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self.start())
        await asyncio.shield(self._starting)
        machine = filters.MACHINES[os.uname().machine]
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                fd = theirs.fileno()
                wrapped = (
                    *(sys.executable, "-I", "-S", shim.__file__, str(fd), str(machine.seccomp)),
                    filters.program(machine, calls).hex(),
                )
                child = await execute(
                    replace(spec, argv=(*wrapped, *spec.argv)), environment, on_lines, (fd,)
                )
            if (listener := await _received(ours)) is not None:
                self._add(spec.name, listener, places)
        return child

    def _add(self, process: str, fd: int, places: Mapping[str, str]) -> None:
        self.drop(process)
        self._numbers += 1
        self._listeners[self._numbers] = _Listener(fd, process, dict(places))
        self._tell_of(self._numbers)

    def drop(self, process: str) -> None:
        """The process has ended."""
        for number, listener in list(self._listeners.items()):
            if listener.process == process:
                del self._listeners[number]
                os.close(listener.fd)
                self._send({"gone": number})

    async def tell(self, rules: Iterable[Rule]) -> None:
        """Put these rules in force instead of those before, and return when that is done.

        A handler that dies meanwhile only makes it take longer. Raises SandboxError when the disks are closed.
        """
        if self._closed.is_set():
            raise _closed()
        self._rules = tuple(rules)
        self._number += 1
        if not self._listeners:
            return
        reached = asyncio.get_running_loop().create_future()
        self._waiting[reached] = self._number
        self._tell_rules()
        try:
            await reached
        finally:
            self._waiting.pop(reached, None)

    def close(self) -> None:
        """End the handler: no member runs any more. `wait_closed` waits until it is gone."""
        self._end()
        for future in self._waiting:
            if not future.done():
                future.set_exception(_closed())
        for listener in self._listeners.values():
            os.close(listener.fd)
        self._listeners.clear()
        os.close(self._journal)

    async def _execute(self) -> Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        if self._control is not None:
            self._control.close()
        self._control = ours
        fds = (theirs.fileno(), self._journal)
        with theirs:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-S", "-c", _CODE, *map(str, fds)),
                stdin=asyncio.subprocess.DEVNULL,
                env=self._environment,
                pass_fds=fds,
                start_new_session=True,
            )

    def _executed(self) -> None:
        # The rules first: no call is let pass that falls under one.
        self._tell_rules()
        for number in self._listeners:
            self._tell_of(number)
        self._send({"told_all": True})

    async def _attend(self, process: Process) -> None:
        control = self._control
        assert control is not None
        pinging = asyncio.create_task(self._ping())
        try:
            while said := await self._heard(control):
                self._take(json.loads(said))
        finally:
            pinging.cancel()
            control.close()

    @staticmethod
    async def _heard(control: socket.socket) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(control, LONGEST_ANSWER)
        except OSError:
            return b""

    def _take(self, said: dict[str, int]) -> None:
        self._answered.set()
        if "used_up" in said:
            self._on_used_up(said["used_up"])
        for future, wanted in self._waiting.items():
            if wanted <= said.get("in_force", 0) and not future.done():
                future.set_result(None)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self._answered.clear()
            self._send({"ping": 0})
            try:
                await asyncio.wait_for(self._answered.wait(), ANSWERS_WITHIN_S)
            except TimeoutError:
                log.warning("the disks' handler stands still, and with it who writes: killed")
                self._kill()
                return

    def _tell_rules(self) -> None:
        self._send({"rules": self._rules, "number": self._number})

    def _tell_of(self, number: int) -> None:
        fd, process, places = self._listeners[number]
        self._send({"listener": number, "process": process, "places": places}, fd)

    def _send(self, message: Mapping[str, object], *fds: int) -> None:
        # A handler that has just died gets nothing: its successor is told all. One that reads nothing is to have one.
        if self._control is None:
            return
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], fds)
        except BlockingIOError:
            self._kill()
        except OSError:
            return


_HERE = Path(shim.__file__).parent
_CODE = f"""
import sys, types
for name, path in (("etcd_sandbox", {str(_HERE.parent)!r}), ("etcd_sandbox.disks", {str(_HERE)!r})):
    sys.modules[name] = package = types.ModuleType(name)
    package.__path__ = [path]
from etcd_sandbox.disks.handler import main
main()
"""
"""Without `site`, which would look through each installed package first: the successor of one that died is waited for."""


async def _received(ours: socket.socket) -> int | None:
    """The listener; None where the program has ended before it had one."""
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(ours, there.set)
    try:
        await asyncio.wait_for(there.wait(), FILTERED_WITHIN_S)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    except (TimeoutError, OSError):
        return None
    finally:
        loop.remove_reader(ours)
    return fds[0] if fds else None


def _closed() -> SandboxError:
    return SandboxError("the cluster has ended")
