"""Which of etcd's flags a profile may have: one that would have no effect, or break what others rely on, is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcd_sandbox.etcd.flagtable import takes_value
from etcd_sandbox.etcd.memberflags import read_bool

Flag = str | int | float | bool
"""The value of one etcd flag."""

_PORTS_HINT = "set base_port and port_step in [cluster], or client_port in the [[member]]"
RESERVED_FLAGS = {
    "name": "set the name in a [[member]]",
    "data-dir": "leave it out: the data is kept in the cluster's state directory",
    "listen-client-urls": _PORTS_HINT,
    "advertise-client-urls": _PORTS_HINT,
    "listen-peer-urls": _PORTS_HINT,
    "initial-advertise-peer-urls": _PORTS_HINT,
    "listen-metrics-urls": _PORTS_HINT,
    "initial-cluster": "set members in [cluster], or list every [[member]]",
    "initial-cluster-state": "leave it out: the members start as a new cluster",
    "initial-cluster-token": "set token in [cluster]",
    "config-file": "write each flag by its own name in [etcd]",
    "discovery-insecure-transport": 'write discovery = "https://…" in [cluster] for TLS',
}
BOOTSTRAP_FLAGS = frozenset(
    ("discovery", "discovery-endpoints", "discovery-token", "discovery-srv", "discovery-srv-name")
)
_WAY_HINT = 'set bootstrap = "discovery" or "dns" in [cluster]'

_TLS_FLAGS_NAMES = """
    auto-tls cert-file cipher-suites client-cert-allowed-hostname client-cert-auth client-cert-file
    client-crl-file client-key-file key-file self-signed-cert-validity tls-max-version tls-min-version
    trusted-ca-file
    experimental-peer-skip-client-san-verification peer-auto-tls peer-cert-allowed-cn
    peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth peer-client-cert-file
    peer-client-key-file peer-crl-file peer-key-file peer-skip-client-san-verification
    peer-trusted-ca-file
    """
TLS_FLAGS = frozenset(_TLS_FLAGS_NAMES.split())
IGNORED_FLAGS = {
    "cluster-active-size": "",
    "cluster-remove-delay": "",
    "cluster-sync-interval": "",
    "config": "",
    "force": "",
    "max-result-buffer": "",
    "max-retry-attempts": "",
    "peer-election-timeout": "election-timeout",
    "peer-heartbeat-interval": "heartbeat-interval",
    "retry-interval": "",
    "snapshot": "snapshot-count",
    "v": "log-level",
    "vv": "log-level",
}
"""What very old etcds had, and what has its place: later ones take these flags and do nothing with them."""

_OF_V2_NAMES = """
    discovery-fallback discovery-proxy proxy-dial-timeout proxy-failure-wait proxy-read-timeout
    proxy-refresh-interval proxy-write-timeout
    """
_OF_V2 = frozenset(_OF_V2_NAMES.split())
_OF_V3_NAMES = """
    discovery-dial-timeout discovery-keepalive-time discovery-keepalive-timeout discovery-password
    discovery-request-timeout discovery-user
    """
_OF_V3 = frozenset(_OF_V3_NAMES.split())
_OF_V3_OVER_TLS = frozenset(
    ("discovery-cacert", "discovery-cert", "discovery-insecure-skip-tls-verify", "discovery-key")
)
"""What only members heed that find each other by a discovery service, by its protocol."""

Refusal = tuple[str, str]
"""What is wrong with the flag, and what to do about it."""


def refusal_of(flag: str, value: Flag, *, shared: bool) -> Refusal | None:
    """Why a profile cannot have the flag with that value; None where it can.

    `shared`: it is for every member, not for one. A switch that is off changes nothing, and is let be.
    """
    if flag in BOOTSTRAP_FLAGS:
        return f"the etcd flag {flag!r} is set by etcd-sandbox itself", _WAY_HINT
    if hint := RESERVED_FLAGS.get(flag):
        return f"the etcd flag {flag!r} is set by etcd-sandbox itself", hint
    if _is_off(flag, value):
        return None
    if flag in TLS_FLAGS:
        return (
            f"the etcd flag {flag!r} would have no effect: the members of a profile serve plain HTTP, "
            "since etcd-sandbox has no certificates to give them yet",
            "leave it out; members of a Procfile can have https:// URLs and certificates",
        )
    if flag in IGNORED_FLAGS:
        instead = IGNORED_FLAGS[flag]
        return (
            f"the etcd flag {flag!r} has no effect: etcd takes it and ignores it",
            f"write {instead!r} instead" if instead else "leave it out",
        )
    if flag == "wal-dir" and shared:
        return (
            "the etcd flag 'wal-dir' would have all members keep their logs in one directory",
            "set it in the flags of each [[member]]",
        )
    return _BY_VALUE[flag](str(value)) if flag in _BY_VALUE else None


def unheeded(flag: str, value: Flag, bootstrap: Mapping[str, Flag]) -> Refusal | None:
    """Why the flag would have no effect, where members are told of each other by the flags of `bootstrap`."""
    if _is_off(flag, value):
        return None
    if flag in _OF_V2:
        heeded, mend = "discovery" in bootstrap, 'bootstrap = "discovery" and an etcd 3.4 or 3.5'
    elif flag in _OF_V3:
        heeded, mend = "discovery-endpoints" in bootstrap, 'bootstrap = "discovery" and etcd 3.6'
    elif flag in _OF_V3_OVER_TLS:
        # It is set where the service's URL has https.
        heeded = "discovery-insecure-transport" in bootstrap
        mend = 'bootstrap = "discovery", etcd 3.6, and discovery = "https://…"'
    else:
        return None
    what = f"the etcd flag {flag!r} would have no effect: the members do not use such a discovery service"
    return None if heeded else (what, f"leave it out, or set {mend}")


def unseen(flags: Mapping[str, str]) -> list[str]:
    """What etcd-sandbox would not see of a member with these flags, where they are the user's own choice."""
    found = [_BY_VALUE[flag](value) for flag, value in flags.items() if flag in _HIDING]
    return [refusal[0] for refusal in found if refusal is not None]


