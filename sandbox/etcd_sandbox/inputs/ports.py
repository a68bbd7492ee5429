"""Finds a block of free ports that no other cluster takes at the same time, or has while it is down."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.addresses import is_free

FIRST_PORT = 20000
END_PORT = 32768
"""Where Linux begins to give ports to outgoing connections, unless it was told otherwise."""

GRANULE = 50
"""Ports under one lock; a large cluster takes several."""

PORT_STEP = 10
"""Between the client ports of neighbours in a block."""

_PORTS_OF_A_MEMBER = 4
_CLIENT_LISTENER = 8
_WELL_KNOWN = {
    12379 + 10_000 * index + part for index in range(3) for part in range(_PORTS_OF_A_MEMBER)
}
"""Those of `up -n 3`, which are nobody else's."""

_MARK_BYTES = 65536
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Block(Struct, frozen=True):
    """A free block from `base` on. It is ours while the lock descriptors `fds` are open."""

    base: int
    lock: str
    fds: tuple[int, ...]

    def release(self) -> None:
        """Give the block back."""
        for fd in self.fds:
            os.close(fd)


def free_block(
    members: int,
    directory: Path,
    chance: random.Random | None = None,
    *,
    plan: Path | None = None,
) -> Block:
    """A block for so many members, `PORT_STEP` apart, locked by files in `directory`.

    Given back, it stays that of the cluster whose recorded plan is at `plan`, as long as that
    names it as `port_lock`. The search begins anywhere, so that parallel runs seldom meet.
    Raises SandboxError when every block is taken.
    """
    last = last_port() - _granules(members) * GRANULE
    bases = list(range(FIRST_PORT, last + 1, GRANULE))
    start = (chance or random.SystemRandom()).randrange(len(bases)) if bases else 0
    bases = bases[start:] + bases[:start]
    # Rather a block of a cluster that is down than none.
    for base, unclaimed in [(base, True) for base in bases] + [(base, False) for base in bases]:
        ports = set(_ports(base, members))
        if ports & _WELL_KNOWN:
            continue
        block = _lock(base, members, directory)
        if block is None:
            continue
        if not (unclaimed and any(map(_is_claimed, block.fds))) and all(map(is_free, ports)):
            _mark(block, plan)
            return block
        block.release()
    raise SandboxError(
        f"no block of {members} × {_PORTS_OF_A_MEMBER} free ports was found",
        f"ports {FIRST_PORT} to {last_port() - 1}",
        "stop what holds them (etcd-sandbox ls), or name a block with --base-port",
    )


def taken_again(base: int, members: int, directory: Path, *, plan: Path) -> Block | None:
    """The block that `free_block` found for the cluster before; None while another has it."""
    block = _lock(base, members, directory)
    if block is not None:
        _mark(block, plan)
    return block


def last_port() -> int:
    """The end of the search: below the ports that outgoing connections are given."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        low = int(_EPHEMERAL_RANGE.read_text().split()[0])
        # A range that begins below our ports leaves no better place.
        if FIRST_PORT + 1000 <= low < END_PORT:
            return low
    return END_PORT


def _ports(base: int, members: int) -> Iterable[int]:
    # Behind the first member's stand those of a discovery service.
    yield from range(base, base + 2 * _PORTS_OF_A_MEMBER)
    for index in range(members):
        first = base + PORT_STEP * index
        yield from range(first, first + _PORTS_OF_A_MEMBER)
        yield first + _CLIENT_LISTENER


def _lock_path(directory: Path, base: int) -> Path:
    return directory / f"ports-{base}.lock"


def _granules(members: int) -> int:
    width = PORT_STEP * (members - 1) + _PORTS_OF_A_MEMBER
    return -(-width // GRANULE)


def _lock(base: int, members: int, directory: Path) -> Block | None:
    fds: list[int] = []
    for index in range(_granules(members)):
        path = _lock_path(directory, base + GRANULE * index)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fds.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            for held in fds:
                os.close(held)
            return None
    return Block(base, str(_lock_path(directory, base)), tuple(fds))


def _mark(block: Block, plan: Path | None) -> None:
    """Note in the lock files whose block it is: where the plan is recorded, and what that has to name."""
    for fd in block.fds:
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"plan": str(plan or ""), "lock": block.lock}).encode(), 0)


def _is_claimed(fd: int) -> bool:
    """Whether the block is that of a cluster that will want it when it comes up again."""
    try:
        mark = json.loads(os.pread(fd, _MARK_BYTES, 0))
        plan, lock = Path(mark["plan"]), mark["lock"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    try:
        return bool(json.loads(plan.read_bytes())["port_lock"] == lock)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True  # what cannot be read may name it
