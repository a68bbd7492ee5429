"""Histories of faults that are half of something, that pass, and that have their time, on the model of etcd."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any, cast

import pytest
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.words import story

from tests.fakes.machine import FakeLinks
from tests.fakes.sandbox import Sandbox, play

OF_FAULTS = (
    Kind.FAULT_PLANNED,
    Kind.FAULT_DROPPED,
    Kind.FAULT_APPLIED,
    Kind.FAULT_PASSED,
    Kind.FAULT_HEALED,
)


async def faults(sandbox: Sandbox) -> list[str]:
    """The faults that `status` shows, in words."""
    found = [dict(cast(Any, fault)) for fault in (await sandbox.status()).faults]
    return [story.fault_words({**fault, "heals_in_s": None}) for fault in found]


def told(sandbox: Sandbox) -> list[str]:
    """What was told of faults, in words."""
    return [story.sentence(event.to_wire()) for event in sandbox.told(*OF_FAULTS)]


# Half of a link.


def test_a_follower_that_hears_no_leader_has_none_and_the_others_go_on(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader, deaf = sandbox.leader.member.name, sandbox.followers[0].member.name
        verdict = await sandbox.do("partition", leader, versus=(deaf,), one_way=True)
        assert (verdict.leader_after, verdict.leaderless) == (leader, (deaf,))
        words = f"nothing that {leader} sends reaches {deaf}"
        assert await faults(sandbox) == [words]
        await sandbox.do("heal")
        assert told(sandbox) == [words, f"{words} no more"]

    play(tmp_path, history)


def test_a_leader_that_is_not_answered_steps_down_and_one_that_is_not_heard_as_well(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        for deaf in (True, False):
            old = sandbox.leader.member.name
            others = tuple(each.member.name for each in sandbox.followers)
            side, versus = (others, (old,)) if deaf else ((old,), others)
            verdict = await sandbox.do("partition", *side, versus=versus, one_way=True)
            assert verdict.leader_before == old
            assert verdict.leader_after in others
            assert (verdict.leader_gap_s or 0) > 0.3
            await sandbox.do("heal")
            assert await faults(sandbox) == []

    play(tmp_path, history)


def test_one_way_and_both_ways_are_two_faults_and_different_kinds_add_up(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        for verb, options in (
            ("slow", {"delay_s": 0.01}),
            ("throttle", {"bytes_per_s": 64e3}),
            ("throttle", {"bytes_per_s": 1e6}),
            ("flaky", {"stall": 0.05, "reset": 0.0, "seed": 7}),
            ("cut", {"one_way": True}),
        ):
            await sandbox.do(verb, "infra1", versus=("infra2",), wait=False, **options)
        assert await faults(sandbox) == [
            "the links between infra1 and infra2 are slow by 10 ms a way",
            "the links between infra1 and infra2 let 1 MB/s pass a way",
            "the links between infra1 and infra2 are flaky: 5 % of the pieces stall",
            "nothing that infra1 sends reaches infra2",
        ]
        rules = sandbox.machine.rules
        assert rules["etcd1", "etcd2"].cut
        back = rules["etcd2", "etcd1"]
        assert (back.cut, back.delay_s, back.bytes_per_s, back.stall) == (False, 0.01, 1e6, 0.05)
        await sandbox.do("heal", wait=False)
        assert sandbox.machine.rules == {}

    play(tmp_path, history)


@pytest.mark.parametrize(
    ("verb", "versus", "before", "after"),
    [
        ("slow", ("infra2",), {"delay_s": 0.01}, {"delay_s": 0.02}),
        ("throttle", (), {"bytes_per_s": 64e3}, {"bytes_per_s": 1e6}),
        ("starve", (), {"share": 0.5}, {"share": 0.9}),
    ],
)
def test_what_a_later_fault_replaces_is_told_to_be_gone(
    tmp_path: Path,
    verb: str,
    versus: tuple[str, ...],
    before: dict[str, float],
    after: dict[str, float],
) -> None:
    async def history(sandbox: Sandbox) -> None:
        for how in (before, after, after):
            await sandbox.do(verb, "infra1", versus=versus, wait=False, **how)
        await sandbox.do("heal", wait=False)
        ((figure, _),) = before.items()
        told = [
            (event.kind, event.fields[figure])
            for event in sandbox.told(Kind.FAULT_APPLIED, Kind.FAULT_HEALED)
        ]
        assert told == [
            (kind, how[figure])
            for how in (before, after)
            for kind in (Kind.FAULT_APPLIED, Kind.FAULT_HEALED)
        ]

    play(tmp_path, history)


def test_flaky_links_have_a_seed_and_say_it(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("flaky", "all", stall=0.05, reset=0.0, wait=False)
        assert verdict.seed is not None
        (fault,) = (await sandbox.status()).faults
        assert fault["seed"] == verdict.seed
        assert {rule.seed for rule in sandbox.machine.rules.values()} == {verdict.seed}

    play(tmp_path, history)


def test_a_reset_is_told_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("reset", "infra1", versus=("infra2",))
        assert verdict.leader_after == verdict.leader_before
        assert await faults(sandbox) == []
        assert told(sandbox) == ["the connections between infra1 and infra2 were reset"]
        links = cast(FakeLinks, sandbox.cluster.links)
        assert [set(pairs) for pairs in links.resets] == [{("etcd1", "etcd2"), ("etcd2", "etcd1")}]
        assert not (await sandbox.do("heal")).targets

    play(tmp_path, history)


# Time.


@pytest.mark.parametrize(
    ("verb", "options", "applied", "healed"),
    [
        ("pause", {}, "infra1 paused", "infra1 goes on"),
        (
            "starve",
            {"share": 0.5},
            "infra1 runs for 50 % of the time",
            "infra1 runs all the time again",
        ),
        (
            "throttle",
            {"bytes_per_s": 1e6},
            "the links of infra1 let 1 MB/s pass a way",
            "the links of infra1 let 1 MB/s pass a way no more",
        ),
    ],
)
def test_a_fault_heals_by_itself_when_its_time_is_over_and_others_stay(
    tmp_path: Path, verb: str, options: dict[str, Any], applied: str, healed: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("slow", "infra2", delay_s=0.01, wait=False)
        before = len(told(sandbox))
        await sandbox.do(verb, "infra1", for_s=5.0, wait=False, **options)
        await asyncio.sleep(4.5)
        assert len(await faults(sandbox)) == 2
        left = [
            fault["heals_in_s"]
            for fault in (await sandbox.status()).faults
            if "heals_in_s" in fault
        ]
        assert left == [pytest.approx(0.5, abs=0.3)]
        await asyncio.sleep(1)
        assert await faults(sandbox) == ["the links of infra2 are slow by 10 ms a way"]
        assert told(sandbox)[before:] == [applied, healed]

    play(tmp_path, history)


@pytest.mark.parametrize(
    ("verb", "options"), [("pause", {}), ("starve", {"share": 0.5}), ("partition", {})]
)
def test_a_fault_that_is_made_anew_has_the_time_of_the_later_order(
    tmp_path: Path, verb: str, options: dict[str, Any]
) -> None:
    async def history(sandbox: Sandbox) -> None:
        for again in (None, 9.0):
            await sandbox.do(verb, "infra1", for_s=2.0, wait=False, **options)
            more = {} if again is None else {"for_s": again}
            await sandbox.do(verb, "infra1", wait=False, **options, **more)
            await asyncio.sleep(4)
            assert len(await faults(sandbox)) == 1
            if again is not None:
                await asyncio.sleep(6)
                assert await faults(sandbox) == []
            await sandbox.do("heal", wait=False)
        # What was healed by hand meanwhile is not healed again.
        await sandbox.do(verb, "infra1", for_s=2.0, wait=False, **options)
        await sandbox.do("heal", wait=False)
        await sandbox.do(verb, "infra1", wait=False, **options)
        await asyncio.sleep(3)
        assert len(await faults(sandbox)) == 1
        assert len(sandbox.told(Kind.FAULT_HEALED)) == 3

    play(tmp_path, history)


def test_a_fault_that_is_to_come_is_shown_and_hits_who_leads_by_then(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        verdict = await sandbox.do("pause", "leader", after_s=10.0, for_s=1.0)
        assert (verdict.targets, verdict.in_s, verdict.quorum) == (("leader",), 10.0, None)
        assert await faults(sandbox) == []
        (planned,) = (await sandbox.status()).planned
        assert (planned["order"], planned["in_s"]) == ("pause leader", pytest.approx(10, abs=0.5))
        other = sandbox.followers[0].member.name
        await sandbox.do("move-leader", other)
        await sandbox.until(lambda: bool(sandbox.told(Kind.FAULT_APPLIED)))
        assert (await sandbox.status()).planned == ()
        await asyncio.sleep(2)
        assert told(sandbox) == [
            "in 10 s: pause leader",
            f"{other} paused",
            f"{other} goes on",
        ]

    play(tmp_path, history)


def test_heal_drops_what_is_to_come_and_says_so(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("partition", "infra1", after_s=3.0, versus=("infra2",))
        verdict = await sandbox.do("heal")
        assert verdict.notes == ("partition infra1 vs infra2 will not be done",)
        await asyncio.sleep(5)
        assert (await sandbox.status()).planned == ()
        assert told(sandbox) == [
            "in 3 s: partition infra1 vs infra2",
            "partition infra1 vs infra2 is not done: heal came first",
        ]

    play(tmp_path, history)


def test_heal_drops_also_what_waits_for_its_turn(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        sandbox.machine.answer_late_s |= dict.fromkeys(sandbox.machine.etcds, 0.12)
        await sandbox.do("pause", "infra1", after_s=3.0)
        await asyncio.sleep(2.95)
        # The time of the pause comes while `heal` has asked who there is, and not healed yet.
        healing = asyncio.ensure_future(sandbox.do("heal", wait=False))
        await sandbox.until(lambda: not sandbox.cluster.members.faults.plans.told())
        assert not healing.done()
        assert (await healing).notes == ("pause infra1 will not be done",)
        await asyncio.sleep(1)
        assert await faults(sandbox) == []

    play(tmp_path, history)


def test_what_can_no_more_be_meant_when_its_time_is_there_is_told(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await sandbox.do("partition", "infra3", after_s=20.0)
        await sandbox.do("remove", "infra3")
        await asyncio.sleep(20)
        assert told(sandbox)[-1] == (
            "partition infra3 is not done: infra3 was removed from the cluster"
        )

    play(tmp_path, history)


def test_a_role_that_nobody_has_now_may_be_somebodys_by_then(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        await sandbox.do("pause", "learners", after_s=1.0)
        await sandbox.do("pause", "learners", after_s=60.0)
        await asyncio.sleep(2)
        await sandbox.do("add", learner=True, timeout_s=50.0)
        await asyncio.sleep(60)
        assert told(sandbox)[2:] == [
            "pause learners is not done: 'learners' matches nothing: every member has a vote",
            "infra4 paused",
        ]

    play(tmp_path, history)


@pytest.mark.parametrize(
    ("verb", "select", "versus", "says"),
    [
        ("pause", ("nobody",), (), "nobody"),
        ("partition", ("all",), (), "nobody is on the other side"),
        ("throttle", ("infra1",), ("nobody",), "nobody"),
    ],
)
def test_what_can_never_be_meant_is_refused_before_its_time(
    tmp_path: Path, verb: str, select: tuple[str, ...], versus: tuple[str, ...], says: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        with pytest.raises(InputError, match=says):
            await sandbox.do(verb, *select, versus=versus, after_s=1.0, bytes_per_s=1.0)
        assert (await sandbox.status()).planned == ()
        assert told(sandbox) == []

    play(tmp_path, history)


# Starved processes.


def test_a_starved_process_runs_in_turns_for_its_share(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        follower = sandbox.followers[0]
        await sandbox.do("starve", follower.member.name, share=0.2, wait=False)
        ran = 0
        for _ in range(200):
            ran += not follower.paused
            await asyncio.sleep(0.005)
        assert ran / 200 == pytest.approx(0.2, abs=0.05)
        status = await sandbox.status()
        member = next(each for each in status.members if each.name == follower.member.name)
        assert member.state is ProcessState.RUNNING
        await sandbox.do("starve", follower.member.name, share=0.6, wait=False)
        assert await faults(sandbox) == [f"{follower.member.name} runs for 60 % of the time"]
        await sandbox.do("heal", wait=False)
        assert not follower.paused
        await asyncio.sleep(1)
        assert not follower.paused

    play(tmp_path, history)


def test_a_starved_process_that_is_paused_hangs_and_resume_ends_both(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        follower = sandbox.followers[0]
        name = follower.member.name
        await sandbox.do("starve", name, share=0.9, wait=False)
        await sandbox.do("pause", name, wait=False)
        for _ in range(50):
            assert follower.paused
            await asyncio.sleep(0.01)
        assert sorted(await faults(sandbox)) == [
            f"{name} is paused",
            f"{name} runs for 90 % of the time",
        ]
        verdict = await sandbox.do("resume", name, wait=False)
        assert verdict.processes[0].done
        assert await faults(sandbox) == []
        await asyncio.sleep(1)
        assert not follower.paused
        assert not (await sandbox.do("resume", name, wait=False)).processes[0].done

    play(tmp_path, history)


@pytest.mark.parametrize("end", ["kill", "stop", "restart", "remove", "replace"])
@pytest.mark.parametrize("verb", ["pause", "starve"])
def test_a_fault_of_a_process_ends_with_it(tmp_path: Path, verb: str, end: str) -> None:
    async def history(sandbox: Sandbox) -> None:
        follower = sandbox.followers[0]
        name = follower.member.name
        await asyncio.sleep(6)  # etcd refuses changes of the members before
        await sandbox.do(verb, name, share=0.05, for_s=8.0, wait=False)
        await sandbox.do(end, name, wait=False, timeout_s=60.0)
        assert await faults(sandbox) == []
        if end in ("kill", "stop"):
            await sandbox.do("start", name, wait=False)
        await asyncio.sleep(8)
        assert await faults(sandbox) == []
        assert all(not each.paused for each in sandbox.machine.running())
        if verb == "starve":
            assert told(sandbox) == [
                f"{name} runs for 5 % of the time",
                f"{name} runs all the time again",
            ]

    play(tmp_path, history)


@pytest.mark.parametrize("end", ["kill", "restart", "replace"])
def test_a_fault_on_links_outlives_the_process_of_its_member(tmp_path: Path, end: str) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        name = sandbox.followers[0].member.name
        await sandbox.do("throttle", name, bytes_per_s=1e6, wait=False)
        before = dict(sandbox.machine.rules)
        await sandbox.do(end, name, wait=False, timeout_s=60.0)
        await sandbox.do("start", name, wait=False)
        assert sandbox.machine.rules == before
        assert len(await faults(sandbox)) == 1

    play(tmp_path, history)


def test_a_fault_on_links_goes_with_its_member_and_is_not_of_one_that_comes(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        await sandbox.do("throttle", "infra3", versus=("infra1",), bytes_per_s=1e6, wait=False)
        await sandbox.do("slow", "infra1", delay_s=0.01, wait=False)
        await sandbox.do("add", wait=False, timeout_s=60.0)
        pairs = set(sandbox.machine.rules)
        assert not any("etcd4" in pair for pair in pairs)
        await sandbox.do("remove", "infra3", wait=False, timeout_s=60.0)
        assert await faults(sandbox) == ["the links of infra1 are slow by 10 ms a way"]
        (fault,) = (await sandbox.status()).faults
        assert fault["versus"] == ["infra1", "infra2"]
        assert not any("etcd3" in pair for pair in sandbox.machine.rules)
        assert "the links between infra3 and infra1 let 1 MB/s pass a way no more" in told(sandbox)

    play(tmp_path, history)


def test_a_member_that_is_cut_one_way_is_not_replaced(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        await sandbox.do("cut", "infra1", versus=("infra2",), one_way=True, wait=False)
        with pytest.raises(SandboxError, match="links of infra2 are cut"):
            await sandbox.do("replace", "infra2")

    play(tmp_path, history)


def test_a_process_that_gets_a_signal_from_us_is_starved_on(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        follower = sandbox.followers[0]
        await sandbox.do("starve", follower.member.name, share=0.5, wait=False)
        await sandbox.do("kill", follower.member.name, signal=signal.SIGCONT, wait=False)
        assert len(await faults(sandbox)) == 1
        await sandbox.until(lambda: follower.paused, 1)
        await sandbox.until(lambda: not follower.paused, 1)

    play(tmp_path, history)


# Clients.


def test_clients_are_the_other_side_and_the_product_asks_past_their_links(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        leader = sandbox.leader.member
        assert leader.client_url != leader.endpoint == leader.advertised_client_url
        links = cast(FakeLinks, sandbox.cluster.links)
        assert len(links._links) == 6
        verdict = await sandbox.do("partition", "leader", versus=("clients",))
        # Nothing is said of reads: those that are tried came past the links of clients.
        assert (verdict.versus, verdict.reads, verdict.quorum) == (("clients",), None, None)
        words = f"{leader.name} is cut off from clients"
        assert await faults(sandbox) == [words]
        assert (await sandbox.status()).quorum.healthy == 3
        await sandbox.do("slow", "infra1", versus=("infra2", "clients"), delay_s=0.1, wait=False)
        (slow, *_) = [fault for fault in (await sandbox.status()).faults if fault["kind"] == "slow"]
        assert slow["versus"] == ["infra2", "clients"]
        await sandbox.do("heal", wait=False)
        assert sandbox.machine.rules == {}

    play(tmp_path, history, client_links=True)


def test_a_member_that_comes_has_a_link_for_clients_and_one_that_goes_takes_its_faults(
    tmp_path: Path,
) -> None:
    async def history(sandbox: Sandbox) -> None:
        await asyncio.sleep(6)
        await sandbox.do("add", timeout_s=60.0)
        assert ("etcd4", True) in {
            (link.member, link.clients) for link in cast(FakeLinks, sandbox.cluster.links)._links
        }
        await sandbox.do("cut", "infra4", versus=("clients",), refuse=True)
        assert await faults(sandbox) == ["infra4 refuses clients"]
        await sandbox.do("restart", "infra4", wait=False)
        assert await faults(sandbox) == ["infra4 refuses clients"]
        await sandbox.do("remove", "infra4", wait=False, timeout_s=60.0)
        assert await faults(sandbox) == []
        assert told(sandbox) == ["infra4 refuses clients", "infra4 refuses clients no more"]

    play(tmp_path, history, client_links=True)


@pytest.mark.parametrize(
    ("verb", "select", "versus", "options", "says"),
    [
        ("partition", "clients", "infra1", {}, "clients are the other side of partition"),
        ("cut", "infra1", "infra2", {"refuse": True}, "--refuse is for clients"),
        ("partition", "infra1", "customers", {}, "'customers'"),
    ],
)
def test_what_cannot_be_meant_of_clients_is_refused(
    tmp_path: Path, verb: str, select: str, versus: str, options: dict[str, Any], says: str
) -> None:
    async def history(sandbox: Sandbox) -> None:
        with pytest.raises(InputError, match=says):
            await sandbox.do(verb, select, versus=(versus,), **options)
        assert sandbox.machine.rules == {}

    play(tmp_path, history, client_links=True)


def test_without_client_links_the_mend_is_named(tmp_path: Path) -> None:
    async def history(sandbox: Sandbox) -> None:
        with pytest.raises(SandboxError, match="no link between infra1 and its clients") as refused:
            await sandbox.do("cut", "infra1", versus=("clients",))
        assert "up --client-links" in refused.value.hint

    play(tmp_path, history)
