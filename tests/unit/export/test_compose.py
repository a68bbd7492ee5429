"""An exported Compose file, as a reader of YAML and of Compose's variables has it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.compose import compose
from etcd_sandbox.model.spec import ClusterSpec, Service
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.export import plans
from tests.unit.export.plans import from_procfile, from_profile

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def read(spec: ClusterSpec) -> dict[str, Any]:
    document = yaml.safe_load(compose(spec).text)
    assert isinstance(document, dict)
    return document


def flags(service: dict[str, Any]) -> dict[str, str]:
    """What the etcd of the service gets, Compose's `$$` read as it reads it."""
    assert not any(re.search(r"\$", word.replace("$$", "")) for word in service["command"])
    words = [word.replace("$$", "$").removeprefix("--") for word in service["command"]]
    return dict(word.partition("=")[::2] for word in words)


@settings(max_examples=20)
@given(cors=TEXTS)
def test_any_value_of_a_flag_reaches_etcd(cors: str) -> None:
    import tomli_w

    spec = from_profile(tomli_w.dumps({"cluster": {"members": 1}, "etcd": {"cors": cors}}))
    assert flags(read(spec)["services"]["infra1"])["cors"] == cors


@settings(max_examples=20)
@given(
    st.lists(
        st.text(plans.NAMES, min_size=1, max_size=12).filter(lambda name: name[0].isalnum()),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_members_of_any_names_are_services_that_find_each_other(names: list[str]) -> None:
    services = read(from_profile("".join(f'[[member]]\nname = "{name}"\n' for name in names)))[
        "services"
    ]
    assert [flags(service)["name"] for service in services.values()] == names
    assert len({name.lower() for name in services}) == len(names)
    for name, service in services.items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        own = flags(service)
        assert own["initial-advertise-peer-urls"] == f"http://{name}:2380"
        pairs = [pair.rpartition("=") for pair in own["initial-cluster"].split(",")]
        assert [member for member, _, _ in pairs] == names
        assert [url for _, _, url in pairs] == [f"http://{other}:2380" for other in services]


def test_names_that_compose_cannot_tell_apart_become_services_of_their_own() -> None:
    names = ["a@b", "a#b", "discovery", "X", "x", "_@"]
    text = "".join(f'[[member]]\nname = "{name}"\n' for name in names)
    spec = from_profile(text)
    services = read(spec)["services"]
    assert list(services) == ["a-b", "a-b-2", "discovery-2", "X", "x-2", "member"]
    assert "the service of x is called x-2" in compose(spec).notes


def test_each_member_has_a_volume_a_health_check_and_its_port_on_this_machine_only() -> None:
    document = read(from_profile(members=3))
    second = document["services"]["infra2"]
    assert second["image"] == "gcr.io/etcd-development/etcd:v3.5.1"
    assert second["entrypoint"] == ["/usr/local/bin/etcd"]
    assert second["ports"] == ["127.0.0.1:22379:2379"]
    assert second["volumes"] == ["infra2-data:/etcd-data"]
    assert flags(second)["data-dir"] == "/etcd-data"
    assert second["healthcheck"]["test"] == ["CMD", "/usr/local/bin/etcdctl", "endpoint", "health"]
    assert set(document["volumes"]) == {"infra1-data", "infra2-data", "infra3-data"}
    assert second["networks"] == list(document["networks"])


def test_members_of_several_versions_have_several_images() -> None:
    spec = from_profile('[cluster]\nmembers = 2\n[[member]]\nname = "infra2"\netcd = "3.4"\n')
    images = [service["image"] for service in read(spec)["services"].values()]
    assert [image.rpartition(":")[2] for image in images] == ["v3.5.1", "v3.4.23"]


def test_the_clusters_own_image_is_kept_with_its_own_place_of_etcd() -> None:
    spec = plans.contained("some/etcd:x", members=1)
    member = spec.members[0].member
    assert member.etcd is not None
    own = replace(member, etcd=replace(member.etcd, path="/bin/etcd"))
    spec = replace(spec, processes=(replace(spec.members[0], member=own),))
    service = read(spec)["services"]["infra1"]
    assert (service["image"], service["entrypoint"]) == ("some/etcd:x", ["/bin/etcd"])
    assert service["healthcheck"]["test"][1] == "/bin/etcdctl"


def test_an_image_that_only_this_machine_has_gives_way_to_the_official_one() -> None:
    spec = plans.contained("localhost/etcd-sandbox:3.6.16-0123", members=1)
    assert read(spec)["services"]["infra1"]["image"] == "gcr.io/etcd-development/etcd:v3.6.16"
    assert "built here" in compose(spec).notes[0]


def test_restart_policies_and_stop_times_have_their_words_in_compose() -> None:
    spec = from_profile('[supervise]\nrestart = "on-failure"\nstop_timeout_s = 2.5\n')
    service = read(spec)["services"]["infra1"]
    assert (service["restart"], service["stop_grace_period"]) == ("on-failure", "2500ms")


def test_a_discovery_service_is_registered_at_before_the_members_start() -> None:
    services = read(from_profile(members=3, inputs=plans.DISCOVERY))["services"]
    register = services["register"]
    assert register["environment"] == {"ETCDCTL_API": "2"}
    assert register["command"][1:] == ["set", "/discovery/c0ffee/_config/size", "3"]
    assert register["depends_on"] == {"discovery": {"condition": "service_healthy"}}
    assert flags(services["infra1"])["discovery"] == (
        "http://discovery:2379/v2/keys/discovery/c0ffee"
    )
    assert "initial-cluster" not in flags(services["infra1"])
    assert services["infra1"]["depends_on"] == {
        "register": {"condition": "service_completed_successfully"}
    }
    assert "enable-v2" in flags(services["discovery"])


def test_the_service_of_mixed_members_is_an_etcd_that_serves_their_protocol() -> None:
    text = "[[member]]\nname = 'a'\netcd = '3.6'\n[[member]]\nname = 'b'\netcd = '3.5'\n"
    services = read(from_profile(text, inputs=plans.DISCOVERY))["services"]
    images = {name: services[name]["image"].rpartition(":")[2] for name in services}
    assert images == {"a": "v3.6.16", "b": "v3.5.1", "discovery": "v3.5.1", "register": "v3.5.1"}


def test_discovery_of_the_newer_protocol_has_its_own_words() -> None:
    spec = from_profile(members=3, inputs=plans.DISCOVERY, etcd="3.6")
    services = read(spec)["services"]
    assert services["register"]["command"][1:] == [
        "put", "/_etcd/registry/c0ffee/_config/size", "3",
    ]  # fmt: skip
    own = flags(services["infra1"])
    assert (own["discovery-endpoints"], own["discovery-token"]) == ("discovery:2379", "c0ffee")


def test_an_existing_discovery_service_keeps_its_address() -> None:
    spec = from_profile(members=1, inputs=plans.DISCOVERY)
    assert spec.discovery is not None
    spec = replace(
        spec,
        processes=tuple(p for p in spec.processes if p.service is not Service.DISCOVERY),
        discovery=replace(spec.discovery, process=""),
    )
    services = read(spec)["services"]
    assert list(services) == ["infra1"]
    assert flags(services["infra1"])["discovery"].startswith("http://127.0.0.1:12383/v2/")
    assert "reachable from containers" in compose(spec).notes[0]


def test_a_dns_bootstrap_becomes_a_list_and_says_so() -> None:
    spec = from_profile(members=2, inputs=plans.DNS, etcd="3.4")
    own = flags(read(spec)["services"]["infra1"])
    assert own["initial-cluster"] == "infra1=https://infra1:2380,infra2=https://infra2:2380"
    assert own["peer-auto-tls"] == "true"
    assert "SRV" in compose(spec).notes[0]


def test_a_procfiles_members_become_services_and_the_rest_is_named() -> None:
    spec = from_procfile(
        "etcd1: etcd --name m1 --listen-client-urls http://127.0.0.1:2379 "
        "--advertise-client-urls http://127.0.0.1:2379 --snapshot-count 7\nweb: sleep 1\n"
    )
    services = read(spec)["services"]
    assert list(services) == ["m1"]
    assert flags(services["m1"])["snapshot-count"] == "7"
    assert compose(spec).notes[0].startswith("web: ")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a: etcd --wal-dir /x", "--wal-dir"),
        ("a: etcd --discovery http://x/y", "--discovery"),
        ("a: etcd --config-file x", "config file"),
        ("a: sleep 1", "no etcd member"),
    ],
)
def test_what_a_container_cannot_have_is_refused(line: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        compose(from_procfile(f"{line}\n", read_file=lambda _: ""))
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["1e3", "0o17", "null", "yes", "1_0", "0x1f", "2026-01-01"])
def test_names_that_look_like_numbers_are_quoted_for_every_yaml(name: str) -> None:
    text = compose(from_profile(f'[[member]]\nname = "{name}"\n')).text
    assert f'  "{name}":\n' in text or f"  '{name}':\n" in text
