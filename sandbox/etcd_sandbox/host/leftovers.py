"""Clears what the dead left: processes of a dead supervisor, clusters of a killed `run` or program."""

from __future__ import annotations

import contextlib
import os
import re
import secrets

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.clusterlock import is_running, purge
from etcd_sandbox.host.launch import left_behind, sweep
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.paths import ClusterPaths, cluster_paths, known_clusters

_PASSING = re.compile(r"(?:run|py)-(\d+)-[0-9a-f]{6}\Z")


def passing_cluster(kind: str) -> ClusterPaths:
    """The paths of a new cluster that is to go with this process; its name tells whose it is.

    `kind` is `run` for the command and `py` for the Python API.
    """
    return cluster_paths(f"{kind}-{os.getpid()}-{secrets.token_hex(3)}")


def clear_leftovers(paths: ClusterPaths) -> str:
    """End what a dead supervisor of this cluster left running; a line that says so, if there was one."""
    if not left_behind(paths):
        return ""
    swept = sweep(paths)
    clauses = [f"ended {', '.join(swept.ended)}"] if swept.ended else []
    clauses += [f"{left} (the next command tries again)" for left in swept.left]
    what = "; ".join(clauses) or "nothing of it was running any more"
    return f"the supervisor of cluster {paths.name!r} had died: {what}"


def clear_abandoned() -> list[str]:
    """Remove the passing clusters whose process was killed; a line for each dead supervisor.

    Raises SandboxError where the state directory cannot be read.
    """
    said = []
    try:
        known = known_clusters()
    except OSError as error:
        raise obstacle(error) or error from error
    for paths in known:
        found = _PASSING.match(paths.name)
        if found and not _alive(int(found[1])) and not is_running(paths):
            said.append(clear_leftovers(paths))
            with contextlib.suppress(SandboxError):
                purge(paths)
    return [line for line in said if line]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
