"""What a profile cannot say of a cluster."""

from __future__ import annotations

from etcd_sandbox.config.names import process_name
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.dnsmasq import own_dns
from etcd_sandbox.export.exported import Kind
from etcd_sandbox.export.memberoptions import port_of, the_member
from etcd_sandbox.model.spec import ClusterSpec, SourceKind
from etcd_sandbox.plan.linked import DIRECT
from etcd_sandbox.plan.ports import ports_from


def client_ports(spec: ClusterSpec) -> list[int]:
    """The client port of each member. Raises InputError for a URL without one."""
    ports = []
    for process in spec.members:
        url = the_member(process).client_url
        if (port := port_of(url)) is None:
            raise InputError(f"{process.name} has no port in its client URL {url!r}")
        ports.append(port)
    return ports


def unsaid(spec: ClusterSpec) -> tuple[str, ...]:
    """What the profile of `spec` says otherwise or leaves out, a sentence each."""
    notes = []
    if any(the_member(process).no_link == DIRECT for process in spec.members):
        notes.append("a profile cannot leave out the links: start it with up --direct -p FILE")
    if len({(process.restart, process.stop_timeout_s) for process in spec.members}) > 1:
        notes.append("the members get the restart policy of the first one")
    if spec.dns is not None and not spec.source.records_path:
        notes += _unknown_records(spec)
    if spec.source.kind is SourceKind.PROCFILE:
        notes += _other_than_in_the_procfile(spec)
    return tuple(notes)


def _unknown_records(spec: ClusterSpec) -> list[str]:
    assert spec.dns is not None
    own = own_dns(spec)
    if (set(own.srv), set(own.hosts)) == (set(spec.dns.srv), set(spec.dns.hosts)):
        return []
    return [
        f"its DNS records come from a file: add dns_records = FILE (export {Kind.DNSMASQ} prints them)"
    ]


def _other_than_in_the_procfile(spec: ClusterSpec) -> list[str]:
    """What the members of the profile have otherwise than the Procfile's."""
    notes = []
    for process, client in zip(spec.members, client_ports(spec), strict=True):
        member = the_member(process)
        for word, url, port in (
            ("clients", member.client_url, client),
            ("peers", member.peer_url, ports_from(client).peer),
        ):
            wanted = f"http://127.0.0.1:{port}"
            if url.replace("localhost", "127.0.0.1") != wanted:
                notes.append(f"{member.name} serves its {word} at {wanted} instead of {url}")
        if process.name != process_name(member.name):
            notes.append(f"the process {process.name} is called {process_name(member.name)}")
    if len({the_member(process).token for process in spec.members}) > 1:
        notes.append(f"all members have the token {spec.token!r}")
    return notes
