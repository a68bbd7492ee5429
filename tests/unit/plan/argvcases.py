"""The inputs of which the command lines are kept in `tests/fixtures/argv.txt`, and what each makes now.

A case is a cluster as `up` plans it, or a change of one. Nothing is executed: which etcd and which
engine there are is made up, and so is who asks.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from etcd_sandbox import containers
from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.spec import (
    ClusterSpec,
    ContainerNetwork,
    EtcdBinary,
    MemberProcess,
    ProcessSpec,
    Runtime,
)
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.joining import joining, newcomer
from etcd_sandbox.plan.runtimes.engine import Engine
from etcd_sandbox.plan.upgrades import with_etcd
from msgspec.structs import replace

STATE = Path("/state")
WORK = "/work"
PYTHON = "/venv/bin/python"

VERSIONS = {"3.4": "3.4.23", "3.5": "3.5.1", "3.6": "3.6.16", "3.7": "3.7.3"}
PROGRAMS = {"dnsmasq": "/usr/sbin/dnsmasq", "etcd": "/usr/bin/etcd"}
EMBEDDED = "--bootstrap dns, without dnsmasq"
TOKEN = "0123456789abcdef0123456789abcdef"

FILES = {
    "variables.env": "COLOUR=blue\nPORT=9\n",
    "flags.toml": """
[cluster]
members = 2
token = "mine"
[etcd]
heartbeat-interval = 50
election-timeout = 500
max-request-bytes = 1048576
enable-v2 = true
[[member]]
name = "infra2"
flags = { snapshot-count = 100, quota-backend-bytes = 8388608 }
[[process]]
name = "app"
command = "python app.py --port $PORT"
after = "ready"
restart = "on-failure"
""",
    "places.toml": """
[[member]]
name = "red"
client_port = 4001
[[member]]
name = "blue"
client_port = 5001
flags = { wal-dir = "logs/blue" }
[[member]]
name = "green"
etcd = "3.4"
client_port = 6001
""",
    "tls.toml": """
[cluster]
members = 3
[etcd]
peer-auto-tls = true
client-cert-auth = false
cert-file = "/tls/server.crt"
key-file = "/tls/server.key"
""",
    "many.Procfile": """
one: etcd --name one --listen-client-urls http://127.0.0.1:4001 --advertise-client-urls=http://127.0.0.1:4001 --data-dir=data/one
two: ETCD_NAME=two exec etcd -data-dir 'data/t w o' --listen-peer-urls http://127.0.0.1:4002 --initial-advertise-peer-urls http://127.0.0.1:4002
old: /opt/3.4/etcd --name old
web: cd site && python -m http.server $PORT
job: sleep 5 | cat
""",
    "tls.Procfile": """
safe: etcd --name safe --listen-client-urls https://127.0.0.1:2379 --advertise-client-urls https://127.0.0.1:2379 --cert-file=tls/server.crt --key-file=tls/server.key --peer-auto-tls --listen-peer-urls https://127.0.0.1:2380 --initial-advertise-peer-urls https://127.0.0.1:2380 --initial-cluster safe=https://127.0.0.1:2380
""",
    "records": """
