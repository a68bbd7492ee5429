"""Runs `etcd-sandbox ctl` beside the dashboard, and leaves nothing of it behind, however either ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Sequence

ENDS_WITHIN_S = 2.0

Output = Callable[[bytes], None]

Run = Callable[[Sequence[str], Output], Awaitable[int]]
"""Runs etcdctl with words behind it, hands on what it says, and gives its exit code."""

_GUARDED = """
exec 3<&0
( cat <&3; kill -TERM "-$$" ) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"""
"""The pipe behind stdin ends with the dashboard, even with its SIGKILL; so does the command then."""


def ctl_of(cluster: str) -> Run:
    """`ctl` of that cluster, as a shell would run it."""

    async def run(words: Sequence[str], output: Output) -> int:
        program = [sys.executable, "-P", "-m", "etcd_sandbox", "-c", cluster, "ctl"]
        return await run_guarded([*program, *words], output)

    return run


async def run_guarded(argv: Sequence[str], output: Output) -> int:
    """Run a program until it ends, or until this is cancelled: then it is stopped, with its children."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        _GUARDED,
        "sh",
        *argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        while chunk := await process.stdout.read(1 << 16):
            output(chunk)
        return await process.wait()
    finally:
        await asyncio.shield(_end(process))


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
