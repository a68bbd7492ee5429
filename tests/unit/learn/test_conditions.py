from __future__ import annotations

import pytest
from etcd_sandbox.learn.conditions import parse_condition, vocabulary
from etcd_sandbox.learn.record import Known, Pairs, Record, View
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import AlarmStatus, ClusterStatus, Peer, ProcessState, Role
from msgspec.structs import replace

from tests.unit.learn.samples import BEGAN, Story, another, down, member, status


def seen(
    text: str,
    story: Story | None = None,
    now: ClusterStatus | None = None,
    began: ClusterStatus | None = None,
    keys: dict[str, Pairs] | None = None,
    known: Known | None = None,
) -> str | None:
    began = began or status()
    record = Record(leader=began.leader)
    for event in (story or Story()).events:
        record.take(event)
    view = View(
        status=now or status(),
        began=began,
        record=record,
        keys=keys or {},
        known=known or Known(),
    )
    return parse_condition(text).met(view)


def test_a_killed_leader_is_told_from_a_killed_follower() -> None:
    leader, follower = Story().killed(1, "infra1"), Story().killed(1, "infra2")
    assert seen("killed leader", leader) == "infra1 was killed, and it was the leader"
    assert seen("killed leader", follower) is None
    assert seen("killed follower", follower) == "infra2 was killed"
    assert seen("killed follower", leader) is None
    assert seen("killed infra2", follower) == seen("killed any", follower) == "infra2 was killed"
    assert seen("killed infra3", follower) is None


def test_a_member_that_led_before_is_the_leader_no_more() -> None:
    story = Story().killed(1, "infra1").leads(2, "infra2", 3).killed(3, "infra1")
    assert [each.led for each in record_of(story).incidents] == [True, False]


def record_of(story: Story) -> Record:
    record = Record(leader="infra1")
    for event in story.events:
        record.take(event)
    return record


@pytest.mark.parametrize(
    ("signal", "expected", "what"),
    [
        ("SIGKILL", False, "killed"),
        ("SIGKILL", True, "stopped"),
        ("SIGTERM", False, "stopped"),
        ("SIGINT", False, "stopped"),
        ("SIGSEGV", False, "ended"),
    ],
)
def test_how_a_member_went_is_told_by_its_signal(signal: str, expected: bool, what: str) -> None:
    story = Story().killed(1, "infra2", signal, expected=expected)
    assert record_of(story).incidents[0].what == what


def test_a_stopped_leader_is_one_that_had_just_handed_over() -> None:
    story = Story().leads(1, "infra2", 3)
    story.add(
        1.001, Kind.LEADER_TRANSFERRED, "infra2", **{"from": "infra1", "to": "infra2", "term": 3}
    )
    story.killed(1.2, "infra1", "SIGTERM", expected=True)
    now = status(leader="infra2")
    assert seen("stopped leader", story, now) == (
        "infra1 was stopped, and handed leadership over before it went"
    )
    assert seen("leader elected", story, now) == (
        "infra2 leads in term 3, by a hand-over: nobody had to wait for an election timeout"
    )


def test_the_gap_is_counted_from_what_hit_the_leader() -> None:
    story = Story().killed(1.0, "infra1")
    story.add(2.2, Kind.LEADER_LOST, "infra1", term=2).leads(2.31, "infra3", 3)
    assert (
        seen("leader elected", story, status(leader="infra3"))
        == "infra3 leads in term 3 after 1.31 s"
    )
    assert seen("leader elected", story, status(leader=None)) is None


def test_a_gap_without_a_cause_is_counted_from_the_loss() -> None:
    story = Story().add(2.0, Kind.LEADER_LOST, "infra1", term=2).leads(2.5, "infra3", 3)
    assert (
        seen("leader elected", story, status(leader="infra3"))
        == "infra3 leads in term 3 after 0.50 s"
    )


def test_each_gap_is_counted_anew() -> None:
    story = Story().killed(1.0, "infra1").leads(2.0, "infra2", 3)
    story.add(9.0, Kind.LEADER_LOST, "infra2", term=3).leads(9.5, "infra3", 4).leads(
        20.0, "infra1", 5
    )
    gaps = [each.after_s for each in record_of(story).elections]
    assert gaps == [1.0, 0.5, None]


def test_a_hit_follower_is_no_loss_of_the_leader() -> None:
    story = (
        Story().killed(1.0, "infra2").fault(2.0, "slow", "infra1", "infra2").leads(9.0, "infra3", 3)
    )
    assert [each.after_s for each in record_of(story).elections] == [None]


def test_no_election_is_none() -> None:
    assert seen("leader elected", Story().killed(1, "infra2")) is None


