"""Looks at this machine for what the DNS way needs of it. Blocks for some milliseconds."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from etcd_sandbox.dns.needs import PORT, Facts
from etcd_sandbox.host.addresses import EVERYWHERE, bind_error, holder_of

_PROGRAMS = ("unshare", "mount")
_RESOLV_CONF = "/etc/resolv.conf"
_PORT_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_MOUNT_TIMEOUT_S = 5.0


def look(address: str, mount: Sequence[str]) -> Facts:
    """The facts. `mount` is what a member is run behind, `address` where its server would be."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    errors = [bind_error(address, PORT, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    error = next(filter(None, errors), None)
    bind = "" if error is None else errno.errorcode.get(error.errno or 0, str(error))
    holder = holder_of(PORT, address) if bind == "EADDRINUSE" else None
    return Facts(
        system=platform.system(),
        root=os.geteuid() == 0,
        missing=missing,
        mount=None if missing else _mount_complaint(mount),
        address=address,
        bind=bind,
        holder=holder.name if holder else "",
        holder_pid=holder.pid if holder else None,
        everywhere=holder is not None and holder.address in EVERYWHERE,
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


def _first_free_port() -> int | None:
    try:
        return int(_PORT_START.read_text())
    except (OSError, ValueError):
        return None
