"""The file of a cluster's plan (`cluster.json`): what an `up` without input continues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.plan.recorded import decoded, encoded

if TYPE_CHECKING:
    from etcd_sandbox.model.spec import ClusterSpec
    from etcd_sandbox.paths import ClusterPaths


def record_plan(paths: ClusterPaths, spec: ClusterSpec) -> None:
    """Record the plan, whole or not at all."""
    draft = paths.plan.with_name(paths.plan.name + ".new")
    try:
        draft.write_bytes(encoded(spec))
        draft.replace(paths.plan)
    except OSError as error:
        raise obstacle(error) or SandboxError(
            f"the plan cannot be recorded ({error.strerror})",
            str(paths.plan),
            "free some space, or set ETCD_SANDBOX_HOME to another disk",
        ) from error


def recorded_plan(paths: ClusterPaths) -> ClusterSpec | None:
    """The recorded plan; None where there is none.

    Raises UnreadablePlan for one that is broken or of a newer version, and SandboxError where
    the file may not be read.
    """
    try:
        content = paths.plan.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise obstacle(error) or error from error
    return decoded(content, paths.name, str(paths.plan))
