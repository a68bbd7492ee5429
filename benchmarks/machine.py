"""The machine and the programs that the figures belong to, without names or paths."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil
from tools import Tool, version


def describe(place: Path, etcd_version: str, tools: list[Tool]) -> dict[str, str]:
    """What a reader needs to compare the figures with those of another machine."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return {
        "cores": str(psutil.cpu_count()),
        "memory": f"{memory_gib:.0f} GiB",
        "file system": _file_system(place),
        "kernel": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
        "etcd": etcd_version,
        **{tool.name: version(tool) for tool in tools},
    }


def _file_system(place: Path) -> str:
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if place.is_relative_to(mount.mountpoint)
    ]
    deepest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    return deepest.fstype if deepest else "unknown"
