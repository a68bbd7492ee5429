"""The arguments of `Cluster`, for what passes them on."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict


class ClusterArguments(TypedDict, total=False):
    """See `Cluster`."""

    members: int | None
    profile: str | Path | None
    procfile: str | Path | None
    etcd: str | Path | None
    base_port: int | str | None
    name: str | None
    links: bool | None
    bootstrap: str | None
    discovery: str | None
    runtime: str | None
    image: str | None
    image_from_binary: bool | None
    restore: str | Path | None
    timeout_s: float
    keep_data: bool
    user: str | None
