from __future__ import annotations

from functools import partial

from etcd_sandbox.learn.condition import Asks
from etcd_sandbox.learn.guide import Guide, Said, Tone
from etcd_sandbox.learn.lesson import parse_lesson
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.state import ClusterStatus, ProcessState
from msgspec.structs import replace

from tests.unit.learn.samples import PAGE, Story, another, down, member, status


def guide(until: str = "killed leader; leader elected") -> Guide:
    page = PAGE.replace("killed leader; leader elected", until)
    made = Guide(parse_lesson(page, "05-small.md").steps)
    meet(made, status(), 0.0)
    made.begin(status())
    return made


def meet(made: Guide, now: ClusterStatus, at_s: float) -> None:
    made.meet(now.supervisor.pid, now.bootstrap, at_s)


def feed(made: Guide, story: Story, now: ClusterStatus | None = None) -> list[Said]:
    for event in story.events:
        made.take_event(event)
    return made.look(now or status(), {})


def test_a_step_that_was_done_is_seen_with_its_figures() -> None:
    made = guide()
    story = Story().killed(1, "infra1")
    assert feed(made, story, status(down("infra1"), leader=None)) == []
    assert not made.done
    said = feed(made, story.leads(2.31, "infra3", 3), status(leader="infra3"))
    assert said == [
        Said(
            tone=Tone.SEEN,
            text="infra1 was killed, and it was the leader; infra3 leads in term 3 after 1.31 s",
        )
    ]
    assert made.done
    assert made.look(status(leader="infra3"), {}) == []


def test_the_wrong_member_killed_is_told_once_with_the_way_back() -> None:
    made = guide()
    now = status(member("infra1"), down("infra2"), member("infra3"))
    assert feed(made, Story().killed(1, "infra2"), now) == [
        Said(
            tone=Tone.ODD,
            text="infra2 was killed, and it was not the leader: this step asks for something else",
            remedy="etcd-sandbox start infra2",
        )
    ]
    assert made.look(now, {}) == []
    assert made.look(status(), {}) == [Said(tone=Tone.MENDED, text="the cluster is whole again")]
    assert made.look(status(), {}) == []
    assert not made.done


def test_after_the_wrong_member_the_right_one_counts() -> None:
    made = guide()
    story = Story().killed(1, "infra2")
    feed(made, story)
    feed(made, story.killed(3, "infra1").leads(4, "infra3", 3), status(leader="infra3"))
    assert made.done


def test_a_stop_is_not_a_kill() -> None:
    made = guide()
    (said,) = feed(made, Story().killed(1, "infra1", "SIGTERM", expected=True))
    assert said.tone is Tone.ODD
    assert "handed leadership over" in said.text
    assert said.remedy == "etcd-sandbox start infra1"
    assert not made.done


def test_several_that_were_stopped_at_once_are_one_sentence() -> None:
    made = guide("healthy")
    story = Story()
    for name in ("infra2", "infra3", "infra1"):
        story.killed(1, name, "SIGTERM", expected=True)
    (said,) = feed(made, story, status(*map(down, ("infra1", "infra2", "infra3")), leader=None))
    assert said.remedy == "etcd-sandbox start infra2 infra3 infra1"


def test_what_was_paused_from_outside_is_woken_from_outside() -> None:
    made = guide("healthy 2")
    made.go(0)
    made.begin(status())
    made = guide()
    made.take_hanging({"infra2": 77}, 5.0)
    (said,) = made.look(status(), {})
    assert said.remedy == "kill -CONT 77"


def test_who_hangs_when_a_step_begins_is_no_news() -> None:
    made = guide()
    made.take_hanging({"infra1": 77}, 5.0)
    made.look(status(), {})
    made.go(0)
    made.begin(status())
    made.take_hanging({"infra1": 77}, 6.0)
    assert made.look(status(), {}) == []


def test_a_partition_that_was_not_asked_for_is_healed() -> None:
    (said,) = feed(guide(), Story().fault(1, "partition", "infra1", "infra2", "infra3"))
    assert said.remedy == "etcd-sandbox heal"


def test_what_a_step_cannot_do_without_is_nothing_odd() -> None:
    made = guide("quorum lost")
    story = Story().killed(1, "infra2").killed(1, "infra1")
    assert feed(made, story, status(leader=None)) == []


