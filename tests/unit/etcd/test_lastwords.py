"""Why an etcd ended, with what helps."""

from __future__ import annotations

import json

import pytest
from etcd_sandbox.etcd.failures import cause_and_mend

UNEQUAL = (
    "error validating peerURLs {ClusterID:ef37ad9dc622a7c4 Members:[&{ID:8211f1d0f64f3269 RaftAttributes:"
    "{PeerURLs:[http://127.0.0.1:12380] IsLearner:false} Attributes:{Name:infra1 ClientURLs:"
    "[http://127.0.0.1:2379]}}] RemovedMemberIDs:[]}: member count is unequal"
)


def last_line(error: str) -> bytes:
    line = {
        "level": "fatal",
        "caller": "etcdmain/etcd.go:183",
        "msg": "discovery failed",
        "error": error,
    }
    return json.dumps(line).encode()


@pytest.mark.parametrize(
    ("error", "cause", "mend"),
    [
        (
            UNEQUAL,
            "error validating peerURLs: member count is unequal: ",
            "etcd-sandbox ctl member add",
        ),
        (
            "91bc3c398fb3c146 found data inconsistency with peers",
            "91bc3c398fb3c146 found data inconsistency with peers: ",
            "etcd-sandbox replace",
        ),
        (
            "member 8211f1d0f64f3269 has already been bootstrapped",
            "member 8211f1d0f64f3269 has already been bootstrapped: ",
            "etcd-sandbox replace",
        ),
        ("open /x: permission denied", "open /x: permission denied", ""),
    ],
)
def test_the_cause_of_an_end_comes_with_what_helps(error: str, cause: str, mend: str) -> None:
    said = cause_and_mend([last_line(error)])
    assert said is not None
    assert said.startswith(cause)
    assert mend in said
    assert "ClusterID" not in said


def test_lines_without_a_cause_have_none() -> None:
    assert cause_and_mend([b"listening"]) is None
