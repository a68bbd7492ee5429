"""Starts a cluster's guard and supervisor as processes of their own, and clears up after dead ones."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from etcd_sandbox.control.wire import error_from_wire
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.host import standby
from etcd_sandbox.host.clusterlock import end_holders, is_running, lock_to_start
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.paths import ClusterPaths, is_there
from etcd_sandbox.plan.recorded import encoded

START_TIMEOUT_S = 30.0
"""How long the supervisor may take to say that it serves its socket."""

_FORCE_AGAIN_S = 0.5
_GUARD_LOOKED_AT_EVERY_S = 0.2
_GUARD_ENDS_WITHIN_S = 1.0
_GUARD_KILLED = "the guard was killed while the cluster started; everything was stopped"


class Swept(Struct, frozen=True):
    """What a sweep did: names of what it ended, and what it could not remove, in clauses."""

    ended: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Launched(Struct):
    """A supervisor that serves its socket, and its guard.

    `guard` ends when everything has ended. `owner_fd` is the pipe that ties the cluster's life
    to this process: when it is closed, in whatever way, the cluster stops. None if detached.
    """

    guard: standby.Child
    owner_fd: int | None

    def let_go(self) -> None:
        """Close the pipe that ties the cluster's life to this process."""
        if self.owner_fd is not None:
            os.close(self.owner_fd)
            self.owner_fd = None

    def release(self) -> None:
        """Let the cluster live on when this process goes."""
        if self.owner_fd is not None:
            with contextlib.suppress(BrokenPipeError):  # it was stopped already
                os.write(self.owner_fd, b"stay\n")
            self.let_go()

    def force(self) -> None:
        """Have everything killed at once."""
        if self.guard.poll() is None:
            self.guard.send_signal(signal.SIGQUIT)


def launch(
    spec: ClusterSpec,
    paths: ClusterPaths,
    *,
    owned: bool,
    fresh: bool = False,
    restored: Path | None = None,
    inherited_fds: Sequence[int] = (),
) -> Launched:
    """Start guard and supervisor for `spec` and return once the control socket is served.

    `owned` ties the cluster's life to this process. `fresh` wipes the data of an earlier
    cluster first. `restored` holds data that the members are to begin with: it becomes the
    cluster's own once nothing is in the way. `inherited_fds` are kept open as long as the cluster lives (port locks).
    Raises what the supervisor finds in the way: a running cluster of that name, a taken port,
    data of another member list, no room on the disk.
    """
    lock = _locked(paths)
    status_read, status_write = os.pipe()
    spec_read, spec_write = os.pipe()
    owner_read, owner_write = os.pipe() if owned else (-1, -1)
    word = {
        "root": str(paths.root),
        "name": paths.name,
        "owned": owned,
        "fresh": fresh,
        "restored": str(restored or ""),
    }
    grace_s = max((process.stop_timeout_s for process in spec.processes), default=10.0) + 5.0
    message = f"{json.dumps([owned, grace_s])}\n{json.dumps(word)}".encode()
    passed = [status_write, spec_read, lock, *inherited_fds, *([owner_read] if owned else [])]
    try:
        # The lock is theirs from now on: whoever of them lives holds it.
        with paths.supervisor_log.open("ab") as log:
            begun = standby.ordered(message, [log.fileno(), *passed])
    finally:
        for fd in (lock, status_write, spec_read, *([owner_read] if owned else [])):
            os.close(fd)
    guard = begun.guard
    launched = Launched(guard, owner_write if owned else None)
    try:
        _hand_over(spec_write, encoded(spec))
        _await_word(status_read, paths, guard)
    except BaseException as error:
        launched.let_go()
        if isinstance(error, SandboxError) and not isinstance(error, TimedOut):
            # It said itself what is in the way, and is ending.
            guard.wait(grace_s)
        _force(launched, grace_s)
        if guard.returncode is not None and guard.returncode < 0:
            # It was killed, so nobody clears up after the supervisor, which may be stopped.
            begun.end_supervisor()
            with contextlib.suppress(TimedOut):
                end_holders(paths)
        with contextlib.suppress(OSError, SandboxError):
            if left_behind(paths):
                sweep(paths)
        raise
    finally:
        os.close(status_read)
    return launched