srv-host=_etcd-server._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12380
srv-host=_etcd-server._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22380
srv-host=_etcd-server._tcp.etcd-sandbox.test,infra3.etcd-sandbox.test,32380
address=/etcd-sandbox.test/127.0.0.1
""",
}

PODMAN = Engine(
    runtime=Runtime.PODMAN, program="/usr/bin/podman", options=("--user=0:0",), tells_pid=True
)
DOCKER = Engine(runtime=Runtime.DOCKER, program="/usr/bin/docker")

PROFILES = (
    *("containers", "discovery", "dns", "fast", "five"),
    *("learner", "single", "small", "split", "three"),
)


def etcd(wish: str) -> EtcdBinary:
    series = next((each for each in VERSIONS if each in wish), "3.5")
    version = wish if wish in VERSIONS.values() else VERSIONS[series]
    return EtcdBinary(path=f"/opt/{version}/etcd", version=version, origin="made up")


def in_image(wish: str) -> EtcdBinary:
    binary = etcd(wish)
    return replace(binary, path="/usr/local/bin/etcd", image=f"gcr.io/etcd:v{binary.version}")


def up(name: str = "default", **options: Any) -> ClusterSpec:
    paths = ClusterPaths(name, STATE / name)
    caller = Caller(cwd=Path.cwd(), env={"PATH": "/bin"}, choose_etcd=etcd)
    return plan_up(Options(**options), paths, caller).spec


def up_without_dnsmasq(**options: Any) -> ClusterSpec:
    with patch.dict(PROGRAMS):
        del PROGRAMS["dnsmasq"]
        return up(**options)


def after_adding(
    spec: ClusterSpec, name: str | None = None, *, learner: bool = False
) -> ClusterSpec:
    data = STATE / spec.name / "data"
    new = newcomer(spec, spec.processes, name, data, lambda port: True, learner=learner)
    return replace(spec, processes=(new,))


def after_replacing(spec: ClusterSpec, place: int) -> ClusterSpec:
    process = spec.members[place]
    listed = {each.member.name: (each.member.peer_url,) for each in spec.members}
    changed = replace(process.member, id="abc", initial_cluster=listed, learner=True, joined=True)
    return replace(spec, processes=(joining(process, changed),))


def after_upgrading(spec: ClusterSpec, *steps: str, has_data: bool = True) -> ClusterSpec:
    def upgraded(process: MemberProcess) -> MemberProcess:
        for step in steps:
            binary = in_image(step) if process.container is not None else etcd(step)
            process = with_etcd(process, binary, has_data=has_data)
        return process

    return replace(spec, processes=tuple(map(upgraded, spec.members)))


def _cases() -> Iterator[tuple[str, Callable[[], ClusterSpec]]]:
    def case(title: str, made: Callable[..., ClusterSpec], *rest: Any, **more: Any) -> Any:
        return title, lambda: made(*rest, **more)

    def changed(
        change: Callable[..., ClusterSpec], spec: dict[str, Any], *rest: Any, **more: Any
    ) -> Any:
        return lambda: change(up(**spec), *rest, **more)

    for number in (*range(1, 10), 25):
        yield case(f"-n {number}", up, members=number)
    for series in VERSIONS:
        for links in (True, False):
            title = f"-n 3 --etcd {series} {'--links' if links else '--direct'}"
            yield case(title, up, members=3, etcd=series, links=links)
    yield case("-c other -n 2 --base-port 15000", up, "other", members=2, base_port=15000)
    yield case("-n 7 --base-port 40000", up, members=7, base_port=40000)
    yield case("-n 2, restored", up, members=2, token="etcd-cluster-1-restored", port_step=10)
    for profile in PROFILES:
        yield case(f"-p {profile}", up, profile=profile)
    for profile in ("fast", "five", "learner"):
        yield case(
            f"-p {profile} --direct --etcd 3.6", up, profile=profile, links=False, etcd="3.6"
        )
    yield case("-p three -n 5", up, profile="three", members=5)
    for profile in ("flags", "places", "tls"):
        yield case(f"-p {profile}.toml", up, profile=f"{profile}.toml", etcd="3.5")
    for way in ("discovery", "dns"):
        for series in VERSIONS:
            yield case(
                f"--bootstrap {way} --etcd {series}", up, members=3, bootstrap=way, etcd=series
            )
        yield case(f"--bootstrap {way} --direct", up, members=3, bootstrap=way, links=False)
    yield case(
        "--bootstrap discovery --discovery-size 2",
        up,
        members=3,
        discovery_token=TOKEN,
        discovery_size=2,
    )
    yield case(EMBEDDED, up_without_dnsmasq, members=3, bootstrap="dns")
    yield case("--dns-records records", up, members=3, dns_records="records")
    for engine in ("podman", "docker"):
        for network in ("host", "published"):
            words = {"runtime": engine, "container_network": network}
            yield case(f"--runtime {engine} --container-network {network}", up, members=3, **words)
    for way in ("discovery", "dns"):
        yield case(
            f"--runtime podman --bootstrap {way}", up, members=3, runtime="podman", bootstrap=way
        )
    for title, options in (
        ("", {}),
        (" --links", {"links": True}),
        (" --etcd 3.6", {"etcd": "3.6"}),
        (" --no-set-ports", {"set_ports": False}),
        (" -b 6000", {"port_base": 6000}),
        (" --env variables.env", {"env_files": ("variables.env",)}),
    ):
        for file in ("Procfile.example", "many.Procfile", "tls.Procfile"):
            yield case(f"-f {file}{title}", up, procfile=file, **options)

    plain: dict[str, Any] = {"members": 3}
    procfile: dict[str, Any] = {"procfile": "Procfile.example"}
    clusters: dict[str, dict[str, Any]] = {
        "-n 3": plain,
        "-n 3 --direct": plain | {"links": False},
        "-n 7": {"members": 7},
        "-p flags.toml": {"profile": "flags.toml"},
        "-p tls.toml": {"profile": "tls.toml"},
        "-f Procfile.example": procfile,
        "-f Procfile.example --links": procfile | {"links": True},
        "--bootstrap discovery": plain | {"bootstrap": "discovery"},
        "--bootstrap dns": plain | {"bootstrap": "dns"},
        "--bootstrap dns --etcd 3.4": plain | {"bootstrap": "dns", "etcd": "3.4"},
        "--runtime podman": plain | {"runtime": "podman"},
        "--runtime docker, published": plain
        | {"runtime": "docker", "container_network": "published"},
    }
    for title, options in clusters.items():
        yield f"{title}; add", changed(after_adding, options)
        yield f"{title}; replace the second", changed(after_replacing, options, 1)
    yield "-n 3; add extra --learner", changed(after_adding, plain, "extra", learner=True)
    yield "-n 3; add infra9", changed(after_adding, plain, "infra9")
    for title in (
        "-n 3",
        "-f Procfile.example",
        "--bootstrap discovery",
        "--bootstrap dns",
        "--runtime podman",
    ):
        options = clusters[title] | {"etcd": "3.4"}
        for steps in (("3.5",), ("3.5", "3.6"), ("3.5", "3.6", "3.7")):
            yield (
                f"{title} --etcd 3.4; upgrade to {', '.join(steps)}",
                changed(after_upgrading, options, *steps),
            )
        yield (
            f"{title} --etcd 3.4; upgrade to 3.5 without data",
            changed(after_upgrading, options, "3.5", has_data=False),
        )
    yield (
        "-p flags.toml; upgrade to 3.6",
        changed(after_upgrading, clusters["-p flags.toml"], "3.6"),
    )


CASES = dict(_cases())


def _find_engine(runtime: Runtime, network: ContainerNetwork | None = None) -> Engine:
    engine = PODMAN if runtime is Runtime.PODMAN else DOCKER
    return replace(engine, network=network or ContainerNetwork.HOST)


@contextmanager
def made_up() -> Iterator[None]:
    """A machine of which only what is written here is known; the current directory has the files."""
    for name, text in FILES.items():
        Path(name).write_text(text)
    Path("Procfile.example").write_bytes(
        (Path(__file__).parents[3] / "Procfile.example").read_bytes()
    )
    with ExitStack() as stack:
        for owner, name, value in (
            (shutil, "which", lambda program, **_: PROGRAMS.get(program)),
            (os, "geteuid", lambda: 1000),
            (sys, "executable", PYTHON),
            (containers, "find_engine", _find_engine),
            (containers, "image_chooser", lambda *_: in_image),
        ):
            stack.enter_context(patch.object(owner, name, value))
        stack.enter_context(patch("uuid.uuid4", lambda: type("Made", (), {"hex": TOKEN})))
        yield


def lines_of(case: Callable[[], ClusterSpec]) -> list[str]:
    """A line for each process of the case's cluster: its name, what it has in its environment, its argv."""
    try:
        spec = case()
    except InputError:
        return ["refused"]
    return [_line(process).replace(str(Path.cwd()), WORK) for process in spec.processes]


def _line(process: ProcessSpec) -> str:
    env = [f"{name}={value}" for name, value in sorted(process.env.items())]
    return f"{process.name}: {shlex.join([*env, *process.argv])}".replace("\n", "\\n")
