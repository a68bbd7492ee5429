"""What is said of the data that members have already: nobody meets old keys unawares, or loses data of their own."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.model.spec import SourceKind
from etcd_sandbox.model.state import LeftOff
from etcd_sandbox.plan.recorded import mismatch

if TYPE_CHECKING:
    from etcd_sandbox.model.spec import ClusterSpec, MemberSpec
    from etcd_sandbox.paths import ClusterPaths


def going_on(
    spec: ClusterSpec, recorded: ClusterSpec | None, paths: ClusterPaths, *, ephemeral: bool = False
) -> str | None:
    """One line about the data that the members of `spec` go on with; None where they begin anew.

    `recorded` is the plan that the data is of: with another one, the start is refused. With
    `ephemeral` the data is deleted when the cluster stops.
    """
    wanted = {process.name for process in spec.wanted_processes}
    members = [
        process.member
        for process in spec.members
        if process.name in wanted and not process.member.proxy  # it keeps no keys
    ]
    old = [member for member in members if has_data(member.data_dir)]
    ours = all(member.data_owned for member in old)
    if not old or (ours and recorded is not None and mismatch(recorded, spec)):
        return None
    whose = "" if len(old) == len(members) else f" of {', '.join(member.name for member in old)}"
    parts = [
        f"cluster {spec.name} goes on with the data{whose} that it has had since {_since(old)}",
        _figures(paths),
    ]
    if ephemeral:
        parts.append(", and deletes it when it stops")
    if ours:
        parts.append("; --fresh begins anew")
    else:
        parts.append(f"; to begin anew, delete {', '.join(member.data_dir for member in old)}")
    return "".join(parts)


def _since(members: list[MemberSpec]) -> str:
    # etcd makes this directory once, and nothing in it later but its two parts.
    begun = min((Path(member.data_dir) / "member").stat().st_mtime for member in members)
    return datetime.fromtimestamp(begun).astimezone().strftime("%Y-%m-%d %H:%M")


def _figures(paths: ClusterPaths) -> str:
    try:
        left = msgspec.json.decode(paths.left_off.read_bytes(), type=LeftOff)
    except (OSError, msgspec.MsgspecError):
        return ""
    return f" (term {left.term}, revision {left.revision})"


_DELETES_WHAT_THERE_IS = ("--fresh", "--purge")


def _holds_anything(place: str) -> bool:
    try:
        with os.scandir(place) as entries:
            return any(True for _ in entries)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def refuse_foreign_data(spec: ClusterSpec, option: str) -> None:
    """Raises InputError where `option` would delete data directories that are not ours.

    `--fresh` and `--purge` delete what there is, and are refused for nothing that is gone already; the
    others would delete what comes.
    """
    foreign = [place for each in spec.members if each.member for place in each.member.foreign_data]
    if option in _DELETES_WHAT_THERE_IS:
        foreign = [place for place in foreign if _holds_anything(place)]
    if foreign:
        kept = "that the Procfile's own commands keep"
        if spec.source.kind is not SourceKind.PROCFILE:
            kept = "that members keep outside the cluster's state directory"
        raise InputError(
            f"{option} would delete data {kept}",
            spec.source.path,
            f"delete it yourself if you mean it: {', '.join([*foreign, *_log_files(spec)])}",
        )


def logs_elsewhere(spec: ClusterSpec, root: Path) -> str:
    """A clause on the files that members log to and that are not in `root`, which is ours; empty without any."""
    there = [path for path in _log_files(spec) if not Path(path).is_relative_to(root)]
    return f"what etcd itself logs to is not ours, and stays: {', '.join(there)}" if there else ""


def _log_files(spec: ClusterSpec) -> list[str]:
    """The log files of members that are there, each once."""
    files = (path for each in spec.members if each.member for path in each.member.log_files)
    return [path for path in dict.fromkeys(files) if Path(path).exists()]
