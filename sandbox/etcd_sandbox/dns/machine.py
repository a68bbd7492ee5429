"""Looks at this machine for what the DNS way needs of it. Blocks for some milliseconds."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from etcd_sandbox.dns.needs import PORT, Facts

_PROGRAMS = ("unshare", "mount")
_RESOLV_CONF = "/etc/resolv.conf"
_PORT_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_EVERYWHERE = "0.0.0.0"
_MOUNT_TIMEOUT_S = 5.0


def look(address: str, mount: Sequence[str]) -> Facts:
    """The facts. `mount` is what a member is run behind, `address` where its server would be."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    bind = _bind_error(address)
    taken = bind == "EADDRINUSE"
    holder, pid, at = _holder(address) if taken else ("", None, "")
    return Facts(
        system=platform.system(),
        root=os.geteuid() == 0,
        missing=missing,
        mount=None if missing else _mount_complaint(mount),
        address=address,
        bind=bind,
        holder=holder,
        holder_pid=pid,
        everywhere=at == _EVERYWHERE,
        resolver=Path(_RESOLV_CONF).exists(),
        first_free_port=_first_free_port(),
    )


def _mount_complaint(mount: Sequence[str]) -> str | None:
    """What is said when the file is mounted over itself, out of everybody's sight."""
    try:
        done = subprocess.run(
            [*mount, _RESOLV_CONF, "sh", "-c", ":"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_MOUNT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[0] if said else f"exit status {done.returncode}"


def _bind_error(address: str) -> str:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, PORT))
                if kind == socket.SOCK_STREAM:
                    probe.listen(1)
            except OSError as error:
                return errno.errorcode.get(error.errno or 0, str(error))
    return ""


def _holder(address: str) -> tuple[str, int | None, str]:
    """Name and pid of who has the port there, and at which address."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet4"):
            at = connection.laddr
            if at and at.port == PORT and at.ip in (address, _EVERYWHERE) and connection.pid:
                return psutil.Process(connection.pid).name(), connection.pid, at.ip
    return "", None, ""


def _first_free_port() -> int | None:
    try:
        return int(_PORT_START.read_text())
    except (OSError, ValueError):
        return None
