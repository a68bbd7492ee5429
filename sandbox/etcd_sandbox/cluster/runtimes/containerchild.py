"""One child that runs in a container: its engine's client is our child, etcd's own pid is what counts.

The client (`podman run`) stays as long as the container does; its exit code is the container's.
Signals and measurements go to the process in the container, where this machine shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from etcd_sandbox.cluster.runtimes.leftcontainers import removal, remove
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.enginecommand import said
from etcd_sandbox.model.spec import ContainerSpec, ProcessSpec
from etcd_sandbox.supervise import process
from etcd_sandbox.supervise.process import Child, Executed

START_TIMEOUT_S = 60.0
"""How long an engine may take to start a container: it waits for others that it starts."""

_FILE_PAUSE_S = 0.01
_INSPECT_PAUSE_S = 0.1
_GONE_PAUSE_S = 0.01
_COMPLAINT_BYTES = 8192
_SIGNALS_FROM = 128
_ENGINE_FAILED = (125, 126, 127)
"""Exit codes of `run` for what did not become a container: by podman's and docker's manuals."""

HIDDEN_AFTER_S = 4.0
"""How long the engine's own process may stand where etcd's is to be, before it is taken for another."""

TOLD_WITHIN_S = 5.0
"""How long the engine may take to notice that a container which it was to signal has ended."""

CLIENT = "/client"
"""Follows the process's name where the pid of the engine's client is written down beside its own."""


class ContainerChild:
    """A container that runs. `pid` is that of its process, or of the client where that is hidden."""

    def __init__(
        self,
        container: ContainerSpec,
        client: Child,
        ended: asyncio.Task[int],
        inner: psutil.Process | None,
    ) -> None:
        self._container = container
        self._client = client
        self.output = client.output
        self._ended = ended
        self._inner = inner
        # The engine takes its time before the process in the container is executed.
        self.executed = client.executed if inner is None else Executed.now()
        self._telling: set[asyncio.Task[str]] = set()
        self.pid = client.pid if inner is None else inner.pid
        self.pids = {"": self.pid} if inner is None else {"": inner.pid, CLIENT: client.pid}

    async def main_ended(self) -> int:
        """Wait for the container's end; the wait code of its process, negative for a signal."""
        code = await asyncio.shield(self._ended)
        number = code - _SIGNALS_FROM
        return -number if number in signal.valid_signals() else code

    async def group_gone(self) -> None:
        """Wait until container and client are gone."""
        while self._lives():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_GONE_PAUSE_S)
        await self._client.group_gone()
        if self._telling:
            await asyncio.wait(self._telling, timeout=TOLD_WITHIN_S)
        # That its group is gone may be seen before its end is.
        if await asyncio.shield(self._ended) < 0:
            # The client was killed before it could clear up after its container.
            with contextlib.suppress(SandboxError):
                await asyncio.to_thread(remove, self._container.engine, [self._container.name])
        _forget_pid(self._container)

    def signal(self, number: int) -> bool:
        """Signal the process in the container; False when there is nobody left."""
        if self._inner is None:
            return self._tell_engine(number)
        try:
            self._inner.send_signal(number)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return self._tell_engine(number)
        return True

    def _lives(self) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return (
                self._inner is not None
                and self._inner.is_running()
                and self._inner.status() != psutil.STATUS_ZOMBIE
            )
        return False

    def _tell_engine(self, number: int) -> bool:
        if self._ended.done():
            return False
        name = process.signal_name(number)
        task = asyncio.create_task(
            _run(self._container, "kill", f"--signal={name}", self._container.name)
        )
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return True


