"""The model itself: what Raft promises holds in it, whatever the links and the lots do."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from etcd_sandbox.model.fault import Rule

from tests.fakes.sandbox import Sandbox, play


@pytest.mark.parametrize("version", ["3.4.23", "3.6.16"])
@pytest.mark.parametrize("seed", range(4))
def test_at_most_one_leads_in_a_term_and_nothing_acknowledged_is_lost(
    tmp_path: Path, seed: int, version: str
) -> None:
    leaders: dict[int, str] = {}

    async def history(sandbox: Sandbox) -> None:
        draw, machine, kept = random.Random(seed), sandbox.machine, []
        names = list(machine.etcds)
        for round_ in range(12):
            one, other = draw.sample(names, 2)
            rule = Rule(cut=draw.random() < 0.5, delay_s=draw.choice([0.0, 0.3]))
            machine.obey({(one, other): rule, (other, one): rule})
            asked = machine.etcds[draw.choice(names)].member.client_url
            putting = asyncio.ensure_future(sandbox.gateway.put(asked, str(round_), "v", 3.0))
            for _ in range(20):
                await asyncio.sleep(0.1)
                for each in machine.running():
                    if each.leads and each.raft is not None:
                        assert leaders.setdefault(each.raft.disk.term, each.id) == each.id
            if await putting:
                kept.append(round_)
        machine.obey({})
        await asyncio.sleep(8)
        assert kept
        stores = [each.store for each in machine.running()]
        assert len({store.revision for store in stores}) == 1
        assert all(len(store.keys) >= len(kept) for store in stores)
        logs = [each.raft.disk for each in machine.running() if each.raft is not None]
        assert all(disk.log[: disk.committed] == logs[0].log[: disk.committed] for disk in logs)

    play(tmp_path, history, seed=seed, version=version, members=5)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_gives_the_same_history_to_the_microsecond(tmp_path: Path, seed: int) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("kill", "leader")
        await sandbox.do("start", "all")
        await sandbox.do("partition", "random", seed=seed)

    once = play(tmp_path / "once", history, seed=seed).events
    again = play(tmp_path / "again", history, seed=seed).events
    other = play(tmp_path / "other", history, seed=seed + 100).events
    assert once == again
    assert once != other


def test_a_frozen_member_says_nothing_and_does_afterwards_what_it_was_asked(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        frozen = sandbox.followers[0]
        frozen.signal(19)
        putting = asyncio.ensure_future(
            sandbox.gateway.put(frozen.member.client_url, "k", "v", 10.0)
        )
        await asyncio.sleep(3)
        assert not putting.done()
        assert sandbox.leader.store.revision == 1
        frozen.signal(18)
        assert await putting
        assert sandbox.leader.store.revision == 2

    play(tmp_path, history)
