"""From the options of `up` to a plan: which input is meant, and what became of its cluster since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.continuing import as_it_is_by_now
from etcd_sandbox.inputs.options import DEFAULT_MEMBERS, Options, check_together
from etcd_sandbox.inputs.sources import planned_from
from etcd_sandbox.model.spec import (
    RECORDS_FILE,
    VARIABLES_FILE,
    ClusterSpec,
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
    return as_it_is_by_now(planned, recorded_plan(paths), options, caller)


def plan_again(running: Mapping[str, Any], paths: ClusterPaths, caller: Caller) -> Planned:
    """The plan that the running cluster's input makes now; `running` is its plan as JSON.

    What is not in the input stays as it runs: which processes were wanted, ephemeral, port lock.
    """
    spec = of_running(running)
    planned = _replayed(spec.source, Options(), paths, caller)
    planned = as_it_is_by_now(planned, spec, Options(), caller, runs=True)
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
    planned = as_it_is_by_now(planned, recorded, options, caller)
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
