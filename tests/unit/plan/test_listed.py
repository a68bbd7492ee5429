"""etcd's list of members against the plan: what differs, and what mends it."""

from __future__ import annotations

from etcd_sandbox.model.state import Peer
from etcd_sandbox.model.upgrade import Unlike
from etcd_sandbox.plan.listed import moved_words, unlike
from msgspec.structs import replace

from tests.unit.export.plans import from_profile

MEMBERS = {each.name: each.member for each in from_profile().members if each.member is not None}
IDS = {name: member.id for name, member in MEMBERS.items()}
LISTED = tuple(
    Peer(
        id=member.id or "",
        name=member.name,
        peer_urls=(member.peer_url,),
        client_urls=(),
        is_learner=False,
    )
    for member in MEMBERS.values()
)


def stranger(name: str) -> Peer:
    return replace(LISTED[0], id="abc", name=name, peer_urls=("http://127.0.0.1:42380",))


def test_a_list_that_is_as_planned_differs_in_nothing() -> None:
    assert unlike(MEMBERS, IDS, LISTED) == ()


def test_a_stranger_is_named_with_its_id_and_how_to_take_it_off() -> None:
    assert unlike(MEMBERS, IDS, (*LISTED, stranger(""))) == (
        Unlike(
            what="a member that was never started (abc, http://127.0.0.1:42380) is on it",
            mend=("etcd-sandbox remove abc",),
        ),
    )


def test_a_removed_member_that_3_6_brought_back_is_taken_off_by_force() -> None:
    for version, mend in (
        ("3.6.16", ("etcd-sandbox remove abc --force",)),
        ("3.7.3", ("etcd-sandbox remove abc",)),
    ):
        (found,) = unlike(MEMBERS, IDS, (*LISTED, stranger("infra1")), version)
        assert found == Unlike(what="infra1 (abc, http://127.0.0.1:42380) is on it", mend=mend)


def test_who_lost_its_vote_or_its_place_is_named() -> None:
    _, second, third = LISTED
    assert unlike(MEMBERS, IDS, (second, replace(third, is_learner=True))) == (
        Unlike(what="infra1 is not on it", mend=("etcd-sandbox replace infra1",)),
        Unlike(
            what="infra3 is a learner on it, without a vote",
            mend=("etcd-sandbox promote infra3",),
        ),
    )


def test_a_member_whose_id_is_not_known_is_not_missed() -> None:
    assert unlike(MEMBERS, {**IDS, "etcd1": None}, LISTED[1:]) == ()


def test_a_member_that_is_dialled_elsewhere_is_said_with_both_urls_and_the_mend() -> None:
    member = MEMBERS["etcd1"]
    said = moved_words(member, ("http://127.0.0.1:9",))
    assert said.startswith("peers dial infra1 at http://127.0.0.1:9,")
    assert member.peer_url in said
    assert "etcd-sandbox apply" in said
