"""The cluster as a profile, from which `up -p FILE` makes the same cluster again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import tomli_w

from etcd_sandbox.config.profile import parse_profile
from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.config.profileshape import generated_names
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.dnsmasq import own_dns
from etcd_sandbox.export.exported import (
    Exported,
    Kind,
    heading,
    own_options,
    refuse_others_ways,
    require_members,
)
from etcd_sandbox.model.bootstrap import DnsSpec
from etcd_sandbox.model.selector import process_name
from etcd_sandbox.model.spec import (
    ClusterSpec,
    EtcdBinary,
    MemberProcess,
    ProcessSpec,
    SourceKind,
    Stdin,
)
from etcd_sandbox.plan.linked import DIRECT
from etcd_sandbox.plan.ports import member_ports, ports_from
from etcd_sandbox.plan.runtimes import runtime_of
from etcd_sandbox.plan.ways import way_of

_WHOLE_NUMBER = re.compile(r"-?[1-9][0-9]{0,17}|0")

Table = dict[str, Any]


def profile(
    spec: ClusterSpec, wish: Callable[[EtcdBinary], str] = lambda binary: binary.version
) -> Exported:
    """The profile. `wish` says how it asks for an etcd: a version or a path.

    Raises InputError for a cluster that no profile describes.
    """
    require_members(spec, Kind.PROFILE)
    for process in spec.members:
        refuse_others_ways(process, Kind.PROFILE)
    document: Table = {"cluster": _cluster(spec, wish)}
    own = {process.member.name: own_options(spec, process) for process in spec.members}
    shared = _shared(list(own.values()))
    document["etcd"] = _typed(shared)
    document["member"] = [
        table for process in spec.members if (table := _member(spec, process, shared, wish))
    ]
    first = spec.members[0]
    document["supervise"] = {
        "restart": first.restart.value,
        "stop_timeout_s": first.stop_timeout_s,
    }
    document["process"] = [
        _beside(spec, process) for process in spec.processes if process.is_beside
    ]
    head = heading(
        spec,
        Kind.PROFILE,
        "Run it with: etcd-sandbox up -p FILE",
        'etcd names one version; "3.5" would be the newest 3.5.x found, "" the best found.',
    )
    text = f"{head}\n"
    text += tomli_w.dumps({key: value for key, value in document.items() if value})
    # What the reader of profiles would refuse is refused here, where the cluster is at hand.
    parse_profile(text.encode(), f"the profile of {spec.name}")
    return Exported(text=text, notes=_unsaid(spec))


def _cluster(spec: ClusterSpec, wish: Callable[[EtcdBinary], str]) -> Table:
    table: Table = {}
    if not _lists_members(spec):
        table["members"] = len(spec.members)
    if common := _common_etcd(spec, wish):
        table["etcd"] = common
    way = way_of(spec).in_profile(spec)
    table |= {key: value for key, value in way.items() if key != "token"} | runtime_of(
        spec
    ).in_profile(spec)
    if (block := _port_block(spec)) is not None:
        table["base_port"], table["port_step"] = block
        if len(spec.members) == 1:
            del table["port_step"]
    if any(process.member.client_link for process in spec.members):
        table["client_links"] = True
    if spec.disk_faults:
        table["disk_faults"] = True
    if "token" in way:
        table["token"] = way["token"]
    return table


def _lists_members(spec: ClusterSpec) -> bool:
    names = tuple(process.member.name for process in spec.members)
    return names != generated_names(len(names))


def _common_etcd(spec: ClusterSpec, wish: Callable[[EtcdBinary], str]) -> str:
    """The etcd that most members have."""
    wishes = [wish(binary) for process in spec.members if (binary := process.member.etcd)]
    return Counter(wishes).most_common(1)[0][0] if wishes else ""


def _port_block(spec: ClusterSpec) -> tuple[int, int] | None:
    """The base port and the step that give the members their ports; None where none does."""
    ports = _client_ports(spec)
    step = ports[1] - ports[0] if len(ports) > 1 else None
    try:
        usual = member_ports(len(ports), ports[0], step)
    except InputError:
        return None
    return (ports[0], step or 0) if [each.client for each in usual] == ports else None


def _shared(own: list[dict[str, str]]) -> dict[str, str]:
    """The options that all members have, each with the value that most of them have."""
    return {
        name: Counter(each[name] for each in own).most_common(1)[0][0]
        for name in own[0]
        if all(name in each for each in own)
    }


def _member(
    spec: ClusterSpec,
    process: MemberProcess,
    shared: Mapping[str, str],
    wish: Callable[[EtcdBinary], str],
) -> Table:
    """The member's `[[member]]`; empty where it has nothing of its own."""
    member, own = process.member, own_options(spec, process)
    table: Table = {}
    if member.etcd is not None and (wished := wish(member.etcd)) != _common_etcd(spec, wish):
        table["etcd"] = wished
    if _port_block(spec) is None:
        table["client_port"] = member.advertised_client_url.port
    if flags := {name: value for name, value in own.items() if shared.get(name) != value}:
        table["flags"] = _typed(flags)
    return {"name": member.name, **table} if table or _lists_members(spec) else {}


