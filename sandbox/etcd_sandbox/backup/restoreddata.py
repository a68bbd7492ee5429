"""The data of restored members, made beside where it is to be: nothing half-made is left anywhere."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from etcd_sandbox.backup.restoring import Restoration
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.datadir import WAL_SEGMENT_BYTES
from etcd_sandbox.host.clusterlock import is_running, purge
from etcd_sandbox.model.spec import MemberSpec
from etcd_sandbox.paths import ClusterPaths, existing_parent

LAST_LINES = 5
"""Of what a tool that failed said."""

LOOK_EVERY_S = 0.01
"""How often it is looked whether a tool has ended: whichever fails first ends the others."""

_Running = tuple[MemberSpec, list[str], subprocess.Popen[bytes], IO[bytes]]
"""A member, the command that makes its data, that command's process, and what it says."""


@contextmanager
def restored_data(restoration: Restoration, paths: ClusterPaths) -> Iterator[Path]:
    """A directory with the data of all members, for `launch` to take over; gone afterwards if it did not.

    Where the cluster's own directory was made for that, it goes as well. Raises SandboxError with
    what a tool said when it failed, and when another restore works there.
    """
    _check_room(restoration, paths)
    new = not paths.root.exists()
    staging = paths.root / "restoring"
    data = staging / "data"
    lock = _locked(staging)
    whole = False
    try:
        for left in staging.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        data.mkdir()
        _run(restoration, data, paths)
        whole = True
        yield data
    except BaseException:
        taken_over = whole and not data.exists()
        if new and not taken_over and not is_running(paths):
            with contextlib.suppress(SandboxError):
                purge(paths)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)


def _check_room(restoration: Restoration, paths: ClusterPaths) -> None:
    place = existing_parent(paths.root)
    count = len(restoration.members)
    needed = count * (restoration.facts.size_bytes + WAL_SEGMENT_BYTES)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise SandboxError(
            f"not enough room to restore {count} members: {free // 10**6} MB free, "
            f"{needed // 10**6} MB needed",
            str(place),
            "free some space, restore fewer members, or set ETCD_SANDBOX_HOME to another disk",
        )


def _locked(staging: Path) -> int:
    """The directory, made and held for us alone, as a descriptor."""
    try:
        staging.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staging.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(staging, os.O_RDONLY)
    except OSError as error:
        raise SandboxError(
            f"cannot write the state directory ({error.strerror})",
            str(error.filename or staging),
            "set ETCD_SANDBOX_HOME to a directory that you can write and that has room",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SandboxError(
            "another restore into this cluster is under way",
            str(staging.parent),
            "-c NAME names another cluster",
        ) from None
    if os.fstat(fd).st_nlink == 0:
        # Whoever held it has just removed it.
        os.close(fd)
        return _locked(staging)
    return fd


def _run(restoration: Restoration, data: Path, paths: ClusterPaths) -> None:
    """Make the data of all members at once. Raises SandboxError with the words of a tool that failed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ETCD") or name.startswith("ETCD_SANDBOX_")
    }
    with contextlib.ExitStack() as stack:
        running: list[_Running] = []
        stack.callback(_all_ended, running)

        def start() -> None:
            for index, member in enumerate(restoration.members):
                place = data / Path(member.data_dir).relative_to(paths.data)
                said = stack.enter_context((data.parent / f"{index}.log").open("w+b"))
                command = restoration.command(index, str(place))
                # A group of its own: the terminal's Ctrl-C is for us, and we end it.
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env=environment,
                    process_group=0,
                )
                running.append((member, command, child, said))

        # Signals interrupt the main thread only: here none comes between a child and its note.
        with ThreadPoolExecutor(1) as starter:
            starter.submit(start).result()
        while running:
            for each in list(running):
                member, command, child, output = each
                if (code := child.poll()) is None:
                    continue
                running.remove(each)
                if code:
                    raise _failed(member, command, code, output)
            time.sleep(LOOK_EVERY_S)


def _all_ended(running: Sequence[_Running]) -> None:
    for _, _, child, _ in running:
        _ended(child)


def _failed(member: MemberSpec, command: Sequence[str], code: int, said: IO[bytes]) -> SandboxError:
    said.seek(0)
    lines = said.read().decode(errors="replace").splitlines()[-LAST_LINES:]
    return SandboxError(
        f"the data of {member.name} could not be made: "
        f"{Path(command[0]).name} failed with exit status {code}",
        detail="\n".join([shlex.join(command), *lines]),
    )


def _ended(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        # All of its group: it may be a script, whose own child would write on.
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
