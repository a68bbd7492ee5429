"""When each action of the dashboard makes sense."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.state import ClusterStatus, ProcessState, Role
from etcd_sandbox.tui.actions import ACTIONS, action, keys_shown, member_of, refusal
from etcd_sandbox.tui.store import Store

from tests.tui.samples import cluster, down, member, partition, process, status

PAUSED = member(2, state=ProcessState.PAUSED, role=None, healthy=False)
MIXED = status(member(1), PAUSED, down(3), processes=(process("web"),), faults=(partition(3),))


def sensible(shown: ClusterStatus, selected: str | None) -> set[str]:
    """The actions that are not greyed, of those that act on a process or the cluster."""
    store = Store(cluster="default")
    store.take_status(shown)
    return {
        each.id
        for each in ACTIONS
        if each.verb is not None and refusal(each, store, selected) is None
    }


@pytest.mark.parametrize(
    ("shown", "selected", "ids"),
    [
        (cluster(3, "healthy"), "infra1", "kill stop restart pause partition slow"),
        (cluster(3, "healthy"), "infra2", "kill stop restart pause partition slow move-leader"),
        (cluster(3, "healthy"), "app", "kill stop restart pause"),
        (cluster(3, "healthy"), None, ""),
        (cluster(3, "healthy"), "gone", ""),
        (cluster(1, "healthy"), "infra1", "kill stop restart pause"),
        (cluster(3, "all down"), "infra1", "start partition slow start-all"),
        (MIXED, "infra2", "kill stop restart resume partition slow heal start-all"),
        (MIXED, "infra3", "start partition slow heal start-all"),
        (
            cluster(3, "leaderless"),
            "infra1",
            "kill stop restart pause partition slow",
        ),
    ],
)
def test_what_makes_no_sense_is_greyed(
    shown: ClusterStatus, selected: str | None, ids: str
) -> None:
    assert sensible(shown, selected) == set(ids.split())


def test_a_leader_that_only_believes_to_lead_is_not_offered_leadership() -> None:
    stale = member(1, term=2, role=Role.LEADER)
    rest = [member(n, leader=2, term=3) for n in (2, 3)]
    assert "move-leader" not in sensible(status(stale, *rest), "infra1")
    assert "move-leader" in sensible(status(stale, *rest), "infra3")


def test_nothing_can_be_ordered_while_the_supervisor_is_away() -> None:
    store = Store(cluster="default")
    assert refusal(action("kill"), store, "infra1") == "the supervisor does not answer"
    store.take_status(cluster(3, "healthy"))
    store.lose("gone")
    assert refusal(action("heal"), store, None) == "the supervisor does not answer"
    assert refusal(action("details"), store, "infra1") == "the supervisor does not answer"
    assert refusal(action("logs-only"), store, "infra1") is None
    assert refusal(action("quit"), store, None) is None


@pytest.mark.parametrize("shown", [cluster(3, "healthy"), cluster(3, "all down"), MIXED])
@pytest.mark.parametrize("selected", ["infra1", "infra2", "infra3", "web", None])
def test_actions_that_share_a_key_never_make_sense_at_once(
    shown: ClusterStatus, selected: str | None
) -> None:
    store = Store(cluster="default")
    store.take_status(shown)
    keys = [
        key
        for each in ACTIONS
        if refusal(each, store, selected) is None
        for key in each.key.split(",")
    ]
    assert len(set(keys)) == len(keys)


def test_what_needs_a_process_or_a_member_says_so() -> None:
    store = Store(cluster="default")
    store.take_status(status(processes=(process("web"),)))
    assert refusal(action("details"), store, None) == "nothing is selected"
    assert refusal(action("logs-only"), store, None) == "nothing is selected"
    assert refusal(action("details"), store, "web") is None
    assert refusal(action("ctl"), store, "web") == "there is no etcd member"
    assert member_of(store.status, "web") is None
    assert member_of(status(member(1, process="etcd1")), "etcd1") == "infra1"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("k", "k"),
        ("i,enter", "i Enter"),
        ("question_mark,f1", "? F1"),
        ("ctrl+s", "Ctrl-S"),
        ("slash", "/"),
        ("S", "S"),
    ],
)
def test_keys_are_written_for_readers(key: str, shown: str) -> None:
    assert keys_shown(key) == shown
