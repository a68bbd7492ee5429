"""etcd's options as etcd reads them: from flags, `ETCD_*` variables or a file, its own defaults filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field

from etcd_sandbox.etcd.flagtable import flag_table, takes_value
from etcd_sandbox.model.access import Address, InitialCluster

DEFAULT_NAME = "default"
DEFAULT_TOKEN = "etcd-cluster"
DEFAULT_CLIENT_URL = Address("http://localhost:2379")
DEFAULT_PEER_URL = Address("http://localhost:2380")

_CHECKED_BOOLS = ("client-cert-auth", "auto-tls")
_YAML_BOOLS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class DiscoveryKind(StrEnum):
    """How a member finds the others when there is no list of them, by the flag that says so."""

    V2 = "discovery"
    V3 = "discovery-endpoints"
    SRV = "discovery-srv"


class MemberFlags(Struct, frozen=True, kw_only=True):
    """The options of one etcd.

    `initial_cluster` is empty with discovery. `raw` are the options as they were given, `problems`
    what etcd would complain about.
    """

    name: str
    data_dir: str
    listen_client_urls: tuple[Address, ...]
    advertise_client_urls: tuple[Address, ...]
    listen_peer_urls: tuple[Address, ...]
    initial_advertise_peer_urls: tuple[Address, ...]
    listen_metrics_urls: tuple[Address, ...]
    initial_cluster: InitialCluster
    initial_cluster_state: str
    token: str
    heartbeat_interval_ms: int
    election_timeout_ms: int
    discovery: DiscoveryKind | None
    raw: dict[str, str]
    problems: tuple[str, ...]


_NO_LOG_FILES = ("default", "stderr", "stdout", "systemd/journal")
"""The words of `--log-outputs` beside paths (`setupLogging` in etcd's server/embed/config_logging.go)."""


def log_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """The files that an etcd with these options logs to, as they are written there.

    They, the data directory and that of the WAL are all that an etcd writes; what its other options name it only reads.
    """
    given = ",".join(options.get(name, "") for name in ("log-outputs", "log-output"))
    places = (place.strip().removeprefix("file://") for place in given.split(","))
    return tuple(dict.fromkeys(place for place in places if place and place not in _NO_LOG_FILES))


def read_flags(
    argv: Sequence[str], env: Mapping[str, str], read_file: Callable[[str], str]
) -> MemberFlags:
    """The options that etcd would use with `argv` (without the program) and `env`.

    `read_file` gives the text of the file that `--config-file` names; it may raise OSError or
    ValueError. With such a file etcd ignores all other flags and variables.
    """
    options = read_argv(argv)
    config_file = options.values.get("config-file") or env.get("ETCD_CONFIG_FILE", "")
    if config_file:
        from_file = _read_config_file(config_file, read_file)
        from_file.problems[:0] = options.problems
        return _member(from_file)
    from_env = read_environment(env, options.values)
    return _member(Options(from_env.values | options.values, options.problems + from_env.problems))


def _read_config_file(path: str, read_file: Callable[[str], str]) -> Options:
    try:
        text = read_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        return Options(problems=[f"the config file cannot be read, {path}: {reason}"])
    return read_config(text, path)


def _member(options: Options) -> MemberFlags:
    values, problems = options.values, options.problems
    for key in _CHECKED_BOOLS:
        given = values.get(key, "false")
        if read_bool(_YAML_BOOLS.get(given.lower(), given)) is None:
            problems.append(f"--{key} is {given!r}, which is neither true nor false")
    name = values.get("name", DEFAULT_NAME)
    peer_urls = urls(values, "initial-advertise-peer-urls", DEFAULT_PEER_URL)
    discovery = next((kind for kind in DiscoveryKind if values.get(kind)), None)
    advertised = urls(values, "advertise-client-urls", DEFAULT_CLIENT_URL)
    if values.get("listen-client-urls") and not values.get("advertise-client-urls"):
        advertised = ()
        # etcd 3.4 and 3.5: a proxy of the v2 API advertises nothing (`config.validate` in etcdmain).
        if values.get("proxy", "off") == "off":
            problems.append(
                "--advertise-client-urls is required when --listen-client-urls is given"
            )
    return MemberFlags(
        name=name,
        data_dir=values.get("data-dir") or f"{name}.etcd",
        listen_client_urls=urls(values, "listen-client-urls", DEFAULT_CLIENT_URL),
        advertise_client_urls=advertised,
        listen_peer_urls=urls(values, "listen-peer-urls", DEFAULT_PEER_URL),
        initial_advertise_peer_urls=peer_urls,
        listen_metrics_urls=urls(values, "listen-metrics-urls"),
        initial_cluster=_initial_cluster(values, problems, name, peer_urls, discovery),
        initial_cluster_state=values.get("initial-cluster-state") or "new",
        token=values.get("initial-cluster-token", DEFAULT_TOKEN),
        heartbeat_interval_ms=_number(values, problems, "heartbeat-interval", 100),
        election_timeout_ms=_number(values, problems, "election-timeout", 1000),
        discovery=discovery,
        raw=dict(values),
        problems=tuple(problems),
    )


def urls(values: Mapping[str, str], key: str, default: str = "") -> tuple[Address, ...]:
    """The addresses that an option lists, each once."""
    given = values.get(key) or default
    return tuple(dict.fromkeys(Address(url) for part in given.split(",") if (url := part.strip())))


def _initial_cluster(
    values: Mapping[str, str],
    problems: list[str],
    name: str,
    peer_urls: tuple[Address, ...],
    discovery: DiscoveryKind | None,
) -> InitialCluster:
    given = values.get("initial-cluster")
    if not given:
        if discovery is not None:
            return {}
        # etcd puts the name's own peer URLs there only when a name was given.
        return {name: peer_urls if name != DEFAULT_NAME else (DEFAULT_PEER_URL,)}
    found: InitialCluster = {}
    for part in given.split(","):
        member, equals, url = part.strip().partition("=")
        if member and equals and url:
            found[member] = (*found.get(member, ()), Address(url))
        else:
            problems.append(f"--initial-cluster holds {part!r}, which is not NAME=URL")
    return found


def _number(values: Mapping[str, str], problems: list[str], key: str, default: int) -> int:
    given = values.get(key)
    if given is None:
        return default
    read = read_uint(given)
    if read is None:
        problems.append(f"--{key} is {given!r}, which is not a number of milliseconds")
        return default
    return read


_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class Options(Struct):
    """Options by their names without dashes, and what etcd would complain about."""

    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_argv(argv: Sequence[str]) -> Options:
    """The options of `argv` (without the program); of a repeated one the last counts.

    One or two dashes, `--name value` or `--name=value`; a boolean takes no separate value. The
    first word that is no flag ends the flags: etcd refuses to start then.
    """
    options = Options()
    words = iter(argv)
    for word in words:
        if len(word) < 2 or not word.startswith("-"):
            options.problems.append(f"{word!r} is not a flag: etcd refuses it")
            break
        if word == "--":
            if (rest := next(words, None)) is not None:
                options.problems.append(f"{rest!r} is not a flag: etcd refuses it")
            break
        name, given, value = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-"):
            options.problems.append(f"{word!r} is not how a flag is written")
            break
        if not given:
            if not takes_value(name):
                value = "true"
            elif (following := next(words, None)) is not None:
                value = following
            else:
                options.problems.append(f"--{name} needs a value")
                break
        options.values[name] = value
    return options


def read_environment(env: Mapping[str, str], given: Mapping[str, str]) -> Options:
    """The options of `ETCD_*` variables, without those that are empty.

    A variable for an option that is also `given` as a flag is a problem, even when it is empty:
    etcd ends at once.
    """
    options = Options()
    for name in flag_table():
        variable = variable_of(name)
        if variable not in env or name == "version":
            continue
        if name in given:
            options.problems.append(
                f"--{name} is also set by the variable {variable}: etcd refuses to start with both"
            )
        elif env[variable]:
            options.values[name] = env[variable]
    return options


def variable_of(flag: str) -> str:
    """`data-dir` → `ETCD_DATA_DIR`."""
    return "ETCD_" + flag.upper().replace("-", "_")


def read_bool(text: str) -> bool | None:
    """A boolean as Go's `strconv.ParseBool` reads it; None when it does not."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def read_uint(text: str) -> int | None:
    """A number as Go's `strconv.ParseUint` reads it with base 0; None when it does not."""
    if not text.isascii() or text[:1] in ("+", "-") or len(text) > 70 or text != text.strip():
        return None
    base = 8 if len(text) > 1 and text[0] == "0" and text[1:2].isdigit() else 0
    try:
        number = int(text, base)
    except ValueError:
        return None
    return number if number < 2**64 else None


_TLS_SECTIONS = {"client-transport-security": "", "peer-transport-security": "peer-"}
_DISCOVERY_SECTION = {"endpoints": "discovery-endpoints", "token": "discovery-token"}


def read_config(text: str, where: str) -> Options:
    """The options of the file's text as if they had been flags; `where` is named in problems."""
    import yaml

    options = Options()
    try:
        # BaseLoader makes nothing but text, lists and mappings: a token such as 12:30 stays text.
        read = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        options.problems.append(f"the config file is not YAML, {where}: {_first_line(error)}")
        return options
    if not isinstance(read, dict):
        if read is not None and read != "":
            options.problems.append(f"the config file holds no options, {where}")
        return options
    for key, value in read.items():
        if not isinstance(value, dict):
            _take(options, str(key), value)
        elif (prefix := _TLS_SECTIONS.get(str(key))) is not None:
            for inner, setting in value.items():
                _take(options, f"{prefix}{inner}", setting)
        elif key == "discovery-config":
            for inner, setting in value.items():
                _take(options, _DISCOVERY_SECTION.get(str(inner), str(inner)), setting)
    return options


def _take(options: Options, name: str, value: object) -> None:
    """A setting of text, or a list of them; deeper ones are none of etcd's."""
    if isinstance(value, list):
        options.values[name] = ",".join(item for item in value if isinstance(item, str))
    elif isinstance(value, str):
        options.values[name] = value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
