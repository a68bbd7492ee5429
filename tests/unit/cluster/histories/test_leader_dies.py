"""Histories of a leader that dies or is taken away, on the model of etcd, in unlucky orders as well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.selector import NoLeader
from etcd_sandbox.model.state import ProcessState

from tests.fakes.sandbox import Sandbox, play


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("version", ["3.4.23", "3.6.16"])
def test_another_leads_after_the_leader_was_killed_and_the_gap_is_that_of_the_model(
    tmp_path: Path, seed: int, version: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        killed, term = sandbox.leader, sandbox.term
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


def test_a_leader_that_is_stopped_hands_over_and_nobody_waits_for_an_election(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        stopped, term = sandbox.leader.member.name, sandbox.term
        verdict = await sandbox.do("stop", "leader")
        assert (verdict.leader_before, verdict.term_after) == (stopped, term + 1)
        assert verdict.leader_gap_s is not None
        assert verdict.leader_gap_s < 0.1
        (moved,) = sandbox.told(Kind.LEADER_TRANSFERRED)
        assert moved.fields["from"] == stopped
        assert moved.fields["to"] == verdict.leader_after

    play(tmp_path, history)


def test_an_election_is_told_once_and_at_its_time_however_late_the_log_of_the_new_leader_is_read(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        for each in sandbox.followers:
            sandbox.machine.read_late_s[each.name] = 0.7
        killed_at = sandbox.machine.clock.now_s
        verdict = await sandbox.do("kill", "leader")
        await asyncio.sleep(3)
        told = [(event.member, event.fields["term"]) for event in sandbox.told(Kind.LEADER_ELECTED)]
        assert told[1:] == [(sandbox.leader.member.name, sandbox.term)]
        assert verdict.leader_after == sandbox.leader.member.name
        # Whether by the answers or by the log, the gap ends when there was a leader, give or take a look.
        assert verdict.leader_gap_s == pytest.approx(sandbox.led_since() - killed_at, abs=0.8)

    play(tmp_path, history)


def test_two_that_stand_at_once_are_a_split_vote_of_which_both_are_told(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        followers = sandbox.followers
        ordered = asyncio.ensure_future(sandbox.do("kill", "leader"))
        await sandbox.until(lambda: sandbox.told(Kind.PROCESS_EXITED) != [])
        for each in followers:
            assert each.raft is not None
            each.raft.campaign(forced=True)
        split_in = sandbox.term
        verdict = await ordered
        (split,) = sandbox.told(Kind.SPLIT_VOTE)
        assert split.fields["term"] == split_in
        assert set(split.fields["candidates"]) == {each.member.name for each in followers}  # type: ignore[call-overload]
        assert (verdict.term_after or 0) > split_in
        assert verdict.leader_after == sandbox.leader.member.name

    play(tmp_path, history)


def test_a_leader_that_dies_in_the_middle_of_a_hand_over_is_said_to_have_ended(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, heir = sandbox.leader, sandbox.followers[0]
        # The heir cannot hear of it, so that the hand-over takes its time.
        heir.signal(19)
        ordered = asyncio.ensure_future(sandbox.do("move-leader", heir.member.name))
        await sandbox.until(lambda: ("/v3/maintenance/transfer-leadership") in sandbox.asked)
        await asyncio.sleep(0.05)
        asked_at = sandbox.machine.clock.now_s
        leader.signal(9)
        with pytest.raises(SandboxError, match="did not hand over to") as raised:
            await ordered
        assert sandbox.machine.clock.now_s - asked_at < 1
        assert "in time" not in raised.value.what
        # Whether etcd had done some of it is not known, so nothing is said of that.
        assert raised.value.hint == ""

    play(tmp_path, history)


def test_kill_leader_waits_for_the_election_that_is_on_and_hits_whom_it_brings(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        first = sandbox.leader
        await sandbox.do("kill", "leader", wait=False)
        verdict = await sandbox.do("kill", "leader", wait=False)
        assert verdict.targets != (first.member.name,)
        assert len(list(sandbox.machine.running())) == 3
        assert verdict.processes[0].was_leader
        assert verdict.processes[0].exit == "killed by SIGKILL"

    play(tmp_path, history, members=5)


def test_without_a_quorum_nobody_leads_and_a_selector_says_so(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("kill", "majority")
        assert verdict.quorum is not None
        assert not verdict.quorum.ok
        await sandbox.until(lambda: bool(sandbox.told(Kind.QUORUM_LOST)))
        await asyncio.sleep(3)
        with pytest.raises(NoLeader):
            await sandbox.do("kill", "leader")
        status = await sandbox.status()
        assert (status.leader, status.quorum.ok) == (None, False)
        back = await sandbox.do("start", "all")
        assert back.leader_after == sandbox.leader.member.name
        assert back.leader_gap_s is not None
        assert back.leader_gap_s > 3
        await sandbox.until(lambda: bool(sandbox.told(Kind.QUORUM_REGAINED)))

    play(tmp_path, history)


def test_a_paused_leader_is_replaced_and_follows_when_it_goes_on(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        paused = sandbox.leader.member.name
        verdict = await sandbox.do("pause", "leader")
        assert verdict.leader_before == paused != verdict.leader_after
        assert verdict.leader_gap_s is not None
        assert 0.9 <= verdict.leader_gap_s < 4
        with pytest.raises(SandboxError, match="is paused, so it cannot lead"):
            await sandbox.do("move-leader", paused)
        status = await sandbox.status()
        silent = next(each for each in status.members if each.name == paused)
        assert (silent.state, silent.role, silent.healthy) == (ProcessState.PAUSED, None, False)
        resumed = await sandbox.do("resume", paused)
        assert resumed.leader_after == verdict.leader_after
        assert resumed.term_after == verdict.term_after

    play(tmp_path, history)


def test_members_that_answer_after_the_deadline_do_not_keep_a_verdict_from_the_truth(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        for each in sandbox.followers:
            sandbox.machine.answer_late_s[each.name] = 0.4
        verdict = await sandbox.do("kill", "leader")
        assert verdict.settled
        assert verdict.leader_after == sandbox.leader.member.name

    play(tmp_path, history)


def test_whoever_does_not_run_cannot_lead(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, other = sandbox.leader.member.name, sandbox.followers[0].member.name
        unmoved = await sandbox.do("move-leader", leader)
        assert not unmoved.processes[0].done
        moved = await sandbox.do("move-leader", other)
        assert (moved.leader_before, moved.leader_after) == (leader, other)
        await sandbox.do("stop", leader)
        with pytest.raises(SandboxError, match="does not run, so it cannot lead"):
            await sandbox.do("move-leader", leader)

    play(tmp_path, history)


def test_followers_whose_answers_are_late_are_meant_and_those_that_stay_silent_are_told(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        names = {each.member.name for each in sandbox.followers}
        for each in sandbox.followers:
            sandbox.machine.answer_late_s[each.name] = 0.5
        verdict = await sandbox.do("slow", "followers", delay_s=0.01, wait=False)
        assert set(verdict.targets) == names
        for each in sandbox.followers:
            sandbox.machine.answer_late_s[each.name] = 30.0
        began = sandbox.machine.clock.now_s
        with pytest.raises(SandboxError, match="no follower answers"):
            await sandbox.do("slow", "followers", delay_s=0.01, wait=False)
        assert sandbox.machine.clock.now_s - began < 10

    play(tmp_path, history)


def test_a_hand_over_that_raft_has_dropped_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def history(sandbox: Sandbox) -> None:
        old, heir = sandbox.leader, sandbox.followers[0].member.name
        assert old.raft is not None
        transfer, asked = old.raft.transfer, list[str]()

        def drops_the_first(to: str) -> None:
            asked.append(to)
            if len(asked) > 1:
                transfer(to)

        monkeypatch.setattr(old.raft, "transfer", drops_the_first)
        verdict = await sandbox.do("move-leader", heir)
        assert (verdict.leader_after, len(asked)) == (heir, 2)

    play(tmp_path, history)
