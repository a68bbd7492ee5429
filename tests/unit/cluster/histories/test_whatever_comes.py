"""Histories by lot: whatever is done, and however late logs and answers are, what is told is true of the model."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind
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

STEPS = 7


def leads(sandbox: Sandbox) -> str | None:
    """Who leads and reaches a quorum, by the model; None where nobody does."""
    running = [each for each in sandbox.machine.running() if not each.paused]

    def reached(leader: FakeEtcd) -> int:
        rules = sandbox.machine.rules
        others = (each for each in running if each.id in leader.voters)
        return sum(
            each is leader or not (rule := rules.get((leader.name, each.name))) or not rule.cut
            for each in others
        )

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
            return await sandbox.do(verb, one, versus=(other,))
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
    "seed",
    [pytest.param(seed, marks=[] if seed < 12 else [pytest.mark.soak]) for seed in range(300)],
)
def test_a_settled_verdict_and_status_name_whom_the_model_has(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    story: list[object] = []

    async def history(sandbox: Sandbox) -> None:
        for _ in range(STEPS):
            deed = draw.choice(DEEDS)
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
