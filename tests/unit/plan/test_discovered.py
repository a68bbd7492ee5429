"""Plans of members that a discovery service introduces."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.config.profile import Profile, parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.version import member_id
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.spec import After, ClusterSpec, EtcdBinary, Service, Source, SourceKind
from etcd_sandbox.plan.generated import plan_members
from etcd_sandbox.plan.ways import BootstrapInputs
from etcd_sandbox.plan.ways.discovery import protocols_of
from etcd_sandbox.plan.ways.request import Registrants

V2, V3 = DiscoveryProtocol.V2, DiscoveryProtocol.V3


def binary(version: str) -> EtcdBinary:
    return EtcdBinary(path=f"/opt/etcd-{version}/etcd", version=version, origin="tests")


def plan(
    members: int | None = 3,
    *,
    etcd: str = "3.5.1",
    profile: str = "",
    base_port: int = 12379,
    port_step: int | None = None,
    inputs: BootstrapInputs | None = None,
) -> ClusterSpec:
    return plan_members(
        "default",
        Source(kind=SourceKind.MEMBERS),
        parse_profile(profile.encode(), "p.toml") if profile else Profile(),
        choose_etcd=lambda wish: binary(wish or etcd),
        data_root=Path("/data"),
        cwd="/work",
        caller_env={},
        members=members,
        base_port=base_port,
        port_step=port_step,
        inputs=inputs or BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, token="tok"),
    )


MIXED = """\
[cluster]
bootstrap = "discovery"
[[member]]
name = "a"
etcd = "3.6.16"
[[member]]
name = "b"
etcd = "3.5.1"
"""


def flags(spec: ClusterSpec, process: str) -> tuple[str, ...]:
    found = spec.process(process)
    assert found is not None
    return found.argv


def test_the_service_is_an_etcd_of_its_own_behind_the_first_members_ports() -> None:
    spec = plan()
    assert [process.name for process in spec.processes] == ["etcd1", "etcd2", "etcd3", "discovery"]
    (service,) = spec.services
    assert service.service is Service.DISCOVERY
    assert service.member is None
    assert "--enable-v2=true" in service.argv
    assert "--listen-client-urls=http://127.0.0.1:12383" in service.argv
    assert "--data-dir=/data/discovery" in service.argv
    assert spec.discovery is not None
    assert (spec.discovery.process, spec.discovery.size) == ("discovery", 3)


def test_members_that_stand_close_leave_the_service_a_place_behind_them_all() -> None:
    spec = plan(port_step=4)
    assert spec.discovery is not None
    assert spec.discovery.service == "http://127.0.0.1:12391"


def test_members_are_given_the_token_in_place_of_each_other() -> None:
    v2 = flags(plan(), "etcd2")
    assert "--discovery=http://127.0.0.1:12383/v2/keys/discovery/tok" in v2
    v3 = flags(plan(etcd="3.7.3"), "etcd2")
    assert {"--discovery-endpoints=127.0.0.1:12383", "--discovery-token=tok"} <= set(v3)
    for argv in (v2, v3):
        assert not any(word.startswith("--initial-cluster") for word in argv)


@pytest.mark.parametrize(
    ("etcd", "hashed"),
    [("3.4.23", "http://127.0.0.1:12383/v2/keys/discovery/tok"), ("3.6.16", "tok")],
)
def test_ids_are_those_that_the_members_will_register(etcd: str, hashed: str) -> None:
    member = plan(etcd=etcd).members[0].member
    assert member is not None
    assert member.id == member_id(["http://127.0.0.1:12380"], hashed)


@pytest.mark.parametrize(
    ("versions", "spoken"),
    [
        (["3.4.23", "3.5.1"], (V2,)),
        (["3.5.1", "3.6.16"], (V2,)),
        (["3.6.16"], (V3, V2)),
        (["3.6.16", "3.7.3"], (V3,)),
    ],
)
def test_the_protocol_is_one_that_all_members_speak(
    versions: list[str], spoken: tuple[DiscoveryProtocol, ...]
) -> None:
    assert protocols_of(map(binary, versions)) == spoken


def test_versions_without_a_common_protocol_are_refused() -> None:
    with pytest.raises(InputError, match=r"etcd 3\.5\.1 and 3\.7\.3 have no discovery protocol"):
        protocols_of([binary("3.7.3"), binary("3.5.1")])


def test_of_mixed_members_one_that_serves_their_protocol_is_the_service() -> None:
    spec = plan(None, profile=MIXED)
    assert spec.services[0].argv[0] == "/opt/etcd-3.5.1/etcd"
    assert spec.discovery is not None
    assert spec.discovery.protocol is V2


@pytest.mark.parametrize(
    ("etcd", "becomes"), [("3.5.1", "makes it a proxy"), ("3.6.16", "refuses to start it")]
)
def test_one_more_than_the_size_starts_last_and_is_no_member(etcd: str, becomes: str) -> None:
    inputs = BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, token="tok", size=3)
    spec = plan(4, etcd=etcd, inputs=inputs)
    assert [process.is_surplus for process in spec.members] == [False, False, False, True]
    last = spec.members[3]
    assert last.after is After.READY
    assert last.member.id is None
    assert len(last.member.initial_cluster) == 3
    assert len(spec.client_urls) == 3
    assert [note for note in spec.notes if becomes in note and note.startswith("infra4 ")]


def test_a_token_for_more_members_than_there_are_is_noted() -> None:
    spec = plan(2, inputs=BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, token="tok", size=3))
    assert not any(process.is_surplus for process in spec.members)
    (note,) = spec.notes
    assert "for 3 members: the cluster begins when 1 more than these 2 has registered" in note
    assert plan(3).notes == ()


def test_an_existing_service_is_asked_for_these_members_and_none_is_started() -> None:
    asked: list[Registrants] = []

    def ask(registrants: Registrants) -> DiscoverySpec:
        asked.append(registrants)
        return DiscoverySpec(
            protocol=V3,
            service=Address("https://disc.example"),
            token="t",
            size=3,
            given=True,
            taken=2,
        )

    inputs = BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, ask_service=ask)
    spec = plan(2, etcd="3.6.16", inputs=inputs)
    assert asked == [
        Registrants(
            protocols=(V3, V2),
            members=(("infra1", "http://127.0.0.1:12380"), ("infra2", "http://127.0.0.1:22380")),
        )
    ]
    assert spec.services == ()
    # Two places are taken: one of the two is surplus.
    assert [process.is_surplus for process in spec.members] == [False, True]
    argv = flags(spec, "etcd1")
    assert "--discovery-endpoints=disc.example" in argv
    assert "--discovery-insecure-transport=false" in argv


@pytest.mark.parametrize("base_port", [65531, 65532])
def test_a_service_that_has_no_port_left_is_refused(base_port: int) -> None:
    with pytest.raises(InputError, match=r"those of the discovery service pass 65535") as refused:
        plan(1, base_port=base_port)
    assert refused.value.hint == "use a lower --base-port"
    assert plan(1, base_port=65530).discovery is not None


def test_a_member_cannot_have_the_services_name() -> None:
    listed = '[[member]]\nname = "discovery"\n'
    with pytest.raises(InputError, match="what the sandbox's own discovery service is called"):
        plan(None, profile=listed)
