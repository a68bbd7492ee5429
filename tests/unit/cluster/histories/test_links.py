"""Histories of cut and slow links, on the model of etcd."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.service import How
from etcd_sandbox.model.verdict import sentence
from msgspec.structs import replace

from tests.fakes.sandbox import Sandbox, play


@pytest.mark.parametrize("seed", range(3))
def test_a_leader_that_is_cut_off_steps_down_and_is_no_leader_for_the_verdict(
    tmp_path: Path, seed: int
) -> None:
    async def history(sandbox: Sandbox) -> None:
        alone, term = sandbox.leader.member.name, sandbox.term
        verdict = await sandbox.do("partition", "leader")
        assert verdict.leader_before == alone
        assert verdict.leader_after == sandbox.leader.member.name != alone
        assert verdict.leaderless == (alone,)
        assert (verdict.term_after or 0) > term
        healed = await sandbox.do("heal")
        assert healed.leader_after == verdict.leader_after
        # With PreVote whoever comes back disturbs nobody.
        assert healed.term_after == verdict.term_after

    play(tmp_path, history, seed=seed)


def test_two_claim_to_lead_for_a_while_and_status_says_who_does(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        old = sandbox.leader
        await sandbox.do("partition", "leader", wait=False)
        await sandbox.until(lambda: sandbox.leader is not old)
        # Its own clock stands still: it has not found out yet.
        claims = [each for each in sandbox.machine.running() if each.leads]
        status = await sandbox.status()
        assert status.leader == sandbox.leader.member.name
        assert status.term == sandbox.term
        assert {each.name for each in status.members if each.role == "leader"} == {
            each.member.name for each in claims
        }

    play(tmp_path, history, flags={"election-timeout": 1000, "heartbeat-interval": 50})


def test_without_pre_vote_a_follower_that_comes_back_brings_an_election(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, term = sandbox.leader.member.name, sandbox.term
        follower = sandbox.followers[0].member.name
        apart = await sandbox.do("partition", follower)
        assert (apart.leader_after, apart.term_after) == (leader, term)
        assert apart.leaderless == (follower,)
        await asyncio.sleep(8)
        healed = await sandbox.do("heal")
        assert (healed.term_after or 0) > term + 2
        assert healed.leader_after == sandbox.leader.member.name
        assert sandbox.told(Kind.LEADER_LOST)[-1].fields["why"] == "term"

    play(tmp_path, history, version="3.4.23")


def test_reads_that_all_members_let_wait_for_a_second_did_not_go_on(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("slow", "leader", delay_s=5.0)
        assert verdict.leader_after != verdict.leader_before
        assert verdict.reads is not None
        assert verdict.reads.how is How.WAITED
        assert verdict.reads.gap_s > 1
        assert "reads went on" not in sentence(verdict)

    # Of five members each is asked once before any has answered.
    play(tmp_path, history, members=5)


def test_slow_links_are_slow_reads_and_healed_they_are_fast_again(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("slow", "leader", delay_s=0.2, jitter_s=0.02)
        assert verdict.reads is not None
        assert verdict.reads.how is How.SLOW
        # The leader asks a follower and hears from it: two ways.
        assert verdict.reads.wait_s > 0.35
        healed = await sandbox.do("heal")
        assert healed.reads is not None
        assert healed.reads.how in (How.WENT_ON, How.WAITED)

    play(tmp_path, history)


def test_a_cut_between_the_leader_and_one_follower_leaves_that_one_without_a_leader(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, follower = sandbox.leader.member.name, sandbox.followers[0].member.name
        verdict = await sandbox.do("cut", leader, versus=(follower,))
        assert verdict.leader_after == leader
        assert verdict.leaderless == (follower,)
        status = await sandbox.status()
        assert [fault["kind"] for fault in status.faults] == ["cut"]
        member = next(each for each in status.members if each.name == follower)
        assert not member.healthy
        assert member.why == "knows no leader"
        await sandbox.do("heal")
        assert (await sandbox.status()).faults == ()

    play(tmp_path, history)


@pytest.mark.parametrize(
    ("order", "select", "versus", "says"),
    [
        ("partition", ("all",), (), "nobody is on the other side"),
        ("partition", ("infra1",), ("infra1",), "infra1 cannot be on both sides"),
        ("cut", ("infra1",), (), "cut is for the link between two members"),
        ("move-leader", ("infra1", "infra2"), (), "leadership moves to one member"),
        ("kill", ("nobody",), (), "nobody"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_done(
    tmp_path: Path, order: str, select: tuple[str, ...], versus: tuple[str, ...], says: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        with pytest.raises(InputError, match=says):
            await sandbox.do(order, *select, versus=versus)
        assert sandbox.told(Kind.FAULT_APPLIED) == []
        assert sandbox.machine.rules == {}

    play(tmp_path, history)


def test_the_other_side_is_told_in_the_order_of_status_also_after_an_edit(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        spec = sandbox.cluster.spec
        swapped = replace(spec, processes=tuple(reversed(spec.processes)))
        await sandbox.cluster.operations.apply(swapped, dry_run=False)
        verdict = await sandbox.do("partition", "infra2")
        shown = [member.name for member in (await sandbox.status()).members]
        assert list(verdict.versus) == [name for name in shown if name != "infra2"]

    play(tmp_path, history)


def test_a_minority_of_two_in_five_has_no_leader_and_the_others_go_on(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, other = sandbox.leader.member.name, sandbox.followers[0].member.name
        verdict = await sandbox.do("partition", leader, other)
        assert leader in verdict.leaderless
        assert set(verdict.leaderless) <= {leader, other}
        assert verdict.leader_after == sandbox.leader.member.name
        assert verdict.quorum is not None
        assert verdict.quorum.ok

    play(tmp_path, history, members=5)
