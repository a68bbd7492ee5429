"""Which member's process owns the dialling end of a connection. Asks the operating system: for a thread."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing

from etcd_sandbox.links import socketdiag

Ends = tuple[str, int, str, int]
"""A connection as its dialler sees it: own address and port, the other address and port.

All four are needed: a system gives the same local port to connections with different remote ends.
"""


def owners(pids: Mapping[str, int], wanted: Collection[Ends]) -> dict[Ends, str]:
    """The member of each wanted connection that belongs to one of these processes."""
    if socketdiag.is_available():
        return _owners_by_inode(pids, wanted)
    return _owners_by_table(pids, wanted)


def ends_of(local: tuple[object, ...], remote: tuple[object, ...]) -> Ends:
    """Two socket addresses as `Ends`; an IPv4 address in IPv6 dress is spelt as the IPv4 one."""
    return (_host(local[0]), _port(local[1]), _host(remote[0]), _port(remote[1]))


def _owners_by_inode(pids: Mapping[str, int], wanted: Collection[Ends]) -> dict[Ends, str]:
    """Linux: ask for each connection's inode, then look who has it open."""
    missing: dict[str, Ends] = {}
    with closing(socketdiag.SocketDiag()) as diag:
        for ends in wanted:
            inode = diag.inode(ends[:2], ends[2:])
            if inode is not None:
                missing[f"socket:[{inode}]"] = ends
    found: dict[Ends, str] = {}
    for member, pid in pids.items():
        for file in _open_files(pid) if missing else ():
            ends_found = missing.pop(file, None)
            if ends_found is not None:
                found[ends_found] = member
    return found


def _open_files(pid: int) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)  # noqa: PTH208 - thousands of them, and only the names
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{directory}/{name}")  # noqa: PTH115
        except OSError:
            continue


def _owners_by_table(pids: Mapping[str, int], wanted: Collection[Ends]) -> dict[Ends, str]:
    """Elsewhere: read what each process has."""
    # 40 ms of imports, which only this needs.
    import psutil

    found: dict[Ends, str] = {}
    for member, pid in pids.items():
        if len(found) == len(wanted):
            break
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        for connection in connections:
            if connection.raddr:
                ends = ends_of(tuple(connection.laddr), tuple(connection.raddr))
                if ends in wanted:
                    found[ends] = member
    return found


def _host(host: object) -> str:
    return str(host).removeprefix("::ffff:")


def _port(port: object) -> int:
    return int(str(port))
