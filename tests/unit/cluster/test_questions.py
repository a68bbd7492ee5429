"""Who is asked, and what is told of a member that refuses to tell: on members that are functions."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from etcd_sandbox.cluster import members as cluster_members
from etcd_sandbox.cluster import questions
from etcd_sandbox.cluster.questions import Questions
from etcd_sandbox.etcd.answers import Identity, Refusal, StatusAnswer
from etcd_sandbox.model.state import Peer, ProcessState
from msgspec.structs import replace

NAMES = ("etcd1", "etcd2", "etcd3")


class Members:
    """Three members, their gateway and what their logs say, in one."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.processes = {
            name: SimpleNamespace(
                state=ProcessState.RUNNING,
                life=SimpleNamespace(pid=int(name[-1])),
                catch_up=partial(self.catch_up, name),
            )
            for name in NAMES
        }
        self.refusing = refusing
        self.gateway = self.raft = self
        self.pages = 0
        self.revision = 0
        self.elsewhere: dict[str, object] = {}
        self.logged: dict[str, int] = {}
        self.written: dict[str, dict[str, int]] = {}
        self.read: list[str] = []
        self.read_by_then: list[set[str]] = []

    names = NAMES

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self.member(name)) for name in NAMES]

    def member(self, name: str) -> Any:
        return SimpleNamespace(client_url=name, metrics_url=None)

    def __contains__(self, name: str) -> bool:
        return name in NAMES

    def can_vote(self, name: str) -> bool:
        return cluster_members.Members.can_vote(cast(Any, self), name)

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

    def catch_up(self, name: str) -> None:
        self.read.append(name)
        self.logged.update(self.written.pop(name, {}))

    def term_of(
        self, name: str, leader: str | None, said: int | None, *, leads: bool
    ) -> int | None:
        self.read_by_then.append(set(self.read))
        return self.logged.get(name, said)

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


def check_of(members: Members) -> Questions:
    return Questions(cast(Any, members))


def test_a_leader_that_is_being_stopped_is_asked_for_it_leads_until_it_has_handed_over() -> None:
    members = Members()
    members.processes["etcd1"].state = ProcessState.STOPPING
    members.processes["etcd2"].state = ProcessState.PAUSED
    members.processes["etcd3"].state = ProcessState.EXITED
    assert set(asyncio.run(check_of(members).ask())) == {"etcd1"}


def test_what_a_member_wrote_before_it_answered_is_read_before_its_term_is_told() -> None:
    members = Members()
    members.written = {"etcd1": {"etcd1": 3}}
    told = asyncio.run(check_of(members).ask())
    assert [answer.term for answer in told.values()] == [3, 2, 2]
    # Of all: what the others wrote of an election comes after what the elected one wrote.
    assert members.read_by_then[0] == set(NAMES)


def test_figures_of_a_member_that_refuses_to_tell_are_those_of_now_or_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def revisions(check: Questions) -> set[int | None]:
        return {answer.revision for answer in (await check.ask_all(figures=True)).values()}

    async def run() -> None:
        members = Members(refusing=True)
        check = check_of(members)
        assert await revisions(check) == {1, 2, 3}
        assert await revisions(check) == {1, 2, 3}  # they are new enough
        monkeypatch.setattr(questions, "FIGURES_S", -1.0)
        assert await revisions(check) == {None}
        assert members.pages == 3  # a page is dear: not before a second is over
        monkeypatch.undo()
        monkeypatch.setattr(questions, "METRICS_EVERY_S", -1.0)
        assert await revisions(check) == {4, 5, 6}
        for _ in range(5):
            await check.ask_all()
        assert members.pages == 6  # nobody wants the figures, and the log tells who leads

    asyncio.run(run())


def test_whoever_is_being_stopped_has_its_vote_until_it_is_gone() -> None:
    members = Members()
    members.processes["etcd2"].state = ProcessState.STOPPING
    members.processes["etcd3"].state = ProcessState.PAUSED
    assert {name: members.can_vote(name) for name in NAMES} == {
        "etcd1": True,
        "etcd2": True,
        "etcd3": False,
    }


def test_where_only_a_learner_runs_the_list_is_asked_for_as_its_peers_ask() -> None:
    """etcd 3.4 to 3.7 refuse it to a learner's clients: "rpc not supported for learner"."""

    class Learner(Members):
        listed: tuple[Peer, ...] = ()

        def member(self, name: str) -> Any:
            return SimpleNamespace(
                client_url=name, metrics_url=None, peer_port_url=f"peers of {name}"
            )

        async def members(self, url: str, deadline_s: float) -> tuple[Peer, ...] | None:
            return None

        async def members_told_to_peers(self, url: str, deadline_s: float) -> tuple[Peer, ...]:
            assert url == "peers of etcd1"
            return (
                Peer(id="8", name="infra1", peer_urls=(), client_urls=(), is_learner=False),
                Peer(id="1", name="infra4", peer_urls=(), client_urls=(), is_learner=True),
            )

        def take_list(self, listed: tuple[Peer, ...]) -> None:
            self.listed = listed

    async def run() -> tuple[Peer, ...]:
        members = Learner()
        members.processes["etcd2"].state = ProcessState.PAUSED
        members.processes["etcd3"].state = ProcessState.PAUSED
        check = check_of(members)
        answers = await check.ask()
        await check.learn_list({"etcd1": replace(answers["etcd1"], is_learner=True)})
        return members.listed

    assert [peer.name for peer in asyncio.run(run())] == ["infra1", "infra4"]
