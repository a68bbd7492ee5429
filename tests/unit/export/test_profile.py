"""An exported profile makes the same cluster again."""

from __future__ import annotations

import pytest
import tomli
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.profile import profile
from etcd_sandbox.model.spec import RECORDS_FILE, ClusterSpec, ContainerNetwork, ProcessSpec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.export import plans
from tests.unit.export.plans import from_procfile, from_profile

VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["true", "True", "00", "1e3", "-0", "$HOME", 'it\'s "x" \\', "a\nb", "]#", "'''"]
    ),
)
FLAGS = st.dictionaries(
    st.sampled_from(
        ["snapshot-count", "max-wals", "auto-compaction-mode", "cors", "auth-token", "metrics"]
    ),
    VALUES,
    max_size=4,
)
COMMANDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda text: text.strip() != ""
)


def flags_in_any_order(process: ProcessSpec) -> ProcessSpec:
    """The order of different flags means nothing to etcd."""
    if process.member is None:
        return process
    argv = (process.argv[0], *sorted(process.argv[1:]))
    return replace(process, argv=argv, shown="")


def meaning(spec: ClusterSpec) -> ClusterSpec:
    return replace(spec, processes=tuple(map(flags_in_any_order, spec.processes)), notes=())


def again(spec: ClusterSpec, **options: object) -> ClusterSpec:
    return from_profile(profile(spec).text, **options)


@settings(max_examples=20)
@given(
    shared=FLAGS,
    own=FLAGS,
    other=FLAGS,
    command=COMMANDS,
    restart=st.sampled_from(["never", "on-failure", "always"]),
    after=st.sampled_from(["start", "ready"]),
    stdin=st.sampled_from(["null", "pipe", "terminal"]),
    seconds=st.sampled_from([0.5, 10, 3600]),
    token=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    base_port=st.integers(1, 5000),
    own_port=st.integers(30000, 60000),
)
def test_the_profile_of_any_profile_makes_the_same_cluster(
    shared: dict[str, str | int | float | bool],
    own: dict[str, str | int | float | bool],
    other: dict[str, str | int | float | bool],
    command: str,
    restart: str,
    after: str,
    stdin: str,
    seconds: float,
    token: str,
    base_port: int,
    own_port: int,
) -> None:
    import tomli_w

    text = tomli_w.dumps(
        {
            "cluster": {"members": 3, "base_port": base_port, "port_step": 1000, "token": token},
            "etcd": shared,
            "member": [
                {"name": "infra2", "flags": own, "etcd": "3.4"},
                {"name": "infra3", "flags": other, "client_port": own_port},
            ],
            "process": [
                {
                    "name": "app",
                    "command": command,
                    "restart": restart,
                    "after": after,
                    "stdin": stdin,
                },
            ],
            "supervise": {"restart": restart, "stop_timeout_s": seconds},
        }
    )
    spec = from_profile(text)
    assert meaning(again(spec)) == meaning(spec)


@settings(max_examples=20)
@given(
    st.lists(
        st.text(plans.NAMES, min_size=1, max_size=12).filter(lambda name: name[0].isalnum()),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
def test_members_of_any_names_are_listed_by_them(names: list[str]) -> None:
    spec = from_profile("".join(f'[[member]]\nname = "{name}"\n' for name in names))
    exported = again(spec)
    assert meaning(exported) == meaning(spec)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 25])
def test_so_many_members_are_a_number_and_not_a_list(count: int) -> None:
    spec = from_profile(members=count)
    document = tomli.loads(profile(spec).text)
    assert document["cluster"]["members"] == count
    assert "member" not in document
    assert meaning(again(spec)) == meaning(spec)


@pytest.mark.parametrize("value", ["true", "True", "FALSE", "007", "-0", "1_000", "9" * 30, ""])
def test_values_that_look_like_others_reach_etcd_as_they_are(value: str) -> None:
    spec = from_profile(f'[cluster]\nmembers = 1\n[etcd]\ncors = "{value}"\n')
    assert again(spec).processes[0].argv[-1] == f"--cors={value}"


def test_a_cluster_without_its_second_member_lists_the_others() -> None:
    spec = from_profile(members=3)
    left = replace(spec, processes=(spec.processes[0], spec.processes[2]))
    names = [process.member.name for process in again(left).members]
    assert names == ["infra1", "infra3"]


def test_flags_that_all_members_have_are_written_once() -> None:
    spec = from_profile("[etcd]\nsnapshot-count = 100\n", members=3)
    document = tomli.loads(profile(spec).text)
    assert document["etcd"] == {"snapshot-count": 100}
    assert "member" not in document


def test_a_token_of_another_clusters_name_goes_along() -> None:
    spec = from_profile(members=3, name="demo")
    assert [p.member.id for p in again(spec).members] == [p.member.id for p in spec.members]


