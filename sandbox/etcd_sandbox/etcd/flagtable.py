"""Which etcd knows which flag, from 3.4 to 3.7: measured on real binaries, patch releases from etcd's changelogs."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from etcd_sandbox.etcd.version import Version, parse

OLDEST: Version = (3, 4)
"""Of older versions the table says nothing."""

_KNOWN_SINCE = {
    # "A-B": from A up to, without, B. Several spans for what was added to more than one series.
    "3.4-": """
        advertise-client-urls auth-token auto-compaction-mode auto-compaction-retention auto-tls
        backend-batch-interval backend-batch-limit bcrypt-cost cert-file cipher-suites
        client-cert-allowed-hostname client-cert-auth client-crl-file config-file cors data-dir
        discovery-fallback discovery-srv discovery-srv-name election-timeout enable-grpc-gateway
        enable-pprof force-new-cluster grpc-keepalive-interval grpc-keepalive-min-time
        grpc-keepalive-timeout h heartbeat-interval help host-whitelist
        initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token
        initial-election-tick-advance key-file listen-client-urls listen-metrics-urls
        listen-peer-urls log-level log-outputs logger max-request-bytes max-txn-ops max-wals
        metrics name peer-auto-tls peer-cert-allowed-cn peer-cert-allowed-hostname peer-cert-file
        peer-client-cert-auth peer-crl-file peer-key-file peer-trusted-ca-file pre-vote
        quota-backend-bytes snapshot-count strict-reconfig-check trusted-ca-file version wal-dir
        cluster-active-size cluster-remove-delay cluster-sync-interval config force
        max-result-buffer max-retry-attempts peer-election-timeout peer-heartbeat-interval
        retry-interval snapshot v vv
        """,
    "3.4.10-": "auth-token-ttl unsafe-no-fsync",
    "3.4-3.8": "max-snapshots",
    "3.4-3.7": """
        discovery discovery-proxy experimental-compaction-batch-limit
        experimental-corrupt-check-time experimental-enable-lease-checkpoint
        experimental-initial-corrupt-check experimental-peer-skip-client-san-verification
        """,
    "3.4.11-3.7": "experimental-watch-progress-notify-interval",
    "3.4.16-3.7": "experimental-warning-apply-duration",
    "3.4.20-3.5 3.5.2-3.7": "experimental-enable-lease-checkpoint-persist",
    "3.4.20-3.5 3.5.5-": "max-concurrent-streams",
    "3.4.25-3.5 3.5.8-": "listen-client-http-urls tls-max-version tls-min-version",
    "3.4.31-3.5": "next-cluster-version-compatible",
    "3.4-3.6": """
        enable-v2 experimental-enable-v2v3 proxy proxy-dial-timeout proxy-failure-wait
        proxy-read-timeout proxy-refresh-interval proxy-write-timeout
        """,
    "3.4-3.5": "debug experimental-backend-bbolt-freelist-type log-output log-package-levels",
    "3.5-": """
        backend-bbolt-freelist-type client-cert-file client-key-file enable-log-rotation
        log-rotation-config-json peer-client-cert-file peer-client-key-file raft-read-timeout
        raft-write-timeout self-signed-cert-validity socket-reuse-address socket-reuse-port
        """,
    "3.5-3.8": "v2-deprecation",
    "3.5-3.7": """
        experimental-bootstrap-defrag-threshold-megabytes experimental-distributed-tracing-address
        experimental-distributed-tracing-instance-id experimental-distributed-tracing-service-name
        experimental-downgrade-check-time experimental-enable-distributed-tracing
        experimental-memory-mlock experimental-txn-mode-write-with-shared-buffer
        """,
    "3.5.5-3.7": "experimental-compact-hash-check-enabled experimental-compact-hash-check-time",
    "3.5.11-3.7": "experimental-distributed-tracing-sampling-rate",
    "3.5.14-3.7": "experimental-stop-grpc-service-on-defrag experimental-snapshot-catchup-entries",
    "3.5.16-3.7": "experimental-compaction-sleep-interval",
    "3.6-3.7": "experimental-warning-unary-request-duration",
    "3.6-": """
        bootstrap-defrag-threshold-megabytes compact-hash-check-time compaction-batch-limit
        compaction-sleep-interval corrupt-check-time discovery-cacert discovery-cert
        discovery-dial-timeout discovery-endpoints discovery-insecure-skip-tls-verify
        discovery-insecure-transport discovery-keepalive-time discovery-keepalive-timeout
        discovery-key discovery-password discovery-request-timeout discovery-token discovery-user
        distributed-tracing-address distributed-tracing-instance-id
        distributed-tracing-sampling-rate distributed-tracing-service-name downgrade-check-time
        enable-distributed-tracing feature-gates log-format max-learners memory-mlock
        peer-skip-client-san-verification snapshot-catchup-entries warning-apply-duration
        warning-unary-request-duration watch-progress-notify-interval
        """,
}

_VALUELESS_NAMES = """
    auto-tls client-cert-auth debug discovery-insecure-skip-tls-verify discovery-insecure-transport
    enable-distributed-tracing enable-grpc-gateway enable-log-rotation enable-pprof enable-v2
    experimental-compact-hash-check-enabled experimental-enable-distributed-tracing
    experimental-enable-lease-checkpoint experimental-enable-lease-checkpoint-persist
    experimental-initial-corrupt-check experimental-memory-mlock
    experimental-peer-skip-client-san-verification experimental-stop-grpc-service-on-defrag
    experimental-txn-mode-write-with-shared-buffer force-new-cluster h help
    initial-election-tick-advance memory-mlock next-cluster-version-compatible peer-auto-tls
    peer-client-cert-auth peer-skip-client-san-verification pre-vote socket-reuse-address
    socket-reuse-port strict-reconfig-check unsafe-no-fsync version
    cluster-active-size cluster-remove-delay cluster-sync-interval config force max-result-buffer
    max-retry-attempts peer-election-timeout peer-heartbeat-interval retry-interval snapshot v vv
    """
_WITHOUT_VALUE = frozenset(_VALUELESS_NAMES.split())
"""Flags that take no value of their own (`--pre-vote`), only `--pre-vote=false`: booleans, and the
names from before 3.0 that etcd still takes and ignores."""

_NEW_NAMES = {
    "debug": "log-level=debug",
    "experimental-backend-bbolt-freelist-type": "backend-bbolt-freelist-type",
    "experimental-compact-hash-check-enabled": "feature-gates=CompactHashCheck=true",
    "experimental-enable-lease-checkpoint": "feature-gates=LeaseCheckpoint=true",
    "experimental-enable-lease-checkpoint-persist": "feature-gates=LeaseCheckpointPersist=true",
    "experimental-initial-corrupt-check": "feature-gates=InitialCorruptCheck=true",
    "experimental-stop-grpc-service-on-defrag": "feature-gates=StopGRPCServiceOnDefrag=true",
    "experimental-txn-mode-write-with-shared-buffer": "feature-gates=TxnModeWriteWithSharedBuffer=true",
    "log-output": "log-outputs",
}
"""The new name of a flag, where it is not the old one without `experimental-`."""


class FlagFacts(Struct, frozen=True):
    """The facts about one flag.

    `spans` are pairs of the first version that has it and the first that has it no more, None
    when that is not in sight. `takes_value`: `--flag VALUE` means it has that value. `new_name`
    is what to write instead in later versions (with `=value` where that is fixed), else empty.
    """

    name: str
    spans: tuple[tuple[Version, Version | None], ...]
    takes_value: bool
    new_name: str

    def in_version(self, version: Version) -> bool:
        """Whether that etcd has the flag; of a bare series, its last release is meant."""
        whole = version if len(version) > 2 else (*version, 999)
        return any(first <= whole and (end is None or whole < end) for first, end in self.spans)


@cache
def flag_table() -> dict[str, FlagFacts]:
    """All flags of etcd 3.4 to 3.7 by name."""
    spans_of = {
        name: _spans(spans) for spans, names in _KNOWN_SINCE.items() for name in names.split()
    }
    return {
        name: FlagFacts(name, spans, name not in _WITHOUT_VALUE, _new_name(name, spans_of))
        for name, spans in spans_of.items()
    }


def takes_value(flag: str) -> bool:
    """Whether `--flag VALUE` reads VALUE; unknown flags are taken to."""
    return flag not in _WITHOUT_VALUE


def _spans(text: str) -> tuple[tuple[Version, Version | None], ...]:
    pairs = (span.split("-") for span in text.split())
    return tuple((parse(first), parse(end) or None) for first, end in pairs)


def _new_name(name: str, known: dict[str, tuple[tuple[Version, Version | None], ...]]) -> str:
    plain = name.removeprefix("experimental-")
    return _NEW_NAMES.get(name, plain if plain != name and plain in known else "")
