"""Histories of what `status` and the events tell: alarms, users, late and silent members."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from etcd_sandbox import verbs
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, Role

from tests.fakes.sandbox import Sandbox, play


def member(status: ClusterStatus, name: str) -> MemberStatus:
    return next(each for each in status.members if each.name == name)


def test_an_alarm_is_told_once_of_whose_it_is_and_no_lost_quorum(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        full = sandbox.followers[0]
        await sandbox.apply("alarm", full.id, name="NOSPACE")
        await asyncio.sleep(2)
        (raised,) = sandbox.told(Kind.ALARM_RAISED)
        assert (raised.member, raised.fields["alarm"]) == (full.member.name, "NOSPACE")
        status = await sandbox.status()
        assert [(each.alarm, each.member) for each in status.alarms] == [
            ("NOSPACE", full.member.name)
        ]
        assert member(status, full.member.name).alarms == ("NOSPACE",)
        assert status.quorum.ok
        assert not await sandbox.gateway.put(full.member.client_url, "k", "v", 1.0)
        killed = await sandbox.do("kill", "leader")
        # Writes are refused for want of space, and not for want of a leader.
        assert killed.writes is None
        assert killed.leader_after is not None
        with pytest.raises(SandboxError, match=r"is exited|has an alarm"):
            await sandbox.upgrade("3.7.3", full.member.name, timeout_s=2)
        await sandbox.apply("disarm", full.id, name="NOSPACE")
        await asyncio.sleep(2)
        assert len(sandbox.told(Kind.ALARM_CLEARED)) == 1

    play(tmp_path, history)


def test_members_at_one_revision_whose_hashes_differ_are_said_to_have_other_data(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        assert await sandbox.gateway.put(sandbox.leader.member.client_url, "k", "v", 1.0)
        await asyncio.sleep(1)
        assert not (await sandbox.status(with_hash=True)).notes
        broken = sandbox.followers[0]
        broken.store.keys["k"] = "another"
        status = await sandbox.status(with_hash=True)
        assert len(status.notes) == 2
        name, own = broken.member.name, member(status, broken.member.name)
        for note in status.notes:
            assert name in note
            assert f"differ: both are at revision {own.revision}, with the hashes" in note
            assert str(own.hash) in note
        assert not (await sandbox.status()).notes

    play(tmp_path, history)


@pytest.mark.parametrize("version", ["3.5.1", "3.6.16"])
def test_with_authentication_on_members_are_up_lead_and_elect_for_a_stranger_too(
    tmp_path: Path, version: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.machine.users["root"] = "secret"
        await sandbox.apply("authentication", value="on")
        status = await sandbox.status()
        assert status.authentication
        assert status.leader == sandbox.leader.member.name
        assert status.quorum.ok
        assert all(each.role in (Role.LEADER, Role.FOLLOWER) for each in status.members)
        verdict = await sandbox.do("kill", "leader")
        assert verdict.leader_after == sandbox.leader.member.name
        assert verdict.leader_gap_s is not None
        assert verdict.writes is None
        with pytest.raises(SandboxError, match=r"to a user only|is down"):
            await sandbox.do("add", timeout_s=3)
        sandbox.cluster.become(Credentials.parse("root:wrong"))
        status = await sandbox.status()
        if version == "3.6.16":
            assert "not to the user root" in str(member(status, status.leader or "").why)
        sandbox.cluster.become(Credentials.parse("root:secret"))
        await sandbox.do("start", "all")
        status = await sandbox.status()
        assert {each.revision for each in status.members} == {1}
        assert all(each.why is None for each in status.members)
        assert (await sandbox.do("add", timeout_s=60)).targets == ("infra4",)

    play(tmp_path, history, version=version)


def test_late_answers_are_no_lost_quorum_and_a_read_proves_it(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        for each in sandbox.machine.running():
            sandbox.machine.answer_late_s[each.name] = 0.4
        await asyncio.sleep(5)
        status = await sandbox.status()
        assert status.quorum.ok
        assert status.leader == sandbox.leader.member.name
        assert sandbox.told(Kind.QUORUM_LOST) == []

    play(tmp_path, history)


def test_a_leader_that_answers_late_is_still_the_leader_of_status(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.machine.answer_late_s[sandbox.leader.name] = 0.4
        status = await sandbox.status()
        late = member(status, sandbox.leader.member.name)
        assert status.leader == late.name
        assert (late.role, late.why) == (None, "does not answer in time")

    play(tmp_path, history)


@pytest.mark.parametrize("seed", range(5))
def test_who_leads_when_the_last_answer_is_there_is_not_shown_as_it_was_at_the_first(
    tmp_path: Path, seed: int
) -> None:
    async def history(sandbox: Sandbox) -> None:
        others = [each.name for each in sandbox.machine.running() if each is not sandbox.leader]
        sandbox.machine.answer_late_s[others[seed % 2]] = 0.8
        asked = []
        killing = asyncio.create_task(sandbox.do(verbs.KILL, "leader", wait=False))
        for _ in range(60):
            asked.append(asyncio.create_task(sandbox.status()))
            await asyncio.sleep(0.05)
        await killing
        led = [status for status in await asyncio.gather(*asked) if status.leader is not None]
        assert led
        for status in led:
            assert member(status, str(status.leader)).role is not Role.CANDIDATE

    play(tmp_path, history, seed=seed)


def test_status_with_hashes_finds_members_with_the_same_data(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.gateway.put(sandbox.leader.member.client_url, "k", "v", 1.0)
        await asyncio.sleep(0.2)
        status = await sandbox.cluster.operations.status(with_hash=True)
        assert len({each.hash for each in status.members}) == 1
        assert status.notes == ()

    play(tmp_path, history)


def test_members_whose_data_differ_are_said_to(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        sandbox.followers[0].store.revision += 1
        status = await sandbox.status()
        assert len(status.notes) == 2
        assert all("differ: both have applied entry" in note for note in status.notes)

    play(tmp_path, history)


def test_a_member_from_near_has_its_peers_and_figures(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        detail = await sandbox.cluster.operations.detail("leader")
        assert detail.member is not None
        assert detail.member.name == sandbox.leader.member.name
        assert detail.peers is not None
        assert len(detail.peers) == 3
        assert detail.metrics is not None
        with pytest.raises(InputError, match="means several processes"):
            await sandbox.cluster.operations.detail("all")
        assert await sandbox.cluster.operations.select(["followers"]) == tuple(
            each.name for each in sandbox.machine.running() if each is not sandbox.leader
        )

    play(tmp_path, history)


def test_two_clusters_of_one_list_are_told_apart(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("partition", "leader", wait=False)
        old = sandbox.leader
        await sandbox.until(lambda: sandbox.leader is not old)
        # As after --force-new-cluster: it leads by a list of its own.
        assert old.raft is not None
        for each in list(old.store.members):
            if each != old.id:
                del old.store.members[each]
        old.raft.campaign(forced=True)
        status = await sandbox.status()
        assert any("leads a cluster of its own: 1 is on its list" in note for note in status.notes)

    play(tmp_path, history)


@pytest.mark.parametrize("seed", range(3))
def test_the_quorum_is_told_to_be_lost_and_regained_once_each(tmp_path: Path, seed: int) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(2)
        await sandbox.do("pause", "majority", wait=False)
        await asyncio.sleep(5)
        await sandbox.do("resume", "all", wait=False)
        await asyncio.sleep(5)
        told = [event.kind for event in sandbox.told(Kind.QUORUM_LOST, Kind.QUORUM_REGAINED)]
        assert told == [Kind.QUORUM_LOST, Kind.QUORUM_REGAINED]

    play(tmp_path, history, seed=seed)


def test_what_clients_get_is_told_each_tenth_of_a_second_through_an_outage(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        buckets: list[Bucket] = []

        async def watch() -> None:
            async for bucket in sandbox.cluster.operations.availability.watch(writes=True):
                buckets.append(bucket)  # noqa: PERF401 - those of an endless stream, as they come

        watching = asyncio.ensure_future(watch())
        await asyncio.sleep(1)
        await sandbox.do("kill", "leader")
        await asyncio.sleep(1)
        watching.cancel()
        dark = [bucket for bucket in buckets if not bucket.reads]
        assert 8 <= len(dark) <= 30
        assert all(bucket.leaderless for bucket in dark[2:-2])
        assert buckets[0].reads
        assert buckets[-1].reads
        assert sum(bucket.writes for bucket in buckets) > 5
        times = [bucket.time_us for bucket in buckets]
        assert all(
            later - earlier == pytest.approx(100_000, abs=2)
            for earlier, later in itertools.pairwise(times)
        )

    play(tmp_path, history)


def test_what_a_member_said_that_ends_meanwhile_is_not_told_of_it(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.machine.answer_late_s[sandbox.leader.name] = 0.1
        ends = sandbox.followers[0]
        asked = asyncio.create_task(sandbox.status())
        await asyncio.sleep(0.05)
        ends.signal(9)
        await sandbox.until(lambda: not sandbox.cluster.members.processes[ends.name].state.alive)
        row = next(each for each in (await asked).members if each.process == ends.name)
        assert (row.state, row.role, row.healthy, row.revision) == (
            ProcessState.EXITED,
            None,
            False,
            None,
        )

    play(tmp_path, history)
