"""A plan that is made again, and what became of its cluster since: other members, other etcds."""

from __future__ import annotations

from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, SourceKind


def as_it_is_by_now(
    planned: Planned,
    recorded: ClusterSpec | None,
    given: Options,
    caller: Caller,
    *,
    runs: bool = False,
) -> Planned:
    """The plan with what became of its cluster since, which `runs` or does not.

    Raises InputError for an etcd that may not know what became of it.
    """
    from etcd_sandbox.etcd.datadir import has_data
    from etcd_sandbox.plan.membership import moved_words
    from etcd_sandbox.plan.pastchanges import lost_on_the_way

    kinds = [spec.source.kind for spec in (recorded, planned.spec) if spec is not None]
    if len({kind is SourceKind.PROCFILE for kind in kinds}) > 1:
        # A Procfile keeps its data elsewhere: whoever came, went or was upgraded is of another cluster.
        return planned
    planned = _with_membership(planned, recorded, given)
    planned = _with_upgrades(planned, recorded, given, caller)
    if recorded is not None and not given.fresh and not given.ephemeral:
        notes = planned.spec.notes + lost_on_the_way(recorded, planned.spec, has_data)
        if not runs:
            notes += moved_words(planned.spec, recorded, has_data)
        planned = replace(planned, spec=replace(planned.spec, notes=notes))
    return planned


def _with_membership(planned: Planned, recorded: ClusterSpec | None, given: Options) -> Planned:
    """The members are those that the cluster has by now, if it began with those of this input.

    Not where its data is wiped, or is gone.
    """
    from etcd_sandbox.etcd.datadir import has_data
    from etcd_sandbox.plan.membership import (
        change_words,
        continued,
        interrupted_words,
        with_known_ids,
    )

    if recorded is None or given.fresh or given.ephemeral:
        return planned
    members = [process.member for process in recorded.members]
    # Whoever deletes the data that a Procfile's commands keep wants to begin anew.
    kept = [member for member in members if not member.data_owned] or members
    if not any(has_data(member.data_dir) for member in kept):
        return planned
    spec = with_known_ids(continued(recorded, planned.spec), recorded, has_data)
    notes = (*spec.notes, *interrupted_words(spec, has_data))
    spec = replace(spec, notes=notes, history=recorded.history)
    words = change_words(spec, planned.spec)
    says = f"{planned.says}; since then {words}" if words else planned.says
    return replace(planned, spec=spec, says=says)


def _with_upgrades(
    planned: Planned, recorded: ClusterSpec | None, given: Options, caller: Caller
) -> Planned:
    """Members that were upgraded keep their etcd, which their data is of by now.

    Not where another etcd is `given`, or where the data is wiped.
    """
    from etcd_sandbox.etcd.datadir import has_data
    from etcd_sandbox.plan.upgrades import kept_upgrades, with_kept

    if recorded is None or given.fresh or given.ephemeral or given.etcd is not None:
        return planned
    kept = kept_upgrades(planned.spec, recorded, has_data)
    if not kept:
        return planned
    there = {name: _still_there(binary, caller) for name, binary in kept.items()}
    spec = with_kept(planned.spec, recorded, there)
    upgraded = " and ".join(dict.fromkeys(f"etcd {binary.version}" for binary in there.values()))
    says = f"{planned.says}; {len(there)} upgraded to {upgraded} since"
    return replace(planned, spec=spec, says=says)


def _still_there(binary: EtcdBinary, caller: Caller) -> EtcdBinary:
    """The recorded etcd, or one of its version where that is gone from its place."""
    from etcd_sandbox.etcd.release import binary_version

    try:
        if binary.image or binary_version(binary.path) == binary.version:
            return binary
    except InputError:
        pass
    return caller.chooser(None)(binary.version)
