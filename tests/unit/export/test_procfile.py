"""An exported Procfile: what goreman, honcho and `up -f` make of it."""

from __future__ import annotations

import shlex

import pytest
from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.standalone import procfile
from etcd_sandbox.model.spec import (
    ClusterSpec,
    ContainerNetwork,
    MemberProcess,
    Restart,
    Service,
)
from etcd_sandbox.plan.memberoptions import options
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.export import plans
from tests.unit.export.plans import from_procfile, from_profile

LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=20
)


def exported(spec: ClusterSpec) -> ClusterSpec:
    """What `up -f` makes of the exported file."""
    return from_procfile(procfile(spec, plans.ON_PATH).text)


def facts(process: MemberProcess) -> tuple[object, ...]:
    member = process.member
    return (
        process.name,
        member.name,
        member.id,
        member.client_url,
        member.peer_url,
        member.metrics_url,
        member.token,
        member.initial_cluster,
    )


def beyond(process: MemberProcess) -> dict[str, str]:
    """The options but for the two that must differ without links and a state directory."""
    different = ("data-dir", "listen-peer-urls")
    return {name: value for name, value in options(process).items() if name not in different}


@settings(max_examples=20)
@given(
    names=st.lists(
        st.text(plans.NAMES, min_size=1, max_size=12).filter(lambda name: name[0].isalnum()),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    token=LINES.filter(lambda text: text != ""),
    cors=LINES,
)
def test_up_finds_the_same_members_in_the_exported_file(
    names: list[str], token: str, cors: str
) -> None:
    import tomli_w

    spec = from_profile(
        tomli_w.dumps(
            {
                "cluster": {"token": token},
                "member": [{"name": name, "flags": {"cors": cors}} for name in names],
            }
        )
    )
    made = exported(spec)
    assert [facts(process) for process in made.members] == [facts(p) for p in spec.members]
    assert [beyond(process) for process in made.members] == [beyond(p) for p in spec.members]
    assert made.notes == ()


def test_members_listen_where_they_are_dialled_and_keep_their_data_beside_the_file() -> None:
    made = exported(from_profile(members=3))
    for process in made.members:
        member = process.member
        assert member.peer_url in member.listen_urls
        assert member.data_dir == f"/project/{member.name}.etcd"


def test_an_etcd_on_path_is_called_etcd_and_any_other_by_its_path() -> None:
    spec = from_profile('[[member]]\nname = "a"\n[[member]]\nname = "b"\netcd = "3.4"\n')
    lines = procfile(spec, plans.ON_PATH).text.splitlines()[-2:]
    assert lines[0].startswith("a: etcd --name=a ")
    assert lines[1].startswith("b: '/opt/old one/etcd' --name=b ")


def test_a_procfiles_commands_stay_as_they_are() -> None:
    text = "db: etcd --name 'a b' --data-dir x\nweb: cd web && ./run -p $PORT | tee out\n"
    found = procfile(from_procfile(text), plans.ON_PATH)
    assert found.notes == ()
    lines = found.text.splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith("#")) == text


def test_the_links_of_a_procfiles_members_stay_here() -> None:
    text = "db: etcd --name a\n"
    spec = from_procfile(text, links=True)
    assert "--listen-peer-urls" in spec.processes[0].shown
    assert procfile(spec, plans.ON_PATH).text.endswith(text)


def test_an_etcd_that_was_not_on_path_gets_the_path_of_the_one_that_was_found() -> None:
    spec = from_procfile("db: X=1 etcd --name a\n", on_path=None, etcd="3.4")
    assert procfile(spec, "").text.endswith("db: X=1 '/opt/old one/etcd' --name a\n")


def test_a_port_base_of_its_own_is_told() -> None:
    spec = from_procfile("web: sleep 1\n", port_base=7000)
    assert "goreman -b 7000 -f FILE start, honcho -f FILE start -p 7000" in procfile(spec, "").text


def test_what_waits_for_the_cluster_waits_for_its_health() -> None:
    spec = from_profile('[[process]]\nname = "app"\ncommand = "run it"\nafter = "ready"\n')
    assert procfile(spec, plans.ON_PATH).text.splitlines()[-1] == (
        "app: until curl -fs -o /dev/null http://127.0.0.1:12379/health; do sleep 0.2; done; run it"
    )