def test_pauses_come_by_event_or_from_outside() -> None:
    story = Story().fault(1, "pause", "infra1")
    assert seen("paused leader", story) == "infra1 was paused, and it was the leader"
    record = Record(leader="infra1")
    record.take_hanging({"infra1": 7}, 5.0)
    record.take_hanging({}, 6.0)
    assert [(each.what, each.who, each.led) for each in record.incidents] == [
        ("paused", ("infra1",), True),
        ("resumed", ("infra1",), True),
    ]


@pytest.mark.parametrize(
    ("story", "gap_s"),
    [
        (Story().add(2.0, Kind.LEADER_LOST, "infra1", term=2), 2.0),
        (Story().leads(2.3, "infra2", 3), None),
        (Story().add(2.0, Kind.LEADER_LOST, "infra1", term=2).leads(2.3, "infra2", 3), None),
    ],
    ids=["lost", "replaced", "lost and replaced"],
)
def test_a_leader_that_hangs_is_known_as_that_though_its_loss_was_told_first(
    story: Story, gap_s: float | None
) -> None:
    record = record_of(story)
    leader = record.leader
    record.take_hanging({"infra1": 7}, BEGAN.timestamp() + 2.9)
    assert [(each.what, each.led) for each in record.incidents] == [("paused", True)]
    assert record.leader == leader
    record.take(Story().leads(4.0, "infra3", 4).events[0])
    assert record.elections[-1].after_s == gap_s


def test_who_led_long_before_or_gave_it_away_does_not_lead_when_it_hangs() -> None:
    story = Story().add(2.0, Kind.LEADER_LOST, "infra1", term=2).leads(2.3, "infra2", 3)
    late = record_of(story)
    late.take_hanging({"infra1": 7}, BEGAN.timestamp() + 8.0)
    story.add(
        2.3, Kind.LEADER_TRANSFERRED, "infra2", **{"from": "infra1", "to": "infra2", "term": 3}
    )
    handed_over = record_of(story)
    handed_over.take_hanging({"infra1": 7}, BEGAN.timestamp() + 2.9)
    for record in (late, handed_over):
        assert [(each.what, each.led) for each in record.incidents] == [("paused", False)]


def test_a_partition_may_name_a_side() -> None:
    story = Story().fault(1, "partition", "infra1 infra2", "infra3")
    words = "infra1, infra2 were cut off from infra3"
    assert seen("partitioned", story) == seen("partitioned infra2 infra1", story) == words
    assert seen("partitioned infra3", story) == words
    assert seen("partitioned infra1", story) is None
    assert seen("cut", story) is None


def test_healed_needs_that_no_fault_is_left() -> None:
    broken = replace(status(), faults=({"kind": "cut"},))
    story = Story().fault(1, "partition", "infra1", "infra2", healed=True)
    assert seen("healed", story, began=broken) == "no fault is left"
    assert seen("healed", story, now=broken, began=broken) is None
    assert seen("healed", began=broken) is None


def test_healthy_is_all_or_a_number() -> None:
    two = status(member("infra1"), member("infra2"), down("infra3"))
    assert seen("healthy") == "all 3 members are healthy and infra1 leads in term 2"
    assert seen("healthy", now=two) is None
    assert seen("healthy", now=replace(status(), faults=({"kind": "pause"},))) is None
    assert seen("healthy 2", now=two) == "infra1, infra2 are healthy, infra1 leads"
    assert seen("healthy 2") is None


def test_a_quorum_is_lost_and_regained() -> None:
    lost = status(member("infra1", healthy=False), down("infra2"), down("infra3"), leader=None)
    story = Story().add(1, Kind.QUORUM_LOST, voters=3, needed=2, up=1, reach=1)
    assert seen("quorum lost", story, lost) == "quorum lost: 1 of 3 up, 2 needed"
    assert seen("quorum lost", now=lost) is None
    assert seen("quorum lost", story) is None
    back = Story().add(1, Kind.QUORUM_REGAINED, voters=3, needed=2, up=2, reach=2)
    assert seen("quorum regained", back, began=lost) == (
        "there is a quorum: 3 of 3 members are healthy, infra1 leads in term 2"
    )
    assert seen("quorum regained", now=lost, began=lost) is None


def test_elections_are_counted_with_their_median() -> None:
    story = Story()
    for number, gap in enumerate((1.0, 3.0, 2.0)):
        at = 10.0 * number
        leader = "infra1" if number % 2 == 0 else "infra2"
        story.killed(at, leader).leads(
            at + gap, "infra2" if number % 2 == 0 else "infra1", 3 + number
        )
    assert seen("elections 3", story) == (
        "3 elections; infra1 leads in term 2; 2.00 s without a leader in the median"
    )
    assert seen("elections 4", story) is None


