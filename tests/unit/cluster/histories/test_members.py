"""Histories of members that come, get their vote, go, and are replaced, on the model of etcd."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import ProcessState, Role
from etcd_sandbox.model.verdict import Verdict

from tests.fakes.machine import FakeLinks
from tests.fakes.sandbox import Sandbox, binary, planned, play

CONNECTED = "etcd changes its members only when its voters have been connected for 5 s"


def listed(sandbox: Sandbox) -> dict[str, bool]:
    """etcd's own list, as the leader has it: by name, who is a learner."""
    return {each.name: each.learner for each in sandbox.leader.store.members.values()}


def ids(sandbox: Sandbox) -> dict[str, str]:
    return {each.name: each.id for each in sandbox.leader.store.members.values()}


def peer(url: int) -> str:
    return f"http://127.0.0.1:{url}"


@pytest.mark.parametrize("version", ["3.4.23", "3.5.33", "3.6.16"])
def test_a_member_comes_with_a_vote_after_etcds_five_seconds_and_goes_again(
    tmp_path: Path, version: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        came = await sandbox.do("add")
        assert came.targets == ("infra4",)
        assert any(CONNECTED in note for note in came.notes)
        assert listed(sandbox) == {f"infra{n}": False for n in (1, 2, 3, 4)}
        assert came.quorum is not None
        assert came.quorum.voters == 4
        (added,) = sandbox.told(Kind.MEMBER_ADDED)
        assert added.fields["id"] == ids(sandbox)["infra4"]
        assert [process.name for process in sandbox.cluster.spec.members][-1] == "etcd4"
        assert sandbox.cluster.spec.unfinished == ()
        again = await sandbox.do("add", name="fifth")
        assert again.targets == ("fifth",)
        went = await sandbox.do("remove", "infra4")
        assert went.processes[0].state is ProcessState.REMOVED
        assert set(listed(sandbox)) == {"infra1", "infra2", "infra3", "fifth"}
        assert [change.kind for change in sandbox.cluster.spec.history] == [
            "added",
            "added",
            "removed",
        ]
        with pytest.raises(InputError, match="was removed"):
            await sandbox.do("partition", "infra4")
        with pytest.raises(SandboxError, match="has no place for it any more"):
            await sandbox.do("start", "infra4")

    play(tmp_path, history, version=version)


def test_a_learner_gets_its_vote_when_it_has_caught_up(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        came = await sandbox.do("add", learner=True)
        assert came.quorum is not None
        assert came.quorum.voters == 3
        status = await sandbox.status()
        assert {each.name: each.role for each in status.members}["infra4"] is Role.LEARNER
        with pytest.raises(SandboxError, match="too many learner members in cluster"):
            await sandbox.do("add", learner=True)
        assert "infra5" not in listed(sandbox)
        with pytest.raises(InputError, match="is no learner: it has a vote already"):
            await sandbox.do("promote", "infra1")
        promoted = await sandbox.do("promote", "learners")
        assert promoted.targets == ("infra4",)
        assert listed(sandbox) == {f"infra{n}": False for n in (1, 2, 3, 4)}
        assert [event.member for event in sandbox.told(Kind.MEMBER_PROMOTED)] == ["infra4"]

    play(tmp_path, history)


def test_the_leader_hands_over_before_it_is_removed(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, term = sandbox.leader.member, sandbox.term
        verdict = await sandbox.do("remove", "leader")
        assert verdict.leader_gap_s is not None
        assert verdict.leader_gap_s < 0.1
        assert verdict.term_after == term + 1
        assert verdict.processes[0].was_leader
        assert not has_data(leader.data_dir)
        assert any("move-leader" in command for command in verdict.equivalents)

    play(tmp_path, history)


@pytest.mark.parametrize("down", [False, True])
def test_a_member_is_replaced_by_a_new_one_of_its_name(tmp_path: Path, down: bool) -> None:
    async def history(sandbox: Sandbox) -> None:
        before = ids(sandbox)
        if down:
            await sandbox.do("kill", "infra1")
        verdict = await sandbox.do("replace", "infra1")
        now = ids(sandbox)
        assert now["infra1"] != before["infra1"]
        assert {**now, "infra1": ""} == {**before, "infra1": ""}
        assert listed(sandbox) == {f"infra{n}": False for n in (1, 2, 3)}
        assert verdict.quorum is not None
        assert (verdict.quorum.voters, verdict.quorum.healthy) == (3, 3)

    play(tmp_path, history)


def test_all_that_are_down_are_replaced_with_one_order(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("kill", "infra1", "infra2")
        verdict = await sandbox.do("replace", "infra1", "infra2", timeout_s=60)
        assert verdict.quorum is not None
        assert verdict.quorum.healthy == 5

    play(tmp_path, history, members=5)


def test_what_would_break_the_quorum_is_refused_and_nothing_is_done(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("kill", "infra1")
        with pytest.raises(SandboxError, match="would break the quorum") as raised:
            await sandbox.do("remove", "infra2")
        assert "start or remove infra1 first" in raised.value.hint
        with pytest.raises(SandboxError, match="are all voters"):
            await sandbox.do("remove", "all")
        assert len(listed(sandbox)) == 3
        with pytest.raises(SandboxError, match="etcd refuses it: unhealthy cluster"):
            await sandbox.do("remove", "infra2", force=True)
        gone = await sandbox.do("remove", "infra1")
        assert gone.quorum is not None
        assert gone.quorum.ok

    play(tmp_path, history)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("3.5.1", "takes no new member while a voter is away"),
        ("3.6.16", "takes no new member where 2 of 4 voters"),
    ],
)
def test_a_new_member_is_refused_before_etcd_is_asked_where_voters_are_away(
    tmp_path: Path, version: str, says: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("kill", "infra1")
        with pytest.raises(SandboxError, match=says):
            await sandbox.do("add")
        assert "/v3/cluster/member/add" not in sandbox.asked
        assert set(listed(sandbox)) == {"infra1", "infra2", "infra3"}

    play(tmp_path, history, version=version)


@pytest.mark.parametrize(
    ("verb", "path"), [("add", "member/add"), ("remove", "member/remove"), ("promote", "promote")]
)
def test_a_change_whose_answer_is_lost_is_done_once(tmp_path: Path, verb: str, path: str) -> None:
    async def history(sandbox: Sandbox) -> None:
        if verb != "add":
            await sandbox.do("add", learner=verb == "promote")
            await asyncio.sleep(6)
        sandbox.machine.lost_answers[sandbox.leader.name, path] = 1
        verdict = await sandbox.do(verb, *([] if verb == "add" else ["infra4"]), timeout_s=60)
        assert verdict.settled
        assert any("the leader does not answer" in note for note in verdict.notes)
        expected = {"infra1", "infra2", "infra3"} | (set() if verb == "remove" else {"infra4"})
        assert set(listed(sandbox)) == expected

    play(tmp_path, history)


def test_without_a_quorum_the_members_cannot_be_changed_and_the_list_is_as_before(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("kill", "majority")
        with pytest.raises(SandboxError, match="the quorum is lost"):
            await sandbox.do("add")
        assert sandbox.cluster.spec.unfinished == ()

    play(tmp_path, history)


def test_the_quorum_is_lost_while_etcd_has_been_asked_and_the_error_says_that_it_may_be_done_yet(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        followers = sandbox.followers
        # So that the addition is in the leader's log alone when they die.
        await sandbox.do("slow", "leader", delay_s=0.2, wait=False)
        ordered = asyncio.ensure_future(sandbox.do("add", timeout_s=20))
        await sandbox.until(lambda: "/v3/cluster/member/add" in sandbox.asked)
        for each in followers:
            each.signal(9)
        with pytest.raises(SandboxError, match="may be added yet"):
            await ordered

    play(tmp_path, history)


def test_a_new_member_that_does_not_come_up_is_taken_out_again(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        ordered = asyncio.ensure_future(sandbox.do("add", timeout_s=30))
        await sandbox.until(lambda: "etcd4" in sandbox.machine.etcds)
        sandbox.machine.etcds["etcd4"].end(1)
        with pytest.raises(SandboxError, match="it was taken out again, and the members are as"):
            await ordered
        assert set(listed(sandbox)) == {"infra1", "infra2", "infra3"}
        assert sandbox.cluster.spec.process("etcd4") is None
        assert sandbox.cluster.spec.unfinished == ()

    play(tmp_path, history)


def test_a_single_member_gets_a_second_as_a_learner_first_and_can_be_removed_then(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        second = await sandbox.do("add")
        assert any("as a learner first" in note for note in second.notes)
        verdict = await sandbox.do("remove", "infra1", timeout_s=60)
        assert verdict.leader_after == "infra2"
        with pytest.raises(SandboxError, match="is the last voter"):
            await sandbox.do("remove", "infra2")

    play(tmp_path, history, members=1)


def test_an_entry_that_was_never_started_is_shown_counts_and_is_removed_by_its_id(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        leader = sandbox.leader
        added = await sandbox.gateway.add_member(
            leader.member.client_url, peer(52380), 5.0, learner=False
        )
        status = await sandbox.status()
        (stranger,) = status.elsewhere
        assert (stranger.started, stranger.learner) == (False, False)
        assert status.quorum.voters == 4
        with pytest.raises(SandboxError, match="on etcd's list of members"):
            await sandbox.do("add", name="another")
        verdict = await sandbox.do("remove", stranger.id)
        assert verdict.processes[0].state is ProcessState.REMOVED
        assert (await sandbox.status()).elsewhere == ()
        assert added is not None

    play(tmp_path, history, version="3.5.1")


def test_an_entry_with_the_next_members_peer_url_is_taken_for_it(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        await sandbox.gateway.add_member(
            sandbox.leader.member.client_url, peer(42380), 5.0, learner=False
        )
        verdict = await sandbox.do("add")
        assert any("was on etcd's list of members already" in note for note in verdict.notes)
        assert listed(sandbox)["infra4"] is False
        with pytest.raises(InputError, match="there is a member 'infra4' already"):
            await sandbox.do("add", name="infra4")

    play(tmp_path, history)


def test_a_removed_member_that_is_cut_off_is_stopped(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        follower = sandbox.followers[0].member.name
        await sandbox.do("partition", follower)
        verdict = await sandbox.do("remove", follower)
        assert any("was cut off and has not learnt of it" in note for note in verdict.notes)
        assert verdict.processes[0].state is ProcessState.REMOVED
        other = "infra1" if follower != "infra1" else "infra2"
        await sandbox.do("partition", other)
        with pytest.raises(SandboxError, match=f"links of {other} are cut"):
            await sandbox.do("replace", other)

    play(tmp_path, history)


def test_no_two_changes_at_once_and_no_upgrade_meanwhile(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        first = asyncio.ensure_future(sandbox.do("add"))
        await sandbox.until(lambda: bool(sandbox.told(Kind.MEMBER_WAITING)))
        with pytest.raises(SandboxError, match="the members are being changed"):
            await sandbox.upgrade("3.7.3")
        second = asyncio.ensure_future(sandbox.do("remove", "infra1"))
        done: tuple[Verdict, Verdict] = (await first, await second)
        assert [verdict.targets for verdict in done] == [("infra4",), ("infra1",)]
        assert set(listed(sandbox)) == {"infra2", "infra3", "infra4"}

    play(tmp_path, history)


def test_a_change_goes_on_when_whoever_asked_for_it_is_gone(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        ordered = asyncio.ensure_future(sandbox.do("add"))
        await asyncio.sleep(0.5)
        ordered.cancel()
        await sandbox.until(lambda: "infra4" in listed(sandbox))
        await sandbox.until(lambda: sandbox.cluster.spec.unfinished == ())
        assert not ordered.done() or ordered.cancelled()

    play(tmp_path, history)


def test_a_member_moves_to_another_peer_url_of_the_plan(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        wanted = planned(sandbox.paths.root, base_port=12379, port_step=10_100)
        told = await sandbox.cluster.operations.apply(wanted, dry_run=True)
        assert told["moved"]
        told = await sandbox.cluster.operations.apply(wanted, dry_run=False)
        urls = {each.name: each.peer_urls for each in sandbox.leader.store.members.values()}
        assert urls["infra2"] == (peer(22480),)
        assert [event.member for event in sandbox.told(Kind.MEMBER_MOVED)] == ["infra2", "infra3"]
        status = await sandbox.status()
        assert all(each.healthy for each in status.members)

    play(tmp_path, history)


def test_a_member_comes_when_the_links_relay_for_its_etcd_asks_the_others_once(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        links = sandbox.cluster.links
        assert isinstance(links, FakeLinks)
        links.relays.clear()
        adding = asyncio.create_task(sandbox.do("add"))
        await asyncio.sleep(7)
        assert set(listed(sandbox)) == {"infra1", "infra2", "infra3"}
        assert not adding.done()
        links.relays.set()
        assert (await adding).targets == ("infra4",)
        assert "infra4" in listed(sandbox)

    play(tmp_path, history)


def test_an_addition_that_etcd_never_takes_ends_in_time_and_says_why(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        with pytest.raises(TimedOut, match="infra4 was not added in time: etcd changes its"):
            await sandbox.do("add", timeout_s=1.0)
        assert set(listed(sandbox)) == {"infra1", "infra2", "infra3"}
        assert sandbox.cluster.spec.process("etcd4") is None

    play(tmp_path, history)


def test_a_plan_with_another_etcd_keeps_its_members(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        assert sandbox.cluster.spec.members[0].member.etcd == binary("3.6.16")
        told = await sandbox.cluster.operations.apply(sandbox.cluster.spec, dry_run=False)
        assert (told["changed"], told["came"], told["went"]) == ((), (), ())

    play(tmp_path, history)