def _typed(flags: Mapping[str, str]) -> dict[str, Flag]:
    """Values as a reader of TOML would write them; etcd gets each as it was."""
    words: dict[str, Flag] = {"true": True, "false": False}
    return {
        name: int(value) if _WHOLE_NUMBER.fullmatch(value) else words.get(value, value)
        for name, value in flags.items()
    }


def _beside(spec: ClusterSpec, process: ProcessSpec) -> Table:
    command = process.shown
    if spec.source.kind is SourceKind.PROCFILE and (port := process.env.get("PORT")):
        # A profile sets no PORT.
        command = f"export PORT={port}; {command}"
    return {
        "name": process.name,
        "command": command,
        "after": process.after.value,
        "restart": process.restart.value,
        **({} if process.stdin is Stdin.NULL else {"stdin": process.stdin.value}),
    }


def _client_ports(spec: ClusterSpec) -> list[int]:
    """The client port of each member. Raises InputError for a URL without one."""
    ports = []
    for process in spec.members:
        url = process.member.advertised_client_url
        if (port := url.port) is None:
            raise InputError(f"{process.name} has no port in its client URL {url!r}")
        ports.append(port)
    return ports


def _unsaid(spec: ClusterSpec) -> tuple[str, ...]:
    """What the profile of `spec` says otherwise or leaves out, a sentence each."""
    notes = []
    if any(process.member.no_link == DIRECT for process in spec.members):
        notes.append("a profile cannot leave out the links: start it with up --direct -p FILE")
    if len({(process.restart, process.stop_timeout_s) for process in spec.members}) > 1:
        notes.append("the members get the restart policy of the first one")
    if (dns := way_of(spec).dns) and not spec.source.records_path:
        notes += _unknown_records(spec, dns)
    if spec.source.kind is SourceKind.PROCFILE:
        notes += _other_than_in_the_procfile(spec)
    return tuple(notes)


def _unknown_records(spec: ClusterSpec, dns: DnsSpec) -> list[str]:
    own = own_dns(spec)
    if (set(own.srv), set(own.hosts)) == (set(dns.srv), set(dns.hosts)):
        return []
    return [
        f"its DNS records come from a file: add dns_records = FILE (export {Kind.DNSMASQ} prints them)"
    ]


def _other_than_in_the_procfile(spec: ClusterSpec) -> list[str]:
    """What the members of the profile have otherwise than the Procfile's."""
    notes = []
    for process, client in zip(spec.members, _client_ports(spec), strict=True):
        member = process.member
        for word, url, port in (
            ("clients", member.advertised_client_url, client),
            ("peers", member.peer_url, ports_from(client).peer),
        ):
            wanted = f"http://127.0.0.1:{port}"
            if url.replace("localhost", "127.0.0.1") != wanted:
                notes.append(f"{member.name} serves its {word} at {wanted} instead of {url}")
        if process.name != process_name(member.name):
            notes.append(f"the process {process.name} is called {process_name(member.name)}")
    if len({process.member.token for process in spec.members}) > 1:
        notes.append(f"all members have the token {spec.token!r}")
    return notes