def test_keys_are_there_gone_or_have_a_value() -> None:
    there: dict[str, Pairs] = {
        "a": (("a", "1"),),
        "b": (),
        "work/": (("work/x", ""), ("work/y", "")),
    }
    assert seen("key a is 1", keys=there) == "the key a is '1'"
    assert seen("key a is 2", keys=there) is None
    assert seen("key a exists", keys=there) == "the key a is there"
    assert seen("key b gone", keys=there) == "the key b is gone"
    assert seen("key a gone", keys=there) is None
    assert seen("key c gone", keys=there) is None  # nobody answered
    assert seen("keys work/ 2", keys=there) == "2 keys begin with work/"
    assert seen("keys work/ 1", keys=there) is None
    assert parse_condition("key a is c d").key == "a"
    assert parse_condition("keys work/ 2").prefix == "work/"


def test_an_alarm_is_raised_and_gone() -> None:
    story = Story().add(1, Kind.ALARM_RAISED, "infra2", alarm="NOSPACE")
    assert (
        seen("alarm NOSPACE", story) == "the alarm NOSPACE is up; the largest database has 20.0 KiB"
    )
    assert seen("alarm CORRUPT", story) is None
    assert seen("no alarm") == "no alarm is up and every member is healthy"
    assert seen("no alarm", now=status(member("infra1", healthy=False))) is None
    up = replace(status(member("infra1")), alarms=(AlarmStatus(alarm="NOSPACE", member="infra1"),))
    assert seen("no alarm", now=up) is None


def test_roles_members_versions_and_leaders_are_read_from_the_status() -> None:
    four = status(*map(member, ("infra1", "infra2", "infra3")), member("infra4", role=Role.LEARNER))
    assert seen("role infra4 learner", now=four) == "infra4 is a learner"
    assert seen("role infra3 learner", now=four) is None
    assert seen("role infra9 learner", now=four) is None
    assert seen("members 4", now=four) == "the cluster has 4 members, all healthy"
    assert seen("members 3", now=four) is None
    assert seen("version infra1 3.5") == "infra1 runs etcd 3.5.1"
    assert seen("version infra1 3.50") is None
    assert seen("leader is infra1") == "infra1 leads in term 2"
    assert seen("leader is infra2") is None


def test_the_term_of_one_that_stands_in_vain_is_told_by_its_log() -> None:
    asks = Story().add(1, Kind.CANDIDATE, "infra3", term=5, pre_vote=True)
    stands = Story().add(1, Kind.CANDIDATE, "infra3", term=5, pre_vote=False)
    assert seen("term risen infra3", stands) == (
        "infra3 stands for election in term 5, while the term was 2"
    )
    assert seen("term risen infra3", asks) is None
    assert seen("term risen infra1", stands) is None


def test_a_database_shrinks_to_half_at_least() -> None:
    large = status(member("infra1", db_size_bytes=6 << 20))
    small = status(member("infra1", db_size_bytes=1 << 20))
    assert seen("database shrunk", now=small, began=large) == (
        "the databases have shrunk from 6.0 MiB to 1.0 MiB together"
    )
    assert seen("database shrunk", now=large, began=large) is None
    silent = status(member("infra1", db_size_bytes=None))
    assert seen("database shrunk", now=silent, began=large) is None


def test_how_a_cluster_was_brought_up_is_read_from_its_status() -> None:
    by_dns, contained = another("dns"), another("discovery", "docker")
    assert seen("bootstrapped dns", now=by_dns) == (
        "the members found each other by DNS SRV records, and all 3 members are healthy"
    )
    assert seen("bootstrapped static", now=by_dns) is None
    assert seen("bootstrapped static") is not None
    assert seen("runs in containers", now=contained) == (
        "each member is a container of docker, and all 3 members are healthy"
    )
    assert seen("runs in containers", now=by_dns) is None
    assert seen("runs in processes", now=by_dns) is not None
    coming = another("dns", "process", member("infra1", healthy=False))
    assert seen("bootstrapped dns", now=coming) is None
    assert seen("runs in processes", now=coming) is None


def test_a_cluster_that_was_brought_up_again_is_told_from_one_that_never_went() -> None:
    record = Record()
    now = another()
    view = View(status=now, began=status(), record=record)
    met = parse_condition("brought up").met
    assert met(view) is None
    record.brought_up(now.bootstrap, 1.0)
    assert met(view) == "the cluster was brought up again, and all 3 members are healthy"
    assert met(replace(view, status=another("static", "process", down("infra1")))) is None