async def execute(
    spec: ProcessSpec,
    container: ContainerSpec,
    environment: Mapping[str, str],
    on_lines: Callable[[memoryview], None],
) -> ContainerChild:
    """Run the container of `spec`; returns when its process was executed.

    Raises SandboxError with the engine's reason when it could not be, OSError when there is no engine.
    """
    _make_directories(container)
    _forget_pid(container)
    told = _Told(on_lines)
    client = await process.execute(spec, environment, told)
    ended = asyncio.create_task(client.main_ended())
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            inner = await _inner(container, ended, told)
    except TimeoutError:
        client.signal(signal.SIGKILL)
        await ended
        await _run(container, *removal(container.engine, container.name))
        raise SandboxError(
            f"{container.runtime} did not start the container within {START_TIMEOUT_S:g} s"
        ) from None
    complaint = told.end()
    if inner is None and ended.done() and ended.result() in _ENGINE_FAILED:
        await client.group_gone()
        raise SandboxError(explain(container, complaint, ended.result()))
    return ContainerChild(container, client, ended, inner)


def explain(container: ContainerSpec, complaint: str, code: int) -> str:
    """Why the engine could not run the container, and the mend, in a clause."""
    engine, reason = container.runtime, said(complaint) or f"exit status {code}"
    lowered = reason.lower()
    if "already in use" in lowered and container.name in reason:
        return (
            f"another container is called {container.name} ({engine} rm {container.name} removes it; "
            "-c NAME gives the cluster another name)"
        )
    if "not known" in lowered or "no such image" in lowered:
        return f"the image {container.image} is no longer on this machine"
    if lowered.startswith("netavark: no such file"):
        return (
            f"{engine} can give containers no network of their own without iptables: install your "
            "system's package iptables, or take --container-network host"
        )
    return f"{engine} says: {reason}"


def _make_directories(container: ContainerSpec) -> None:
    Path(container.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    if container.pid_file:
        Path(container.pid_file).parent.mkdir(mode=0o700, exist_ok=True)


def _forget_pid(container: ContainerSpec) -> None:
    if container.pid_file:
        Path(container.pid_file).unlink(missing_ok=True)


class _Told:
    """Hands lines on; until the container runs, keeps the last of them: the engine's complaint."""

    def __init__(self, on_lines: Callable[[memoryview], None]) -> None:
        self._on_lines = on_lines
        self._kept: bytes | None = b""
        self.news = asyncio.Event()

    def __call__(self, lines: memoryview) -> None:
        if self._kept is not None:
            self._kept = (self._kept + bytes(lines))[-_COMPLAINT_BYTES:]
            self.news.set()
        self._on_lines(lines)

    def end(self) -> str:
        """What was kept, and no more from now on."""
        kept, self._kept = self._kept or b"", None
        return kept.decode(errors="replace")


async def _inner(
    container: ContainerSpec, ended: asyncio.Task[int], told: _Told
) -> psutil.Process | None:
    """The process in the container, once it was executed; None where this machine does not show it."""
    pause_s = _FILE_PAUSE_S if container.pid_file else _INSPECT_PAUSE_S
    seen_s: float | None = None
    while not ended.done():
        if pid := await _told_pid(container):
            seen_s = seen_s or time.monotonic()
            with contextlib.suppress(psutil.Error):
                inner = psutil.Process(pid)
                # Until it is executed, the same pid is the engine's own.
                if inner.cmdline()[:1] == [container.program]:
                    return inner
            if time.monotonic() > seen_s + HIDDEN_AFTER_S or not psutil.pid_exists(pid):
                return None
        told.news.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.news.wait(), pause_s)
    return None


async def _told_pid(container: ContainerSpec) -> int:
    """What the engine says is the pid of the container's process; 0 when it has none."""
    if container.pid_file:
        with contextlib.suppress(OSError, ValueError):
            return int(await asyncio.to_thread(Path(container.pid_file).read_text))
        return 0
    told = await _run(container, "inspect", "--format={{.State.Pid}}", container.name)
    return int(told) if told.isdigit() else 0


async def _run(container: ContainerSpec, *arguments: str) -> str:
    """Run one command of the engine; what it printed, empty when it failed."""
    command = await asyncio.create_subprocess_exec(
        container.engine, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        out, _ = await command.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            command.kill()
        await command.wait()
        raise
    return out.decode(errors="replace").strip() if command.returncode == 0 else ""
