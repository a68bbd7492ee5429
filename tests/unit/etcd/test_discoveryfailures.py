"""What a member's last lines say of its discovery service; the lines are etcd's own, shortened."""

from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.cluster.ways import way_of
from etcd_sandbox.etcd.failures import explain_discovery
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.spec import ClusterSpec, Source, SourceKind
from msgspec.structs import replace

OWN = DiscoverySpec(
    protocol=DiscoveryProtocol.V2,
    service=Address("http://127.0.0.1:12383"),
    token="t",
    size=3,
    token_url="http://127.0.0.1:12383/v2/keys/discovery/t",
    process="discovery",
)
GIVEN = replace(OWN, service=Address("http://10.0.0.1:2379"), process="", given=True)

V3_FULL = b'{"level":"error","msg":"bootstrap failed","error":"failed to join discovery cluster (discovery: cluster is full)"}'
V2_FULL = b'{"level":"warn","msg":"failed to start etcd","error":"failed to join discovery cluster (discovery: cluster is full)"}'
DUPLICATE = b'{"level":"warn","msg":"failed to start etcd","error":"failed to join discovery cluster (discovery: found duplicate id)"}'
DUPLICATE_CAPNSLOG = b'2026-11-22 20:34:57.856611 E | etcdmain: member "infra1" has previously registered with discovery service token (http://127.0.0.1:12383/v2/keys/discovery/t).'
SAME_NAME = b'{"level":"warn","msg":"failed to start etcd","error":"failed to join discovery cluster (discovery: found duplicate name)"}'
UNKNOWN_V3 = b'{"level":"warn","msg":"failed to bootstrap; discovery token was already used","error":"failed to join discovery cluster (discovery: size key not found)"}'
UNKNOWN_V2 = b'{"level":"warn","msg":"failed to start etcd","error":"failed to join discovery cluster (100: Key not found (/discovery) [3])"}'
UNKNOWN_CAPNSLOG = b"2026-11-22 20:34:55.642947 E | etcdmain: failed to join discovery cluster (100: Key not found (/discovery) [3])"
OTHER_KIND = b'{"level":"warn","msg":"failed to start etcd","error":"failed to join discovery cluster (discovery: bad discovery endpoint)"}'
DOWN_V2 = b'{"level":"info","msg":"retry connecting to discovery service","url":"http://127.0.0.1:12383","reason":"cluster status check","backoff":"2s"}'
DOWN_CAPNSLOG = b"2026-11-22 20:34:48.433713 I | discovery: cluster status check: error connecting to http://127.0.0.1:12383, retrying in 2s"
FORGOT = b"go.etcd.io/raft/v3.(*raftLog).commitTo(0x2fb7c60a00, 0x9)"
TWO = b'{"level":"fatal","msg":"invalid datadir; both member and proxy directories exist"}'


@pytest.mark.parametrize(
    ("lines", "what", "mend"),
    [
        ([V3_FULL], "all 3 places of the discovery token are taken", "--discovery-size"),
        ([V2_FULL], "all 3 places of the discovery token are taken", "--discovery-size"),
        ([DUPLICATE], "it has registered with this discovery token before", "up --fresh"),
        ([DUPLICATE_CAPNSLOG], "it has registered with this discovery token before", "up --fresh"),
        ([SAME_NAME], "a member of the same name has registered", "in a profile"),
        (
            [UNKNOWN_V3],
            "the discovery token t is not registered at http://127.0.0.1:12383",
            "fresh",
        ),
        (
            [UNKNOWN_V2],
            "the discovery token t is not registered at http://127.0.0.1:12383",
            "fresh",
        ),
        ([UNKNOWN_CAPNSLOG], "the discovery token t is not registered", "fresh"),
        ([OTHER_KIND], "is no discovery service of the v2 protocol", "--enable-v2"),
        ([b"{}", DOWN_V2], "does not answer", "etcd-sandbox start discovery"),
        ([DOWN_CAPNSLOG], "does not answer", "etcd-sandbox start discovery"),
        ([FORGOT], "its data is gone", "etcdctl member remove"),
        ([TWO], "etcd became a proxy there", "delete the directory 'member'"),
    ],
)
def test_a_failure_at_the_discovery_service_is_told_with_its_mend(
    lines: list[bytes], what: str, mend: str
) -> None:
    told = explain_discovery(OWN, lines)
    assert told is not None
    assert what in told
    assert mend in told


def test_what_is_not_about_discovery_is_left_to_the_log() -> None:
    busy = b'{"level":"fatal","msg":"discovery failed","error":"listen tcp 127.0.0.1:1: bind: address already in use"}'
    assert explain_discovery(OWN, [busy]) is None
    assert explain_discovery(OWN, []) is None


def test_a_token_that_was_given_is_not_mended_by_a_fresh_start() -> None:
    told = explain_discovery(GIVEN, [DUPLICATE]) or ""
    assert "Use a new token" in told
    assert "--fresh" not in told


def test_a_start_fails_for_the_reasons_of_its_own_way_only() -> None:
    spec = ClusterSpec(name="default", source=Source(kind=SourceKind.MEMBERS), processes=())
    nobody: Any = None
    assert way_of(spec)(spec, nobody, nobody).explain([V3_FULL]) is None
    spec = replace(spec, bootstrap=Bootstrap.DISCOVERY, discovery=OWN)
    told = way_of(spec)(spec, nobody, nobody).explain([V3_FULL])
    assert told == explain_discovery(OWN, [V3_FULL])


def test_the_last_run_decides_and_not_the_lines_of_one_before() -> None:
    told = explain_discovery(OWN, [DUPLICATE, b'{"level":"info","msg":"starting"}', DOWN_V2]) or ""
    assert "does not answer" in told