def test_what_happened_before_a_step_does_not_count() -> None:
    made = Guide(parse_lesson(PAGE, "05-small.md").steps)
    meet(made, status(), 0.0)
    story = Story().killed(1, "infra1").leads(2, "infra3", 3)
    for event in story.events:
        made.take_event(event)
    made.begin(status(leader="infra3"))
    assert feed(made, story, status(leader="infra3")) == []
    assert made.has_taken(1, 2)
    assert not made.has_taken(1, 3)


def test_an_alarm_that_was_up_is_no_news() -> None:
    made = guide("healthy")
    raised = Event(
        seq=1,
        ts="2026-03-14T09:00:01Z",
        kind=Kind.ALARM_RAISED,
        member="infra2",
        fields={"alarm": "NOSPACE"},
    )
    made.begin(status(member("infra1", healthy=False)))
    made.take_event(raised)
    assert made.look(status(member("infra1", healthy=False)), {}) == []
    made.begin(status())
    made.take_event(replace(raised, seq=2))
    (said,) = made.look(status(member("infra1", healthy=False)), {})
    assert said.remedy == "etcd-sandbox ctl alarm list"


def test_a_step_to_be_looked_at_waits_for_the_learner() -> None:
    made = guide()
    made.go(1)
    made.begin(status())
    assert made.look(status(), {}) == []
    assert not made.done
    made.looked()
    assert made.look(status(), {}) == []
    assert made.done


def test_behind_the_last_step_there_is_none() -> None:
    made = guide()
    made.go(2)
    assert made.step is None
    assert made.look(status(), {}) == []
    made.go(-1)
    assert made.step is made.steps[0]


def test_only_the_keys_of_the_step_are_asked_for() -> None:
    assert guide().asked == ()
    (asked,) = guide("healthy; key a is b").asked
    assert asked.key == "a"


def test_a_paused_member_is_not_whole() -> None:
    made = guide("healthy")
    paused = member("infra1", state=ProcessState.PAUSED, role=None, healthy=False)
    assert made.look(status(paused, member("infra2"), member("infra3")), {}) == []
    assert not made.done


def test_a_step_that_means_to_take_the_cluster_down_takes_it_for_no_accident() -> None:
    made = guide("bootstrapped discovery")
    story = Story()
    for name in ("infra2", "infra3", "infra1"):
        story.killed(1, name, expected=True)
    assert feed(made, story, status(*map(down, ("infra1", "infra2", "infra3")), leader=None)) == []
    said = made.gone("Enter")
    assert said.tone is Tone.SEEN
    assert "this step brings it up again" in said.text
    meet(made, another("discovery"), 9.0)
    (seen,) = made.look(another("discovery"), {})
    assert seen.tone is Tone.SEEN
    assert made.done


def test_a_cluster_that_goes_amid_another_step_is_an_accident() -> None:
    said = guide().gone("Enter")
    assert said.tone is Tone.ODD
    assert "Enter brings it up again" in said.text


def test_the_events_of_another_supervisor_are_taken_from_their_first() -> None:
    made = guide("bootstrapped dns; killed leader")
    feed(made, Story().leads(1, "infra2", 3).leads(2, "infra3", 4).leads(3, "infra1", 5))
    meet(made, another("dns"), 4.0)
    assert not made.has_taken(2, 1)
    feed(made, Story().leads(5, "infra1", 2).killed(6, "infra1"), another("dns"))
    assert made.has_taken(2, 2)
    assert made.done


def test_a_cluster_that_came_up_in_a_wrong_way_is_told_once_and_may_go_again() -> None:
    made = guide("bootstrapped discovery")
    now = another("dns")
    meet(made, now, 1.0)
    assert made.look(another("dns", "process", member("infra1", healthy=False)), {}) == [
        Said(
            tone=Tone.ODD,
            text="the cluster was brought up again: the members found each other by DNS SRV "
            "records, and each member is a process: this step asks for something else",
            remedy="etcd-sandbox down --purge",
        )
    ]
    assert made.look(now, {}) == []
    assert made.gone("Enter").tone is Tone.SEEN
    again = replace(another("discovery"), supervisor=replace(now.supervisor, pid=3))
    meet(made, again, 2.0)
    (seen,) = made.look(again, {})
    assert seen.tone is Tone.SEEN


def test_one_that_came_up_as_it_was_is_told_only_where_that_is_not_enough() -> None:
    accident, halfway = guide(), guide("bootstrapped discovery")
    for made in (accident, halfway):
        meet(made, another("static"), 1.0)
    assert accident.look(another("static"), {}) == []
    (said,) = halfway.look(another("static"), {})
    assert said.tone is Tone.ODD


