"""Members that find each other by DNS SRV records, and what is said when they cannot."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from etcd_sandbox.dns import machine, needs, query
from etcd_sandbox.inputs.ports import PORT_STEP, free_block
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.paths import private_runtime_dir
from etcd_sandbox.plan.ways.dns import private_mount

from tests import etcd_versions
from tests.conftest import SandboxCommand, command, until

DOMAIN = "etcd-sandbox.test"
RESOLV_CONF = Path("/etc/resolv.conf")
NOBODY = 65534
FREE_PORT_RULE = "net.ipv4.ip_unprivileged_port_start"


@pytest.fixture(autouse=True)
def _machine_that_can() -> Iterator[None]:
    """Skips what this machine does not allow; afterwards its resolver must be as it was."""
    # Each worker has its own, and no cluster's DNS server has it.
    address = f"127.54.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
    facts = machine.look(address, private_mount(root=os.geteuid() == 0))
    if lacks := needs.lacks(facts):
        etcd_versions.lacking(lacks[0].what)
    before = (RESOLV_CONF.read_bytes(), _resolver_mounts(os.getpid()))
    yield
    assert (RESOLV_CONF.read_bytes(), _resolver_mounts(os.getpid())) == before


@pytest.fixture
def newest() -> EtcdBinary:
    """One etcd that takes the records for plain HTTP."""
    return etcd_versions.need("3.7", "3.6", "3.5")


Up = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def up(sandbox_command: SandboxCommand, quick: Path) -> Up:
    """`up --bootstrap dns` of three members with short timers and ports close together."""
    quick.write_text(f"[cluster]\nport_step = {PORT_STEP}\n{quick.read_text()}")

    def run(etcd: str, *options: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
        words = ("-p", str(quick), "-n", "3", "--bootstrap", "dns", "--etcd", etcd, *options)
        ports = () if "--base-port" in options else ("--base-port", "auto")
        return sandbox_command("up", "-d", *words, *ports, **kwargs)  # type: ignore[arg-type]

    return run


@pytest.mark.also_on("3.4")
def test_members_find_each_other_by_srv_records(
    sandbox_command: SandboxCommand, up: Up, etcd_binary: EtcdBinary
) -> None:
    tls = etcd_binary.version.startswith("3.4.")
    came = up(etcd_binary.path)
    assert ("cannot use the SRV records for plain HTTP" in came.stderr) is tls
    plan = json.loads((sandbox_command.home / "default" / "cluster.json").read_text())
    _records_are_served(came.stdout, plan)

    members = sandbox_command.status()["members"]
    scheme = "https" if tls else "http"
    planned = {p["name"]: p["member"]["id"] for p in plan["processes"] if p["member"]}
    listed = {
        f"{planned[m['process']]}, started, {m['name']}, "
        f"{scheme}://{m['name']}.{DOMAIN}:{_port(m['client_url']) + 1}, {m['client_url']}, false"
        for m in members
    }
    assert set(sandbox_command("ctl", "member", "list").stdout.splitlines()) == listed
    by_dns = sandbox_command("ctl", "--discovery-srv", DOMAIN, "member", "list")
    assert set(by_dns.stdout.splitlines()) == listed
    health = sandbox_command("ctl", "endpoint", "health")
    assert (health.stdout + health.stderr).count("is healthy") == 3
    for member in members:
        assert psutil.Process(member["pid"]).exe() == os.path.realpath(etcd_binary.path)
        assert "/default/dns/resolv.conf" in _resolver_mounts(member["pid"])[-1]

    killed = json.loads(sandbox_command("kill", "leader", "--json").stdout)
    assert killed["leader_after"] not in (None, killed["leader_before"])
    sandbox_command("start", killed["targets"][0])
    until(lambda: all(m["healthy"] for m in sandbox_command.status()["members"]))
    cut = json.loads(sandbox_command("partition", "leader", "--json").stdout)
    assert cut["leader_after"] not in (None, cut["leader_before"])
    sandbox_command("heal")

    pids = [m["pid"] for m in sandbox_command.status()["members"]]
    sandbox_command("down")
    sandbox_command.assert_nothing_left()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(OSError):  # noqa: PT011 - any: nobody is there
        query.addresses(plan["dns"]["address"], f"infra1.{DOMAIN}", 0.5)


def test_a_member_of_3_4_makes_all_of_them_speak_tls(
    sandbox_command: SandboxCommand, up: Up, quick: Path
) -> None:
    old, newer = etcd_versions.need("3.4"), etcd_versions.need("3.5")
    with quick.open("a") as profile:
        profile.write(f'[[member]]\nname = "infra1"\netcd = "{old.path}"\n')
        profile.write('[[member]]\nname = "infra2"\n[[member]]\nname = "infra3"\n')
    assert "etcd 3.4 (infra1) cannot use the SRV records" in up(newer.path).stderr
    listed = sandbox_command("ctl", "member", "list").stdout
    assert listed.count("started") == listed.count(f".{DOMAIN}:") == listed.count("https://") == 3


def test_without_dnsmasq_our_own_server_serves_as_well(
    sandbox_command: SandboxCommand, up: Up, newest: EtcdBinary, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "unshare", "mount"):
        (programs / name).symlink_to(str(shutil.which(name)))
    sandbox_command.env["PATH"] = str(programs)
    came = up(newest.path)
    plan = json.loads((sandbox_command.home / "default" / "cluster.json").read_text())
    (server,) = [process for process in plan["processes"] if process["service"]]
    assert "etcd_sandbox.dns" in server["argv"]
    _records_are_served(came.stdout, plan)
    listed = sandbox_command("ctl", "--discovery-srv", DOMAIN, "member", "list").stdout
    assert listed.count("started") == 3
    sandbox_command("restart", "dns")
    sandbox_command("restart", "followers")
    assert all(member["healthy"] for member in sandbox_command.status()["members"])


def test_a_server_stopped_in_the_middle_is_missed_by_members_that_start_only(
    sandbox_command: SandboxCommand, up: Up, newest: EtcdBinary
) -> None:
    up(newest.path)
    sandbox_command("stop", "dns")
    assert "DNS server of this cluster is stopped" in sandbox_command("status").stdout
    assert sandbox_command("ctl", "put", "key", "value").stdout == "OK\n"
    killed = json.loads(sandbox_command("kill", "followers", "--json").stdout)["targets"][0]
    waits = sandbox_command("start", killed, code=1)
    assert "does not become ready" in waits.stderr
    assert "DNS server of this cluster is stopped" in waits.stderr
    assert "etcd-sandbox start dns" in waits.stderr
    sandbox_command("start", "dns")
    until(lambda: _state(sandbox_command, killed)["healthy"])

    # A member without data does look the others up, and ends.
    sandbox_command("stop", killed, "dns")
    shutil.rmtree(sandbox_command.home / "default" / "data" / killed)
    ends = sandbox_command("start", killed, code=1)
    assert "does not answer: etcd-sandbox start dns" in ends.stderr

    # Members that begin anew would end, if the server were not there before them.
    sandbox_command("kill", "all")
    shutil.rmtree(sandbox_command.home / "default" / "data")
    sandbox_command("start", "all")
    assert sandbox_command("ctl", "member", "list").stdout.count("started") == 3


RECORDS = f"""\
# The file of a reader
no-resolv
srv-host=_etcd-server._tcp.{DOMAIN},infra1.{DOMAIN},{{0}},0,1
srv-host=_etcd-server._tcp.{DOMAIN},infra2.{DOMAIN},{{1}},0,1
srv-host=_etcd-server._tcp.{DOMAIN},infra3.{DOMAIN},{{2}},0,1
address=/{DOMAIN}/127.0.0.1
log-queries
"""


@pytest.fixture
def base_port() -> Iterator[int]:
    """The first of the ports of three members, which nobody else takes meanwhile."""
    block = free_block(3, private_runtime_dir())
    yield block.base
    block.release()


@pytest.fixture
def records(tmp_path: Path, base_port: int) -> Path:
    """A file of records that suits the members from that port on."""
    path = tmp_path / "records.conf"
    path.write_text(RECORDS.format(*(base_port + 1 + PORT_STEP * index for index in range(3))))
    return path


def by_file(base_port: int, records: Path) -> tuple[str, ...]:
    """The options for those records."""
    return ("--base-port", str(base_port), "--dns-records", str(records))


def test_a_file_of_records_is_served_in_place_of_ours(
    sandbox_command: SandboxCommand, up: Up, newest: EtcdBinary, records: Path, base_port: int
) -> None:
    up(newest.path, *by_file(base_port, records))
    assert sandbox_command("ctl", "member", "list").stdout.count("started") == 3
    plan = json.loads((sandbox_command.home / "default" / "cluster.json").read_text())
    assert query.addresses(plan["dns"]["address"], f"any.{DOMAIN}", 5) == {"127.0.0.1"}
    # It has no records for clients, and it wants to be told of every question.
    missing = sandbox_command("ctl", "--discovery-srv", DOMAIN, "member", "list", code=None)
    assert missing.returncode != 0
    assert f"_etcd-client._tcp.{DOMAIN}" in missing.stderr
    assert f"_etcd-client._tcp.{DOMAIN}" in sandbox_command("logs", "dns").stdout


@pytest.mark.parametrize(
    ("change", "to", "complaint", "mend"),
    [
        pytest.param(
            r"address=.*\n",
            "",
            f"infra1.{DOMAIN} has no address",
            f"add host-record=infra1.{DOMAIN},127.0.0.1",
            id="a name without a record",
        ),
        pytest.param(
            rf"infra2\.{DOMAIN}",
            f"infra4.{DOMAIN}",
            f"leads to infra4.{DOMAIN}:{{1}}, which no member advertises",
            f"did you mean 'infra2.{DOMAIN}'?",
            id="a target that is no member",
        ),
        pytest.param(
            r"(infra3.*),\d+,0,1",
            r"\1,1,0,1",
            "leads to infra3 at port 1, but infra3 has port {2}",
            f"write srv-host=_etcd-server._tcp.{DOMAIN},infra3.{DOMAIN},{{2}}",
            id="a wrong port",
        ),
        pytest.param(
            "_etcd-server", "_etcd_server", "no SRV record", "looks like it", id="a wrong service"
        ),
        pytest.param("srv-host", "srv-hots", "'srv-hots'", "did you mean 'srv-host'?", id="a slip"),
    ],
)
def test_records_that_mislead_are_refused_before_anything_starts(
    sandbox_command: SandboxCommand,
    up: Up,
    newest: EtcdBinary,
    records: Path,
    base_port: int,
    change: str,
    to: str,
    complaint: str,
    mend: str,
) -> None:
    records.write_text(re.sub(change, to, records.read_text()))
    refused = up(newest.path, *by_file(base_port, records), code=2)
    ports = [base_port + 1 + PORT_STEP * index for index in range(3)]
    assert complaint.format(*ports) in refused.stderr
    assert mend.format(*ports) in refused.stderr
    assert f", {records.name}" in refused.stderr
    assert not (sandbox_command.home / "default" / "supervisor.json").exists()


def test_a_taken_port_53_is_named_with_its_holder(
    up: Up, newest: EtcdBinary, base_port: int
) -> None:
    address = f"127.53.{base_port >> 8}.{base_port & 255}"
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((address, 53))
        other.listen()
        refused = up(newest.path, "--base-port", str(base_port), code=1)
    assert "port 53 of the DNS server is taken by" in refused.stderr
    assert f"(pid {os.getpid()}) at {address}" in refused.stderr
    assert "--base-port auto" in refused.stderr


def test_a_dnsmasq_that_does_not_run_is_shown_with_its_own_words(
    sandbox_command: SandboxCommand, up: Up, newest: EtcdBinary, tmp_path: Path
) -> None:
    broken = tmp_path / "bin" / "dnsmasq"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'dnsmasq: bad option at line 2' >&2\nexit 1\n")
    broken.chmod(0o755)
    sandbox_command.env["PATH"] = f"{broken.parent}:{sandbox_command.env['PATH']}"
    failed = up(newest.path, code=1)
    assert "the DNS server ended at its start (exit status 1)" in failed.stderr
    assert "dnsmasq: bad option at line 2" in failed.stderr
    sandbox_command.assert_nothing_left()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_needs_port_53_and_gets_by_with_user_namespaces(
    sandbox_command: SandboxCommand, quick: Path
) -> None:
    found = [etcd_versions.find(series) for series in etcd_versions.here()]
    path = next((each.path for each in found if each and _is_for_everybody(each.path)), None)
    if path is None:
        etcd_versions.lacking("no etcd here can be executed by an ordinary user")
    os.chown(sandbox_command.home, NOBODY, NOBODY)
    # The user may look into every directory, as the interpreter may be in root's, and no more.
    user = shlex.join(
        [
            *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
            *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
            *command(),
        ]
    )
    up = f"{user} up -d -p {shlex.quote(str(quick))} --bootstrap dns --etcd {shlex.quote(path)}"
    allow = f"sysctl -qw {FREE_PORT_RULE}=53"  # in the network namespace alone
    script = f"ip link set lo up; {up}; {allow}; {up}; {user} partition leader; {user} down"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        cwd="/",
        env=sandbox_command.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "the DNS server may not listen on 127.53.48.91:53" in done.stderr, done.stderr
    assert f"sudo sysctl {FREE_PORT_RULE}=53" in done.stderr
    assert "--privileged" in done.stderr
    assert done.stdout.count("cluster default ready") == 1, (done.stdout, done.stderr)
    assert re.search("infra. → infra.", done.stdout), (done.stdout, done.stderr)
    assert "stopped default" in done.stdout


def test_the_server_can_be_lost_with_everything_else(
    sandbox_command: SandboxCommand, up: Up, newest: EtcdBinary
) -> None:
    up(newest.path)
    pid = int(json.loads((sandbox_command.home / "default" / "supervisor.json").read_text())["pid"])
    os.kill(pid, signal.SIGKILL)
    sandbox_command.assert_nothing_left()


def _records_are_served(output: str, plan: dict[str, Any]) -> None:
    """Every record of the plan is given by its server, and the printed commands show it."""
    dns = plan["dns"]
    for record in dns["srv"]:
        found = query.services(dns["address"], record["name"], 5)
        assert (record["target"], record["port"]) in found
    for host in dns["hosts"]:
        assert query.addresses(dns["address"], host["name"], 5) == {host["address"]}
    commands = [line.removeprefix("records: ") for line in output.splitlines() if "dig" in line]
    assert len(commands) == 3
    if shutil.which("dig"):
        told = [subprocess.check_output(line.split(), text=True) for line in commands]
        assert [len(text.splitlines()) for text in told] == [3, 3, 1]
        assert told[2] == "127.0.0.1\n"


def _is_for_everybody(path: str) -> bool:
    real = Path(path).resolve()
    return all(each.stat().st_mode & 0o001 for each in (real, *real.parents))


def _state(sandbox_command: SandboxCommand, name: str) -> dict[str, Any]:
    return next(m for m in sandbox_command.status()["members"] if m["name"] == name)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _resolver_mounts(pid: object) -> list[str]:
    """What is mounted over the resolver's file, as a process sees it."""
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [line for line in lines if "resolv.conf " in line]
