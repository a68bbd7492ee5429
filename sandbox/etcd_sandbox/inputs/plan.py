"""From the options of `up` to a plan: which input is meant, and what became of its cluster since; an upgrade's etcd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.options import DEFAULT_MEMBERS, Options, check_together
from etcd_sandbox.inputs.sources import planned_from
from etcd_sandbox.model.spec import (
    RECORDS_FILE,
    VARIABLES_FILE,
    ClusterSpec,
    EtcdBinary,
    Source,
    SourceKind,
)
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.recorded import of_running

DEFAULT_PROCFILE = "Procfile"


def plan_up(options: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    """The plan that `up` with these options means for the cluster at `paths`.

    With nothing named: `./Procfile`, else the recorded plan, else three members. Raises
    InputError for options that contradict each other and for inputs that cannot be used.
    """
    check_together(options, lambda option: option.typed)
    caller = replace(caller, texts={})
    if options.procfile is None and options.profile is None and options.members is None:
        if (caller.root(options) / DEFAULT_PROCFILE).is_file():
            options = replace(options, procfile=DEFAULT_PROCFILE)
        elif (recorded := recorded_plan(paths)) is not None:
            return _continued(recorded, options, paths, caller)
        else:
            options = replace(options, members=DEFAULT_MEMBERS)
    planned = planned_from(options.kind, options, paths, caller)
    return _as_it_is_by_now(planned, recorded_plan(paths), options, caller)


def plan_again(running: Mapping[str, Any], paths: ClusterPaths, caller: Caller) -> Planned:
    """The plan that the running cluster's input makes now; `running` is its plan as JSON.

    What is not in the input stays as it runs: which processes were wanted, ephemeral, port lock.
    """
    spec = of_running(running)
    planned = _replayed(spec.source, Options(), paths, caller)
    planned = _as_it_is_by_now(planned, spec, Options(), caller, runs=True)
    kept = replace(
        planned.spec,
        source=spec.source,
        wanted=spec.wanted,
        ephemeral=spec.ephemeral,
        exit_on_error=spec.exit_on_error,
        port_lock=spec.port_lock,
        history=spec.history,
    )
    return replace(planned, spec=kept)


def plan_file(path: str, options: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    """The plan of one file or built-in profile, told apart by its name (`check FILE`)."""
    there = (caller.root(options) / path).exists()
    is_profile = path.endswith(".toml")
    if not there and not is_profile and "/" not in path:
        from etcd_sandbox.config.profile import builtin_profiles

        is_profile = path in builtin_profiles()
    named = replace(options, profile=path) if is_profile else replace(options, procfile=path)
    return plan_up(named, paths, caller)


def _continued(
    recorded: ClusterSpec, options: Options, paths: ClusterPaths, caller: Caller
) -> Planned:
    planned = _replayed(recorded.source, options, paths, caller)
    planned = _as_it_is_by_now(planned, recorded, options, caller)
    spec = replace(
        planned.spec,
        ephemeral=options.ephemeral,
        exit_on_error=options.exit_on_error,
    )
    says = f"{planned.says}, as recorded for this cluster"
    if (path := recorded.source.path) in recorded.source.texts:
        flag = "-f" if recorded.source.kind is SourceKind.PROCFILE else "-p"
        says += f": its text, since {path} was a pipe ({flag} FILE takes another)"
    return Planned(spec, says, planned.held)


def _replayed(source: Source, given: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    """The plan of a recorded source; options that were `given` now win over the recorded ones."""
    cwd = source.options.get("cwd")
    beside = ((VARIABLES_FILE, given.env_files), (RECORDS_FILE, given.dns_records))
    given_now = tuple(what for what, value in beside if value is not None)
    texts = {key: text for key, text in source.texts.items() if not key.startswith(given_now)}
    place = replace(caller, cwd=Path(str(cwd)) if cwd else caller.cwd, texts=texts)
    return planned_from(source.kind, given.over(source), paths, place)


def _as_it_is_by_now(
    planned: Planned,
    recorded: ClusterSpec | None,
    given: Options,
    caller: Caller,
    *,
    runs: bool = False,
) -> Planned:
    """The plan with what became of its cluster since, which `runs` or does not; not where its data is wiped.

    Raises InputError for an etcd that may not know what became of it.
    """
    if recorded is None or given.fresh or given.ephemeral:
        return planned
    from etcd_sandbox.etcd.datadir import has_data
    from etcd_sandbox.plan.membership import moved_words
    from etcd_sandbox.plan.pastchanges import lost_on_the_way

    kinds = {spec.source.kind is SourceKind.PROCFILE for spec in (recorded, planned.spec)}
    if len(kinds) > 1:
        # A Procfile keeps its data elsewhere: whoever came, went or was upgraded is of another cluster.
        return planned
    planned = _with_membership(planned, recorded)
    if given.etcd is None:
        planned = _with_upgrades(planned, recorded, caller)
    notes = planned.spec.notes + lost_on_the_way(recorded, planned.spec, has_data)
    if not runs:
        notes += moved_words(planned.spec, recorded, has_data)
    return replace(planned, spec=replace(planned.spec, notes=notes))


def _with_membership(planned: Planned, recorded: ClusterSpec) -> Planned:
    """The members are those that the cluster has by now, if it began with those of this input, and has data."""
    from etcd_sandbox.etcd.datadir import has_data
    from etcd_sandbox.plan import membership

    members = [process.member for process in recorded.members]
    # Whoever deletes the data that a Procfile's commands keep wants to begin anew.
    kept = [member for member in members if not member.data_owned] or members
    if not any(has_data(member.data_dir) for member in kept):
        return planned
    spec = membership.continued(recorded, planned.spec)
    spec = membership.with_known_ids(spec, recorded, has_data)
    notes = (*spec.notes, *membership.interrupted_words(spec, has_data))
    spec = replace(spec, notes=notes, history=recorded.history)
    words = membership.change_words(spec, planned.spec)
    says = f"{planned.says}; since then {words}" if words else planned.says
    return replace(planned, spec=spec, says=says)


def _with_upgrades(planned: Planned, recorded: ClusterSpec, caller: Caller) -> Planned:
    """Members that were upgraded keep their etcd, which their data is of by now."""
    from etcd_sandbox.etcd.datadir import has_data
    from etcd_sandbox.plan.upgrades import kept_upgrades, with_kept

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


def etcd_meant(to: str, plan: Mapping[str, Any], cwd: Path) -> EtcdBinary:
    """The etcd for the members of the running `plan` (a ClusterSpec as JSON).

    `to` is a version (`3.5`: the newest 3.5.x here) or a path, from `cwd`; for containers it may
    name an image (it has a colon). Raises InputError where there is none.
    """
    if not to.strip():
        raise InputError("--to needs a version or a path", hint="--to 3.5, say")
    if "/" in to and ":" not in to:
        to = str(cwd / Path(to).expanduser())
    from etcd_sandbox.inputs.ways import other_etcd

    return other_etcd(of_running(plan), to)


def as_json(binary: EtcdBinary) -> dict[str, Any]:
    """As the supervisor takes it."""
    found = msgspec.to_builtins(binary)
    assert isinstance(found, dict)
    return found
