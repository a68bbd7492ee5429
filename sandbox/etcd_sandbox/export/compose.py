"""The cluster as a Compose file: each member a service, found by the others by its service's name.

Both `docker-compose` 1.29 and Compose v2 take it: no `version` and no `name`.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from etcd_sandbox.errors import InputError
from etcd_sandbox.export.exported import (
    Exported,
    Kind,
    heading,
    own_options,
    refuse_others_ways,
    require_members,
)
from etcd_sandbox.model.bootstrap import DiscoverySpec
from etcd_sandbox.model.spec import ClusterSpec, MemberProcess, MemberSpec, Restart, Service
from etcd_sandbox.plan.runtimes.engine import OFFICIAL_IMAGE, is_built
from etcd_sandbox.plan.ways import way_of
from etcd_sandbox.plan.ways.discovery import service_binary

OFFICIAL_PROGRAM = "/usr/local/bin/etcd"

_CLIENT, _PEER, _DATA, _NETWORK = 2379, 2380, "/etcd-data", "etcd"
_REGISTER = "register"
_OWN_SERVICE = f"http://{Service.DISCOVERY}:{_CLIENT}"
_DEFAULT_STOP_S = 10.0
_FILE_OPTIONS = re.compile(r"-file$|^wal-dir$")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_PLAIN = re.compile(r"(--|[A-Za-z/])[ -~]*")

Table = dict[str, Any]


def compose(spec: ClusterSpec) -> Exported:
    """The Compose file. Raises InputError for members that containers of their own cannot be."""
    require_members(spec, Kind.COMPOSE)
    names = _service_names(spec)
    services: Table = {}
    for process in spec.members:
        refuse_others_ways(process, Kind.COMPOSE)
        _refuse_files(spec, process)
        services[names[process.name]] = _member(spec, process, names)
    if (discovery := way_of(spec).discovery) and discovery.process:
        services |= _discovery(spec, discovery)
    volumes: Table = {_volume(name): {} for name, each in services.items() if "volumes" in each}
    document = {"services": services, "volumes": volumes, "networks": {_NETWORK: {}}}
    head = heading(
        spec,
        Kind.COMPOSE,
        "Run it with: docker compose -f FILE up (or docker-compose, podman-compose).",
        "From this machine: ETCDCTL_ENDPOINTS="
        + ",".join(f"http://{_published(p.member)}" for p in spec.members),
        "Member IDs differ from the sandbox's: they are made of peer URLs, which differ.",
    )
    return Exported(text=head + _yaml(document), notes=tuple(_notes(spec, names)))


def _service_names(spec: ClusterSpec) -> dict[str, str]:
    """Process name → service name: that of the member, as far as Compose allows it."""
    found: dict[str, str] = {}
    taken = {Service.DISCOVERY.value, _REGISTER}
    for process in spec.members:
        plain = _ODD.sub("-", process.member.name).strip("._-") or "member"
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        found[process.name] = name
    return found


def _member(spec: ClusterSpec, process: MemberProcess, names: dict[str, str]) -> Table:
    member, service = process.member, names[process.name]
    scheme = member.peer_url.scheme
    initial_cluster = ",".join(
        f"{other.member.name}={scheme}://{names[other.name]}:{_PEER}" for other in spec.members
    )
    flags: dict[str, str] = {
        "name": member.name,
        **_listening(service, scheme),
        **way_of(spec).flags_elsewhere(_OWN_SERVICE, initial_cluster, member.token),
        "logger": "zap",
        "log-outputs": "stderr",
        **({"peer-auto-tls": "true"} if scheme == "https" else {}),
        **own_options(spec, process),
    }
    table = _etcd(member, service, flags)
    table["ports"] = [f"{_published(member)}:{_CLIENT}"]
    if process.restart is not Restart.NEVER:
        table["restart"] = process.restart.value
    if process.stop_timeout_s != _DEFAULT_STOP_S:
        table["stop_grace_period"] = f"{round(process.stop_timeout_s * 1000)}ms"
    if way_of(spec).own_service:
        table["depends_on"] = {_REGISTER: {"condition": "service_completed_successfully"}}
    return table


def _etcd(member: MemberSpec, service: str, flags: dict[str, str]) -> Table:
    """A service that is an etcd of the member's kind with its own data."""
    image, program = _image(member)
    return {
        "image": image,
        # Images differ in what they run by themselves.
        "entrypoint": [program],
        "command": [f"--{name}={value}" for name, value in flags.items()],
        "volumes": [f"{_volume(service)}:{_DATA}"],
        "networks": [_NETWORK],
        "healthcheck": {
            # The official images have no shell.
            "test": ["CMD", str(PurePosixPath(program).with_name("etcdctl")), "endpoint", "health"],
            "interval": "2s",
            "timeout": "5s",
            "retries": 10,
            "start_period": "10s",
        },
    }


