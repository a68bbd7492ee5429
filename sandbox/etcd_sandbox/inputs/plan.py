"""From the options of `up` to a ClusterSpec: which input is meant, and the plan that it makes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from etcd_sandbox.config.inputfile import decode_input, is_readable_once, read_input
from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.config.profile import Profile, find_profile, parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.inputs import ports as portblock
from etcd_sandbox.model.spec import (
    Bootstrap,
    ClusterSpec,
    EtcdBinary,
    Runtime,
    Source,
    SourceKind,
    Stdin,
)
from etcd_sandbox.paths import ClusterPaths, private_runtime_dir
from etcd_sandbox.plan.recorded import of_running

DEFAULT_MEMBERS = 3
DEFAULT_PROCFILE = "Procfile"
DEFAULT_ENV_FILE = ".env"

ChooseEtcd = Callable[[str], EtcdBinary]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `up` was asked for. `base_port` is a port or `auto`; no `env_files` means `.env`.

    `links`: whether peers reach each other through links. None means that members that we
    compose do and those of a Procfile do not. `discovery` is the URL of an existing service.
    `token` is the initial cluster token of members that were restored from a snapshot.
    `fresh`: the data of an earlier cluster is wiped, and with it goes its discovery token.
    """

    members: int | None = None
    procfile: str | None = None
    profile: str | None = None
    etcd: str | None = None
    base_port: int | str | None = None
    port_step: int | None = None
    set_ports: bool = True
    port_base: int = 5000
    env_files: tuple[str, ...] = ()
    basedir: str | None = None
    links: bool | None = None
    stdin: str | None = None
    bootstrap: str | None = None
    discovery: str | None = None
    discovery_token: str | None = None
    discovery_size: int | None = None
    dns_records: str | None = None
    runtime: str | None = None
    image: str | None = None
    image_from_binary: bool = False
    container_network: str | None = None
    token: str | None = None
    wanted: tuple[str, ...] = ()
    ephemeral: bool = False
    exit_on_error: bool = False
    fresh: bool = False


_WAY_OPTIONS = (
    "bootstrap",
    "discovery",
    "discovery_token",
    "discovery_size",
    "dns_records",
    "runtime",
    "image",
    "image_from_binary",
    "container_network",
)
"""The options that say how members are told of each other, and what runs them."""

