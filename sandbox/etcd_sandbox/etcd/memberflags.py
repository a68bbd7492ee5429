"""What an etcd would use that is started with these words and variables, its own defaults filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.etcd.configfile import read_config
from etcd_sandbox.etcd.goflags import Options, read_argv, read_bool, read_environment, read_uint

DEFAULT_NAME = "default"
DEFAULT_TOKEN = "etcd-cluster"
DEFAULT_CLIENT_URL = "http://localhost:2379"
DEFAULT_PEER_URL = "http://localhost:2380"

_SUBCOMMANDS = ("gateway", "grpc-proxy")
_YAML_BOOLS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class DiscoveryKind(StrEnum):
    """How a member finds the others when there is no list of them."""

    V2 = "v2"
    V3 = "v3"
    SRV = "srv"


class Discovery(Struct, frozen=True, kw_only=True):
    """`where` is the URL (v2), the endpoints (v3) or the domain (srv); `name` is v3's token or srv's service name."""

    kind: DiscoveryKind
    where: str
    name: str = ""


class MemberFlags(Struct, frozen=True, kw_only=True):
    """The options of one etcd.

    `initial_cluster` are pairs of name and URL, empty with discovery. `cert_file`, `key_file`,
    `client_cert_file`, `client_key_file` and `trusted_ca_file` are of the client side.
    `subcommand` is `gateway` or `grpc-proxy` where the process is no member at all. `raw` are
    the options as they were given, `problems` what etcd would complain about.
    """

    name: str
    data_dir: str
    listen_client_urls: tuple[str, ...]
    advertise_client_urls: tuple[str, ...]
    listen_peer_urls: tuple[str, ...]
    initial_advertise_peer_urls: tuple[str, ...]
    listen_metrics_urls: tuple[str, ...]
    initial_cluster: tuple[tuple[str, str], ...]
    initial_cluster_state: str
    token: str
    cert_file: str
    key_file: str
    client_cert_file: str
    client_key_file: str
    trusted_ca_file: str
    client_cert_auth: bool
    auto_tls: bool
    heartbeat_interval_ms: int
    election_timeout_ms: int
    discovery: Discovery | None
    subcommand: str
    raw: dict[str, str]
    problems: tuple[str, ...]


_NO_LOG_FILES = ("default", "stderr", "stdout", "systemd/journal")
"""What `--log-outputs` may say beside paths (`setupLogging` in etcd's server/embed/config_logging.go)."""


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
    """What etcd would make of `argv` (without the program) and `env`.

    `read_file` gives the text of the file that `--config-file` names; it may raise OSError or
    ValueError. With such a file etcd ignores all other flags and variables.
    """
    if argv and argv[0] in _SUBCOMMANDS:
        return _member(Options(), argv[0])
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


def _member(options: Options, subcommand: str = "") -> MemberFlags:
    values, problems = options.values, options.problems
    name = values.get("name", DEFAULT_NAME)
    peer_urls = _urls(values, "initial-advertise-peer-urls", DEFAULT_PEER_URL)
    discovery = _discovery(values)
    advertised = _urls(values, "advertise-client-urls", DEFAULT_CLIENT_URL)
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
        listen_client_urls=_urls(values, "listen-client-urls", DEFAULT_CLIENT_URL),
        advertise_client_urls=advertised,
        listen_peer_urls=_urls(values, "listen-peer-urls", DEFAULT_PEER_URL),
        initial_advertise_peer_urls=peer_urls,
        listen_metrics_urls=_urls(values, "listen-metrics-urls", ""),
        initial_cluster=_initial_cluster(values, problems, name, peer_urls, discovery),
        initial_cluster_state=values.get("initial-cluster-state") or "new",
        token=values.get("initial-cluster-token", DEFAULT_TOKEN),
        cert_file=values.get("cert-file", ""),
        key_file=values.get("key-file", ""),
        client_cert_file=values.get("client-cert-file", ""),
        client_key_file=values.get("client-key-file", ""),
        trusted_ca_file=values.get("trusted-ca-file", ""),
        client_cert_auth=_bool(values, problems, "client-cert-auth"),
        auto_tls=_bool(values, problems, "auto-tls"),
        heartbeat_interval_ms=_number(values, problems, "heartbeat-interval", 100),
        election_timeout_ms=_number(values, problems, "election-timeout", 1000),
        discovery=discovery,
        subcommand=subcommand,
        raw=dict(values),
        problems=tuple(problems),
    )


def _urls(values: Mapping[str, str], key: str, default: str) -> tuple[str, ...]:
    given = values.get(key) or default
    return tuple(dict.fromkeys(url for part in given.split(",") if (url := part.strip())))


def _discovery(values: Mapping[str, str]) -> Discovery | None:
    if url := values.get("discovery"):
        return Discovery(kind=DiscoveryKind.V2, where=url)
    if endpoints := values.get("discovery-endpoints"):
        return Discovery(
            kind=DiscoveryKind.V3, where=endpoints, name=values.get("discovery-token", "")
        )
    if domain := values.get("discovery-srv"):
        return Discovery(
            kind=DiscoveryKind.SRV, where=domain, name=values.get("discovery-srv-name", "")
        )
    return None


def _initial_cluster(
    values: Mapping[str, str],
    problems: list[str],
    name: str,
    peer_urls: tuple[str, ...],
    discovery: Discovery | None,
) -> tuple[tuple[str, str], ...]:
    given = values.get("initial-cluster")
    if not given:
        if discovery is not None:
            return ()
        # etcd puts the name's own peer URLs there only when a name was given.
        own = peer_urls if name != DEFAULT_NAME else (DEFAULT_PEER_URL,)
        return tuple((name, url) for url in own)
    pairs: list[tuple[str, str]] = []
    for part in given.split(","):
        member, equals, url = part.strip().partition("=")
        if member and equals and url:
            pairs.append((member, url))
        else:
            problems.append(f"--initial-cluster holds {part!r}, which is not NAME=URL")
    return tuple(pairs)


def _bool(values: Mapping[str, str], problems: list[str], key: str) -> bool:
    given = values.get(key, "false")
    read = read_bool(_YAML_BOOLS.get(given.lower(), given))
    if read is None:
        problems.append(f"--{key} is {given!r}, which is neither true nor false")
    return bool(read)


def _number(values: Mapping[str, str], problems: list[str], key: str, default: int) -> int:
    given = values.get(key)
    if given is None:
        return default
    read = read_uint(given)
    if read is None:
        problems.append(f"--{key} is {given!r}, which is not a number of milliseconds")
        return default
    return read