def _image(member: MemberSpec) -> tuple[str, str]:
    """The image of a member and the etcd in it: its own, else the official one of its version.

    An image that was built here is nobody else's, and has no etcdctl for the health check.
    """
    assert member.etcd is not None
    if member.etcd.image and not is_built(member.etcd.image):
        return member.etcd.image, member.etcd.path
    return f"{OFFICIAL_IMAGE}:v{member.etcd.version}", OFFICIAL_PROGRAM


def _listening(service: str, scheme: str = "http") -> dict[str, str]:
    return {
        "data-dir": _DATA,
        "listen-client-urls": f"http://0.0.0.0:{_CLIENT}",
        "advertise-client-urls": f"http://{service}:{_CLIENT}",
        "listen-peer-urls": f"{scheme}://0.0.0.0:{_PEER}",
        "initial-advertise-peer-urls": f"{scheme}://{service}:{_PEER}",
    }


def _discovery(spec: ClusterSpec, discovery: DiscoverySpec) -> Table:
    """The discovery service, and one that registers the token there and ends."""
    by_etcd = {m.etcd: m for m in (p.member for p in reversed(spec.members)) if m.etcd is not None}
    member = by_etcd[service_binary(discovery.protocol, tuple(reversed(by_etcd)))]
    process = spec.process(discovery.process)
    assert process is not None
    flags = dict(process.flags)
    flags = {name: value for name, value in flags.items() if not name.startswith("initial-")}
    flags |= _listening(Service.DISCOVERY)
    flags["initial-cluster"] = f"{process.name}={flags['initial-advertise-peer-urls']}"
    image, program = _image(member)
    etcdctl = str(PurePosixPath(program).with_name("etcdctl"))
    size = str(discovery.size)
    register: Table = {
        "image": image,
        "entrypoint": [etcdctl],
        "command": [
            f"--endpoints={Service.DISCOVERY}:{_CLIENT}",
            "put",
            f"/_etcd/registry/{discovery.token}/_config/size",
            size,
        ],
        "networks": [_NETWORK],
        "depends_on": {Service.DISCOVERY.value: {"condition": "service_healthy"}},
    }
    if discovery.token_url:
        register["environment"] = {"ETCDCTL_API": "2"}
        register["command"] = [
            f"--endpoints=http://{Service.DISCOVERY}:{_CLIENT}",
            "set",
            f"/discovery/{discovery.token}/_config/size",
            size,
        ]
    return {
        Service.DISCOVERY.value: _etcd(member, Service.DISCOVERY.value, flags),
        _REGISTER: register,
    }


def _published(member: MemberSpec) -> str:
    """Where the member's clients on this machine find it: at the port that it has here."""
    return f"127.0.0.1:{member.advertised_client_url.port or _CLIENT}"


def _volume(service: str) -> str:
    return f"{service}-data"


def _refuse_files(spec: ClusterSpec, process: MemberProcess) -> None:
    files = [name for name in own_options(spec, process) if _FILE_OPTIONS.search(name)]
    if files:
        raise InputError(
            f"--{files[0]} of {process.name} is a place on this machine, which its container would not have",
            hint=f"etcd-sandbox export {Kind.SHELL} runs the members on this machine",
        )


def _notes(spec: ClusterSpec, names: dict[str, str]) -> list[str]:
    notes = []
    beside = [p.name for p in spec.processes if p.is_beside]
    if beside:
        notes.append(f"{', '.join(beside)}: no etcd, so it is left out: a service needs an image")
    for process in spec.members:
        member = process.member
        if names[process.name] != member.name:
            notes.append(f"the service of {member.name} is called {names[process.name]}")
    notes += way_of(spec).lost_in_containers
    if any(process.member.etcd and is_built(process.member.etcd.image) for process in spec.members):
        notes.append("the members' image was built here: the official one of the version is named")
    return notes


def _yaml(document: dict[str, Any]) -> str:
    """The document in its order: every string comes back as it was, whoever reads it."""
    return yaml.dump(
        _escaped(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20
    )


class _Dumper(yaml.SafeDumper):
    """Quotes all that another YAML than PyYAML's might take for a number or a word of its own."""


def _string(dumper: _Dumper, text: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def _escaped(value: Any) -> Any:
    """Without variables: Compose would put its own in the place of `$NAME`."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value
