"""Histories of a leader that is killed, on the model of etcd: what the verdict and the events say."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.model.event import Kind

from tests.fakes.sandbox import Sandbox, play


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("version", ["3.4.23", "3.6.16"])
def test_another_leads_after_the_leader_was_killed_and_the_gap_is_that_of_the_model(
    tmp_path: Path, seed: int, version: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        killed, term = sandbox.leader, sandbox.leader.raft.disk.term  # type: ignore[union-attr]
        began = sandbox.machine.clock.now_s
        verdict = await sandbox.do("kill", "leader")
        assert verdict.targets == (killed.member.name,)
        assert verdict.leader_before == killed.member.name
        assert verdict.leader_after == sandbox.leader.member.name != killed.member.name
        assert verdict.settled
        assert verdict.term_before == term
        assert (verdict.term_after or 0) > term
        elected = sandbox.told(Kind.LEADER_ELECTED)[-1]
        assert elected.member == sandbox.leader.member.name
        assert elected.fields["term"] == verdict.term_after
        # Nobody leads between 1 s, etcd's least, and what a split vote or two may take.
        assert verdict.leader_gap_s is not None
        assert 0.9 <= verdict.leader_gap_s <= sandbox.machine.clock.now_s - began
        assert verdict.reads is not None
        assert verdict.reads.gap_s >= 0.9

    play(tmp_path, history, seed=seed, version=version)
