"""What an edited input would change in a running cluster."""

from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec, DnsSpec
from etcd_sandbox.model.spec import (
    After,
    ClusterSpec,
    MemberProcess,
    MemberSpec,
    ProcessSpec,
    Restart,
    Runtime,
    Source,
    SourceKind,
)
from etcd_sandbox.plan.changes import Changes, Moved, compare, in_order, peer_urls_of
from msgspec.structs import replace


def process(name: str, **fields: Any) -> ProcessSpec:
    return ProcessSpec(**{"name": name, "argv": (name,), "shown": name, "cwd": "/"} | fields)


def member(name: str, peer_port: int = 1) -> MemberProcess:
    return MemberProcess(
        name=f"p-{name}",
        argv=(f"p-{name}",),
        shown=f"p-{name}",
        cwd="/",
        member=MemberSpec(
            name=name,
            id=None,
            client_url=Address(""),
            peer_url=Address(f"http://127.0.0.1:{peer_port}"),
            data_dir="/d",
            data_owned=True,
            token="t",
        ),
    )


def cluster(*processes: ProcessSpec) -> ClusterSpec:
    return ClusterSpec(name="default", source=Source(kind=SourceKind.PROCFILE), processes=processes)


def test_nothing_differs_between_a_plan_and_itself() -> None:
    spec = cluster(process("web"), member("a"))
    changes = compare(spec, spec)
    assert changes == Changes()
    assert not changes
    assert changes.one_line() == ""


def test_what_changed_came_and_went_is_told_in_one_line() -> None:
    running = cluster(process("web"), process("api"), process("old"), process("same"))
    wanted = cluster(
        process("db"), process("same"), process("web", argv=("x",)), process("api", env={"A": "1"})
    )
    changes = compare(running, wanted)
    assert changes == Changes(changed=("web", "api"), came=("db",), went=("old",))
    assert changes.one_line() == "web, api changed, db came, old went"
    assert changes


@pytest.mark.parametrize(
    "fields",
    [
        {"argv": ("y",)},
        {"cwd": "/x"},
        {"env": {"A": "1"}},
        {"env_drop": ("A",)},
        {"restart": Restart.ALWAYS},
        {"stop_timeout_s": 1.0},
        {"after": After.READY},
    ],
)
def test_each_field_of_a_running_process_counts(fields: dict[str, Any]) -> None:
    web = process("web")
    assert compare(cluster(web), cluster(replace(web, **fields))).one_line() == "web changed"


def test_how_a_command_is_shown_does_not_count() -> None:
    web = process("web")
    assert not compare(cluster(web), cluster(replace(web, shown="other")))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ([member("a")], [member("a")], False),
        ([member("a")], [member("a"), process("web")], False),
        ([member("a")], [member("a"), member("b", 2)], True),
        ([member("a"), member("b", 2)], [member("a")], True),
        ([member("a", 1)], [member("a", 2)], False),
        ([member("a", 1)], [replace(member("a", 2), name="other")], True),
        ([member("a")], [process("p-a")], True),
    ],
)
def test_a_changed_membership_is_told_apart(
    before: list[ProcessSpec], after: list[ProcessSpec], changed: bool
) -> None:
    expected = "member list" if changed else ""
    assert compare(cluster(*before), cluster(*after)).refused == expected


def test_a_member_with_another_peer_url_moves_and_is_not_among_the_changed() -> None:
    running = cluster(member("a", 1), member("b", 2))
    wanted = cluster(member("a", 1), replace(member("b", 3), argv=("anew",)))
    changes = compare(running, wanted)
    assert changes == Changes(
        moved=(
            Moved(
                process="p-b",
                member="b",
                before="http://127.0.0.1:2",
                after="http://127.0.0.1:3",
            ),
        )
    )
    assert changes.one_line() == "p-b moved to the peer URL http://127.0.0.1:3"


def test_a_peer_url_that_somebody_changed_on_etcds_list_differs_too() -> None:
    spec = cluster(member("a", 1), member("b", 2))
    assert not compare(spec, spec, {"p-a": ("http://127.0.0.1:1", "http://127.0.0.1:9")})
    (moved,) = compare(spec, spec, {"p-b": ("http://127.0.0.1:9",)}).moved
    assert (moved.before, moved.after) == ("http://127.0.0.1:9", "http://127.0.0.1:2")


@pytest.mark.parametrize(
    "fields",
    [
        {"bootstrap": Bootstrap.DNS, "dns": DnsSpec(
            domain="d", address="127.0.0.1", srv=(), hosts=(), resolv_conf="", process="dns",
        )},
        {"runtime": Runtime.PODMAN},
    ],
)  # fmt: skip
def test_members_that_are_found_by_name_do_not_move(fields: dict[str, Any]) -> None:
    running, wanted = (replace(cluster(member("a", port)), **fields) for port in (1, 2))
    assert compare(running, wanted).refused == "peer URL"


def moving(ports: dict[str, int]) -> list[MemberProcess]:
    return [member(name, port) for name, port in ports.items()]


def test_whoever_takes_the_peer_url_of_another_moves_after_it() -> None:
    now = {each.name: each.member for each in moving({"a": 1, "b": 2, "c": 3})}
    wanted = moving({"a": 2, "b": 3, "c": 4})
    assert [each.name for each in in_order(wanted, now)] == ["p-c", "p-b", "p-a"]
    wanted = moving({"c": 8, "a": 9})
    assert in_order(wanted, now) == wanted


def test_members_that_change_places_are_refused_with_the_way() -> None:
    now = {each.name: each.member for each in moving({"a": 1, "b": 2}) if each.member}
    with pytest.raises(
        InputError, match=r"a is to have the peer URL http://.*:2, which b has"
    ) as no:
        in_order(moving({"a": 2, "b": 1}), now)
    assert "a peer URL that nobody has" in no.value.hint


def test_all_peer_urls_of_a_member_are_those_of_its_own_list_of_members() -> None:
    own = member("a", 1).member
    assert own is not None
    assert peer_urls_of(own) == ("http://127.0.0.1:1",)
    first, second = Address("http://127.0.0.1:1"), Address("http://[::1]:1")
    several = {"a": (first, second), "b": (Address("http://127.0.0.1:2"),)}
    assert peer_urls_of(replace(own, initial_cluster=several)) == (first, second)
    elsewhere = {"a": (Address("http://127.0.0.1:7"),)}
    assert peer_urls_of(replace(own, initial_cluster=elsewhere)) == ("http://127.0.0.1:1",)


def by_discovery(token: str) -> ClusterSpec:
    discovery = DiscoverySpec(
        protocol=DiscoveryProtocol.V3, service=Address("http://127.0.0.1:1"), token=token, size=1
    )
    return replace(cluster(member("a")), bootstrap=Bootstrap.DISCOVERY, discovery=discovery)


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (cluster(member("a")), by_discovery("t"), "bootstrap"),
        (by_discovery("t"), cluster(member("a")), "bootstrap"),
        (by_discovery("t"), by_discovery("another"), "bootstrap"),
        (by_discovery("t"), by_discovery("t"), ""),
        (
            cluster(member("a")),
            replace(cluster(member("a", 2)), bootstrap=Bootstrap.DNS),
            "bootstrap",
        ),
        (cluster(member("a")), replace(cluster(member("a")), runtime=Runtime.PODMAN), "runtime"),
    ],
)
def test_another_way_to_start_is_not_for_a_cluster_that_runs(
    before: ClusterSpec, after: ClusterSpec, refused: str
) -> None:
    changes = compare(before, after)
    assert changes.refused == refused
    assert bool(changes) is bool(refused)
