"""What is picked out of a member's metrics page."""

from __future__ import annotations

from etcd_sandbox.etcd.answers import read_metrics
from etcd_sandbox.model.state import Totals

COMMON = """\
# HELP etcd_disk_wal_fsync_duration_seconds The latency distributions of fsync called by WAL.
# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 22
etcd_disk_wal_fsync_duration_seconds_sum 0.009195976
etcd_disk_wal_fsync_duration_seconds_count 27
etcd_disk_backend_commit_duration_seconds_sum 0.0061373009999999995
etcd_disk_backend_commit_duration_seconds_count 8
etcd_network_peer_round_trip_time_seconds_sum{To="91bc3c398fb3c146"} 0.0003
etcd_network_peer_round_trip_time_seconds_count{To="91bc3c398fb3c146"} 2
etcd_server_leader_changes_seen_total 1
etcd_server_proposals_committed_total 1.234567e+06
etcd_server_proposals_failed_total 0
etcd_server_proposals_pending 0
"""
OF_3_4 = (
    COMMON
    + """\
etcd_debugging_mvcc_put_total 19
etcd_mvcc_put_total 20
"""
)
OF_3_5 = (
    COMMON
    + """\
etcd_mvcc_put_total 20
etcd_server_apply_duration_seconds_sum{op="PUT",success="true",version="v2"} 0.000260157
etcd_server_apply_duration_seconds_count{op="PUT",success="true",version="v2"} 2
etcd_server_apply_duration_seconds_sum{op="Put",success="true",version="v3"} 0.001163571
etcd_server_apply_duration_seconds_count{op="Put",success="true",version="v3"} 20
"""
)
OF_3_7 = (
    OF_3_5
    + """\
etcd_server_request_duration_seconds_sum{success="true",type="ClusterMemberAttrSet"} 0.596091173
etcd_server_request_duration_seconds_count{success="true",type="ClusterMemberAttrSet"} 1
etcd_server_request_duration_seconds_sum{success="true",type="Put"} 0.015025612999999998
etcd_server_request_duration_seconds_count{success="true",type="Put"} 20
etcd_server_request_duration_seconds_sum{success="false",type="Put"} 7
etcd_server_request_duration_seconds_count{success="false",type="Put"} 1
"""
)


def test_the_figures_that_every_version_has_are_read() -> None:
    found = read_metrics(OF_3_4.encode())
    assert found.fsync == Totals(count=27, seconds=0.009195976)
    assert found.commit.count == 8
    assert found.peer_round_trips == {"91bc3c398fb3c146": Totals(count=2, seconds=0.0003)}
    assert (found.proposals_committed, found.proposals_pending) == (1_234_567, 0)
    assert (found.leader_changes, found.proposals_failed, found.puts) == (1, 0, 20)


def test_what_a_version_does_not_measure_is_none() -> None:
    assert (read_metrics(OF_3_4.encode()).put, read_metrics(OF_3_4.encode()).put_apply) == (
        None,
    ) * 2
    assert read_metrics(OF_3_5.encode()).put is None


def test_the_application_of_a_put_is_that_of_clients_and_not_etcds_own() -> None:
    assert read_metrics(OF_3_5.encode()).put_apply == Totals(count=20, seconds=0.001163571)


def test_a_put_that_failed_counts_for_nothing() -> None:
    assert read_metrics(OF_3_7.encode()).put == Totals(count=20, seconds=0.015025612999999998)


def test_a_version_that_measures_puts_and_has_seen_none_says_zero() -> None:
    unused = "\n".join(line for line in OF_3_7.splitlines() if '"Put"' not in line)
    found = read_metrics(unused.encode())
    assert (found.put, found.put_apply) == (Totals(), Totals())


def test_an_empty_page_has_no_figures() -> None:
    found = read_metrics(b"")
    assert (found.fsync, found.puts, found.put, found.peer_round_trips) == (
        Totals(),
        None,
        None,
        {},
    )
