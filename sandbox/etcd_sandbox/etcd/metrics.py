"""Picks the few figures out of a member's metrics page that tell how it does. Pure.

The names are the same in 3.4 to 3.7, where a version has them: how long a put's application takes
is known from 3.5 on, how long the put itself takes from 3.7 on. A page is about 150 KB and 1,700 lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from etcd_sandbox.model.state import Metrics, Totals

_LINE = re.compile(rb"^([a-z_]+)(?:\{([^}]*)\})? ([0-9.e+-]+|NaN|\+Inf)$")
_LABEL = re.compile(rb'(\w+)="([^"]*)"')

_WANTED = (
    b"etcd_disk_wal_fsync_duration_seconds_sum",
    b"etcd_disk_wal_fsync_duration_seconds_count",
    b"etcd_disk_backend_commit_duration_seconds_sum",
    b"etcd_disk_backend_commit_duration_seconds_count",
    b"etcd_network_peer_round_trip_time_seconds_sum",
    b"etcd_network_peer_round_trip_time_seconds_count",
    b"etcd_server_proposals_committed_total",
    b"etcd_server_proposals_pending",
    b"etcd_server_proposals_failed_total",
    b"etcd_server_leader_changes_seen_total",
    b"etcd_mvcc_put_total",
    b"etcd_server_request_duration_seconds_sum",
    b"etcd_server_request_duration_seconds_count",
    b"etcd_server_apply_duration_seconds_sum",
    b"etcd_server_apply_duration_seconds_count",
)
_WHICH = (b"To", b"type", b"op")
"""The labels that tell one series of a name from another: the peer, the kind of request."""


def read_metrics(page: bytes) -> Metrics:
    """The figures of one page; lines that are none are passed over."""
    values = _values(page.splitlines())

    def number(name: str) -> int | None:
        value = values.get((name, ""))
        return None if value is None else int(value)

    def totals(name: str, which: str = "") -> Totals:
        return Totals(
            count=int(values.get((f"{name}_count", which), 0)),
            seconds=values.get((f"{name}_sum", which), 0.0),
        )

    def of_puts(name: str) -> Totals | None:
        # Before the first put there is no such series; those of other requests tell that one will be.
        known = any(each == f"{name}_count" for each, _ in values)
        return totals(name, "Put") if known else None

    round_trip = "etcd_network_peer_round_trip_time_seconds"
    peers = sorted(peer for name, peer in values if name == f"{round_trip}_count")
    return Metrics(
        fsync=totals("etcd_disk_wal_fsync_duration_seconds"),
        commit=totals("etcd_disk_backend_commit_duration_seconds"),
        peer_round_trips={peer: totals(round_trip, peer) for peer in peers},
        proposals_committed=number("etcd_server_proposals_committed_total"),
        proposals_pending=number("etcd_server_proposals_pending"),
        proposals_failed=number("etcd_server_proposals_failed_total"),
        leader_changes=number("etcd_server_leader_changes_seen_total"),
        puts=number("etcd_mvcc_put_total"),
        put=of_puts("etcd_server_request_duration_seconds"),
        put_apply=of_puts("etcd_server_apply_duration_seconds"),
    )


def _values(lines: Iterable[bytes]) -> dict[tuple[str, str], float]:
    """Value by name and by the label that tells which (empty where there is none), without failures."""
    values = {}
    for line in lines:
        if line.startswith(_WANTED) and (found := _LINE.match(line)):
            labels = dict(_LABEL.findall(found[2] or b""))
            if labels.get(b"success") == b"false":
                continue
            which = next((labels[name] for name in _WHICH if name in labels), b"")
            values[found[1].decode(), which.decode()] = float(found[3])
    return values


class Identity(Struct, frozen=True, kw_only=True):
    """Who a member is, by its metrics: ID in unpadded hex; figures are None where the page has none."""

    member_id: str
    version: str
    has_leader: bool
    is_leader: bool
    is_learner: bool
    revision: int | None
    applied_index: int | None
    db_size_bytes: int | None


_LABELLED = {
    "id": re.compile(rb'^etcd_server_id\{server_id="([0-9a-f]+)"\} 1$', re.MULTILINE),
    "version": re.compile(rb'^etcd_server_version\{server_version="([^"]+)"\} 1$', re.MULTILINE),
}
_PLAIN = re.compile(
    rb"^(etcd_server_has_leader|etcd_server_is_leader|etcd_server_is_learner"
    rb"|etcd_debugging_mvcc_current_revision|etcd_server_proposals_applied_total"
    rb"|etcd_mvcc_db_total_size_in_bytes) ([0-9.e+]+)$",
    re.MULTILINE,
)


def read_identity(page: bytes) -> Identity | None:
    """Who the member is; None where the page does not tell (the names are the same in 3.4 to 3.7)."""
    member, version = _LABELLED["id"].search(page), _LABELLED["version"].search(page)
    values = {name.decode(): int(float(value)) for name, value in _PLAIN.findall(page)}
    if member is None or "etcd_server_has_leader" not in values:
        return None
    return Identity(
        member_id=member[1].decode(),
        version=version[1].decode() if version is not None else "",
        has_leader=values["etcd_server_has_leader"] == 1,
        is_leader=values.get("etcd_server_is_leader") == 1,
        is_learner=values.get("etcd_server_is_learner") == 1,
        revision=values.get("etcd_debugging_mvcc_current_revision"),
        applied_index=values.get("etcd_server_proposals_applied_total"),
        db_size_bytes=values.get("etcd_mvcc_db_total_size_in_bytes"),
    )
