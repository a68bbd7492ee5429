"""Who is asked, and what is told of a member that refuses to tell: on members that are functions."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sandbox.cluster import healthcheck
from sandbox.cluster.healthcheck import HealthCheck
from sandbox.cluster.voters import Voters
from sandbox.etcd.answers import Refusal, StatusAnswer
from sandbox.etcd.metrics import Identity
from sandbox.model.state import ProcessState

NAMES = ("etcd1", "etcd2", "etcd3")


class Members:
    """The supervisor, the roster and the gateway of three members in one."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.processes = {
            name: SimpleNamespace(
                state=ProcessState.RUNNING, life=SimpleNamespace(pid=int(name[-1]))
            )
            for name in NAMES
        }
        self.refusing = refusing
        self.pages = 0
        self.revision = 0
        self.elsewhere: dict[str, object] = {}

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self.member(name)) for name in NAMES]

    def member(self, name: str) -> Any:
        return SimpleNamespace(client_url=name, metrics_url=None)

    def __contains__(self, name: str) -> bool:
        return name in NAMES

    def is_proxy(self, name: str) -> bool:
        return False

    def is_learner(self, name: str) -> bool:
        return False

    def id_of(self, name: str) -> str:
        return name[-1]

    def learn(self, name: str, member_id: str, *, is_learner: bool) -> None:
        pass

    def seen_elsewhere(self, names: list[str]) -> None:
        pass

    def view(self, name: str) -> Any:
        return SimpleNamespace(leader="1", term=2)

    async def status(self, url: str, deadline_s: float) -> StatusAnswer | Refusal:
        if self.refusing:
            return Refusal(code=3, message="etcdserver: user name is empty")
        return StatusAnswer(
            member_id=url[-1],
            version="3.6.0",
            leader="1",
            term=2,
            revision=1,
            raft_index=8,
            raft_applied_index=8,
            db_size_bytes=1,
            is_learner=False,
            errors=(),
        )

    async def identity(self, url: str, timeout_s: float) -> Identity:
        self.pages += 1
        self.revision += 1
        return Identity(
            member_id=url[-1],
            version="3.6.0",
            has_leader=True,
            is_leader=url == "etcd1",
            is_learner=False,
            revision=self.revision,
            applied_index=8,
            db_size_bytes=1,
        )


def check_of(members: Members) -> HealthCheck:
    one = cast(Any, members)
    return HealthCheck(one, one, one, one, one)


def test_a_leader_that_is_being_stopped_is_asked_for_it_leads_until_it_has_handed_over() -> None:
    members = Members()
    members.processes["etcd1"].state = ProcessState.STOPPING
    members.processes["etcd2"].state = ProcessState.PAUSED
    members.processes["etcd3"].state = ProcessState.EXITED
    assert set(asyncio.run(check_of(members).ask())) == {"etcd1"}


def test_figures_of_a_member_that_refuses_to_tell_are_those_of_now_or_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        members = Members(refusing=True)
        check = check_of(members)
        await check.ask_all()
        await asyncio.sleep(0)
        monkeypatch.setattr(healthcheck, "FIGURES_S", -1.0)  # whatever is known is too old
        before = {answer.revision for answer in (await check.ask_all()).values()}
        assert before == {None}
        pages = members.pages
        monkeypatch.setattr(healthcheck, "FIGURES_S", 60.0)
        after = {answer.revision for answer in (await check.ask_all(figures=True)).values()}
        assert members.pages == pages  # new enough: nobody is asked again
        assert after == {1, 2, 3}

    asyncio.run(run())


def test_whoever_wants_figures_waits_for_them_and_others_ask_for_them_once_a_second() -> None:
    async def run() -> None:
        members = Members(refusing=True)
        check = check_of(members)
        told = await check.ask_all(figures=True)
        assert {answer.revision for answer in told.values()} == {1, 2, 3}
        for _ in range(5):
            await check.ask_all()
        assert members.pages == 3

    asyncio.run(run())


def test_whoever_is_being_stopped_has_its_vote_until_it_is_gone() -> None:
    members = Members()
    members.processes["etcd2"].state = ProcessState.STOPPING
    members.processes["etcd3"].state = ProcessState.PAUSED
    voters = Voters(cast(Any, members), cast(Any, members), cast(Any, members))
    assert {name: voters.runs(name) for name in NAMES} == {
        "etcd1": True,
        "etcd2": True,
        "etcd3": False,
    }