def run_of(paths: ClusterPaths) -> str:
    """Which run of the cluster it is now; "" where none has begun."""
    try:
        return str(json.loads(paths.supervisor.read_bytes())["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def wait_until_gone(paths: ClusterPaths, timeout_s: float, run: str = "") -> None:
    """Return when nothing of the cluster runs any more; raises TimedOut.

    With a `run`, as `run_of` has it, also when another command has begun the next one meanwhile.
    """
    deadline = time.monotonic() + timeout_s
    while is_running(paths):
        if run and run_of(paths) not in ("", run):
            return
        if time.monotonic() > deadline:
            raise TimedOut(
                f"cluster {paths.name!r} did not stop within {timeout_s:g} s",
                hint="etcd-sandbox down --kill ends it at once",
            )
        time.sleep(0.005)


def left_behind(paths: ClusterPaths) -> bool:
    """Whether a supervisor of this cluster died without tidying up."""
    return is_there(paths.supervisor) and not is_running(paths)


def sweep(paths: ClusterPaths) -> Swept:
    """End what a dead supervisor left running. Raises SandboxError where that cannot be done."""
    word = {"root": str(paths.root), "name": paths.name, "sweep": True}
    done = subprocess.run(
        [*standby.DAEMON, json.dumps(word)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        complaint = done.stderr.decode(errors="replace").strip()
        raise SandboxError(
            f"cannot clear what cluster {paths.name!r} left behind", hint=complaint[-500:]
        )
    word = json.loads(done.stdout)
    if "refused" in word:
        raise _refused(
            word["refused"], f"cannot clear what cluster {paths.name!r} left behind", paths
        )
    return msgspec.convert(word, Swept)


def _refused(refused: dict[str, Any], what: str, paths: ClusterPaths) -> SandboxError:
    """The error for what the machine refused another process of ours: its `errno` and `filename`."""
    number, path = refused["errno"], refused["filename"]
    error = OSError(number, os.strerror(number), path)
    return obstacle(error) or SandboxError(f"{what} ({error.strerror})", path or str(paths.root))


def _force(launched: Launched, grace_s: float) -> None:
    """End it all. Until the guard handles the signal, one may be lost: a caller may ignore it."""
    deadline = time.monotonic() + grace_s
    while launched.guard.poll() is None and time.monotonic() < deadline:
        launched.force()
        launched.guard.wait(_FORCE_AGAIN_S)


def _locked(paths: ClusterPaths) -> int:
    """The cluster's lock, in a state directory that can be written. Raises where it cannot, or it runs."""
    try:
        lock = lock_to_start(paths)
        if lock is not None:
            paths.root.chmod(0o700)
            with paths.supervisor_log.open("ab"):
                pass
            return lock
    except OSError as error:
        raise obstacle(error) or SandboxError(
            f"cannot write the state directory ({error.strerror})",
            str(error.filename or paths.root),
            "set ETCD_SANDBOX_HOME to a directory that you can write and that has room",
        ) from error
    raise SandboxError(
        "this cluster is running already",
        hint="etcd-sandbox status shows it; etcd-sandbox down stops it; -c NAME starts another",
    )


def _hand_over(fd: int, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(content)


def _was_killed(guard: standby.Child, within_s: float) -> bool:
    return (guard.wait(within_s) or 0) < 0


def _await_word(fd: int, paths: ClusterPaths, guard: standby.Child) -> None:
    import select

    content = b""
    news = select.poll()
    news.register(fd, select.POLLIN)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not content.endswith(b"\n"):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut(
                f"the supervisor did not start within {START_TIMEOUT_S:g} s",
                hint=f"its log is {paths.supervisor_log}",
            )
        if not news.poll(min(remaining, _GUARD_LOOKED_AT_EVERY_S) * 1000):
            if _was_killed(guard, 0.0):
                raise SandboxError(_GUARD_KILLED)
            continue
        chunk = os.read(fd, 65536)
        if not chunk and _was_killed(guard, _GUARD_ENDS_WITHIN_S):
            raise SandboxError(_GUARD_KILLED)
        if not chunk:
            raise SandboxError(
                "the supervisor ended before it served its socket",
                hint=f"its log is {paths.supervisor_log}",
            )
        content += chunk
    word = json.loads(content)
    if "error" in word:
        raise error_from_wire(word)
    if "refused" in word:
        raise _refused(word["refused"], "the cluster's guard cannot work", paths)
