"""Writes the listed log lines to a new file, each behind the name of its process, their bytes unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from etcd_sandbox.tui.logfilter import LogFilter, kept
from etcd_sandbox.tui.logring import Chunk


def save(path: Path, chunks: Iterable[Chunk], chosen: LogFilter) -> int:
    """How many lines were written. An existing file is left alone: FileExistsError."""
    count = 0
    with path.open("xb") as file:
        for chunk, lines in kept(chunks, chosen):
            if chunk.skipped:
                file.write(f"… {chunk.skipped} lines skipped …\n".encode())
            prefix = chunk.process.encode() + b" | "
            file.writelines(prefix + line + b"\n" for line in lines)
            count += len(lines)
    return count
