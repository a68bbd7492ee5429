from __future__ import annotations

from typing import Any

import pytest

from sandbox.cli.story import sentence
from sandbox.model.event import Kind

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
    (Kind.PROCESS_RESTARTING, {"process": "web", "after_s": 0.2}, "web starts again in 0.2 s"),
    (Kind.LEADER_ELECTED, {"member": "infra3", "term": 3}, "infra3 leads (term 3)"),
    (
        Kind.LEADER_LOST,
        {"member": "infra1", "term": 2, "seen_by": "infra2"},
        "infra2 lost the leader infra1 (term 2)",
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
    (Kind.FAULT_APPLIED, {"member": "infra1", "fault": "cut"}, "infra1 has the fault cut"),
    (
        Kind.ALARM_RAISED,
        {"member": "infra1", "alarm": "NOSPACE"},
        "infra1 raised the alarm NOSPACE",
    ),
    (Kind.CLUSTER_READY, {"after_s": 0.412}, "cluster ready in 0.41 s"),
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
    event = {"seq": 1, "ts": "", "kind": "member.added", "member": "infra4", "learner": True}
    assert sentence(event) == "infra4 member.added learner=True"
