"""Upgrades decided: the step between versions, the order, the command of a member with another etcd."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import (
    ClusterSpec,
    ContainerSpec,
    EtcdBinary,
    MemberProcess,
    MemberSpec,
    Runtime,
    Source,
    SourceKind,
)
from etcd_sandbox.plan import upgrades
from etcd_sandbox.plan.runtimes import composed
from msgspec.structs import replace

OLD = EtcdBinary(path="/old/etcd", version="3.5.1", origin="as given")
NEW = EtcdBinary(path="/new/etcd", version="3.6.16", origin="as given")


def process(
    *flags: str, name: str = "infra1", etcd: EtcdBinary = OLD, data_dir: str = ""
) -> MemberProcess:
    pairs = (word.removeprefix("--").partition("=") for word in ("--logger=zap", *flags))
    client, peer = Address("http://127.0.0.1:1"), Address("http://127.0.0.1:2")
    plain = MemberProcess(
        name=name.replace("infra", "etcd"),
        argv=(),
        shown="",
        cwd="/",
        member=MemberSpec(
            name=name,
            id="1",
            client_url=client,
            peer_url=peer,
            listen_urls=(client, peer),
            data_dir=data_dir or f"/data/{name}",
            data_owned=True,
            token="t",
            etcd=etcd,
        ),
    )
    return composed(plain, etcd.path, {flag: value for flag, _, value in pairs})


def plan(*processes: MemberProcess) -> ClusterSpec:
    return ClusterSpec(
        name="default", source=Source(kind=SourceKind.MEMBERS), processes=tuple(processes)
    )


MIXED = {"infra1": "3.4.23", "infra2": "3.5.1"}


@pytest.mark.parametrize(
    ("to", "cluster", "running"),
    [
        ("3.5.1", "3.4.0", {"infra1": "3.4.23"}),
        ("3.4.23", "3.4.0", MIXED),  # the way back, as long as versions are mixed
        ("3.5.30", "3.5.0", {"infra1": "3.5.1"}),
        ("3.5.1", "3.5.0", {"infra1": "3.5.30"}),
        ("3.5.1", "3.5.0", {"infra1": "3.6.16"}),  # after `downgrade enable` it has fallen
        ("3.10.0", "3.9.0", {"infra1": "3.9.4"}),
        ("3.5.1", None, MIXED),
        ("3.5.1", None, {}),
    ],
)
def test_a_step_that_etcd_takes_is_allowed(
    to: str, cluster: str | None, running: dict[str, str]
) -> None:
    upgrades.check_step(to, cluster, running)


@pytest.mark.parametrize(
    ("to", "cluster", "running", "what", "hint"),
    [
        (
            "3.4.23",
            "3.5.0",
            {"infra1": "3.5.1"},
            'the cluster version is 3.5 already, and with that etcd 3.4.23 would refuse to start ("invalid downgrade")',
            "there is no way back once every member was of the newer version",
        ),
        (
            "3.5.1",
            "3.6.0",
            {"infra1": "3.6.16"},
            "the cluster version is 3.6 already",
            "etcd-sandbox ctl downgrade enable 3.5.0",
        ),
        (
            "3.6.16",
            "3.4.0",
            {"infra1": "3.4.23"},
            "etcd 3.6.16 cannot follow on 3.4: etcd goes up one minor version at a time",
            "etcd-sandbox upgrade all --to 3.5, then --to 3.6",
        ),
        (
            "3.7.3",
            "3.4.0",
            {"infra1": "3.4.23"},
            "etcd 3.7.3 cannot follow on 3.4",
            "etcd-sandbox upgrade all --to 3.5, then --to 3.6, then --to 3.7",
        ),
        (
            "3.6.16",
            "3.4.0",
            MIXED,
            "etcd 3.6.16 cannot follow on 3.4",
            "the cluster version is 3.4 until all members are of 3.5: etcd-sandbox upgrade all",
        ),
        ("3.6.16", None, MIXED, "etcd 3.6.16 cannot follow on 3.4", "one"),
        ("4.0.0", "3.7.0", {"infra1": "3.7.3"}, "another major version", "there is no upgrade"),
    ],
)
def test_a_step_that_etcd_would_refuse_is_refused_with_the_way(
    to: str, cluster: str | None, running: dict[str, str], what: str, hint: str
) -> None:
    with pytest.raises(InputError) as refused:
        upgrades.check_step(to, cluster, running)
    assert what in refused.value.what
    if hint != "one":
        assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("cluster", "running", "due"),
    [
        ("3.4.0", ["3.5.1", "3.5.30"], True),
        ("3.4.0", ["3.5.1", "3.4.23"], False),
        ("3.5.0", ["3.5.1"], False),
        ("3.9.0", ["3.10.1"], True),
        ("3.4.0", [], False),
        (None, ["3.5.1"], False),
    ],
)
def test_the_cluster_version_is_due_when_all_members_are_ahead_of_it(
    cluster: str | None, running: list[str], due: bool
) -> None:
    assert upgrades.version_is_due(cluster, running) is due


@pytest.mark.parametrize(
    ("down", "leader", "order"),
    [
        ((), "b", ("a", "c", "b")),
        ((), "c", ("a", "b", "c")),
        ((), None, ("a", "b", "c")),
        (("c",), "a", ("c", "b", "a")),
        (("b", "c"), "a", ("b", "c", "a")),
    ],
)
def test_those_that_are_down_come_first_and_the_leader_last(
    down: tuple[str, ...], leader: str | None, order: tuple[str, ...]
) -> None:
    assert upgrades.in_turn(("a", "b", "c"), down, leader) == order


def test_a_member_is_executed_with_the_new_etcd_and_remembers_the_old_one() -> None:
    old = process(data_dir="/a b")
    new = upgrades.with_etcd(old, NEW, has_data=True)
    assert new.argv[:3] == ("/new/etcd", "--name=infra1", "--data-dir=/a b")
    assert new.shown.startswith("/new/etcd --name=infra1 '--data-dir=/a b'")
    assert new.argv[1:] == old.argv[1:]
    assert (new.member.etcd, new.member.upgraded_from) == (NEW, ("3.5.1",))
    assert not upgrades.has_etcd(old, NEW)
    assert upgrades.has_etcd(new, NEW)
    again = upgrades.with_etcd(new, replace(NEW, path="/elsewhere/etcd"), has_data=True)
    assert again.member.upgraded_from == ("3.5.1",)
    back = upgrades.with_etcd(new, OLD, has_data=True)
    assert (back.argv, back.shown) == (old.argv, old.shown)


def test_what_stands_before_the_program_stays() -> None:
    plain = process("--pre-vote=true")
    wrapped = replace(plain, wrapper=("sh", "-c", "mount …", "/resolv.conf"))
    new = upgrades.with_etcd(wrapped, NEW, has_data=True)
    assert new.argv[:5] == ("sh", "-c", "mount …", "/resolv.conf", "/new/etcd")
    assert new.argv[5:] == plain.argv[1:]


def test_flags_that_changed_are_told() -> None:
    old = process("--experimental-corrupt-check-time=1h", "--debug=false")
    newest = EtcdBinary(path="/new/etcd", version="3.7.3", origin="as given")
    new = upgrades.with_etcd(old, newest, has_data=True)
    assert upgrades.changed_flags(old, new) == (
        ("--experimental-corrupt-check-time=1h", "--debug=false"),
        ("--corrupt-check-time=1h",),
    )


def test_a_flag_that_the_new_etcd_has_not_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        upgrades.with_etcd(process("--enable-v2=true"), NEW, has_data=True)
    assert refused.value.what == "etcd 3.6.16 does not know the flag 'enable-v2' of infra1"
    assert "known to etcd 3.4 to 3.5" in refused.value.hint
    assert "etcd-sandbox apply" in refused.value.hint


@pytest.mark.parametrize(
    "argv", [("/bin/sh", "-c", "exec etcd --name infra1"), ("/old/etcd", "--name", "infra1")]
)
def test_a_command_of_the_users_own_is_not_changed(argv: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="the command of infra1 is not ours to change") as refused:
        upgrades.with_etcd(replace(process(), argv=argv, flags={}), NEW, has_data=True)
    assert "'etcd1' in its file" in refused.value.hint


def contained() -> MemberProcess:
    binary = EtcdBinary(path="/usr/local/bin/etcd", version="3.5.1", origin="image", image="etcd:1")
    plain = process(etcd=binary)
    wrapper = ("podman", "run", "--name=x", "--entrypoint=/usr/local/bin/etcd")
    container = ContainerSpec(
        runtime=Runtime.PODMAN,
        engine="podman",
        name="x",
        image="etcd:1",
        program="/usr/local/bin/etcd",
        data_dir="/d",
    )
    return composed(
        replace(plain, wrapper=wrapper, container=container), binary.path, {"logger": "zap"}
    )


def test_a_container_gets_another_image() -> None:
    newer = EtcdBinary(path="etcd", version="3.6.16", origin="image", image="etcd:2")
    new = upgrades.with_etcd(contained(), newer, has_data=True)
    assert new.argv[:6] == (
        "podman",
        "run",
        "--name=x",
        "--entrypoint=etcd",
        "etcd:2",
        "--name=infra1",
    )
    assert new.container is not None
    assert (new.container.image, new.container.program) == ("etcd:2", "etcd")


def test_a_program_is_no_image_and_an_image_no_program() -> None:
    with pytest.raises(InputError, match=r"infra1 is a container, and etcd 3\.6\.16 is a program"):
        upgrades.with_etcd(contained(), NEW, has_data=True)
    with pytest.raises(
        InputError, match=r"infra1 is no container, and etcd 3\.6\.16 is in an image"
    ):
        upgrades.with_etcd(process(), replace(NEW, image="etcd:2"), has_data=True)


def test_a_later_plan_keeps_what_members_were_upgraded_to() -> None:
    first, second = process(), process(name="infra2")
    recorded = plan(upgrades.with_etcd(first, NEW, has_data=True), second)
    again = plan(first, second, process(name="infra3"))
    kept = upgrades.kept_upgrades(again, recorded, lambda data_dir: True)
    assert kept == {"etcd1": NEW}
    after = upgrades.with_kept(again, recorded, kept)
    assert after.process("etcd1") == recorded.process("etcd1")
    assert after.process("etcd2") == second
    assert upgrades.kept_upgrades(again, recorded, lambda data_dir: False) == {}


def test_what_is_worth_knowing_is_said_before() -> None:
    old = process(etcd=EtcdBinary(path="/o", version="3.4.23", origin=""))
    middle = upgrades.with_etcd(old, replace(OLD, path="/m"), has_data=True)
    (note,) = upgrades.notes_of(plan(middle), ["etcd1"], "3.6.16", 3)
    assert "the data of infra1 began with etcd 3.4" in note
    assert upgrades.notes_of(plan(middle), ["etcd1"], "3.5.30", 3) == ()
    assert upgrades.notes_of(plan(middle), ["etcd1"], "3.7.3", 3) == ()
    (one,) = upgrades.notes_of(plan(old), ["etcd1"], "3.5.1", 1)
    assert "the only voter" in one
    (two,) = upgrades.notes_of(plan(old), ["etcd1"], "3.5.1", 2)
    assert "both are needed" in two


def test_the_log_is_where_a_flag_says_else_in_the_data_directory() -> None:
    assert upgrades.wal_dir(process()) == Path("/data/infra1/member/wal")
    assert upgrades.wal_dir(process("--wal-dir=/fast")) == Path("/fast")
