"""Starts a cluster and waits until it is ready; what fails on the way leaves nothing running."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sandbox.control.client import ControlClient
from sandbox.errors import SandboxError, TimedOut
from sandbox.launch import Launched, launch, wait_until_gone

if TYPE_CHECKING:
    from sandbox.cli.inputs import Planned
    from sandbox.paths import ClusterPaths

KILLED_WITHIN_S = 15.0


def start_and_wait(
    planned: Planned,
    paths: ClusterPaths,
    *,
    owned: bool,
    fresh: bool = False,
    timeout_s: float,
    leave_late: bool,
) -> tuple[dict[str, Any], Launched]:
    """The answer of `ready`, and what was launched.

    Raises SandboxError with the last lines of a member that ended; TimedOut when it took too
    long, and then the cluster runs on if `leave_late` says so.
    """
    launched = launch(planned.spec, paths, owned=owned, fresh=fresh, inherited_fds=planned.held)
    try:
        return ControlClient(paths).ready(timeout_s), launched
    except TimedOut:
        if not leave_late:
            stop_at_once(paths)
        raise
    except BaseException:
        stop_at_once(paths)
        raise


def stop_at_once(paths: ClusterPaths) -> None:
    """Kill everything of the cluster and wait until it is gone."""
    with contextlib.suppress(SandboxError):
        ControlClient(paths).shutdown(kill=True)
    with contextlib.suppress(SandboxError):
        wait_until_gone(paths, KILLED_WITHIN_S)
