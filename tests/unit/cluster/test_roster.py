"""Who counts as a member, by the plan and by what the logs say."""

from __future__ import annotations

from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import After, MemberProcess, MemberSpec
from etcd_sandbox.model.state import Peer
from msgspec.structs import replace


def member(number: int, after: After = After.START) -> MemberProcess:
    return MemberProcess(
        name=f"etcd{number}",
        argv=("etcd",),
        shown="etcd",
        cwd="/",
        after=after,
        member=MemberSpec(
            name=f"infra{number}",
            id=f"{number}a",
            client_url=Address(""),
            peer_url=Address(""),
            data_dir="/data",
            data_owned=True,
            token="t",
        ),
    )


def roster() -> Roster:
    return Roster([member(1), member(2), member(3), member(4, After.READY)])


def test_one_for_whom_the_token_has_no_place_has_no_vote_until_it_joins() -> None:
    four = roster()
    assert [name for name in four.names if four.may_vote(name)] == ["etcd1", "etcd2", "etcd3"]
    assert four.is_outsider("etcd4")
    assert not four.is_proxy("etcd4")
    four.joined("etcd4")
    assert four.may_vote("etcd4")


def test_a_member_that_comes_too_late_becomes_a_proxy_and_has_no_id_of_its_own() -> None:
    late = roster()
    late.became_proxy("etcd2")
    assert late.is_proxy("etcd2")
    assert not late.may_vote("etcd2")
    late.learn("etcd2", "a1")  # what it says of itself is a member's answer, handed on
    assert late.id_of("etcd2") is None
    late.joined("etcd2")
    assert late.may_vote("etcd2")
    late.drop("etcd2")
    assert not late.is_outsider("etcd2")


def test_who_is_removed_has_no_vote_and_who_joins_has_what_its_spec_says() -> None:
    known = roster()
    known.learn("etcd2", "b", is_learner=True)
    known.retire("etcd2")
    assert known.is_outsider("etcd2")
    assert not known.is_learner("etcd2")
    assert not known.may_vote("etcd2")
    new = member(2)
    known.join(replace(new, member=replace(new.member, id="c", learner=True)))
    assert (known.id_of("etcd2"), known.is_learner("etcd2")) == ("c", True)
    assert not known.is_outsider("etcd2")
    assert known.names == ("etcd1", "etcd2", "etcd3", "etcd4")
    known.join(new)
    assert known.may_vote("etcd2")


def listed(member_id: str, *, name: str = "", port: int = 0, learner: bool = False) -> Peer:
    return Peer(
        id=member_id,
        name=name,
        peer_urls=(f"http://127.0.0.1:{port}",),
        client_urls=(f"http://127.0.0.1:{port - 1}",) if name else (),
        is_learner=learner,
    )


def test_etcds_list_says_who_has_a_vote() -> None:
    known = roster()
    assert known.voters == ("etcd1", "etcd2", "etcd3")
    assert known.is_listed("etcd1") is None
    ids = [known.id_of(name) or "" for name in known.names]
    known.take_list(
        [listed(ids[0]), listed(ids[1]), listed(ids[2], learner=True), listed("ff", port=7)]
    )
    assert known.voters == ("etcd1", "etcd2", "ff")
    assert list(known.elsewhere) == ["ff"]
    assert known.title("ff") == "ff"
    assert known.is_listed("etcd1")


def test_a_process_that_is_not_on_etcds_list_has_no_vote() -> None:
    known = roster()
    ids = [known.id_of(name) or "" for name in known.names]
    known.take_list([listed(ids[0]), listed(ids[1])])
    assert known.voters == ("etcd1", "etcd2")
    assert known.is_listed("etcd3") is False


def test_a_member_that_leaves_is_off_the_list_before_it_is_read_again() -> None:
    known = roster()
    ids = [known.id_of(name) or "" for name in known.names]
    known.take_list([listed(each) for each in ids[:3]])
    known.retire("etcd2")
    assert known.voters == ("etcd1", "etcd3")


def test_a_member_that_etcds_list_has_at_another_peer_url_is_noticed() -> None:
    known = Roster(
        replace(
            process,
            member=replace(process.member, peer_url=Address(f"http://127.0.0.1:{number}")),
        )
        for number, process in enumerate([member(1), member(2)], start=1)
        if process.member is not None
    )
    assert known.moved == {}
    here, there = (
        Peer(id=f"{number}a", name="", peer_urls=(url,), client_urls=(), is_learner=False)
        for number, url in ((1, "http://127.0.0.1:1"), (2, "http://127.0.0.1:9"))
    )
    known.take_list([here, there])
    assert known.moved == {"etcd2": ("http://127.0.0.1:9",)}


def test_an_entry_with_the_peer_url_of_a_member_is_left_over_and_has_no_vote() -> None:
    known = Roster([member(1), member(2)])
    entries = [
        Peer(id=id_, name="infra1", peer_urls=(url,), client_urls=("http://a:1",), is_learner=False)
        for id_, url in (("1a", "http://a:2"), ("2a", "http://b:2"), ("9", "http://a:2"))
    ]
    known.take_list(entries)
    assert known.remnants == {"9"}
    assert known.voters == ("etcd1", "etcd2")
    assert set(known.elsewhere) == {"9"}
    known.take_list([*entries[:2], replace(entries[2], peer_urls=("http://c:2",))])
    assert not known.remnants
    assert list(known.voters) == ["etcd1", "etcd2", "9"]


def test_an_entry_that_raft_does_not_know_has_no_vote() -> None:
    known = Roster([member(1), member(2)])
    entries = [
        Peer(id=id_, name="", peer_urls=(f"http://{id_}:2",), client_urls=(), is_learner=False)
        for id_ in ("1a", "2a", "8", "9")
    ]
    known.take_list(entries[:2])
    assert not known.unproven
    known.take_list(entries)
    assert known.unproven
    known.take_raft({"1a", "2a", "8"})
    assert not known.unproven
    assert (known.remnants, known.voters) == ({"9"}, ("etcd1", "etcd2", "8"))
    # What was proved of an entry holds while it is listed, and for no other.
    known.take_list([*entries, replace(entries[0], id="7", peer_urls=("http://7:2",))])
    assert known.unproven
    assert (known.remnants, known.voters) == ({"9"}, ("etcd1", "etcd2", "8", "7"))
    known.take_list(entries[:3])
    known.take_list(entries)
    assert known.unproven
    assert not known.remnants
