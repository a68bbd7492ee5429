"""Why a member did not find the others by DNS, from its own last lines, and the mend."""

from __future__ import annotations

import re
from collections.abc import Sequence

from etcd_sandbox.etcd.lastwords import fatal_cause
from etcd_sandbox.model.spec import DnsSpec

_LOOKUP = re.compile(r"lookup (\S+?)\.? on \S+?: (.*?)(?=\n|; |\Z)")
_NOT_THERE = "no such host"
_NOBODY_ANSWERS = ("connection refused", "i/o timeout")
_NOT_OURS = "server misbehaving"
_NOT_IN_RECORDS = re.compile(r'cannot find local etcd member "?([^"]+?)"? in SRV records')
_OTHER_SCHEME = re.compile(
    r"bootstrap at (\S+) from DNS for \S+ has scheme mismatch with expected peer (\S+?)(?=;|\s|\Z)"
)
_NO_MOUNT = re.compile(rb"(?:unshare|mount): (.*)")


def explain_dns(dns: DnsSpec, lines: Sequence[bytes]) -> str | None:
    """What is wrong and what to do; None when the lines are not about names.

    The words are those of etcd 3.4.23, 3.5.1, 3.6.16 and 3.7.3, which all end at their first start.
    """
    cause = fatal_cause(lines)
    if cause is None:
        return _without_resolver(lines)
    if found := _NOT_IN_RECORDS.search(cause):
        return (
            f"no SRV record leads to the host and port that {found[1]} advertises to its peers: "
            f"{_show(dns)}"
        )
    if found := _OTHER_SCHEME.search(cause):
        return (
            f"the records lead to {found[1]}, but the member advertises {found[2]}: "
            f"records of _etcd-server-ssl are for peers with TLS only"
        )
    return _unknown_name(dns, dict(_LOOKUP.findall(cause)))


def _unknown_name(dns: DnsSpec, answers: dict[str, str]) -> str | None:
    """What the first answer that matters means. Without records for TLS all can be well."""
    if any(said.endswith(_NOBODY_ANSWERS) for said in answers.values()):
        return (
            f"the DNS server of this cluster, {dns.address}, does not answer: "
            f"etcd-sandbox start {dns.process}"
        )
    for name, said in answers.items():
        if said.endswith(_NOT_OURS):
            return f"{name} is none of the names of {dns.domain}, and nobody else is asked"
        if said.endswith(_NOT_THERE) and not name.startswith("_"):
            return f"the name {name} has no address: {_show(dns)}"
    if any(said.endswith(_NOT_THERE) for said in answers.values()):
        return f"there are no SRV records of the members of {dns.domain}: {_show(dns)}"
    return None


def _show(dns: DnsSpec) -> str:
    kind = "_etcd-server-ssl" if dns.tls else "_etcd-server"
    return f"dig +short @{dns.address} {kind}._tcp.{dns.domain} SRV shows what there is"


def _without_resolver(lines: Sequence[bytes]) -> str | None:
    """The command in front of etcd ended, and etcd never ran."""
    for line in lines:
        if found := _NO_MOUNT.match(line):
            said = found[1].decode(errors="replace")
            return f"the member could not be given its resolver ({said}): see etcd-sandbox doctor"
    return None