def test_a_discovery_service_registers_the_token_and_the_members_wait_for_it() -> None:
    spec = from_profile(members=3, inputs=plans.DISCOVERY)
    lines = procfile(spec, plans.ON_PATH).text.splitlines()
    service, member = lines[-1], lines[-4]
    size = "http://127.0.0.1:12383/v2/keys/discovery/c0ffee/_config/size"
    assert service.startswith(
        f"discovery: until curl -fsS -o /dev/null -X PUT {size} -d value=3; do sleep 0.2; done & "
        "exec etcd --name=discovery --data-dir=discovery.etcd "
    )
    assert f"until curl -fs -o /dev/null {size}; do" in member


def test_up_takes_the_members_for_members_and_the_discovery_service_for_none() -> None:
    for etcd in ("3.5", "3.6"):
        spec = from_profile(members=3, inputs=plans.DISCOVERY, etcd=etcd)
        made = exported(spec)
        assert [p.member.name for p in made.members] == ["infra1", "infra2", "infra3"]
        assert made.members[0].member.peer_url == "http://127.0.0.1:12380"


def test_an_existing_service_is_used_as_it_is_and_its_token_warned_of() -> None:
    spec = from_profile(members=2, inputs=plans.DISCOVERY)
    assert spec.discovery is not None
    spec = replace(
        spec,
        processes=tuple(p for p in spec.processes if p.service is not Service.DISCOVERY),
        discovery=replace(spec.discovery, process=""),
    )
    found = procfile(spec, plans.ON_PATH)
    assert "until" not in found.text
    assert "c0ffee" in found.notes[0]


def test_a_dns_bootstrap_is_refused_with_the_reason_and_the_other_ways() -> None:
    with pytest.raises(InputError) as caught:
        procfile(from_profile(members=3, inputs=plans.DNS), plans.ON_PATH)
    assert "/etc/resolv.conf" in caught.value.what
    assert "export dnsmasq" in caught.value.hint
    assert "export procfile -n 3" in caught.value.hint


def test_members_in_containers_become_the_etcd_on_path_of_the_same_version() -> None:
    found = procfile(plans.contained("i", members=1), plans.ON_PATH)
    words = shlex.split(found.text.splitlines()[-1])
    assert words[:4] == ["etcd1:", "etcd", "--name=infra1", "--data-dir=infra1.etcd"]
    assert "3.6.16" in found.notes[0]


def test_members_on_a_network_of_their_own_come_to_this_machines() -> None:
    spec = plans.contained("i", ContainerNetwork.PUBLISHED, members=3)
    found = procfile(spec, plans.ON_PATH)
    made, usual = from_procfile(found.text), exported(from_profile(members=3))
    assert [facts(process) for process in made.members] == [facts(p) for p in usual.members]
    listening = [process.member.listen_urls for process in made.members]
    assert listening == [process.member.listen_urls for process in usual.members]
    assert "IDs differ" in found.notes[1]


def test_a_command_of_several_lines_is_refused_by_name() -> None:
    spec = from_profile('[[process]]\nname = \'app\'\ncommand = """a\nb"""\n')
    with pytest.raises(InputError, match="'app' has a line break"):
        procfile(spec, plans.ON_PATH)


def test_what_other_tools_do_not_do_is_noted() -> None:
    spec = from_profile(
        '[supervise]\nrestart = "always"\n[[member]]\nname = "a.b"\n[[process]]\nname = "p"\n'
        'command = "x"\nstdin = "pipe"\n',
        env_overlay={"SECRET": "s3cret"},
    )
    found = procfile(spec, plans.ON_PATH)
    assert [note.partition(" ")[0] for note in found.notes] == [
        "nothing",
        "nothing",
        "honcho",
        "SECRET:",
    ]
    assert found.notes[1] == "nothing keeps the stdin of p open there"
    assert "s3cret" not in found.text
    assert spec.members[0].restart is Restart.ALWAYS


def test_the_file_says_nothing_of_the_sandboxs_own_directories() -> None:
    assert "/state" not in procfile(from_profile(members=3), plans.ON_PATH).text


def test_each_line_is_an_entry_or_a_comment() -> None:
    spec = from_profile(members=3, inputs=plans.DISCOVERY)
    parsed = parse_procfile(procfile(spec, plans.ON_PATH).text.encode(), "x")
    assert parsed.warnings == ()
    assert [entry.name for entry in parsed.entries] == [p.name for p in spec.processes]
