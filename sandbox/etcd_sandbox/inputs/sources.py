"""The plan of a Procfile, of a profile, or of so many members, as the options want it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from etcd_sandbox.config.inputfile import decode_input, read_input
from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.config.profile import Profile, find_profile, parse_profile
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.inputs import ports
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.options import DEFAULT_PORT_BASE, Options, check_fits
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, Source, SourceKind, Stdin
from etcd_sandbox.paths import ClusterPaths, private_runtime_dir


def planned_from(
    kind: SourceKind, options: Options, paths: ClusterPaths, caller: Caller
) -> Planned:
    """The plan of that kind of input. Raises InputError for options that say nothing to it."""
    check_fits(options, kind)
    if kind is SourceKind.PROCFILE:
        return _from_procfile(options, paths, caller)
    return _from_profile(kind, options, paths, caller)


def _from_procfile(options: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    from etcd_sandbox.plan.from_procfile import plan_procfile

    path = caller.find(str(options.procfile), options)
    shown = caller.shown(path)
    choose = caller.chooser(options.etcd)

    def which(program: str) -> str | None:
        return shutil.which(program, path=caller.env.get("PATH"))

    def choose_etcd(wish: str) -> EtcdBinary:
        found = choose(wish)
        if wish in ("", options.etcd):
            return found
        # The path is not an option's but that of the Procfile's command.
        return replace(found, origin="on PATH" if wish == which("etcd") else f"as {shown} says")

    procfile = parse_procfile(caller.read(path, "Procfile"), shown)
    overlay = caller.env_overlay(options)
    spec = plan_procfile(
        paths.name,
        _source(SourceKind.PROCFILE, str(path), options, caller),
        procfile,
        choose_etcd=choose_etcd,
        cwd=str(caller.root(options)),
        caller_env=caller.env,
        env_overlay=overlay,
        which=which,
        read_file=_read_config_file,
        etcd=options.etcd or "",
        set_ports=options.set_ports is not False,
        port_base=DEFAULT_PORT_BASE if options.port_base is None else options.port_base,
        wanted=options.wanted,
        exit_on_error=options.exit_on_error,
        links=options.links is True,
        stdin=Stdin(options.stdin or Stdin.NULL),
    )
    spec = replace(spec, ephemeral=options.ephemeral, disk_faults=options.disk_faults is True)
    says = f"using {shown} ({_contents(spec)}){_etcd_words(spec)}"
    return Planned(spec, says + _port_words(spec, overlay, caller))


def _from_profile(
    kind: SourceKind, options: Options, paths: ClusterPaths, caller: Caller
) -> Planned:
    from etcd_sandbox.inputs.ways import AskedWay, bootstrap_inputs, etcd_chooser, runtime_found
    from etcd_sandbox.plan.generated import plan_members

    if kind is SourceKind.PROFILE:
        path, shown, profile = _read_profile(str(options.profile), options, caller)
        says = f"using profile {shown}"
    else:
        path, profile = "", Profile()
        says = f"using -n {options.members}"
    overlay = caller.env_overlay(options)
    recorded = recorded_plan(paths)
    options, block = _with_ports(options, profile, paths, recorded)

    try:
        asked = AskedWay.of(options, profile)
        inputs = bootstrap_inputs(asked, recorded, lambda name: caller.records(name, options))
        runtime = runtime_found(asked.runtime, asked.container_network)
        spec = plan_members(
            paths.name,
            _source(kind, path, options, caller),
            profile,
            choose_etcd=etcd_chooser(
                runtime, asked.image, asked.image_from_binary, caller.chooser(options.etcd)
            ),
            data_root=paths.data,
            cwd=str(caller.root(options)),
            caller_env=caller.env,
            members=options.members,
            base_port=None if options.base_port is None else int(options.base_port),
            port_step=options.port_step,
            etcd=options.etcd,
            env_overlay=overlay,
            wanted=options.wanted,
            ephemeral=options.ephemeral,
            exit_on_error=options.exit_on_error,
            port_lock=block.lock if block is not None else "",
            direct=options.links is False,
            client_links=profile.cluster.client_links
            if options.client_links is None
            else options.client_links,
            token=options.token,
            inputs=inputs,
            runtime=runtime,
        )
    except BaseException:
        if block is not None:
            block.release()
        raise
    spec = replace(
        spec,
        disk_faults=profile.cluster.disk_faults
        if options.disk_faults is None
        else options.disk_faults,
    )
    held = block.fds if block is not None else ()
    return Planned(spec, f"{says} ({_contents(spec)}){_etcd_words(spec)}", held)


def _with_ports(
    options: Options, profile: Profile, paths: ClusterPaths, recorded: ClusterSpec | None
) -> tuple[Options, ports.Block | None]:
    members = options.members if options.members is not None else len(profile.member_names)
    auto = options.base_port == "auto"
    if not 1 <= members <= 25:  # refused with its reason by the plan
        return (replace(options, base_port=None) if auto else options), None
    before, block = _found_before(recorded), None
    # `auto` means the block of before, to which the members' data is bound, for as many members.
    same = recorded is not None and len(recorded.members) == members
    if before is not None and (same if auto else options.base_port == before):
        # Who has it meanwhile is told when the ports are looked at.
        block = ports.taken_again(before, members, private_runtime_dir(), plan=paths.plan)
    if auto:
        block = block or ports.free_block(members, private_runtime_dir(), plan=paths.plan)
        options = replace(options, base_port=block.base, port_step=ports.PORT_STEP)
    return options, block


def _found_before(recorded: ClusterSpec | None) -> int | None:
    """Where the block of ports of the recorded plan begins, if it was found by a search, and not by a wish."""
    if recorded is None or not recorded.port_lock:
        return None
    base = recorded.source.options.get("base_port")
    return base if isinstance(base, int) else None


def _read_profile(name: str, options: Options, caller: Caller) -> tuple[str, str, Profile]:
    found = find_profile(name)
    path = found if found.is_absolute() else caller.find(str(found), options)
    shown = name if "/" not in name and not name.endswith(".toml") else caller.shown(path)
    return str(path), shown, parse_profile(caller.read(path, "profile"), caller.shown(path))


def _source(kind: SourceKind, path: str, options: Options, caller: Caller) -> Source:
    return Source(
        kind=kind,
        path=path,
        options={**options.to_record(), "cwd": str(caller.cwd)},
        texts=dict(caller.texts),
    )


def _read_config_file(path: str) -> str:
    return decode_input(read_input(Path(path), "config file of etcd"), path, "config file of etcd")


MOST_NAMED = 25
"""So many processes are named; hundreds would hide what else is said."""


def _contents(spec: ClusterSpec) -> str:
    """What the plan has, in words."""
    etcds = [process.member for process in spec.members]
    members = [member.name for member in etcds if not member.proxy]
    proxies = [member.name for member in etcds if member.proxy]
    others = [process.name for process in spec.processes if process.is_beside]
    parts = []
    if members:
        parts.append(f"{len(members)} member{'s' * (len(members) > 1)}: {', '.join(members)}")
    if proxies:
        kind = "proxy" if len(proxies) == 1 else "proxies"
        parts.append(f"{len(proxies)} {kind}: {', '.join(proxies)}")
    if others:
        kind = "process" if len(others) == 1 else "processes"
        parts.append(f"{len(others)} {kind}: {_named(others)}")
    if not spec.bootstrap.is_list:
        parts.append(f"bootstrapped by {spec.bootstrap.value}")
    if containers := spec.runtime.containers:
        parts.append(f"in {containers}")
    return "; ".join(parts)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _port_words(spec: ClusterSpec, overlay: Mapping[str, str], caller: Caller) -> str:
    """That PORT is not what a file or the caller says, where it is not."""
    whose = "the environment" if "PORT" in caller.env else "the file of variables"
    asked = {**overlay, **caller.env}.get("PORT")
    ports = [process.env["PORT"] for process in spec.processes if "PORT" in process.env]
    if asked is None or not ports or set(ports) == {asked}:
        return ""
    span = ports[0] if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    return f"; PORT is {span}, not {asked} as {whose} says (--no-set-ports leaves it so)"


def _etcd_words(spec: ClusterSpec) -> str:
    used = {
        f"etcd {process.member.etcd.version} ({process.member.etcd.origin})": None
        for process in spec.members
        if process.member.etcd is not None
    }
    return f", {' and '.join(used)}" if used else ""
