"""Histories with entries on etcd's list that are no process of the cluster: elsewhere, or left over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.answers import Added
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.verdict import sentence
from etcd_sandbox.plan.joining import joining
from msgspec.structs import replace

from tests.fakes.sandbox import Sandbox, planned, play

LEFT_OVER = "abcdef0123456789"


async def one_elsewhere(sandbox: Sandbox) -> str:
    """A fourth member, which somebody else runs; its ID."""
    await asyncio.sleep(6)
    process = planned(sandbox.paths.root, 4).members[3]
    added = await sandbox.gateway.add_member(
        sandbox.leader.member.client_url, process.member.peer_url, 5.0, learner=False
    )
    assert isinstance(added, Added)
    member = replace(process.member, id=added.id, joined=True)
    await sandbox.machine.execute(joining(process, member), {}, lambda lines: None)
    await sandbox.until(lambda: sandbox.leader.store.members[added.id].name != "")
    return added.id


def test_a_member_that_somebody_else_runs_counts_answers_and_may_lead(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        stranger = await one_elsewhere(sandbox)
        status = await sandbox.status()
        (entry,) = status.elsewhere
        assert (entry.id, entry.started, entry.answers) == (stranger, True, True)
        assert (status.quorum.voters, status.quorum.ok) == (4, True)
        leader = sandbox.leader.member.client_url
        assert await sandbox.gateway.move_leader(leader, stranger, 5.0) is None
        status = await sandbox.status()
        assert status.leader == "infra4"
        assert status.term == sandbox.term
        # With it three of four are up, so that one of ours may be away.
        verdict = await sandbox.do("kill", "infra1")
        assert verdict.leader_after == "infra4"
        assert verdict.quorum is not None
        assert verdict.quorum.ok
        came = await sandbox.do("start", "infra1")
        assert came.quorum is not None
        assert came.quorum.healthy == 4
        sandbox.machine.etcds["etcd4"].signal(9)
        await sandbox.until(lambda: any(each.leads for each in sandbox.machine.running()))
        gone = await sandbox.do("remove", stranger)
        assert gone.targets == (stranger,)
        assert (await sandbox.status()).quorum.voters == 3

    play(tmp_path, history)


def of_upgraded_data(home: Path) -> ClusterSpec:
    """A plan whose members ran etcd 3.5 before."""
    spec = planned(home)
    return replace(
        spec,
        processes=tuple(
            replace(each, member=replace(each.member, upgraded_from=("3.5.1",)))
            for each in spec.processes
            if each.member is not None
        ),
    )


def test_a_removed_member_that_an_upgrade_brought_back_is_removed_for_good_by_force_alone(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        await sandbox.apply("add", LEFT_OVER, name="infra9", urls=("http://127.0.0.1:92380",))
        sandbox.machine.left_over.add(LEFT_OVER)
        with pytest.raises(SandboxError, match="panics in every member when such a one") as raised:
            await sandbox.do("remove", LEFT_OVER)
        assert "--force" in raised.value.hint
        verdict = await sandbox.do("remove", LEFT_OVER, force=True, timeout_s=60)
        assert any("panicked at that" in note for note in verdict.notes)
        status = await sandbox.status()
        assert (status.quorum.voters, status.quorum.healthy) == (3, 3)
        assert status.elsewhere == ()

    play(tmp_path, history, spec=of_upgraded_data(tmp_path))


def test_an_entry_with_the_peer_url_of_a_member_here_has_no_vote(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        url = sandbox.followers[0].member.peer_url
        await sandbox.apply("add", LEFT_OVER, name="infra9", urls=(url,), learner=True)
        status = await sandbox.status()
        (entry,) = status.elsewhere
        assert entry.remnant
        assert status.quorum.voters == 3

    play(tmp_path, history)


def test_the_first_start_in_a_cluster_of_which_nothing_ran_before_tells_no_time_without_a_leader(
    tmp_path: Path,
) -> None:
    """The others, one of which led all the time, are another cluster's processes."""
    spec = planned(tmp_path)
    ours, others = spec.processes[:1], spec.processes[1:]

    async def history(sandbox: Sandbox) -> None:
        for each in others:
            await sandbox.machine.execute(each, {}, lambda lines: None)
        await sandbox.until(lambda: any(each.leads for each in sandbox.machine.running()))
        await asyncio.sleep(5)
        leads, term = sandbox.leader.member.name, sandbox.term
        sandbox.begin()
        await asyncio.sleep(2)
        verdict = await sandbox.do("start", "infra1")
        assert (verdict.leader_after, verdict.term_after) == (leads, term)
        assert verdict.leader_gap_s is None
        assert sentence(verdict).startswith(f"{leads} leads · term {term}")
        assert "without a leader" not in sentence(verdict)
        stopped = await sandbox.do("stop", "infra1")
        assert stopped.leader_gap_s == 0.0

    play(tmp_path, history, spec=replace(spec, processes=ours, wanted=("another",)), up=False)