def test_what_happened_to_the_cluster_before_says_nothing_of_the_one_that_came_after() -> None:
    record = record_of(Story().killed(1, "infra1", expected=True))
    record.brought_up(another().bootstrap, 5.0)
    for event in Story().leads(7, "infra2", 2).killed(8, "infra1").events:
        record.take(event)
    assert record.elections[0].after_s is None
    assert not record.incidents[-1].led


def list_of(*names: str, learner: str | None = None) -> Known:
    """etcd's own list; a member without a name was never started."""
    return Known(
        listed=tuple(
            Peer(
                id=f"id-{name}",
                name=name,
                peer_urls=(),
                client_urls=(),
                is_learner=name == learner,
            )
            for name in names
        )
    )


def test_who_has_a_vote_is_told_by_the_list() -> None:
    now = status(
        *(member(name, id=f"id-{name}") for name in ("infra1", "infra2", "infra3")),
        member("infra4", id="id-infra4", role=Role.LEARNER),
    )
    four = list_of("infra1", "infra2", "infra3", "infra4", learner="infra4")
    assert seen("learner infra4", now=now, known=four) == "infra4 is a learner, and is healthy"
    assert seen("learner infra3", now=now, known=four) is None
    assert seen("voter infra4", now=now, known=four) is None
    assert seen("voter infra3", now=now, known=four) == (
        "infra3 has a vote: there are 3 now, and 2 are a quorum"
    )
    assert seen("voter infra3", now=now, known=list_of("infra1", "infra2")) is None
    assert seen("voter infra3", now=now) is None  # nobody told


def test_who_was_removed_is_off_the_list_and_has_ended() -> None:
    gone = member("infra3", state=ProcessState.REMOVED, role=None, healthy=False, pid=None)
    now = status(member("infra1"), member("infra2"), gone)
    words = "infra3 is no member any more: 2 have a vote, 2 are a quorum"
    assert seen("removed infra3", now=now, known=list_of("infra1", "infra2")) == words
    assert seen("removed infra3", now=now, known=list_of("infra1", "infra3")) is None
    assert seen("removed infra3", known=list_of("infra1", "infra2")) is None
    assert seen("removed infra3", now=now) is None


def test_who_was_replaced_has_another_id() -> None:
    new = status(member("infra1"), member("infra2"), member("infra3", id="cafe"))
    assert seen("replaced infra3", now=new) == (
        "infra3 is a new member: its ID is cafe, and was 8211f1d0f64f3269"
    )
    assert seen("replaced infra2", now=new) is None
    still = status(member("infra1"), member("infra3", id="cafe", role=Role.LEARNER))
    assert seen("replaced infra3", now=still) is None


def test_a_member_that_was_never_started_counts() -> None:
    assert seen("never started 1", known=list_of("infra1", "infra2", "infra3", "")) == (
        "4 members have a vote, 3 are a quorum, and 1 of them was never started"
    )
    assert seen("never started 0", known=list_of("infra1", "infra2", "infra3")) == (
        "3 members have a vote, 2 are a quorum, and all of them were started"
    )
    assert seen("never started 0", known=list_of("infra1", "")) is None
    assert seen("never started 0") is None


def test_another_cluster_has_no_id_of_the_one_before() -> None:
    members = [member(name, id=f"new-{name}") for name in ("infra1", "infra2", "infra3")]
    assert seen("new cluster", now=status(*members)) == (
        "it is another cluster: infra1 has the ID new-infra1 now"
    )
    assert seen("new cluster") is None
    assert seen("new cluster", now=status(*members[:2], member("infra3"))) is None
    assert seen("new cluster", now=status(*members[:2], member("infra3", id=None))) is None


def test_nobody_leads_where_members_answer_and_know_no_leader() -> None:
    lost = member("infra1", role=Role.CANDIDATE, healthy=False)
    assert seen("nobody leads", now=status(lost, down("infra2"), leader=None)) == (
        "nobody leads: infra1 knows no leader"
    )
    assert seen("nobody leads") is None
    assert seen("nobody leads", now=status(down("infra1"), leader=None)) is None
    follows = member("infra1", follows="infra2")
    assert seen("nobody leads", now=status(follows, down("infra2"), leader=None)) is None


def test_the_cluster_version_is_what_the_members_have_agreed_on() -> None:
    risen = Known(cluster_version="3.5.0")
    assert seen("cluster version 3.5", known=risen) == "the cluster version is 3.5"
    assert seen("cluster version 3.50", known=risen) is None
    assert seen("cluster version 3.5") is None


@pytest.mark.parametrize(
    "text", ["", "killed", "healthy much", "key a", "elections", "alarm nospace", "runs in jars"]
)
def test_what_is_not_in_the_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unknown condition"):
        parse_condition(text)


def test_the_vocabulary_is_told() -> None:
    assert "enter" in vocabulary()
    assert len(set(vocabulary())) == len(vocabulary())
