"""What is on disk of a cluster before it starts: whose data it is, and what of the data goes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.model.spec import ClusterSpec, SourceKind
from etcd_sandbox.model.state import LeftOff
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.recorded import mismatch

if TYPE_CHECKING:
    from etcd_sandbox.etcd.answers import StatusAnswer


def write_left_off(paths: ClusterPaths, answers: Mapping[str, StatusAnswer] | None = None) -> None:
    """Record how far the members had come, by their last answers; without any, that nobody knows."""
    told = (answers or {}).values()
    terms = [answer.term for answer in told if answer.term is not None]
    revisions = [answer.revision for answer in told if answer.revision is not None]
    left = LeftOff(term=max(terms), revision=max(revisions)) if terms and revisions else None
    # A full disk must not keep a cluster from stopping: this is for a word at the next start only.
    with contextlib.suppress(OSError):
        if left is None:
            paths.left_off.unlink(missing_ok=True)
        else:
            paths.left_off.write_bytes(msgspec.json.encode(left))


def refuse_other_data(paths: ClusterPaths, spec: ClusterSpec) -> None:
    """Raise InputError where the data on disk belongs to another plan than `spec`.

    A Procfile's data stays where its commands put it: it is not refused here.
    """
    recorded = recorded_plan(paths)
    if recorded is None or SourceKind.PROCFILE in (recorded.source.kind, spec.source.kind):
        return
    if not any(has_data(process.member.data_dir) for process in recorded.members):
        return
    if difference := mismatch(recorded, spec):
        raise InputError(
            f"cluster {spec.name!r} has data of another plan: {difference}",
            str(paths.data),
            "--fresh wipes that data; etcd-sandbox up without options continues it; "
            "-c NAME makes another cluster",
        )


def take_over(paths: ClusterPaths, restored: Path, *, fresh: bool) -> None:
    """Make the data in `restored` the cluster's own; `fresh` deletes what it has already.

    Raises InputError when there is data, and it is not to be deleted.
    """
    if paths.data.exists() and any(paths.data.iterdir()):
        if not fresh:
            raise InputError(
                f"cluster {paths.name!r} has data already",
                str(paths.data),
                "--fresh deletes it; -c NAME makes another cluster",
            )
        wipe(paths)
    try:
        restored.replace(paths.data)
    except OSError as error:
        raise SandboxError(
            f"the restored data cannot be put in its place ({error.strerror})", str(paths.data)
        ) from error


def wipe(paths: ClusterPaths) -> None:
    """Delete the data that is ours to delete: the cluster's own `data`, and logs of members that are ours elsewhere."""
    recorded = recorded_plan(paths)
    members = [each.member for each in recorded.members] if recorded else []
    own = [Path(each.wal_dir) for each in members if each.wal_dir and each.wal_owned]
    for directory in (paths.data, *own):
        with contextlib.suppress(FileNotFoundError):
            _remove(directory)


def _remove(directory: Path) -> None:
    import shutil

    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise obstacle(error) or SandboxError(
            f"old data cannot be deleted ({error.strerror})", str(error.filename)
        ) from error
