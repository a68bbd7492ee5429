"""Why a member does not answer, and what its log says is in the way."""

from __future__ import annotations

import pytest
from etcd_sandbox.etcd.failures import log_trouble

EXPIRED_37 = (
    b'{"level":"warn","ts":"2026-11-30T18:00:00.000000Z","caller":"rafthttp/probing_status.go:68",'
    b'"msg":"prober detected unhealthy status","error":"tls: failed to verify certificate: x509: '
    b'certificate has expired or is not yet valid: current time 2026-11-30 is after 2026-01-01"}'
)
MISMATCH_35 = (
    b'{"level":"error","caller":"rafthttp/http.go:501","msg":"request cluster ID mismatch",'
    b'"local-member-id":"1a"}'
)
BAD_CERTIFICATE_34 = (
    b'2026-11-30 18:00:00.000000 I | embed: rejected connection from "127.0.0.1:1" '
    b'(error "remote error: tls: bad certificate", ServerName "")'
)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (EXPIRED_37, "certificate whose time is over"),
        (MISMATCH_35, "belongs to another cluster than its peers"),
        (BAD_CERTIFICATE_34, "trouble with TLS: bad certificate"),
    ],
)
def test_a_member_without_a_place_is_told_why_by_its_log(line: bytes, said: str) -> None:
    assert said in (log_trouble([b"first", line, b"last"]) or "")


def test_a_log_without_trouble_says_nothing() -> None:
    assert log_trouble([b'{"level":"info","msg":"serving client traffic insecurely"}']) is None