def test_the_etcd_is_asked_for_as_the_caller_says() -> None:
    spec = from_profile(members=1)
    exported = profile(spec, lambda binary: binary.path)
    assert tomli.loads(exported.text)["cluster"]["etcd"] == plans.ON_PATH


def test_direct_members_are_noted_since_a_profile_has_no_word_for_them() -> None:
    assert "--direct" in profile(from_profile(members=3, direct=True)).notes[0]
    assert profile(from_profile(members=3)).notes == ()


def test_a_discovery_bootstrap_keeps_its_way_and_size_but_no_token_of_ours() -> None:
    inputs = replace(plans.DISCOVERY, size=2)
    cluster = tomli.loads(profile(from_profile(members=3, inputs=inputs)).text)["cluster"]
    assert cluster["bootstrap"] == "discovery"
    assert cluster["discovery_size"] == 2
    assert "token" not in cluster
    assert "discovery_token" not in cluster


def test_a_dns_bootstrap_is_the_same_cluster() -> None:
    spec = from_profile(members=3, inputs=plans.DNS, etcd="3.4")
    exported = profile(spec)
    assert exported.notes == ()
    assert meaning(from_profile(exported.text, inputs=plans.DNS)) == meaning(spec)


def test_records_that_are_not_the_members_own_are_named_as_missing() -> None:
    spec = from_profile(members=3, inputs=plans.DNS)
    assert spec.dns is not None
    other = replace(spec, dns=replace(spec.dns, srv=spec.dns.srv[:3]))
    assert any("dns_records" in note for note in profile(other).notes)
    pipe = "/dev/fd/63"
    source = replace(
        other.source, options={"dns_records": pipe}, texts={f"{RECORDS_FILE} {pipe}": ""}
    )
    piped = profile(replace(other, source=source))
    assert pipe not in piped.text
    assert any("dns_records" in note for note in piped.notes)


@pytest.mark.parametrize("network", list(ContainerNetwork))
def test_containers_keep_their_engine_network_and_image(network: ContainerNetwork) -> None:
    spec = plans.contained("some/etcd:1", network, members=3)
    exported = profile(spec)
    cluster = tomli.loads(exported.text)["cluster"]
    assert cluster["runtime"] == "podman"
    assert cluster["image"] == "some/etcd:1"
    assert cluster["container_network"] == network
    again = plans.contained("some/etcd:1", network, text=exported.text)
    assert [process.argv for process in again.members] == [p.argv for p in spec.members]


def test_an_image_that_was_built_here_is_built_again() -> None:
    exported = profile(plans.contained("localhost/etcd-sandbox:3.6.16-012345", members=1))
    cluster = tomli.loads(exported.text)["cluster"]
    assert cluster["image_from_binary"] is True
    assert "image" not in cluster


PROCFILE = """\
etcd1: etcd --name infra1 --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster infra1=http://127.0.0.1:2380 --initial-cluster-token t --snapshot-count=100
web: python -m http.server $PORT
"""


def test_a_procfiles_members_keep_their_flags_ports_and_ids() -> None:
    spec = from_procfile(PROCFILE)
    exported = profile(spec)
    made = from_profile(exported.text)
    before, after = spec.members[0].member, made.members[0].member
    assert before is not None
    assert after is not None
    assert (after.name, after.id, after.client_url, after.peer_url) == (
        (before.name, before.id, before.client_url, before.peer_url)
    )
    assert "--snapshot-count=100" in made.members[0].argv
    assert exported.notes == ()


def test_a_procfiles_other_processes_keep_their_port() -> None:
    made = from_profile(profile(from_procfile(PROCFILE)).text)
    assert made.processes[1].shown == "export PORT=5100; python -m http.server $PORT"


def test_ports_that_a_profile_cannot_give_are_noted() -> None:
    spec = from_procfile(PROCFILE.replace(":2380", ":12380"))
    assert profile(spec).notes == (
        "infra1 serves its peers at http://127.0.0.1:2380 instead of http://127.0.0.1:12380",
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("etcd1: etcd --name a --config-file x.yml", "config file"),
        ("etcd1: etcd --name a --discovery http://x/y", "--discovery"),
        ("etcd1: etcd --name a --listen-client-urls https://127.0.0.1:2379 "
         "--advertise-client-urls https://127.0.0.1:2379", "not plain http"),
        ("web: sleep 1", "no etcd member"),
        ("etcd1: etcd --name a --listen-client-urls http://127.0.0.1:99999 "
         "--advertise-client-urls http://127.0.0.1:99999", "no port"),
        ("etcd1: etcd --name a --no-such-flag=1", "no-such-flag"),
    ],
)  # fmt: skip
def test_what_no_profile_can_be_is_refused_by_name(line: str, problem: str) -> None:
    spec = from_procfile(f"{line}\n", read_file=lambda _: "name: a\n")
    with pytest.raises(InputError) as caught:
        from_profile(profile(spec).text)
    assert problem in str(caught.value)
