"""Links in front of a Procfile's members: which get one, and why others do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, PeerLink, Source, SourceKind
from etcd_sandbox.plan.from_procfile import plan_procfile
from etcd_sandbox.plan.linked import NOT_ASKED

EXAMPLE = Path(__file__).parents[3] / "Procfile.example"
PEER = (
    "--listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380"
)
LINK = PeerLink(
    listen_url=Address("http://127.0.0.1:12380"), target_url=Address("http://127.0.0.1:12382")
)


def plan(text: str | bytes, *, links: bool = True, **options: Any) -> ClusterSpec:
    return plan_procfile(
        "default",
        Source(kind=SourceKind.PROCFILE, path="/project/P"),
        parse_procfile(text if isinstance(text, bytes) else text.encode(), "P"),
        cwd="/project",
        caller_env={},
        choose_etcd=lambda wish: EtcdBinary(path=wish, version="3.5.1", origin="as given"),
        which={"etcd": "/usr/bin/etcd"}.get,
        read_file=lambda _: "name: x\n",
        links=links,
        **options,
    )


def test_a_linked_member_listens_two_ports_above_where_its_peers_dial() -> None:
    process = plan(f"e: etcd --name x {PEER}").members[0]
    assert process.argv == (
        "/bin/sh",
        "-c",
        f"exec etcd --name x {PEER} --listen-peer-urls=http://127.0.0.1:12382",
    )
    assert process.shown == f"etcd --name x {PEER} --listen-peer-urls=http://127.0.0.1:12382"
    assert (process.member.link, process.member.no_link) == (LINK, "")
    assert process.member.peer_url == "http://127.0.0.1:12380"
    assert "http://127.0.0.1:12382" in process.member.listen_urls
    assert "http://127.0.0.1:12380" not in process.member.listen_urls


def test_the_members_ids_are_the_same_with_and_without_links() -> None:
    text = EXAMPLE.read_bytes()
    linked, direct = plan(text), plan(text, links=False)
    assert [p.member.id for p in linked.members] == [p.member.id for p in direct.members]
    assert [p.member.link.target_url for p in linked.members if p.member and p.member.link] == [
        f"http://127.0.0.1:{port}" for port in (12382, 22382, 32382)
    ]
    assert linked.notes == ()


def test_without_being_asked_for_there_are_no_links_and_nothing_changes() -> None:
    process = plan(f"e: etcd --name x {PEER}", links=False).members[0]
    assert process.argv[2] == f"exec etcd --name x {PEER}"
    assert (process.member.link, process.member.no_link) == (None, NOT_ASKED)
    assert "http://127.0.0.1:12380" in process.member.listen_urls


@pytest.mark.parametrize(
    ("command", "listen", "target"),
    [
        ("etcd --name x", "http://localhost:2380", "http://127.0.0.1:2382"),
        (
            f"etcd --name x {PEER.replace('127.0.0.1', '0.0.0.0')}",
            "http://0.0.0.0:12380",
            "http://127.0.0.1:12382",
        ),
        (
            "etcd --name x --listen-peer-urls http://127.0.0.1:7 "
            "--initial-advertise-peer-urls http://db.example.test:7",
            "http://127.0.0.1:7",
            "http://127.0.0.1:9",
        ),
        (
            f"etcd --name x {PEER.replace('http:', 'https:')}",
            "https://127.0.0.1:12380",
            "https://127.0.0.1:12382",
        ),
    ],
)
def test_the_link_stands_where_the_peers_dial(command: str, listen: str, target: str) -> None:
    member = plan(f"e: {command}").processes[0].member
    assert member is not None
    assert member.link == PeerLink(listen_url=Address(listen), target_url=Address(target))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (
            f"etcd --name x {PEER} 2>&1 | tee log",
            "its command has shell syntax, so its peer listen address cannot be replaced",
        ),
        (
            f"A=1 etcd --name x {PEER}",
            "its command has shell syntax, so its peer listen address cannot be replaced",
        ),
        ("etcd --config-file c.yml", "it reads a config file, and then etcd ignores flags"),
        ("etcd --config-file=c.yml", "it reads a config file, and then etcd ignores flags"),
        ("env ETCD_CONFIG_FILE=c.yml etcd", "it reads a config file, and then etcd ignores flags"),
        (
            "env ETCD_LISTEN_PEER_URLS=http://127.0.0.1:12380 etcd --name x",
            "ETCD_LISTEN_PEER_URLS is set, and etcd refuses the flag beside the variable",
        ),
        (
            f"etcd --name x {PEER.replace(':12380 ', ':12380,http://127.0.0.1:12390 ')}",
            "it has several peer URLs",
        ),
        (
            "etcd --name x --listen-peer-urls http://127.0.0.1:12380 "
            "--initial-advertise-peer-urls http://127.0.0.1:7",
            "it listens for peers on http://127.0.0.1:12380 and advertises http://127.0.0.1:7",
        ),
        (
            f"etcd --name x {PEER.replace('127.0.0.1', 'db.example.test')}",
            "it listens for peers on http://db.example.test:12380 and advertises "
            "http://db.example.test:12380",
        ),
        (
            f"etcd --name x {PEER.replace(':12380', ':65534')}",
            "there is no free port above its peer port 65534",
        ),
    ],
)
def test_a_member_that_cannot_have_a_link_says_why_and_is_left_as_it_is(
    command: str, reason: str
) -> None:
    spec = plan(f"\ne: {command}")
    process = spec.members[0]
    assert (process.member.link, process.member.no_link) == (None, reason)
    assert process.shown == command
    assert f"P:2: no link for e: {reason}" in spec.notes


def test_what_is_no_member_has_no_link() -> None:
    spec = plan("web: python app.py")
    assert spec.processes[0].argv[2] == "exec python app.py"
    assert spec.notes == ()


def test_a_link_on_anothers_address_is_noted() -> None:
    other = PEER.replace("12380", "12382")
    spec = plan(f"a: etcd --name a {PEER}\nb: etcd --name b {other}")
    assert "a and b both use http://127.0.0.1:12382" in spec.notes


def test_a_procfiles_member_keeps_its_own_election_timeout() -> None:
    member = plan("e: etcd --name x --election-timeout 250 --heartbeat-interval 25").members[0]
    assert member.member.election_timeout_s == 0.25
