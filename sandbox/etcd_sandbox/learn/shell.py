"""A shell that lives through a lesson, so that what is typed in one step is known in the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from etcd_sandbox.errors import SandboxError

_LOOP = """
exec 8<"$1/lines" 9>"$1/codes"
trap : INT HUP TERM
while IFS= read -r line <&8; do command eval "$line" 8<&- 9>&-; echo $? >&9; done
jobs -p >"$1/jobs"
while read -r job; do kill -TERM "$job"; kill -CONT "$job"; done <"$1/jobs" 2>/dev/null
rm -rf "$1"
etcd-sandbox -q -c "$2" down >/dev/null 2>&1
"""
"""Each line is a command of this one shell: variables and `$!` last, and Ctrl-C ends only the command.

The lines end when whoever gave them was killed: then nothing that runs in the background may stay, nor
a cluster that was brought up here.
"""

_TAKE = 65536


class Shell:
    """`sh`, given one line after another. `capture`: the terminal is not its own, and what is printed is kept.

    With `heard` it is not kept, but handed on as it comes. `cluster` is the one that is taken down
    when whoever gives the lines is killed.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        cluster: str,
        *,
        capture: bool,
        heard: Callable[[bytes], None] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.printed = bytearray()
        self._heard = heard or self.printed.extend
        self._room = Path(tempfile.mkdtemp(prefix="etcd-sandbox-learn-"))
        fifos = [self._room / name for name in ("lines", "codes")]
        for fifo in fifos:
            os.mkfifo(fifo, 0o600)
        # Open both ways, so that neither side waits for the other to open.
        self._lines, self._codes = (os.open(fifo, os.O_RDWR | os.O_CLOEXEC) for fifo in fifos)
        self._capture = capture
        self._process = subprocess.Popen(
            ["sh", "-c", _LOOP, "sh", str(self._room), cluster],
            cwd=cwd,
            env=_with_ourselves(env),
            stdin=subprocess.DEVNULL if capture else None,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.STDOUT if capture else None,
            start_new_session=capture,
        )
        self._reading: int | None = None
        if capture:
            assert self._process.stdout is not None
            self._reading = self._process.stdout.fileno()
            os.set_blocking(self._reading, False)
            asyncio.get_running_loop().add_reader(self._reading, self._read)

    async def run(self, line: str) -> int:
        """The exit status of one command, once it has ended and what it printed was heard.

        Raises SandboxError when the shell itself has ended (`exit`).
        """
        os.write(self._lines, f"{line}\n".encode())
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_reader(self._codes, came.set)
        try:
            while not came.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(came.wait(), 0.2)
                if not came.is_set() and self._process.poll() is not None:
                    raise SandboxError("the shell of the lesson has ended")
        finally:
            loop.remove_reader(self._codes)
        while self._reading is not None and self._read():
            pass
        return int(os.read(self._codes, 100).split()[-1])

    def interrupt(self) -> None:
        """As Ctrl-C does: end the command that runs, and none that was sent to the background."""
        os.killpg(self._process.pid, signal.SIGINT)

    async def close(self) -> None:
        """End the shell and what it left running in the background, paused or not."""
        await asyncio.to_thread(self._end)
        if self._reading is not None:
            asyncio.get_running_loop().remove_reader(self._reading)
            assert self._process.stdout is not None
            self._process.stdout.close()
        for fd in (self._lines, self._codes):
            os.close(fd)
        shutil.rmtree(self._room, ignore_errors=True)

    def _end(self) -> None:
        import psutil

        with contextlib.suppress(psutil.Error):
            left = psutil.Process(self._process.pid).children(recursive=True)
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
                    process.resume()
            for process in psutil.wait_procs(left, 2.0)[1]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        self._process.kill()
        self._process.wait()

    def _read(self) -> bool:
        """Whether there was anything."""
        assert self._reading is not None
        try:
            piece = os.read(self._reading, _TAKE)
        except BlockingIOError:
            return False
        if not piece:
            asyncio.get_running_loop().remove_reader(self._reading)
        self._heard(piece)
        return bool(piece)


def _with_ourselves(env: Mapping[str, str]) -> dict[str, str]:
    """The environment with our own command first on PATH, also where its environment is not activated."""
    place = str(Path(sys.executable).parent)
    return {**env, "PATH": os.pathsep.join([place, env.get("PATH", os.defpath)])}


def exported(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"
