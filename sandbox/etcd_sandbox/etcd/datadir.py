"""What a data directory says of the member that keeps it."""

from __future__ import annotations

import shutil
from pathlib import Path

WAL_SEGMENT_BYTES = 64_000_000
"""What a segment of the write-ahead log takes on disk from the beginning (etcd's `SegmentSizeBytes`)."""

NEW_MEMBER_BYTES = 2 * WAL_SEGMENT_BYTES + 2_000_000
"""What a new member takes at once: etcd preallocates two segments."""


def has_data(data_dir: str) -> bool:
    """Whether an etcd has begun to keep its data there."""
    return (Path(data_dir) / "member" / "wal").is_dir()


def is_of_proxy(data_dir: str) -> bool:
    """Whether an etcd 3.4 or 3.5 found its discovery token full there, and became a proxy."""
    return bool(data_dir) and (Path(data_dir) / "proxy").is_dir()


def clear_for_proxy(data_dir: str) -> None:
    """Remove the empty database that an etcd left behind when it became a proxy.

    With it, 3.4 and 3.5 refuse to start again: "both member and proxy directories exist". A log of
    changes is data: then nothing is touched.
    """
    if is_of_proxy(data_dir) and not has_data(data_dir):
        shutil.rmtree(Path(data_dir) / "member", ignore_errors=True)
