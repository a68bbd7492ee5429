"""The model of `tests/fakes/` is held to real etcd: the same short histories on both, and what each tells is compared.

Names differ, since another may lead, and so do figures: what is compared is who a member is to a verdict.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox import Cluster
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.service import How
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.verdict import Verdict

from tests.etcd.conftest import ClusterMaker
from tests.fakes.sandbox import Sandbox, play

Step = tuple[str, ...]
"""A verb and whom it is for."""

Told = dict[str, object]

HISTORIES: dict[str, tuple[Step, ...]] = {
    "dies": (("kill", "leader"), ("start", "all"), ("stop", "leader"), ("start", "all")),
    "hangs": (("pause", "leader"), ("resume", "all"), ("kill", "majority"), ("start", "all")),
    "links": (("partition", "leader"), ("heal",), ("kill", "leader")),
    "members": (("add",), ("remove", "leader"), ("kill", "followers")),
    "one": (("replace", "leader"), ("restart", "leader")),
}

_VERB = re.compile(r"(?<!\S)-?[a-z]+(?:-[a-z]+)?(?!\S)")
"""The words of a command that are no names, addresses and IDs."""

BY_CHANCE = {
    Kind.CANDIDATE,
    Kind.SPLIT_VOTE,
    Kind.MEMBER_WAITING,
    Kind.QUORUM_LOST,
    Kind.QUORUM_REGAINED,
}
"""How many stood for leader is a matter of luck; whether a quorum is missed within a second, of the next look."""


def compared(verdict: Verdict, events: list[Event], status: ClusterStatus) -> Told:
    """What was told, without names and figures."""
    kinds = {event.kind for event in events} - BY_CHANCE
    lost = verdict.quorum is not None and not verdict.quorum.ok
    handed_over = Kind.LEADER_TRANSFERRED in kinds
    if lost or handed_over:
        # Without a quorum a leader finds that out in a second: in this step or in the next. Of one that
        # hands over etcd writes that it was lost, or at once that it has changed.
        kinds.discard(Kind.LEADER_LOST)
    higher = (verdict.term_after or 0) > (verdict.term_before or 0)
    return {
        "targets": len(verdict.targets),
        "led": sum(target.was_leader for target in verdict.processes),
        "done": sum(target.done for target in verdict.processes),
        "states": sorted(target.state for target in verdict.processes),
        "leader": verdict.leader_after is not None,
        "another leads": verdict.leader_after not in (None, verdict.leader_before)
        and len(verdict.targets) == 1,
        "term": higher,
        "no leader at": len(verdict.leaderless),
        "claims": len(verdict.leaders),
        "settled": verdict.settled,
        "quorum": (verdict.quorum.voters, verdict.quorum.needed, verdict.quorum.ok)
        if verdict.quorum is not None
        else None,
        # A read that is on its way at the moment of a hand-over waits until etcd asks again, half a second
        # later ("waiting for ReadIndex response took too long"): whether one is, is a matter of luck.
        "reads failed": not handed_over
        and verdict.reads is not None
        and verdict.reads.how is How.FAILED,
        "commands": sorted(" ".join(_VERB.findall(each)) for each in verdict.equivalents),
        "events": sorted(kinds),
        "members": sorted(
            f"{each.state} {each.role} {each.healthy} {each.why}" for each in status.members
        ),
        "status": (status.leader is not None, status.quorum.ok, status.quorum.voters),
    }


def on_real(cluster: Cluster, steps: tuple[Step, ...]) -> list[Told]:
    told = []
    for verb, *select in steps:
        seen = len(list(cluster.events()))
        verdict = getattr(cluster, verb)(*select)
        told.append(compared(verdict, list(cluster.events())[seen:], cluster.status()))
    return told


def on_fake(home: Path, version: str, steps: tuple[Step, ...]) -> list[Told]:
    told = []

    async def history(sandbox: Sandbox) -> None:
        for verb, *select in steps:
            seen = len(sandbox.events)
            verdict = await sandbox.do(verb, *select)
            told.append(compared(verdict, sandbox.events[seen:], await sandbox.status()))

    play(home, history, version=version)
    return told


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_tells_the_same_on_the_model_and_on_real_etcd(
    cluster_of: ClusterMaker, etcd_binary: EtcdBinary, tmp_path: Path, name: str
) -> None:
    real = on_real(cluster_of(), HISTORIES[name])
    fake = on_fake(tmp_path / "fake", etcd_binary.version, HISTORIES[name])
    for step, mine, theirs in zip(HISTORIES[name], fake, real, strict=True):
        unlike = {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}
        assert (step, unlike) == (step, {})


Questions = Callable[[Gateway, list[str], str], Awaitable[list[Any]]]


async def refusals(gateway: Gateway, urls: Sequence[str], leader: str) -> list[Any]:
    """What etcd refuses, in its words: the list of members, and leadership."""
    listed = await gateway.members(leader, 5) or ()
    follower = next(url for url in urls if url != leader)
    voter = listed[0]

    async def added(learner: bool) -> Any:
        while True:
            answer = await gateway.add_member(leader, voter.peer_urls[0], 5, learner=learner)
            if "unhealthy cluster" not in str(answer):
                return answer
            await asyncio.sleep(0.2)

    return [
        await added(False),
        await added(True),
        await gateway.change_member(leader, "remove", "77", 5),
        await gateway.change_member(leader, "promote", "77", 5),
        await gateway.change_member(leader, "promote", voter.id, 5),
        await gateway.change_member(leader, "update", "77", 5, peerURLs=["http://127.0.0.1:1"]),
        await gateway.move_leader(follower, voter.id, 5),
        await gateway.move_leader(leader, "77", 5),
        await gateway.put(leader, "k", "v", 5),
        await gateway.empty_write(leader, 5),
        await gateway.linearizable_read(follower, 5),
        await gateway.cluster_version(leader, 5),
        len(listed),
    ]


def test_the_model_refuses_in_the_words_and_codes_of_real_etcd(
    cluster_of: ClusterMaker, etcd_binary: EtcdBinary, tmp_path: Path
) -> None:
    status = cluster_of().wait_healthy()
    urls = {each.name: each.client_url for each in status.members}

    async def asked() -> list[Any]:
        gateway = Gateway()
        try:
            return await refusals(gateway, list(urls.values()), urls[str(status.leader)])
        finally:
            await gateway.aclose()

    async def history(sandbox: Sandbox) -> None:
        own = [each.member.client_url for each in sandbox.machine.running()]
        fake.extend(await refusals(sandbox.gateway, own, sandbox.leader.member.client_url))

    fake: list[Any] = []
    play(tmp_path / "fake", history, version=etcd_binary.version)
    assert fake == asyncio.run(asked())
