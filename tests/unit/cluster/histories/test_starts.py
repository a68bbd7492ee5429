"""Histories of starts and ends of a cluster and its members, on the model of etcd."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.config.profileshape import ClusterTable, MemberTable, Profile, SuperviseTable
from etcd_sandbox.errors import ProcessFailed, SandboxError, TimedOut
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import Restart, Unfinished
from etcd_sandbox.model.state import ProcessState, Role
from msgspec.structs import replace

from tests.fakes.sandbox import Sandbox, planned, play


@pytest.mark.parametrize("members", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("version", ["3.4.23", "3.6.16"])
def test_a_cluster_is_ready_once_each_member_serves_and_one_leads(
    tmp_path: Path, members: int, version: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        ready = await sandbox.up()
        assert ready["ready"]
        assert len(sandbox.told(Kind.PROCESS_READY)) == members
        (told,) = sandbox.told(Kind.CLUSTER_READY)
        assert told.fields["after_s"] == ready["ready_s"]
        (elected,) = sandbox.told(Kind.LEADER_ELECTED)
        assert elected.member == sandbox.leader.member.name
        status = await sandbox.status()
        assert status.leader == elected.member
        assert status.quorum.healthy == members

    play(tmp_path, history, members=members, version=version, up=False)


def test_a_member_that_ends_at_its_start_decides_it_with_its_reason(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.machine.broken["3.6.16"] = "listen tcp 127.0.0.1:12380: bind: address in use"
        with pytest.raises(SandboxError, match="ended while the cluster started") as raised:
            await sandbox.up()
        assert "address in use" in raised.value.hint
        assert "address in use" in raised.value.detail

    play(tmp_path, history, up=False)


def test_too_few_members_for_a_quorum_are_not_waited_for(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        ready = await sandbox.up()
        assert not ready["ready"]
        assert "too few members" in str(ready["why"])
        verdict = await sandbox.do("start", "all")
        assert verdict.leader_after == sandbox.leader.member.name

    play(tmp_path, history, up=False, wanted=["infra1"])


def test_members_whose_peers_do_not_come_are_late_and_the_error_names_them(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.begin()
        await sandbox.until(lambda: len(sandbox.machine.etcds) == 3)
        for name in ("etcd1", "etcd2"):
            sandbox.machine.etcds[name].signal(19)
        with pytest.raises(TimedOut, match="not ready within 3 s: infra1, infra2, infra3"):
            await sandbox.cluster.ready(3)

    play(tmp_path, history, up=False)


def test_a_cluster_that_is_ended_while_it_starts_says_so_to_whoever_waits(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.begin()
        waiting = asyncio.ensure_future(sandbox.cluster.ready(30))
        await asyncio.sleep(0.05)
        await sandbox.down()
        with pytest.raises(SandboxError, match="was stopped before it was ready"):
            await waiting

    play(tmp_path, history, up=False)


def test_a_graceful_end_takes_followers_first_and_the_data_is_read_again_next_time(
    tmp_path: Path,
) -> None:
    machines = []

    async def first(sandbox: Sandbox) -> None:
        assert await sandbox.gateway.put(sandbox.leader.member.client_url, "k", "v", 1.0)
        leader = sandbox.leader.member.name
        began = sandbox.machine.clock.now_s
        await sandbox.down()
        assert sandbox.machine.clock.now_s - began < 2
        ends = [event.member for event in sandbox.told(Kind.PROCESS_EXITED)]
        assert ends[-1] == leader
        machines.append(sandbox.machine)

    async def second(sandbox: Sandbox) -> None:
        sandbox.machine.disks = machines[0].disks
        sandbox.machine.ids = machines[0].ids
        await sandbox.up()
        status = await sandbox.status()
        assert {each.revision for each in status.members} == {2}
        assert (status.term or 0) > 2

    play(tmp_path, first)
    play(tmp_path, second, up=False)


def test_a_failure_ends_everything_where_that_was_asked_for(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.leader.end(3)
        await sandbox.cluster.ended.wait()
        assert sandbox.cluster.exit_code == 3
        (stopped,) = sandbox.told(Kind.CLUSTER_STOPPED)
        assert "failed (exit status 3)" in str(stopped.fields["why"])
        with pytest.raises(ProcessFailed):
            await sandbox.cluster.last_words.of_the_start()

    play(tmp_path, history, exit_on_error=True)


def test_a_member_that_dies_is_started_again_under_its_policy(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("kill", "leader")
        assert verdict.leader_after is not None
        await sandbox.until(lambda: len(sandbox.told(Kind.PROCESS_READY)) == 4, within_s=10)
        (restarting,) = sandbox.told(Kind.PROCESS_RESTARTING)
        assert restarting.fields["restarts"] == 1
        status = await sandbox.status()
        assert sorted(each.restarts for each in status.members) == [0, 0, 1]

    play(
        tmp_path,
        history,
        profile=Profile(
            cluster=ClusterTable(members=3), supervise=SuperviseTable(restart=Restart.ALWAYS)
        ),
    )


def test_a_learner_of_the_plan_joins_when_the_voters_are_ready(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        status = await sandbox.status()
        roles = {each.name: each.role for each in status.members}
        assert roles.pop("l") is Role.LEARNER
        assert set(roles.values()) == {Role.LEADER, Role.FOLLOWER}
        assert status.quorum.voters == 2
        assert sandbox.told(Kind.MEMBER_ADDED)[0].member == "l"

    members = (MemberTable(name="a"), MemberTable(name="b"), MemberTable(name="l", learner=True))
    play(tmp_path, history, profile=Profile(members=members))


def test_a_member_whose_change_was_interrupted_is_not_waited_for_and_has_its_place_once_ready(
    tmp_path: Path,
) -> None:
    async def first(sandbox: Sandbox) -> None:
        await sandbox.do("add")
        machines.append(sandbox)

    async def second(sandbox: Sandbox) -> None:
        sandbox.machine.disks = machines[0].machine.disks
        sandbox.machine.ids = machines[0].machine.ids
        await sandbox.up()
        await sandbox.until(lambda: sandbox.cluster.spec.unfinished == ())
        status = await sandbox.status()
        assert status.quorum.voters == 4

    machines: list[Sandbox] = []
    play(tmp_path, first)
    plan = machines[0].cluster.spec
    unfinished = (Unfinished(verb="add", process="etcd4"),)
    play(tmp_path, second, up=False, spec=replace(plan, unfinished=unfinished))


def test_an_ephemeral_cluster_leaves_no_data(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        assert (tmp_path / "data" / "infra1" / "member" / "wal").is_dir()

    play(tmp_path, history, ephemeral=True)
    assert not (tmp_path / "data" / "infra1").exists()


def test_a_member_that_cannot_be_executed_has_failed(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("stop", "infra1")
        sandbox.machine.unexecutable.add("etcd1")
        with pytest.raises(SandboxError, match="cannot be executed: no such etcd"):
            await sandbox.do("start", "infra1")
        status = await sandbox.status()
        assert status.members[0].state is ProcessState.FAILED

    play(tmp_path, history)


def test_a_start_waits_no_longer_than_it_was_given(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, follower = sandbox.leader.member.name, sandbox.followers[0].member.name
        other = sandbox.followers[1].member.name
        await sandbox.do("cut", leader, versus=(follower,))
        await sandbox.do("stop", follower)
        # It is up and reaches a quorum, and still has no leader to follow.
        with pytest.raises(TimedOut, match="did not finish within 4 s"):
            await sandbox.do("start", follower, timeout_s=4)
        await sandbox.do("move-leader", other)
        await sandbox.until(lambda: sandbox.machine.etcds["etcd" + follower[-1]].raft.lead != "")  # type: ignore[union-attr]

    play(tmp_path, history)


def test_nobody_can_be_asked_before_the_gateway_is_there(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.cluster.begin()
        with pytest.raises(SandboxError, match="the supervisor is still starting"):
            await sandbox.status()
        await asyncio.sleep(5)
        # Members that were up before anybody could ask them become ready all the same.
        sandbox.cluster.watch()
        assert (await sandbox.cluster.ready(10))["ready"]

    play(tmp_path, history, up=False)


def test_whoever_lost_the_ground_ends_everything_and_says_why(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.cluster.abandon("the disk is gone", has_directory=True)
        await sandbox.cluster.ended.wait()
        (stopped,) = sandbox.told(Kind.CLUSTER_STOPPED)
        assert stopped.fields["why"] == "the disk is gone"

    play(tmp_path, history)
    assert planned(tmp_path).name == "fake"
