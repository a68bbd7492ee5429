from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.model.event import Kind
from etcd_sandbox.words.story import condensed, end, sentence

SENTENCES: list[tuple[Kind, dict[str, Any], str]] = [
    (Kind.PROCESS_STARTED, {"process": "web", "pid": 7}, "web started (pid 7)"),
    (Kind.PROCESS_READY, {"process": "web", "after_s": 0.125}, "web ready after 0.12 s"),
    (
        Kind.PROCESS_EXITED,
        {"member": "infra2", "process": "etcd2", "signal": "SIGKILL", "code": None},
        "infra2 exited: killed by SIGKILL",
    ),
    (Kind.PROCESS_EXITED, {"process": "web", "code": 3}, "web exited: exit status 3"),
    (
        Kind.PROCESS_EXITED,
        {"process": "web", "signal": "SIGTERM", "expected": True},
        "web stopped by SIGTERM",
    ),
    (
        Kind.PROCESS_EXITED,
        {"process": "web", "code": 0, "expected": True},
        "web stopped: exit status 0",
    ),
    (
        Kind.PROCESS_EXITED,
        {"process": "web", "error": "no such file"},
        "web could not be run: no such file",
    ),
    (
        Kind.PROCESS_EXITED,
        {"process": "web", "code": 0, "note": "an empty stdin may be why"},
        "web exited: exit status 0 (an empty stdin may be why)",
    ),
    (
        Kind.PROCESS_LEFT,
        {"process": "web", "left": ["sleep 1 (pid 7)", "cat (pid 8)"], "ended": True},
        "web left sleep 1 (pid 7), cat (pid 8) in the background, which is ended with it",
    ),
    (
        Kind.PROCESS_LEFT,
        {"process": "web", "left": ["sleep 1 (pid 7)"], "ended": False},
        "web left sleep 1 (pid 7) outside of its process group: it runs on until "
        "stop or restart of web, or the end of the cluster",
    ),
    (Kind.PROCESS_RESTARTING, {"process": "web", "after_s": 0.2}, "web starts again in 0.2 s"),
    (Kind.LEADER_ELECTED, {"member": "infra3", "term": 3}, "infra3 leads (term 3)"),
    (
        Kind.LEADER_LOST,
        {"member": "infra1", "term": 2, "seen_by": "infra2"},
        "infra2 lost the leader infra1 (term 2)",
    ),
    (
        Kind.LEADER_LOST,
        {"member": "infra1", "term": 2, "seen_by": "infra1", "why": "quorum"},
        "infra1 steps down: too few answer it (term 2)",
    ),
    (
        Kind.LEADER_LOST,
        {"member": "infra1", "term": 3, "seen_by": "infra1", "why": "term"},
        "infra1 steps down: it heard of a later term (term 3)",
    ),
    (
        Kind.LEADER_ELECTED,
        {"member": "infra3", "term": 3, "after_s": 1.234},
        "infra3 leads (term 3), after 1.23 s without a leader",
    ),
    (
        Kind.LEADER_ELECTED,
        {"member": "infra3", "term": 3, "after_s": 0.002},
        "infra3 leads (term 3)",
    ),
    (
        Kind.SPLIT_VOTE,
        {"term": 3, "candidates": ["infra1", "infra2"]},
        "split vote (term 3): infra1 and infra2 stood, and nobody was elected",
    ),
    (
        Kind.LEADER_TRANSFERRED,
        {"member": "infra2", "term": 4, "from": "infra1", "to": "infra2"},
        "infra1 handed leadership to infra2 (term 4)",
    ),
    (Kind.CANDIDATE, {"member": "infra1", "term": 2}, "infra1 stands for election (term 2)"),
    (
        Kind.CANDIDATE,
        {"member": "infra1", "term": 2, "pre_vote": True},
        "infra1 asks whether it could win (term 2)",
    ),
    (Kind.FAULT_APPLIED, {"member": "infra1", "fault": "pause"}, "infra1 paused"),
    (Kind.FAULT_HEALED, {"member": "infra1", "fault": "pause"}, "infra1 goes on"),
    (
        Kind.FAULT_APPLIED,
        {"fault": "partition", "members": ["infra1"], "versus": ["infra2", "infra3"]},
        "infra1 is cut off from infra2, infra3",
    ),
    (
        Kind.FAULT_APPLIED,
        {"fault": "cut", "members": ["infra1"], "versus": ["infra2"]},
        "the link between infra1 and infra2 is cut",
    ),
    (
        Kind.FAULT_APPLIED,
        {
            "fault": "slow",
            "members": ["infra1"],
            "versus": ["infra1", "infra2"],
            "delay_s": 0.2,
            "jitter_s": 0.05,
        },
        "the links of infra1 are slow by 200 ms ± 50 ms a way",
    ),
    (
        Kind.FAULT_HEALED,
        {"fault": "slow", "members": ["infra1"], "versus": ["infra2"], "delay_s": 1.0},
        "the links between infra1 and infra2 are slow by 1 s a way no more",
    ),
    (
        Kind.ALARM_RAISED,
        {"member": "infra1", "alarm": "NOSPACE"},
        "infra1 raised the alarm NOSPACE",
    ),
    (
        Kind.RECORDS_SERVED,
        {
            "process": "dns",
            "domain": "a.test",
            "address": "127.53.0.1",
            "records": 9,
            "dig": ["dig a", "dig b"],
        },
        "dns serves the 9 records of a.test at 127.53.0.1: dig a",
    ),
    (Kind.CLUSTER_READY, {"after_s": 0.412, "bootstrap": "static"}, "cluster ready in 0.41 s"),
    (
        Kind.CLUSTER_READY,
        {"after_s": 0.412, "bootstrap": "discovery", "warnings": ["infra4 ended: it is full"]},
        "infra4 ended: it is full; cluster ready in 0.41 s, bootstrapped by discovery",
    ),
    (
        Kind.TOKEN_REGISTERED,
        {"token": "t", "size": 3, "service": "http://127.0.0.1:12383"},
        "discovery token t registered for 3 members at http://127.0.0.1:12383",
    ),
    (
        Kind.MEMBER_REGISTERED,
        {"member": "infra1", "id": "8211", "peer_urls": "http://127.0.0.1:12380"},
        "infra1 registered at the discovery service as 8211, http://127.0.0.1:12380",
    ),
    (
        Kind.DISCOVERY_COMPLETE,
        {"size": 3},
        "all 3 members have registered: the discovery service has done its work",
    ),
    (
        Kind.CLUSTER_READY,
        {"after_s": 0.412, "bootstrap": "dns"},
        "cluster ready in 0.41 s, bootstrapped by dns",
    ),
    (
        Kind.QUORUM_LOST,
        {"up": 1, "voters": 3, "needed": 2},
        "quorum lost: 1 of 3 up, 2 needed",
    ),
    (Kind.QUORUM_REGAINED, {}, "quorum regained"),
    (Kind.CLUSTER_STOPPED, {"exit_code": 0}, "cluster stopped"),
]