def _is_off(flag: str, value: Flag) -> bool:
    if takes_value(flag):
        return value == ""
    return read_bool(str(value)) is False and flag != "enable-grpc-gateway"


def _force_new_cluster(value: str) -> Refusal:
    return (
        "the etcd flag 'force-new-cluster' would make every member a cluster of its own at each start",
        "leave it out; etcd-sandbox restore FILE makes a new cluster from a snapshot",
    )


def _ends_at_once(value: str) -> Refusal:
    return "etcd would print what the flag asks for, and end", "leave it out"


def _proxy(value: str) -> Refusal | None:
    if value == "off":
        return None
    return (
        f"with proxy = {value!r} the etcd would be no member",
        "leave it out; a proxy can be a [[process]] with a command of its own",
    )


def _grpc_gateway(value: str) -> Refusal | None:
    if read_bool(value) is not False:
        return None
    return (
        "without 'enable-grpc-gateway' the members cannot be asked who leads, nor how they are",
        "leave it out",
    )


def _http_urls(value: str) -> Refusal:
    return (
        "with 'listen-client-http-urls' the members cannot be asked at their client URLs who leads",
        "leave it out: clients of HTTP and of gRPC are served at one address",
    )


def _host_whitelist(value: str) -> Refusal | None:
    if {"*", "127.0.0.1"} & {host.strip() for host in value.split(",")}:
        return None
    return (
        f"'host-whitelist' without 127.0.0.1 keeps etcd-sandbox from asking the members ({value!r})",
        f'write host-whitelist = "{value},127.0.0.1"',
    )


def _log_level(value: str) -> Refusal | None:
    if value.lower() in ("debug", "info"):
        return None
    return (
        f"with log-level = {value!r} the members' logs are without the elections, "
        "which etcd-sandbox reads there",
        "leave it out; etcd-sandbox logs --level warn shows no more than warnings",
    )


def _log_outputs(value: str) -> Refusal | None:
    if {"default", "stderr", "stdout"} & {place.strip() for place in value.split(",")}:
        return None
    return (
        f"with log-outputs = {value!r} etcd-sandbox does not see what the members log, "
        "where it reads of elections",
        f'write log-outputs = "stderr,{value}"',
    )


def _log_format(value: str) -> Refusal | None:
    if value == "json":
        return None
    return (
        f"with log-format = {value!r} etcd-sandbox cannot read of elections in the members' logs",
        "leave it out: the dashboard shows the lines of JSON as text",
    )


def _log_output(value: str) -> Refusal:
    return (
        "the etcd flag 'log-output' cannot be given beside 'log-outputs', which etcd-sandbox sets",
        "write 'log-outputs' instead",
    )


def _log_package_levels(value: str) -> Refusal:
    return (
        "the etcd flag 'log-package-levels' would have no effect with the logger 'zap', or hide "
        "the elections with 'capnslog'",
        "leave it out; etcd-sandbox logs --level and --grep choose among the lines",
    )


_HIDING = ("enable-grpc-gateway", "host-whitelist", "log-format", "log-level", "log-outputs")

_BY_VALUE: dict[str, Callable[[str], Refusal | None]] = {
    "enable-grpc-gateway": _grpc_gateway,
    "force-new-cluster": _force_new_cluster,
    "h": _ends_at_once,
    "help": _ends_at_once,
    "host-whitelist": _host_whitelist,
    "listen-client-http-urls": _http_urls,
    "log-format": _log_format,
    "log-level": _log_level,
    "log-output": _log_output,
    "log-outputs": _log_outputs,
    "log-package-levels": _log_package_levels,
    "proxy": _proxy,
    "version": _ends_at_once,
}
