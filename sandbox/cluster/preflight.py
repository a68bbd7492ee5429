"""What would get in the way of a start, found before anything is started."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from sandbox.errors import InputError, SandboxError
from sandbox.model.spec import ProcessSpec

WAL_BYTES = 130_000_000
"""What a new member takes on disk: two preallocated WAL segments of 64,000,000 bytes, and some."""


def check(wanted: Iterable[ProcessSpec]) -> None:
    """Raise the first thing that is in the way of starting `wanted`."""
    members = [process for process in wanted if process.member is not None]
    for process in members:
        check_ports(process)
        check_data_directory(process)
    new = [
        process.member.data_dir
        for process in members
        if process.member is not None and not has_data(process.member.data_dir)
    ]
    check_disk(new)


def has_data(data_dir: str) -> bool:
    """Whether an etcd has begun to keep its data there."""
    return (Path(data_dir) / "member" / "wal").is_dir()


def check_ports(process: ProcessSpec) -> None:
    """Every address that the member binds must be free; the holder of a taken one is named."""
    member = process.member
    if member is None:
        return
    for url in member.listen_urls:
        address = _address(url)
        if address is None:
            continue
        host, port = address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise _taken(host, port, member.name) from error
                raise InputError(
                    f"{member.name} cannot listen on {host}:{port} ({error.strerror})"
                ) from error


def check_data_directory(process: ProcessSpec) -> None:
    """No other etcd may use the directory: a second one would hang in silence."""
    member = process.member
    if member is None:
        return
    database = Path(member.data_dir) / "member" / "snap" / "db"
    try:
        with database.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise SandboxError(
            f"the data of {member.name} is in use by another etcd",
            member.data_dir,
            _who_uses(database),
        ) from None
    except OSError as error:
        raise SandboxError(
            f"the data of {member.name} cannot be read ({error.strerror})", str(error.filename)
        ) from error


def check_disk(data_dirs: list[str]) -> None:
    """Each new member preallocates its write-ahead log: it must fit."""
    by_device: dict[int, list[str]] = {}
    for data_dir in data_dirs:
        existing = _existing_parent(Path(data_dir))
        if not os.access(existing, os.W_OK):
            raise SandboxError(
                "the data directory cannot be written",
                data_dir,
                "set ETCD_SANDBOX_HOME to a directory that you can write",
            )
        by_device.setdefault(existing.stat().st_dev, []).append(str(existing))
    for places in by_device.values():
        needed, free = WAL_BYTES * len(places), shutil.disk_usage(places[0]).free
        if free < needed:
            raise SandboxError(
                f"not enough room for {len(places)} members: {free // 10**6} MB free, "
                f"{needed // 10**6} MB needed",
                places[0],
                "free some space, start fewer members, or set ETCD_SANDBOX_HOME to another disk",
            )


def _existing_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _address(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host is None or port is None:
        return None
    return ("127.0.0.1" if host == "localhost" else host), port


def _taken(host: str, port: int, member: str) -> SandboxError:
    holder = _holder(port)
    by = f" by {holder[0]} (pid {holder[1]})" if holder else ""
    # From 32768 up Linux gives ports to outgoing connections, whose ends linger without a holder.
    mend = f"end it with: kill {holder[1]}; or" if holder else "try again in a minute, or"
    return SandboxError(
        f"port {port} of {member} is taken{by}",
        f"{host}:{port}",
        f"{mend} start on other ports with --base-port auto",
    )


def _holder(port: int) -> tuple[str, int] | None:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return None
    for connection in sorted(connections, key=lambda entry: entry.status != psutil.CONN_LISTEN):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return psutil.Process(connection.pid).name(), connection.pid
            except psutil.Error:
                return None
    return None


def _who_uses(path: Path) -> str:
    for process in psutil.process_iter():
        try:
            if any(file.path == str(path.resolve()) for file in process.open_files()):
                return f"{process.name()} (pid {process.pid}) has it open: end it first"
        except psutil.Error:
            continue
    return "end that etcd first"