def test_a_cluster_that_came_up_before_the_step_began_is_no_news() -> None:
    made = guide()
    made.go(0)
    meet(made, another("dns"), 1.0)
    made.begin(another("dns"))
    assert made.look(another("dns"), {}) == []


def test_a_member_that_was_removed_is_brought_back_by_replacing_it() -> None:
    made = guide()
    story = Story().add(1, Kind.MEMBER_REMOVED, "infra2")
    story.add(1.01, Kind.PROCESS_EXITED, "infra2", code=0, signal=None, expected=False)
    gone = member("infra2", state=ProcessState.REMOVED, role=None, healthy=False)
    without = status(member("infra1"), gone, member("infra3"))
    assert feed(made, story, without) == [
        Said(
            tone=Tone.ODD,
            text="infra2 was removed: this step asks for something else",
            remedy="etcd-sandbox replace infra2",
        )
    ]
    assert made.look(without, {}) == [], "two that are healthy are not the three that there were"
    story.add(9, Kind.MEMBER_ADDED, "infra2", learner=True)
    assert feed(made, story) == [Said(tone=Tone.MENDED, text="the cluster is whole again")]


def test_a_member_that_nobody_asked_for_is_removed_again() -> None:
    made = guide()
    story = Story().add(1, Kind.MEMBER_ADDED, "infra4", learner=False)
    four = status(*map(member, ("infra1", "infra2", "infra3", "infra4")))
    (said,) = feed(made, story, four)
    assert said.text == "infra4 was added with a vote: this step asks for something else"
    assert said.remedy == "etcd-sandbox remove infra4"
    assert made.look(four, {}) == []
    story.add(3, Kind.MEMBER_REMOVED, "infra4")
    assert [each.tone for each in feed(made, story)] == [Tone.MENDED]


def test_a_member_that_is_to_come_is_not_to_come_with_a_vote() -> None:
    for learner, odd in ((True, 0), (False, 1)):
        story = Story().add(1, Kind.MEMBER_ADDED, "infra4", learner=learner)
        assert len(feed(guide("learner infra4"), story)) == odd
    story = Story().add(1, Kind.MEMBER_REMOVED, "infra4")
    assert feed(guide("removed infra4"), story) == []
    assert len(feed(guide("removed infra3"), Story().add(1, Kind.MEMBER_REMOVED, "infra2"))) == 1


def upgraded(story: Story, at_s: float, who: str, before: str, after: str) -> Story:
    story.add(at_s, Kind.PROCESS_EXITED, who, signal="SIGTERM", expected=True)
    story.add(at_s + 0.1, Kind.PROCESS_STARTED, who, pid=7)
    return story.add(at_s + 0.2, Kind.MEMBER_UPGRADED, who, **{"from": before, "to": after})


def test_the_wrong_member_upgraded_goes_back_as_long_as_an_old_one_is_there() -> None:
    old, new = (partial(member, version=version) for version in ("3.4.23", "3.5.1"))
    made = guide("version infra2 3.5")
    made.begin(status(*map(old, ("infra1", "infra2", "infra3"))))
    story = upgraded(Story(), 1, "infra3", "3.4.23", "3.5.1")
    (said,) = feed(made, story, status(old("infra1"), old("infra2"), new("infra3")))
    assert said.text.startswith("infra3 was brought from etcd 3.4.23 to 3.5.1: this step asks")
    assert said.remedy == "etcd-sandbox upgrade infra3 --to 3.4"
    upgraded(story, 3, "infra3", "3.5.1", "3.4.23")
    assert feed(made, story, status(*map(old, ("infra1", "infra2", "infra3")))) == []
    upgraded(upgraded(story, 5, "infra1", "3.4.23", "3.5.1"), 6, "infra2", "3.4.23", "3.5.1")
    upgraded(story, 7, "infra3", "3.4.23", "3.5.1")
    odd, seen = feed(made, story, status(*map(new, ("infra1", "infra2", "infra3"))))
    assert "no member is left of the old version, there is no way back" in odd.text
    assert odd.remedy == ""
    assert seen.text == "infra2 runs etcd 3.5.1"


def test_only_what_a_step_needs_is_asked_of_a_member() -> None:
    assert guide().asks == frozenset()
    made = guide("voter infra3; removed infra2; cluster version 3.5")
    assert made.asks == {Asks.MEMBERS, Asks.VERSION}
