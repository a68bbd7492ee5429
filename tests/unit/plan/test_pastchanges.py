"""Whether etcd 3.6 finds the members as etcd before 3.5.26 left them."""

from __future__ import annotations

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, PastChange, PastKind, ProcessSpec
from etcd_sandbox.model.state import Peer
from etcd_sandbox.plan.membership import with_member, with_past
from etcd_sandbox.plan.pastchanges import doubts, lost_on_the_way, skips_repair
from msgspec.structs import replace

from tests.unit.export.plans import from_profile


def of_version(version: str, spec: ClusterSpec | None = None) -> ClusterSpec:
    """Three members of that etcd."""
    spec = spec or from_profile()
    binary = EtcdBinary(path=f"/{version}/etcd", version=version, origin="tests")

    def having(process: ProcessSpec) -> ProcessSpec:
        if process.member is None:
            return process
        return replace(process, member=replace(process.member, etcd=binary))

    return replace(spec, processes=tuple(map(having, spec.processes)))


def listed(spec: ClusterSpec) -> tuple[Peer, ...]:
    return tuple(
        entry(each.member.id or "", each.member.name, each.member.peer_url) for each in spec.members
    )


def entry(id_: str, name: str = "", url: str = "http://127.0.0.1:42380") -> Peer:
    return Peer(id=id_, name=name, peer_urls=(url,), client_urls=(), is_learner=False)


@pytest.mark.parametrize(
    ("to", "running", "skips"),
    [
        ("3.6.16", ["3.5.1", "3.5.26"], True),
        ("3.6.0", ["3.5.25"], True),
        ("3.7.3", ["3.5.1"], True),
        ("3.6.16", ["3.5.26", "3.5.30"], False),
        ("3.7.3", ["3.6.16"], False),
        ("3.5.26", ["3.5.1"], False),
        ("3.5.1", ["3.4.23"], False),
    ],
)
def test_only_the_step_to_3_6_without_a_3_5_that_repairs_is_in_question(
    to: str, running: list[str], skips: bool
) -> None:
    assert skips_repair(to, running) is skips


def test_members_of_the_first_day_are_not_in_question() -> None:
    spec = of_version("3.5.1")
    assert doubts(spec, listed(spec)) == ()
    assert doubts(spec, ()) == ()


def test_a_member_that_was_added_with_its_vote_or_as_a_learner_is_not_in_question() -> None:
    spec = with_past(of_version("3.5.1"), PastKind.ADDED, "infra4", "abc")
    assert doubts(spec, (*listed(spec), entry("abc"))) == ()


def test_what_older_etcds_did_to_the_members_is_named_with_their_version() -> None:
    old = with_past(of_version("3.4.23"), PastKind.RESTORED)
    spec = of_version("3.5.1", old)
    for kind, member in (
        (PastKind.PROMOTED, "infra2"),
        (PastKind.PROMOTED, "infra3"),
        (PastKind.REMOVED, "infra4"),
        (PastKind.REPLACED, "infra1"),
        (PastKind.PROMOTED, "infra1"),
        (PastKind.PROMOTED, "infra3"),
    ):
        spec = with_past(spec, kind, member, "abc")
    assert doubts(spec, ()) == (
        "infra2, infra3 promoted under etcd 3.5.1",
        "infra4 removed under etcd 3.5.1",
        "infra1 replaced under etcd 3.5.1",
        "the data restored with etcd 3.4.23",
    )


def test_changes_under_an_etcd_that_writes_them_down_are_not_in_question() -> None:
    spec = of_version("3.5.26")
    for kind in PastKind:
        spec = with_past(spec, kind, "infra2", "abc")
    assert doubts(spec, ()) == ()


def test_the_oldest_etcd_of_the_members_counts() -> None:
    spec = of_version("3.5.26")
    old = of_version("3.5.1").members[2]
    mixed = replace(spec, processes=(*spec.processes[:2], old))
    assert with_past(mixed, PastKind.REMOVED, "infra4", "1").history == (
        PastChange(kind=PastKind.REMOVED, version="3.5.1", member="infra4", id="1"),
    )


def test_changes_that_etcdctl_made_show_on_the_list() -> None:
    spec = of_version("3.5.1")
    without, *others = listed(spec)
    assert doubts(spec, (*others, entry("abc"), entry("def", "mine"))) == (
        "a member that never started (abc) on etcd's list, and not from the first day",
        "mine (def) on etcd's list, and not from the first day",
        f"{without.name} not on etcd's list any more",
    )


def test_what_etcdctl_did_to_a_member_that_was_added_here_shows_as_well() -> None:
    spec = of_version("3.5.1")
    first = spec.members[0]
    learner = replace(first.member, name="infra4", id="abc", joined=True, learner=True)
    spec = with_member(spec, replace(first, name="etcd4", member=learner))
    spec = with_past(spec, PastKind.ADDED, "infra4", "abc")
    *others, last = listed(spec)
    assert doubts(spec, (*others, replace(last, is_learner=True))) == ()
    assert doubts(spec, (*others, last)) == ("infra4 promoted, and not by etcd-sandbox",)
    assert doubts(spec, others) == ("infra4 not on etcd's list any more",)


def test_members_whose_ids_only_etcd_knows_are_told_by_their_peer_urls() -> None:
    spec = of_version("3.5.1")
    unknown = replace(
        spec,
        processes=tuple(
            replace(each, member=replace(each.member, id=None)) if each.member else each
            for each in spec.processes
        ),
    )
    assert doubts(unknown, listed(spec)) == ()


def test_another_etcd_for_such_data_is_refused_and_data_that_is_gone_is_not() -> None:
    recorded = with_past(of_version("3.5.1"), PastKind.PROMOTED, "infra2", "abc")
    planned = of_version("3.6.16", recorded)

    assert lost_on_the_way(recorded, planned, lambda _: False) == ()
    assert lost_on_the_way(recorded, of_version("3.5.26", recorded), lambda _: True) == ()
    with pytest.raises(InputError, match=r"infra2 promoted under etcd 3\.5\.1") as refused:
        lost_on_the_way(recorded, planned, lambda _: True)

    assert "3.5.26" in refused.value.hint
    assert "--etcd 3.5.1 goes on" in refused.value.hint


def test_the_users_own_command_is_not_refused_but_warned_of() -> None:
    spec = of_version("3.5.1")
    own = replace(
        spec,
        processes=tuple(
            replace(each, member=replace(each.member, data_owned=False)) if each.member else each
            for each in spec.processes
        ),
    )
    recorded = with_past(own, PastKind.REMOVED, "infra4", "abc")
    (said,) = lost_on_the_way(recorded, of_version("3.6.16", recorded), lambda _: True)
    assert "infra4 removed under etcd 3.5.1" in said
    assert said.endswith("name 3.5.26 or a later 3.5 there first")
