"""Who a member is by its metrics, which ask for no user."""

from __future__ import annotations

from etcd_sandbox.etcd.answers import read_identity

PAGE = b"""# HELP etcd_server_id Server or member ID in hexadecimal format.
etcd_server_id{server_id="8211f1d0f64f3269"} 1
etcd_server_has_leader 1
etcd_server_is_leader 0
etcd_server_is_learner 0
etcd_server_proposals_applied_total 14
etcd_server_version{server_version="3.7.3"} 1
etcd_debugging_mvcc_current_revision 41
etcd_mvcc_db_total_size_in_bytes 2.048e+04
etcd_mvcc_db_total_size_in_use_in_bytes 16384
"""


def test_a_page_of_metrics_tells_who_the_member_is() -> None:
    identity = read_identity(PAGE)
    assert identity is not None
    assert (identity.member_id, identity.version) == ("8211f1d0f64f3269", "3.7.3")
    assert (identity.has_leader, identity.is_leader, identity.is_learner) == (True, False, False)
    assert (identity.revision, identity.applied_index, identity.db_size_bytes) == (41, 14, 20480)


def test_a_page_of_something_else_tells_nothing() -> None:
    assert read_identity(b"go_threads 7\n") is None
    assert read_identity(b"<html></html>") is None
