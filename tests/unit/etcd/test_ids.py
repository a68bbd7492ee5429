from __future__ import annotations

from etcd_sandbox.etcd.ids import cluster_id, hex_id, member_id

KNOWN = ["8211f1d0f64f3269", "91bc3c398fb3c146", "fd422379fda50e48"]


def test_the_ids_of_the_well_known_cluster_come_out() -> None:
    urls = [f"http://127.0.0.1:{port}" for port in (12380, 22380, 32380)]
    assert [member_id([url], "etcd-cluster-1") for url in urls] == KNOWN


def test_the_cluster_id_does_not_depend_on_the_order_of_its_members() -> None:
    assert cluster_id(KNOWN) == cluster_id(reversed(KNOWN)) == "ef37ad9dc622a7c4"


def test_the_order_of_a_members_urls_does_not_matter() -> None:
    assert member_id(["http://a:1", "http://b:1"], "t") == member_id(
        ["http://b:1", "http://a:1"], "t"
    )


def test_hex_has_no_leading_zeros() -> None:
    assert hex_id("61975869722018820") == "dc2eb9a36d4404"
    assert hex_id(3517084396909456240) == "30cf319feadb6b70"
