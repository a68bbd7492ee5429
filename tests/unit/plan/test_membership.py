"""An input is continued with the members that its cluster has by now."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import ClusterSpec, MemberSpec, ProcessSpec, Unfinished, as_member
from etcd_sandbox.plan.joining import joining, newcomer
from etcd_sandbox.plan.membership import (
    change_words,
    comes_back,
    continued,
    could_be_quorum,
    interrupted_words,
    moved_words,
    with_known_ids,
    with_member,
    without_member,
)
from msgspec.structs import replace

from tests.unit.export.plans import from_profile


def member(process: ProcessSpec | None) -> MemberSpec:
    assert process is not None
    return as_member(process).member


def added(spec: ClusterSpec, id_: str = "abc") -> ClusterSpec:
    process = newcomer(
        spec, spec.processes, None, Path("/state/data"), lambda _: True, learner=False
    )
    return with_member(spec, joining(process, replace(member(process), id=id_)))


def replaced(spec: ClusterSpec, name: str) -> ClusterSpec:
    process = spec.member_process(name)
    assert process is not None
    return with_member(
        spec, joining(process, replace(member(process), id="new", joined=True, learner=False))
    )


def names(spec: ClusterSpec) -> list[str]:
    return [member(process).name for process in spec.members]


def test_a_plan_whose_members_never_changed_is_that_of_the_input() -> None:
    spec = from_profile()
    assert continued(spec, spec) is spec
    assert change_words(spec, spec) == ""


def test_who_was_added_replaced_and_removed_is_so_again() -> None:
    planned = from_profile()
    recorded = without_member(replaced(added(planned), "etcd3"), "etcd1")
    assert recorded.founders == ("etcd1", "etcd2", "etcd3")

    spec = continued(recorded, planned)

    assert names(spec) == ["infra2", "infra3", "infra4"]
    assert spec.process("etcd2") == planned.process("etcd2")
    assert member(spec.process("etcd3")).id == "new"
    assert spec.process("etcd3") == recorded.process("etcd3")
    assert spec.process("etcd4") == recorded.process("etcd4")
    assert change_words(spec, planned) == "infra4 added, infra3 replaced, infra1 removed"
    # As often as it is asked for.
    assert continued(spec, planned) == spec


def test_flags_are_those_of_the_input_as_it_is_now() -> None:
    recorded = replaced(added(from_profile()), "etcd3")
    spec = continued(recorded, from_profile("[etcd]\nsnapshot-count = 7\n"))
    assert all("--snapshot-count=7" in process.argv for process in spec.members)
    assert "--initial-cluster-state=existing" in (spec.members[2].argv)
    assert member(spec.process("etcd4")).id == "abc"


def test_an_input_that_has_the_new_members_itself_fits_as_well() -> None:
    recorded = added(from_profile())
    spec = continued(recorded, from_profile(members=4))
    assert names(spec) == ["infra1", "infra2", "infra3", "infra4"]
    assert member(spec.process("etcd4")).id == "abc"
    assert spec.founders == ("etcd1", "etcd2", "etcd3", "etcd4")


@pytest.mark.parametrize("count", [2, 5])
def test_an_input_of_another_cluster_is_left_as_it_is(count: int) -> None:
    planned = from_profile(members=count)
    assert continued(added(from_profile()), planned) is planned


def test_what_runs_beside_the_members_stays_and_wanted_names_follow() -> None:
    text = "[[process]]\nname = 'app'\ncommand = 'true'\n"
    planned = from_profile(text, wanted=("infra1", "infra2", "app"))
    spec = added(planned)
    assert [process.name for process in spec.processes] == [
        "etcd1",
        "etcd2",
        "etcd3",
        "etcd4",
        "app",
    ]
    assert spec.wanted == ("etcd1", "etcd2", "app", "etcd4")
    assert without_member(spec, "etcd1").wanted == ("etcd2", "app", "etcd4")
    again = continued(without_member(spec, "etcd1"), planned)
    assert [process.name for process in again.processes] == ["etcd2", "etcd3", "etcd4", "app"]


LEARNER = "[cluster]\nmembers = 4\n[[member]]\nname = 'infra4'\nlearner = true\n"


def test_a_learner_of_the_input_that_joined_starts_with_the_others() -> None:
    planned = from_profile(LEARNER)
    process = planned.members[3]
    joined = joining(process, replace(member(process), id="abc", joined=True))
    recorded = with_member(planned, joined)
    spec = continued(recorded, planned)
    assert not spec.members[3].is_to_join
    assert member(spec.members[3]).learner
    assert change_words(spec, planned) == ""
    promoted = continued(replaced(recorded, "etcd4"), planned)
    assert not member(promoted.members[3]).learner
    assert change_words(promoted, planned) == "infra4 promoted"


def test_a_member_of_another_peer_url_keeps_the_id_that_its_data_has() -> None:
    recorded = from_profile()
    recorded = replace(recorded, source=replace(recorded.source, path="/p/three.toml"))
    first = recorded.members[0]
    url = "http://127.0.0.1:9"
    moved = replace(first, member=replace(member(first), id="new", peer_url=url))
    planned = replace(recorded, processes=(moved, *recorded.processes[1:]))

    kept = with_known_ids(planned, recorded, lambda _: True)

    assert member(kept.members[0]) == replace(member(first), peer_url=url)
    assert with_known_ids(planned, recorded, lambda _: False) == planned
    (said,) = moved_words(planned, recorded, lambda _: True)
    assert f"know it by {member(first).peer_url}" in said
    assert "etcd-sandbox apply" in said
    assert moved_words(planned, recorded, lambda _: False) == ()
    assert moved_words(recorded, recorded, lambda _: True) == ()
    # Nobody has edited a file: another input is meant.
    other = replace(planned, source=replace(planned.source, path=""))
    assert moved_words(other, recorded, lambda _: True) == ()


def test_what_was_interrupted_is_said_with_the_mend() -> None:
    spec = replace(added(from_profile()), unfinished=(Unfinished(verb="add", process="etcd4"),))
    again = continued(spec, from_profile())
    assert again.unfinished == spec.unfinished
    (words,) = interrupted_words(again, lambda _: False)
    assert words == (
        "'add' of infra4 was interrupted: it is started as it was; if it does not come back, "
        "etcd-sandbox remove infra4 takes out what is left of it, etcd-sandbox replace infra4 brings "
        "a new member of that name"
    )
    assert interrupted_words(replace(spec, unfinished=()), lambda _: False) == ()


def interrupted(verb: str, *, learner: bool = False, joined: bool = False) -> ClusterSpec:
    """The plan of three, whose third member was being changed when its supervisor died."""
    planned = from_profile()
    third = planned.members[2]
    third = replace(third, member=replace(member(third), learner=learner, joined=joined))
    return replace(
        with_member(planned, third), unfinished=(Unfinished(verb=verb, process="etcd3"),)
    )


@pytest.mark.parametrize(
    ("spec", "data", "back", "said"),
    [
        (interrupted("replace"), True, True, "it is started as it was"),
        (interrupted("remove"), True, True, "it is started as it was"),
        (interrupted("replace"), False, False, "so it is not started"),
        (interrupted("replace", learner=True, joined=True), False, True, "promote infra3 gives it"),
        (interrupted("replace", learner=True, joined=True), True, True, "promote infra3 gives it"),
    ],
    ids=["replace, data", "remove, data", "no data", "listed", "started"],
)
def test_a_member_comes_back_after_an_interruption_unless_it_would_begin_a_cluster_of_its_own(
    spec: ClusterSpec, data: bool, back: bool, said: str
) -> None:
    assert comes_back(spec.members[2], lambda _: data) is back
    (words,) = interrupted_words(spec, lambda _: data)
    assert said in words
    assert "etcd-sandbox replace infra3 brings a new member" in words


def test_only_voters_count_for_the_quorum_that_is_waited_for() -> None:
    spec = interrupted("replace")
    first, second, third = spec.members
    learner = replace(second, member=replace(member(second), learner=True, joined=True))
    beside_learner = with_member(spec, learner)
    # A learner is no help.
    assert could_be_quorum((first, learner), beside_learner, (third,))
    assert could_be_quorum((first, second), spec, ())
    assert could_be_quorum((first,), without_member(without_member(spec, "etcd3"), "etcd2"))
    assert not could_be_quorum((learner,), beside_learner, ())


def test_a_member_with_several_peer_urls_is_one_voter() -> None:
    (process,) = from_profile(members=1).members
    listed = {name: (Address("http://h:1"), Address("http://h:2")) for name in ("a", "b", "c")}
    (one, two) = (
        replace(process, name=name, member=replace(process.member, initial_cluster=listed))
        for name in ("a", "b")
    )
    assert could_be_quorum((one, two), from_profile(members=1))
    assert not could_be_quorum((one,), from_profile(members=1))
