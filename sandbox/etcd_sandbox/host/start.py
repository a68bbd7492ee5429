"""Starts a cluster and waits until it is ready, stops one and waits until it is gone, and clears what the dead left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from typing import TYPE_CHECKING, Any

from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.control.wire import LinesFrame
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.host.clusterlock import is_running, purge
from etcd_sandbox.host.launch import Launched, launch, left_behind, run_of, sweep, wait_until_gone
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.model.event import Kind
from etcd_sandbox.paths import ClusterPaths, cluster_paths, known_clusters

if TYPE_CHECKING:
    from pathlib import Path

    from etcd_sandbox.inputs.caller import Planned
    from etcd_sandbox.paths import ClusterPaths


KILLED_WITHIN_S = 15.0

LAST_LINES = 20
"""How many log lines tell why a start took too long."""

STOP_MARGIN_S = 10.0
"""Beyond the longest stop timeout: for the supervisor itself and for the followers-first order."""


def start_and_wait(
    planned: Planned,
    paths: ClusterPaths,
    *,
    owned: bool,
    fresh: bool = False,
    restored: Path | None = None,
    timeout_s: float,
) -> tuple[dict[str, Any], Launched]:
    """The answer of `ready`, and what was launched. `fresh` and `restored` are as `launch` takes them.

    Raises SandboxError with the last lines of a member that ended; TimedOut when it took too
    long, and then the cluster runs on unless it is `owned`.
    """
    launched = launch(
        planned.spec,
        paths,
        owned=owned,
        fresh=fresh,
        restored=restored,
        inherited_fds=planned.held,
    )
    try:
        return ControlClient(paths).ready(timeout_s), launched
    except TimedOut as error:
        if not owned:
            raise
        late = too_late(error, paths)
        stop_at_once(paths)
        raise late from None
    except BaseException:
        stop_at_once(paths)
        raise


def too_late(error: TimedOut, paths: ClusterPaths) -> TimedOut:
    """The error for a start that took too long and is undone, with the last lines as evidence."""
    told: list[str] = []
    with contextlib.suppress(SandboxError):
        for frame in ControlClient(paths).logs(follow=False, tail=LAST_LINES):
            if isinstance(frame, LinesFrame):
                lines = frame.data.decode(errors="replace").removesuffix("\n").split("\n")
                told.extend(f"{frame.process} | {line}" for line in lines)
    return TimedOut(
        error.what,
        error.where,
        "it was stopped again; a longer timeout gives it more time",
        "\n".join(told),
    )


def stop(paths: ClusterPaths, *, kill: bool = False, purge: bool = False) -> None:
    """Stop everything, gracefully unless `kill`, and return when it is gone.

    Raises NotRunning, and TimedOut when it does not go.
    """
    client = ControlClient(paths)
    longest_s = max(
        (process["stop_timeout_s"] for process in client.plan()["processes"]), default=0.0
    )
    run = run_of(paths)
    client.shutdown(kill=kill, purge=purge)
    # Followers go first, then the leader: two stop timeouts at worst.
    wait_until_gone(paths, 2 * longest_s + STOP_MARGIN_S, run)


def left_running(paths: ClusterPaths) -> dict[str, int]:
    """What a supervisor that has ended could not end: the pids by name, as its last event has them."""
    try:
        last = json.loads(paths.events.read_bytes().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return {}
    return dict(last.get("left") or {}) if last.get("kind") == Kind.CLUSTER_STOPPED else {}


def stop_at_once(paths: ClusterPaths) -> None:
    """Kill everything of the cluster and wait until it is gone."""
    with contextlib.suppress(SandboxError):
        ControlClient(paths).shutdown(kill=True)
    with contextlib.suppress(SandboxError):
        wait_until_gone(paths, KILLED_WITHIN_S)


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
