"""Histories by lot: whatever is done, and however late logs and answers are, what is told is true of the model."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.fault import are_linked
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.model.verdict import Verdict

from tests.fakes.etcd import FakeEtcd
from tests.fakes.sandbox import Sandbox, play

DEEDS = (
    *("kill leader", "kill random", "kill majority", "start all", "start all"),
    *("stop leader", "stop random", "restart random", "restart all"),
    *("pause leader", "pause random", "resume all", "move-leader random"),
    *("partition leader", "partition random", "cut", "slow leader", "heal", "heal"),
    *("late logs", "late answers", "wait"),
)

HALF_DEEDS = (
    *("partition leader one way", "partition random one way", "cut one way", "starve leader"),
    *("starve random", "flaky all", "reset leader", "throttle all", "kill leader", "start all"),
    *("move-leader random", "heal", "wait", "late answers"),
)
"""What is half of something, among the rest."""

STEPS = 7


def leads(sandbox: Sandbox) -> str | None:
    """Who leads and reaches a quorum, by the model; None where nobody does."""
    processes = sandbox.cluster.supervisor.processes
    # One that is starved stands still for a moment only.
    running = [
        each
        for each in sandbox.machine.running()
        if processes[each.name].state is not ProcessState.PAUSED
    ]

    def reached(leader: FakeEtcd) -> int:
        rules = sandbox.machine.rules
        others = (each for each in running if each.id in leader.voters)
        return sum(are_linked(leader.name, each.name, rules) for each in others)

    able = [each for each in running if each.leads and reached(each) > len(each.voters) // 2]
    return max(able, key=term_of).member.name if able else None


def term_of(etcd: FakeEtcd) -> int:
    return etcd.raft.disk.term if etcd.raft is not None else 0


async def done(sandbox: Sandbox, deed: str, draw: random.Random) -> Verdict | None:
    """Do it; None for what has no verdict."""
    verb, _, select = deed.partition(" ")
    names = list(sandbox.machine.etcds)
    match verb:
        case "late" if select == "logs":
            sandbox.machine.read_late_s[draw.choice(names)] = draw.choice([0.0, 0.03, 0.2, 1.5])
        case "late":
            late = draw.choice(names)
            sandbox.machine.answer_late_s[late] = draw.choice([0.0, 0.1, 0.2, 0.5])
            if draw.random() < 0.5:
                sandbox.machine.crossing.add(late)
        case "wait":
            await asyncio.sleep(draw.choice([0.1, 1.0, 6.0]))
        case "cut":
            one, other = draw.sample(names, 2)
            return await sandbox.do(verb, one, versus=(other,), one_way=select == "one way")
        case "partition" if select.endswith(" one way"):
            seed = draw.randrange(99)
            return await sandbox.do(verb, select.split()[0], one_way=True, seed=seed)
        case "starve":
            share = draw.choice([0.8, 0.9])  # with less its clock is too late to step down in time
            return await sandbox.do(verb, select, share=share, seed=draw.randrange(99))
        case "flaky":
            return await sandbox.do(verb, select, stall=0.05, reset=0.0, seed=draw.randrange(99))
        case "throttle":
            return await sandbox.do(verb, select, bytes_per_s=64e3)
        case "slow":
            return await sandbox.do(verb, select, delay_s=draw.choice([0.05, 0.3, 3.0]))
        case _:
            selected = [select] if select else []
            return await sandbox.do(verb, *selected, seed=draw.randrange(99))
    return None


def check_elections(sandbox: Sandbox) -> None:
    """Each election is told once, of whom the model had."""
    told = [(event.fields["term"], event.member) for event in sandbox.told(Kind.LEADER_ELECTED)]
    assert sorted(told, key=str) == sorted(set(told), key=str)
    assert set(told) == set(sandbox.machine.elections)


@pytest.mark.parametrize(
    ("deeds", "seed"),
    [
        pytest.param(
            deeds, seed, marks=[] if seed < few else [pytest.mark.soak], id=f"{name}-{seed}"
        )
        for name, deeds, few, many in (("whole", DEEDS, 12, 300), ("half", HALF_DEEDS, 8, 200))
        for seed in range(many)
    ],
)
def test_a_settled_verdict_and_status_name_whom_the_model_has(
    tmp_path: Path, deeds: tuple[str, ...], seed: int
) -> None:
    draw = random.Random(seed)
    story: list[object] = []

    async def history(sandbox: Sandbox) -> None:
        for _ in range(STEPS):
            deed = draw.choice(deeds)
            story.append(deed)
            try:
                verdict = await done(sandbox, deed, draw)
            except SandboxError as error:
                story.append(error.what)
                continue
            if verdict is not None and verdict.settled:
                assert verdict.leader_after == leads(sandbox), story
            status = await sandbox.status()
            if status.quorum.ok:
                assert status.leader == leads(sandbox), story
            story.append(status.leader)
        sandbox.machine.read_late_s.clear()
        await asyncio.sleep(3)
        check_elections(sandbox)

    play(tmp_path, history, seed=seed, members=draw.choice([3, 3, 4, 5]))
