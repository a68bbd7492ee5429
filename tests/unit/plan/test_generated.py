"""Members that `-n N` or a profile ask for, and what runs beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.config.profile import Profile, parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import Address, as_pairs
from etcd_sandbox.model.spec import (
    After,
    ClusterSpec,
    EtcdBinary,
    PeerLink,
    Restart,
    Source,
    SourceKind,
)
from etcd_sandbox.plan.generated import plan_members
from etcd_sandbox.plan.memberargv import ENV_DROP

BEST = EtcdBinary(path="/opt/etcd", version="3.5.1", origin="PATH")
OLD = EtcdBinary(path="/opt/old/etcd", version="3.4.23", origin="as given")


def choose(wish: str) -> EtcdBinary:
    found = {"": BEST, "3.5": BEST, "3.4": OLD}.get(wish)
    if found is None:
        raise InputError(f"there is no etcd {wish} on this machine", hint="here is 3.5.1")
    return found


def plan(profile: str | Profile = "", **options: Any) -> ClusterSpec:
    if isinstance(profile, str):
        profile = parse_profile(profile.encode(), "p.toml")
    return plan_members(
        options.pop("name", "default"),
        Source(kind=SourceKind.MEMBERS),
        profile,
        choose_etcd=choose,
        data_root=Path("/state/data"),
        cwd="/project",
        caller_env=options.pop("caller_env", {}),
        **options,
    )


def refusal(profile: str = "", **options: Any) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        plan(profile, **options)
    return str(caught.value), caught.value.hint


def test_three_members_are_composed_as_etcds_own_procfile_has_them() -> None:
    spec = plan(Profile(), members=3)
    assert [process.name for process in spec.processes] == ["etcd1", "etcd2", "etcd3"]
    first = spec.members[0]
    peers = (
        "infra1=http://127.0.0.1:12380",
        "infra2=http://127.0.0.1:22380",
        "infra3=http://127.0.0.1:32380",
    )
    assert first.argv == (
        "/opt/etcd",
        "--name=infra1",
        "--data-dir=/state/data/infra1",
        "--listen-client-urls=http://127.0.0.1:12379",
        "--advertise-client-urls=http://127.0.0.1:12379",
        "--listen-peer-urls=http://127.0.0.1:12382",
        "--initial-advertise-peer-urls=http://127.0.0.1:12380",
        "--listen-metrics-urls=http://127.0.0.1:12381",
        "--initial-cluster=" + ",".join(peers),
        "--initial-cluster-state=new",
        "--initial-cluster-token=etcd-cluster-1",
        "--logger=zap",
        "--log-outputs=stderr",
    )
    assert first.shown == " ".join(first.argv)
    assert (first.cwd, first.env, first.env_drop) == ("/project", {}, ENV_DROP)
    assert (first.restart, first.stop_timeout_s, first.after) == (Restart.NEVER, 10, After.START)
    assert as_pairs(first.member.initial_cluster) == peers
    assert first.member.data_owned
    assert first.member.listen_urls == (
        "http://127.0.0.1:12379",
        "http://127.0.0.1:12382",
        "http://127.0.0.1:12381",
    )
    assert [process.member.id for process in spec.members] == [
        "8211f1d0f64f3269",
        "91bc3c398fb3c146",
        "fd422379fda50e48",
    ]


def test_each_member_stands_behind_a_link_unless_they_are_to_be_direct() -> None:
    linked, direct = plan(members=2), plan(members=2, direct=True)
    assert [process.member.link for process in linked.members] == [
        PeerLink(
            listen_url=Address("http://127.0.0.1:12380"),
            target_url=Address("http://127.0.0.1:12382"),
        ),
        PeerLink(
            listen_url=Address("http://127.0.0.1:22380"),
            target_url=Address("http://127.0.0.1:22382"),
        ),
    ]
    first = direct.members[0]
    assert "--listen-peer-urls=http://127.0.0.1:12380" in first.argv
    assert first.member.link is None
    assert first.member.no_link == "the cluster was started with --direct"
    assert "http://127.0.0.1:12380" in first.member.listen_urls
    # Peers dial the same addresses: the members are the same, and either can follow the other.
    for one, other in zip(linked.members, direct.members, strict=True):
        assert (one.member.id, one.member.peer_url) == (other.member.id, other.member.peer_url)


def test_clients_have_links_where_that_is_asked_for_and_the_member_is_asked_past_them() -> None:
    for spec in (
        plan(Profile(), members=3, client_links=True),
        plan("[cluster]\nmembers = 3\n", client_links=True),
    ):
        second = spec.members[1]
        assert second.member.client_link == PeerLink(
            listen_url=Address("http://127.0.0.1:22379"),
            target_url=Address("http://127.0.0.1:22387"),
        )
        assert second.member.client_url == "http://127.0.0.1:22387"
        assert "--listen-client-urls=http://127.0.0.1:22387" in second.argv
        assert "--advertise-client-urls=http://127.0.0.1:22379" in second.argv
        assert spec.client_urls[1] == "http://127.0.0.1:22379"
    assert plan(Profile(), members=3).members[1].member.client_link is None


def test_a_link_for_clients_needs_a_port_of_its_own() -> None:
    members = "".join(
        f"[[member]]\nname = 'm{port}'\nclient_port = {port}\n" for port in (7000, 7005)
    )
    assert plan(members).members[1].member.client_url == "http://127.0.0.1:7005"
    what, _ = refusal(members, client_links=True)
    assert "would share the port 7008" in what


def test_the_election_timeout_is_the_members_own() -> None:
    spec = plan(
        "[etcd]\nelection-timeout=500\n[cluster]\nmembers=2\n"
        "[[member]]\nname='infra2'\nflags={election-timeout=2500}"
    )
    assert [p.member.election_timeout_s for p in spec.members] == [0.5, 2.5]
    assert [p.member.election_timeout_s for p in plan(members=1).members if p.member] == [1.0]


def test_the_token_is_of_the_cluster_unless_the_profile_has_one() -> None:
    assert plan(name="default").token == "etcd-cluster-1"
    assert plan(name="mine").token == "etcd-cluster-mine"
    assert plan("[cluster]\ntoken = 't'", name="mine").token == "t"
    member = plan("[cluster]\ntoken = 't'").members[0]
    assert "--initial-cluster-token=t" in member.argv
    assert member.member.id != "8211f1d0f64f3269"


def test_options_win_over_the_profile() -> None:
    spec = plan(
        "[cluster]\nmembers=5\nbase_port=100\nport_step=10", members=7, base_port=200, port_step=20
    )
    urls = [process.member.client_url for process in spec.members]
    assert len(urls) == 7
    assert urls[:2] == ["http://127.0.0.1:200", "http://127.0.0.1:220"]


def test_members_that_are_listed_have_their_own_names_and_ports() -> None:
    spec = plan(
        "[[member]]\nname='a'\nclient_port=2000\n[[member]]\nname='b'\n[[member]]\nname='infra7'"
    )
    assert [(p.name, p.member.name, p.member.client_url) for p in spec.members] == [
        ("a", "a", "http://127.0.0.1:2000"),
        ("b", "b", "http://127.0.0.1:22379"),
        ("etcd7", "infra7", "http://127.0.0.1:32379"),
    ]


def test_flags_of_the_profile_reach_every_member_and_a_members_own_win() -> None:
    spec = plan(
        "[etcd]\nsnapshot-count=5\nlogger='zap'\nlog-outputs='stdout'\npre-vote=true\n"
        "[cluster]\nmembers=2\n[[member]]\nname='infra2'\nflags={snapshot-count=7, max-wals=2}"
    )
    first, second = (process.argv for process in spec.processes)
    assert first[-4:] == (
        "--logger=zap",
        "--log-outputs=stdout",
        "--snapshot-count=5",
        "--pre-vote=true",
    )
    assert "--snapshot-count=7" in second
    assert "--snapshot-count=5" not in second
    assert second[-1] == "--max-wals=2"


def test_each_member_runs_the_etcd_that_is_asked_for() -> None:
    text = "[cluster]\nmembers=2\netcd='3.5'\n[[member]]\nname='infra2'\netcd='3.4'"
    assert [process.argv[0] for process in plan(text).processes] == ["/opt/etcd", "/opt/old/etcd"]
    spec = plan(text.replace("3.5", "9.9"), etcd="3.5")
    assert [p.member.etcd for p in spec.members] == [BEST, OLD]


def test_supervision_of_members_is_the_profiles() -> None:
    member = plan("[supervise]\nrestart='always'\nstop_timeout_s=0.5").members[0]
    assert (member.restart, member.stop_timeout_s) == (Restart.ALWAYS, 0.5)


def test_processes_beside_the_cluster_run_under_the_shells_rule() -> None:
    spec = plan(
        "[[process]]\nname='app'\ncommand='python app.py'\nafter='ready'\nrestart='on-failure'\n"
        "[[process]]\nname='pipe'\ncommand='a | b'",
        env_overlay={"A": "1"},
    )
    app, pipe = spec.processes[3:]
    assert app.argv == ("/bin/sh", "-c", "exec python app.py")
    assert (app.shown, app.cwd, app.env, app.env_drop) == (
        "python app.py",
        "/project",
        {"A": "1"},
        (),
    )
    assert (app.after, app.restart, app.member) == (After.READY, Restart.ON_FAILURE, None)
    assert pipe.argv == ("/bin/sh", "-c", "a | b")
    assert (pipe.after, pipe.restart) == (After.START, Restart.NEVER)


def test_wanted_processes_are_named_by_process_or_member() -> None:
    assert plan(wanted=["infra3", "etcd1"]).wanted == ("etcd1", "etcd3")
    assert plan().wanted == ()
    assert refusal(wanted=["infra9"]) == (
        "no process and no member is called 'infra9'",
        "there are: infra1, infra2, infra3, etcd1, etcd2, etcd3",
    )


def test_what_up_was_told_is_in_the_plan() -> None:
    spec = plan(ephemeral=True, exit_on_error=True, port_lock="/l")
    assert (spec.ephemeral, spec.exit_on_error, spec.port_lock) == (True, True, "/l")


def test_what_is_left_aside_is_noted() -> None:
    text = "[cluster]\nmembers=5\n[[member]]\nname='infra5'\nflags={max-wals=2}"
    environment = {"ETCD_NAME": "x", "ETCDCTL_API": "3", "ETCD_SANDBOX_HOME": "/h"}
    assert plan(text, members=3, caller_env=environment).notes == (
        "p.toml:3: infra5 is not among the 3 members asked for, so its [[member]] is not used",
        "ETCD_NAME in your environment: not passed on to the members",
    )
    assert plan().notes == ()


@pytest.mark.parametrize(
    ("text", "options", "message", "hint"),
    [
        ("", {"members": 0}, "a cluster has 1 to 25 members, not 0", ""),
        ("", {"members": 1000}, "a cluster has 1 to 25 members, not 1000", ""),
        ("[[member]]\nname='a'", {"members": 0}, "a cluster has 1 to 25 members, not 0", ""),
        (
            "[[member]]\nname='a'",
            {"members": 2},
            "the profile lists the members by name: 1 of them, not 2, p.toml:1",
            "add a [[member]] for each, or set members = 2 in [cluster]",
        ),
        (
            "",
            {"members": 3, "base_port": 50000},
            "with the base port 50000 and a step of 10000, ports of the 3 members pass 65535",
            "use a base port of at most 45532",
        ),
        (
            "[cluster]\nmembers=2\n[[member]]\nname='infra2'\nclient_port=12381",
            {},
            "the members 'infra1' and 'infra2' would share the port 12381, p.toml:5",
            "each member takes 4 ports in a row, from its client port on",
        ),
        (
            "[cluster]\nmembers=2\n[[member]]\nname='infra1'\nclient_port=22382",
            {},
            "the members 'infra1' and 'infra2' would share the port 22382, p.toml:5",
            "each member takes 4 ports in a row, from its client port on",
        ),
        (
            "[[member]]\nname='a'\nclient_port=65533",
            {},
            "the ports of a from 65533 on pass 65535, p.toml:3",
            "each member takes 4 ports in a row, from its client port on",
        ),
        (
            "[etcd]\nheartbeat-intervall=1",
            {},
            "etcd 3.5.1 of infra1 does not know the flag 'heartbeat-intervall', p.toml:2",
            "did you mean 'heartbeat-interval'?",
        ),
        (
            "[etcd]\nheartbeat-interval=300",
            {},
            "election-timeout of infra1 cannot work, p.toml:2",
            "1000 ms is too short: etcd wants at least 5 × heartbeat-interval, 1500 ms",
        ),
        (
            "[cluster]\nmembers=2\n[[member]]\nname='infra2'\nflags={election-timeout=100000}",
            {},
            "election-timeout of infra2 cannot work, p.toml:5",
            "100000 ms is too long: etcd takes up to 50000 ms",
        ),
        (
            "[cluster]\netcd='9.9'",
            {},
            "there is no etcd 9.9 on this machine, p.toml:2",
            "here is 3.5.1",
        ),
        (
            "[cluster]\nmembers=1\n[[member]]\nname='infra1'\netcd='9.9'",
            {},
            "there is no etcd 9.9 on this machine, p.toml:5",
            "here is 3.5.1",
        ),
        ("", {"etcd": "9.9"}, "there is no etcd 9.9 on this machine", "here is 3.5.1"),
        (
            "[[process]]\nname='etcd6'\ncommand='x'",
            {"members": 6},
            "two processes would be called 'etcd6', p.toml:2",
            "rename one of them",
        ),
        (
            "[[process]]\nname='infra6'\ncommand='x'",
            {"members": 6},
            "'infra6' is the process 'infra6' and the member that 'etcd6' starts, p.toml:2",
            "rename one of them",
        ),
        (
            "[[member]]\nname='etcd1'\n[[member]]\nname='infra1'",
            {},
            "two processes would be called 'etcd1'",
            "rename one of them",
        ),
    ],
)
def test_what_cannot_run_is_refused(
    text: str, options: dict[str, Any], message: str, hint: str
) -> None:
    assert refusal(text, **options) == (message, hint)


def test_a_flag_that_one_members_etcd_lacks_names_the_versions_that_have_it() -> None:
    message, hint = refusal(
        "[cluster]\nmembers=2\n[etcd]\n\nsocket-reuse-port=true\n[[member]]\nname='infra2'\netcd='3.4'"
    )
    assert message == "etcd 3.4.23 of infra2 does not know the flag 'socket-reuse-port', p.toml:5"
    assert "3.5" in hint