@pytest.mark.parametrize(("kind", "fields", "text"), SENTENCES)
def test_an_event_is_a_sentence(kind: Kind, fields: dict[str, Any], text: str) -> None:
    assert sentence({"seq": 1, "ts": "", "kind": kind, "member": None, **fields}) == text


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_sentence_that_needs_no_field(kind: Kind) -> None:
    assert "None=" not in sentence({"seq": 1, "ts": "", "kind": kind, "member": "infra1"})


def test_a_kind_from_a_newer_supervisor_is_shown_with_its_fields() -> None:
    event = {"seq": 1, "ts": "", "kind": "member.renamed", "member": "infra4", "learner": True}
    assert sentence(event) == "infra4 member.renamed learner=True"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (None, ""),
        ({"code": 1, "signal": None}, "exit status 1"),
        ({"code": None, "signal": "SIGKILL"}, "killed by SIGKILL"),
        ({"code": None, "signal": None, "error": "no such program"}, "no such program"),
    ],
)
def test_ends_are_told_as_the_model_tells_them(told: dict[str, Any] | None, text: str) -> None:
    assert end(told) == text


def test_further_requests_of_a_member_alone_are_one_line_with_their_number() -> None:
    def asks(member: str, ts: int) -> dict[str, Any]:
        told = {"kind": "raft.candidate", "member": member, "term": 1, "pre_vote": True}
        return {**told, "ts": ts}

    lost = {"kind": "cluster.quorum_lost"}
    stands = {"kind": "raft.candidate", "member": "infra1", "term": 2, "pre_vote": False}
    alone = [asks("infra1", 1), asks("infra2", 2), *(asks("infra1", ts) for ts in range(3, 60))]
    told = list(condensed([*alone, lost, asks("infra1", 61), asks("infra1", 62), stands]))
    assert [(event.get("ts"), sentence(event)) for event in told] == [
        (1, "infra1 asks whether it could win (term 1)"),
        (2, "infra2 asks whether it could win (term 1)"),
        (59, "infra1 asked 57 times more whether it could win (term 1)"),
        (None, "quorum lost"),
        (61, "infra1 asks whether it could win (term 1)"),
        (62, "infra1 asks whether it could win (term 1)"),
        (None, "infra1 stands for election (term 2)"),
    ]
    assert list(condensed([stands, stands])) == [stands, stands], "elections are all told"