_SHAPING = (
    "members",
    "etcd",
    "base_port",
    "port_step",
    "set_ports",
    "port_base",
    "env_files",
    "basedir",
    "links",
    "stdin",
    *_WAY_OPTIONS,
    "token",
)
"""The options that are recorded with a plan, since they take part in making it again."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, the line that says where it came from, and the port locks that it needs."""

    spec: ClusterSpec
    says: str
    held: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Where and by whom a plan is asked for. `choose_etcd` None: as SPEC's order says.

    `texts` are the inputs that can be read only once, by their path: those of a recorded plan,
    and those that are read while a plan is made.
    """

    cwd: Path
    env: Mapping[str, str]
    choose_etcd: ChooseEtcd | None = None
    texts: dict[str, str] = field(default_factory=dict)


def plan_up(options: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    """The plan that `up` with these options means for the cluster at `paths`.

    With nothing named: `./Procfile`, else the recorded plan, else three members. Raises
    InputError for options that contradict each other and for inputs that cannot be used.
    """
    _check_together(options)
    caller = replace(caller, texts={})
    if options.procfile is None and options.profile is None and options.members is None:
        if (_root(options, caller) / DEFAULT_PROCFILE).is_file():
            options = replace(options, procfile=DEFAULT_PROCFILE)
        elif (recorded := recorded_plan(paths)) is not None:
            return _continued(recorded, options, paths, caller)
        else:
            options = replace(options, members=DEFAULT_MEMBERS)
    planned = _planned(_kind(options), options, paths, caller)
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
    there = (_root(options, caller) / path).exists()
    is_profile = path.endswith(".toml")
    if not there and not is_profile and "/" not in path:
        from etcd_sandbox.config.profile import builtin_profiles

        is_profile = path in builtin_profiles()
    named = replace(options, profile=path) if is_profile else replace(options, procfile=path)
    return plan_up(named, paths, caller)


def refuse_foreign_data(spec: ClusterSpec, option: str) -> None:
    """Raises InputError where `option` would delete data directories that are not ours."""
    foreign = [place for each in spec.members if each.member for place in each.member.foreign_data]
    if foreign:
        kept = "that the Procfile's own commands keep"
        if spec.source.kind is not SourceKind.PROCFILE:
            kept = "that members keep outside the cluster's state directory"
        raise InputError(
            f"{option} would delete data {kept}",
            spec.source.path,
            f"delete it yourself if you mean it: {', '.join(foreign)}",
        )


def _check_together(options: Options) -> None:
    named = [
        flag
        for flag, value in (("-f", options.procfile), ("-p", options.profile))
        if value is not None
    ]
    if options.members is not None and options.procfile is not None:
        raise InputError(
            "-n and -f contradict each other: a Procfile lists its members itself",
            hint="leave out one of them",
        )
    if len(named) > 1:
        raise InputError("-f and -p contradict each other", hint="leave out one of them")


def _way_option(options: Options) -> str:
    """The first of those that was given, as it is typed."""
    given = (name for name in _WAY_OPTIONS if getattr(options, name))
    return next((f"--{name.replace('_', '-')}" for name in given), "")


def _kind(options: Options) -> SourceKind:
    if options.procfile is not None:
        return SourceKind.PROCFILE
    return SourceKind.PROFILE if options.profile is not None else SourceKind.MEMBERS


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
    recorded: dict[str, Any] = dict(source.options)
    cwd = recorded.pop("cwd", None)
    known = {field.name for field in fields(Options)}
    values = {name: value for name, value in recorded.items() if name in known}
    if isinstance(values.get("env_files"), list):
        values["env_files"] = tuple(values["env_files"])
    plain = Options()
    values |= {
        field.name: getattr(given, field.name)
        for field in fields(Options)
        if getattr(given, field.name) != getattr(plain, field.name)
    }
    options = Options(**values)
    if source.kind is SourceKind.PROCFILE:
        options = replace(options, procfile=source.path)
    elif source.kind is SourceKind.PROFILE:
        options = replace(options, profile=source.path)
    place = replace(caller, cwd=Path(str(cwd)) if cwd else caller.cwd, texts=dict(source.texts))
    return _planned(source.kind, options, paths, place)


def _as_it_is_by_now(
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
    members = [process.member for process in recorded.members if process.member is not None]
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
    return _chooser(Options(), caller)(binary.version)


def _planned(kind: SourceKind, options: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    if kind is SourceKind.PROCFILE:
        return _from_procfile(options, paths, caller)
    return _from_profile(kind, options, paths, caller)


def _from_procfile(options: Options, paths: ClusterPaths, caller: Caller) -> Planned:
    from etcd_sandbox.plan.from_procfile import plan_procfile

    if option := _way_option(options):
        raise InputError(
            f"{option} does not apply to a Procfile: its commands say themselves how members "
            "find each other and what runs them",
            hint="use -n or -p for members that etcd-sandbox composes",
        )
    if options.base_port is not None:
        raise InputError(
            "--base-port does not apply to a Procfile: its commands name their ports",
            hint="use -n or -p for members on other ports",
        )
    path = _find(str(options.procfile), options, caller)
    shown = _shown(path, caller)
    choose = _chooser(options, caller)

    def which(program: str) -> str | None:
        return shutil.which(program, path=caller.env.get("PATH"))

    def choose_etcd(wish: str) -> EtcdBinary:
        found = choose(wish)
        if wish in ("", options.etcd):
            return found
        # The path is not an option's but that of the Procfile's command.
        return replace(found, origin="on PATH" if wish == which("etcd") else f"as {shown} says")

    procfile = parse_procfile(_read(path, "Procfile", caller), shown)
    overlay = _env_overlay(options, caller)
    spec = plan_procfile(
        paths.name,
        _source(SourceKind.PROCFILE, str(path), options, caller),
        procfile,
        choose_etcd=choose_etcd,
        cwd=str(_root(options, caller)),
        caller_env=caller.env,
        env_overlay=overlay,
        which=which,
        read_file=_read_config_file,
        etcd=options.etcd or "",
        set_ports=options.set_ports,
        port_base=options.port_base,
        wanted=options.wanted,
        exit_on_error=options.exit_on_error,
        links=options.links is True,
        stdin=Stdin(options.stdin or Stdin.NULL),
    )
    spec = replace(spec, ephemeral=options.ephemeral)
    says = f"using {shown} ({_contents(spec)}){_etcd_words(spec)}"
    return Planned(spec, says + _port_words(spec, overlay, caller))


def _from_profile(
    kind: SourceKind, options: Options, paths: ClusterPaths, caller: Caller
) -> Planned:
    if options.stdin is not None:
        raise InputError(
            "--stdin is for the processes of a Procfile",
            hint='in a profile write stdin = "pipe" or "terminal" in a [[process]]',
        )
    from etcd_sandbox.inputs.ways import AskedWay, engine_of, etcd_chooser, means_for
    from etcd_sandbox.plan.generated import plan_members

    if kind is SourceKind.PROFILE:
        path, shown, profile = _read_profile(str(options.profile), options, caller)
        says = f"using profile {shown}"
    else:
        path, profile = "", Profile()
        says = f"using -n {options.members}"
    overlay = _env_overlay(options, caller)
    recorded = recorded_plan(paths)
    options, block = _with_ports(options, profile, paths, recorded)

    def find(name: str) -> tuple[Path, str]:
        found = _find(name, options, caller)
        return found, _shown(found, caller)

    try:
        asked = AskedWay.of(options, profile)
        engine = engine_of(asked)
        spec = plan_members(
            paths.name,
            _source(kind, path, options, caller),
            profile,
            choose_etcd=etcd_chooser(asked, engine, _chooser(options, caller)),
            data_root=paths.data,
            cwd=str(_root(options, caller)),
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
            token=options.token,
            means=means_for(asked, recorded, find),
            engine=engine,
        )
    except BaseException:
        if block is not None:
            block.release()
        raise
    held = block.fds if block is not None else ()
    return Planned(spec, f"{says} ({_contents(spec)}){_etcd_words(spec)}", held)


def _with_ports(
    options: Options, profile: Profile, paths: ClusterPaths, recorded: ClusterSpec | None
) -> tuple[Options, portblock.Block | None]:
    members = options.members if options.members is not None else len(profile.member_names)
    if not 1 <= members <= 25:  # refused with its reason by the plan
        auto = options.base_port == "auto"
        return (replace(options, base_port=None) if auto else options), None
    if options.base_port == "auto":
        block = portblock.free_block(members, private_runtime_dir(), plan=paths.plan)
        return replace(options, base_port=block.base, port_step=portblock.PORT_STEP), block
    if isinstance(options.base_port, int) and _was_found(options.base_port, recorded):
        # Who has it meanwhile is told when the ports are looked at.
        return options, portblock.taken_again(
            options.base_port, members, private_runtime_dir(), plan=paths.plan
        )
    return options, None


def _was_found(base_port: int, recorded: ClusterSpec | None) -> bool:
    """Whether the recorded plan has its ports from there on by a search, and not by a wish."""
    return (
        recorded is not None
        and recorded.port_lock != ""
        and recorded.source.options.get("base_port") == base_port
    )


def _read_profile(name: str, options: Options, caller: Caller) -> tuple[str, str, Profile]:
    found = find_profile(name)
    path = found if found.is_absolute() else _find(str(found), options, caller)
    shown = name if "/" not in name and not name.endswith(".toml") else _shown(path, caller)
    return str(path), shown, parse_profile(_read(path, "profile", caller), _shown(path, caller))


def _source(kind: SourceKind, path: str, options: Options, caller: Caller) -> Source:
    plain, given = asdict(Options()), asdict(options)
    recorded: dict[str, Any] = {
        name: list(given[name]) if isinstance(given[name], tuple) else given[name]
        for name in _SHAPING
        if given[name] != plain[name]
    }
    return Source(
        kind=kind,
        path=path,
        options={**recorded, "cwd": str(caller.cwd)},
        texts=dict(caller.texts),
    )


def _root(options: Options, caller: Caller) -> Path:
    if options.basedir is None:
        return caller.cwd
    root = caller.cwd / options.basedir
    if not root.is_dir():
        raise InputError("there is no such directory", str(root), "check --basedir")
    return root


def _find(name: str, options: Options, caller: Caller) -> Path:
    # goreman changes into its base directory before it reads the Procfile.
    within = _root(options, caller) / name
    return within if within.exists() else caller.cwd / name


def _read(path: Path, what: str, caller: Caller) -> bytes:
    """The content of an input; what can be read only once is kept in `caller.texts`."""
    if (text := caller.texts.get(str(path))) is not None:
        return text.encode()
    data = read_input(path, what)
    if is_readable_once(path):
        caller.texts[str(path)] = decode_input(data, str(path), what)
    return data


def _shown(path: Path, caller: Caller) -> str:
    return str(path.relative_to(caller.cwd)) if path.is_relative_to(caller.cwd) else str(path)


def _env_overlay(options: Options, caller: Caller) -> dict[str, str]:
    from etcd_sandbox.config.environment import load_env

    if options.env_files:
        files = [_find(name, options, caller) for name in options.env_files]
    else:
        files = [_root(options, caller) / DEFAULT_ENV_FILE]
        if not files[0].is_file():
            return {}
    texts = [
        (shown, decode_input(_read(path, "file of variables", caller), shown, "file of variables"))
        for path, shown in ((path, _shown(path, caller)) for path in files)
    ]
    return load_env(texts, caller.env)


def _read_config_file(path: str) -> str:
    return decode_input(read_input(Path(path), "config file of etcd"), path, "config file of etcd")


def _chooser(options: Options, caller: Caller) -> ChooseEtcd:
    if caller.choose_etcd is not None:
        return caller.choose_etcd
    from etcd_sandbox.etcd.release import choose

    return lambda wish: choose(wish or options.etcd or "")


def _contents(spec: ClusterSpec) -> str:
    etcds = [process.member for process in spec.members if process.member is not None]
    members = [member.name for member in etcds if not member.proxy]
    proxies = [member.name for member in etcds if member.proxy]
    others = [
        process.name
        for process in spec.processes
        if process.member is None and process.service is None
    ]
    parts = []
    if members:
        parts.append(f"{len(members)} member{'s' * (len(members) > 1)}: {', '.join(members)}")
    if proxies:
        kind = "proxy" if len(proxies) == 1 else "proxies"
        parts.append(f"{len(proxies)} {kind}: {', '.join(proxies)}")
    if others:
        kind = "process" if len(others) == 1 else "processes"
        parts.append(f"{len(others)} {kind}: {', '.join(others)}")
    if spec.bootstrap is not Bootstrap.STATIC:
        parts.append(f"bootstrapped by {spec.bootstrap.value}")
    if spec.runtime is not Runtime.PROCESS:
        parts.append(f"in {spec.runtime.value} containers")
    return "; ".join(parts)


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
        if process.member is not None and process.member.etcd is not None
    }
    return f", {' and '.join(used)}" if used else ""
