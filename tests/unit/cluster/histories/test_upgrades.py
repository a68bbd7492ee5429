"""Histories of rolling upgrades, on the model of etcd."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.model.upgrade import MemberUpgrade, UpgradeOrder

from tests.fakes.sandbox import Sandbox, binary, play


def versions(sandbox: Sandbox) -> set[str]:
    return {each.version for each in sandbox.machine.running()}


def test_one_member_after_the_other_the_leader_last_and_clients_notice_nothing(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader = sandbox.leader.member.name
        verdict = await sandbox.upgrade("3.6.16")
        assert versions(sandbox) == {"3.6.16"}
        assert verdict.upgrade is not None
        assert verdict.upgrade.members[-1].member == leader
        assert verdict.upgrade.members[-1].handed_to is not None
        assert verdict.upgrade.cluster_version_before == "3.5.0"
        assert verdict.upgrade.cluster_version_after == "3.6.0"
        assert verdict.leader_gap_s is not None
        assert verdict.leader_gap_s < 0.2
        assert len(sandbox.told(Kind.MEMBER_UPGRADED)) == 3
        (risen,) = sandbox.told(Kind.CLUSTER_VERSION)
        assert (risen.fields["from"], risen.fields["to"]) == ("3.5.0", "3.6.0")
        again = await sandbox.upgrade("3.6.16")
        assert again.upgrade is not None
        assert again.upgrade.members == ()

    play(tmp_path, history, version="3.5.33")


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("3.7.3", "one minor version at a time"),
        ("3.4.23", "the cluster version is 3.5 already"),
        ("4.0.0", "another major version"),
    ],
)
def test_a_step_that_etcd_does_not_allow_is_refused_before_anything_is_done(
    tmp_path: Path, to: str, says: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        with pytest.raises(InputError, match=says):
            await sandbox.upgrade(to)
        assert versions(sandbox) == {"3.5.33"}

    play(tmp_path, history, version="3.5.33")


def test_a_new_etcd_that_does_not_come_up_gives_way_to_the_old_one(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.machine.broken["3.6.16"] = "bind: address already in use"
        with pytest.raises(
            SandboxError, match=r"did not come up with etcd 3\.6\.16 .* it runs etcd 3\.5\.33 again"
        ) as raised:
            await sandbox.upgrade("3.6.16")
        assert "bind: address already in use" in raised.value.hint
        assert versions(sandbox) == {"3.5.33"}
        status = await sandbox.status()
        assert status.quorum.healthy == 3

    play(tmp_path, history, version="3.5.33")


def test_a_cluster_that_is_not_whole_stays_as_it_is(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("pause", sandbox.followers[1].member.name)
        with pytest.raises(SandboxError, match="is paused: an upgrade takes one member away"):
            await sandbox.upgrade("3.6.16", timeout_s=3.0)
        assert versions(sandbox) == {"3.5.33"}

    play(tmp_path, history, version="3.5.33")


def test_a_member_that_is_down_comes_back_with_its_own_etcd_before_it_gets_the_new_one(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        down = sandbox.followers[0]
        await sandbox.do("kill", down.member.name)
        verdict = await sandbox.upgrade("3.6.16")
        assert verdict.upgrade is not None
        assert verdict.upgrade.members[0].member == down.member.name
        assert versions(sandbox) == {"3.6.16"}

    play(tmp_path, history, version="3.5.33")


def test_an_upgrade_that_is_halted_ends_after_the_member_it_is_at_and_goes_on_later(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        order = UpgradeOrder(select=("all",), to=binary("3.6.16"))
        plan = await sandbox.cluster.operations.upgrading.plan(order)
        assert [step.leads for step in plan.steps] == [False, False, True]
        upgrade = await sandbox.cluster.operations.upgrading.begin(order)
        with pytest.raises(SandboxError, match="an upgrade is under way already"):
            await sandbox.cluster.operations.upgrading.begin(order)
        with pytest.raises(SandboxError, match="while an upgrade is under way"):
            await sandbox.do("add")
        news = []
        async for each in upgrade.told():
            news.append(each)
            if isinstance(each, MemberUpgrade):
                assert sandbox.cluster.operations.upgrading.halt()
        assert versions(sandbox) == {"3.5.33", "3.6.16"}
        assert not sandbox.cluster.operations.upgrading.halt()
        verdict = await sandbox.upgrade("3.6.16")
        assert versions(sandbox) == {"3.6.16"}
        assert verdict.upgrade is not None
        assert len(verdict.upgrade.members) in (1, 2)

    play(tmp_path, history, version="3.5.33")


def test_a_member_that_dies_while_it_is_upgraded_is_started_with_its_old_etcd(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        upgrading = asyncio.ensure_future(sandbox.upgrade("3.6.16"))
        await sandbox.until(lambda: "3.6.16" in versions(sandbox))
        new = next(each for each in sandbox.machine.running() if each.version == "3.6.16")
        new.signal(9)
        with pytest.raises(SandboxError, match=r"it runs etcd 3\.5\.33 again"):
            await upgrading
        assert versions(sandbox) == {"3.5.33"}
        status = await sandbox.status()
        assert all(each.state is ProcessState.RUNNING for each in status.members)

    play(tmp_path, history, version="3.5.33")
