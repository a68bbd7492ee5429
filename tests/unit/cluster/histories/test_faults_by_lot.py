"""All faults at once, added and taken away by lot: what is shown is what is in force, and one `heal` mends it all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.tui.linkrows import rules_in

from tests import faultcourse
from tests.fakes.etcd import FakeEtcd
from tests.fakes.sandbox import Sandbox, play

ROUNDS = 25


def shown(status: ClusterStatus) -> dict[Pair, Rule]:
    """The rules that the faults of a status make, by process name."""
    processes = {member.name: member.process for member in status.members}
    rules = rules_in(status.faults)
    return {
        (processes.get(one, one), processes.get(other, other)): rule
        for (one, other), rule in rules.items()
    }


def leader_of(etcd: FakeEtcd) -> str | None:
    """Whom it follows."""
    return etcd.raft.lead if etcd.raft is not None else None


async def check_shown(sandbox: Sandbox) -> None:
    """What is shown is what is in force."""
    status = await sandbox.status()
    assert shown(status) == sandbox.machine.rules
    hit = Counter(fault["process"] for fault in status.faults if fault["kind"] == "pause")
    assert hit == Counter(each.process for each in status.members if each.state == "paused")
    for fault in status.faults:
        assert fault.get("heals_in_s", 1) is not None


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=[] if seed < 3 else [pytest.mark.soak]) for seed in range(40)],
)
def test_what_is_shown_is_in_force_and_one_heal_makes_a_whole_cluster(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)

    async def history(sandbox: Sandbox) -> None:
        names = [each.member.name for each in sandbox.machine.running()]
        for _ in range(ROUNDS):
            drawn = faultcourse.fault(draw, names)
            await sandbox.do(
                drawn.verb, *drawn.select, versus=drawn.versus, wait=False, **drawn.options
            )
            await check_shown(sandbox)
            match draw.randrange(6):
                case 0:
                    await sandbox.do("heal", wait=False)
                case 1:
                    hit = draw.choice(names)
                    for verb in ("kill", "start"):
                        # A start is over only when the member is ready: it may not be, cut off.
                        try:
                            await sandbox.do(verb, hit, wait=False, timeout_s=0.5)
                        except SandboxError:
                            continue
                case _:
                    await asyncio.sleep(draw.choice([0.05, 0.5, 1.5]))
            await check_shown(sandbox)
        await sandbox.do("heal", wait=False)
        status = await sandbox.status()
        assert (status.faults, status.planned, sandbox.machine.rules) == ((), (), {})
        told = len(sandbox.told(Kind.FAULT_APPLIED, Kind.FAULT_PASSED))
        await sandbox.do("start", "all", wait=False)
        await sandbox.until(
            lambda: len({leader_of(each) for each in sandbox.machine.running()}) == 1
        )
        await asyncio.sleep(4)
        assert not any(each.paused for each in sandbox.machine.running())
        assert (await sandbox.status()).quorum.healthy == len(names)
        assert len(sandbox.told(Kind.FAULT_APPLIED, Kind.FAULT_PASSED)) == told

    play(tmp_path, history, seed=seed, members=5, client_links=True)
