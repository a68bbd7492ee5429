"""Which cluster a command means, and a client of it once what a dead one left has been cleared."""

from __future__ import annotations

import errno
import os
import socket
import time

from etcd_sandbox.cli.diagnostics import note
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.control.answers import not_ours, not_running
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import InputError, NotRunning, SandboxError
from etcd_sandbox.host.clusterlock import end_holders, is_running, mute
from etcd_sandbox.paths import ClusterPaths, cluster_paths, is_there, known_clusters

DEFAULT = "default"

SILENT_FOR_S = 5.0
"""A supervisor that starts listens within this time, but on a machine that is very busy."""


def named() -> str | None:
    """The cluster that the user named, by `-c` or the environment."""
    return settings().cluster or os.environ.get("ETCD_SANDBOX_CLUSTER") or None


def paths_to_start() -> ClusterPaths:
    """The cluster that a command is to bring up: the one named, else `default`."""
    return cluster_paths(named() or DEFAULT)


def running() -> ControlClient:
    """A client of the running cluster that is meant: the one named, else the only one.

    Raises NotRunning when it does not run, InputError when several run and none was named.
    """
    name = named()
    paths = cluster_paths(name) if name else _only_one()
    if not _listens_soon(paths):
        clear_leftovers(paths)
        raise not_running(paths.name)
    return ControlClient(paths)


def end_silent() -> ClusterPaths:
    """End the cluster that is meant, though its supervisor does not answer; and what that ran."""
    name = named()
    paths = cluster_paths(name) if name else _only_one()
    end_holders(paths)
    clear_leftovers(paths)
    return paths


def clear_leftovers(paths: ClusterPaths) -> None:
    """End what a dead supervisor of this cluster left running, and say so in one line."""
    from etcd_sandbox.host import start

    if line := start.clear_leftovers(paths):
        note(line)


def _only_one() -> ClusterPaths:
    # The file of a supervisor is there while it lives and after it died without tidying up.
    live: list[ClusterPaths] = []
    refused: list[OSError | SandboxError] = []
    for paths in known_clusters():
        try:
            begun = is_there(paths.supervisor)
            if (begun and _listens(paths)) or is_running(paths):
                live.append(paths)
            elif begun:
                clear_leftovers(paths)
        except (PermissionError, SandboxError) as error:
            refused.append(error)
    if not live and refused:
        # Somebody else's cluster is in nobody's way, unless there is no other.
        raise refused[0]
    if not live:
        raise NotRunning(
            "no cluster is running",
            hint="etcd-sandbox up starts one; etcd-sandbox ls shows what there is",
        )
    if len(live) > 1:
        names = ", ".join(paths.name for paths in live)
        raise InputError(
            f"several clusters are running: {names}",
            hint=f"name the one that you mean: -c {live[0].name}",
        )
    return live[0]


def _listens_soon(paths: ClusterPaths) -> bool:
    """Whether its supervisor listens, once it has started or ended; raises TimedOut where it does neither."""
    deadline = time.monotonic() + SILENT_FOR_S
    while not _listens(paths):
        if not is_running(paths):
            return False
        if time.monotonic() > deadline:
            raise mute(paths)
        time.sleep(0.02)
    return True


def _listens(paths: ClusterPaths) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(paths.socket))
        except TimeoutError:
            return True  # its queue is full: it is there, and busy
        except PermissionError as error:
            raise not_ours(paths) from error
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise
            return False
    return True
