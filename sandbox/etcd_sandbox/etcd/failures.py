"""Why a member ended, does not come up or has no place among its peers, from its own lines, and the mend.

The texts are those of 3.4 (capnslog and zap), 3.5, 3.6 and 3.7, measured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from etcd_sandbox.etcd.logline import fatal_cause
from etcd_sandbox.model.bootstrap import DiscoverySpec, DnsSpec

_WHOLE_CLUSTER = r" \{ClusterID:.*RemovedMemberIDs:\[[^\]]*\]\}"
"""etcd prints its whole list of members, as Go has it, in the middle of a cause."""

_MENDS = {
    "member count is unequal": "--initial-cluster names more or fewer members than etcd's list has; a new member "
    "is put on the list first (etcd-sandbox ctl member add), and --initial-cluster names all of them",
    "unmatched member while checking PeerURLs": "--initial-cluster has other peer URLs than etcd's list "
    "of members, which etcd-sandbox ctl member list shows",
    "cannot fetch cluster info from peer urls": "no other member that --initial-cluster names answers; "
    "start those first",
    "has already been bootstrapped": "the other members know it, and its data are gone; etcd-sandbox replace "
    "brings a new member in its place",
    "found data inconsistency with peers": "its data differ from those of the other members; etcd-sandbox "
    "replace brings a new member with theirs",
    "couldn't find local name": "--initial-cluster must name the member itself, as --name does",
    "has been permanently removed": "etcd-sandbox add brings a new member",
}
"""The mend, by a part of etcd's cause (3.4 to 3.7: `etcdserver/bootstrap.go`, `corrupt.go`,
`api/membership/cluster.go`)."""


def cause_and_mend(lines: Sequence[bytes]) -> str | None:
    """Why etcd ended, as `fatal_cause` has it, and what to do where that is known."""
    cause = fatal_cause(lines)
    if cause is None:
        return None
    cause = re.sub(_WHOLE_CLUSTER, "", cause)
    mend = next((mend for part, mend in _MENDS.items() if part in cause), "")
    return f"{cause}: {mend}" if mend else cause


_TLS = r"(?:remote error: )?tls: ([a-z0-9 :.]+?)(?:[\"\\;)]|$)"
_IN_THE_LOG = (
    (
        b"certificate has expired or is not yet valid",
        "has, or is shown, a certificate whose time is over or has not come (see its log)",
    ),
    (b"cluster ID mismatch", "belongs to another cluster than its peers (cluster ID mismatch)"),
)


LINES_OF_LOG = 40
"""How far back a member's log is searched: what is in the way is written again every few seconds."""


def log_trouble(lines: Sequence[bytes]) -> str | None:
    """Why a member that runs has no place among its peers, by the last lines of its log; None if unsaid.

    The texts are those of etcd 3.4 to 3.7 (`rafthttp`) and of Go's `crypto/tls`.
    """
    for raw in reversed(lines):
        for marker, words in _IN_THE_LOG:
            if marker in raw:
                return words
        if b"tls: " in raw and (found := re.search(_TLS, raw.decode(errors="replace"))):
            return f"has trouble with TLS: {found[1].strip()} (see its log)"
    return None


_DISCOVERY = {
    (
        b"discovery: cluster is full",
    ): "all {size} places of the discovery token are taken: start it with a "
    "greater --discovery-size (etcd-sandbox down, then up --fresh), or leave it out; a cluster that runs "
    "takes new members by etcdctl member add, not by its token",
    (
        b"discovery: found duplicate id",
        b"has previously registered with discovery",
    ): "it has registered "
    "with this discovery token before, and its data is gone: a token introduces a member once. {fresh}",
    (
        b"discovery: found duplicate name",
    ): "a member of the same name has registered with this discovery "
    "token: name the members differently in a profile. {fresh}",
    (b"discovery: size key not found", b"100: Key not found"): "the discovery token {token} is not "
    "registered at {service}. {fresh}",
    (b"discovery: bad discovery endpoint",): "{service} is no discovery service of the {protocol} "
    "protocol: v2 takes an etcd 3.4 or 3.5 with --enable-v2",
    (
        b"oth member and proxy directories",
    ): "etcd became a proxy there, and does not start again beside "
    "the empty database that it left: delete the directory 'member' in its data directory",
    (
        b"tocommit(",
        b"raftLog).commitTo(",
    ): "its data is gone, and the v3 protocol let it register once "
    "more: to the others it is the member that knew what it has forgotten. etcdctl member remove takes it "
    "out of the cluster. {fresh}",
    (
        b"retry connecting to discovery service",
        b": error connecting to http",
    ): "the discovery service {service} does not answer: {start}",
}
"""The fault and the mend, by the words of a line."""


def explain_discovery(discovery: DiscoverySpec, lines: Sequence[bytes]) -> str | None:
    """Why the member did not get past its discovery service, and the mend; None when that is not the reason.

    The last line that says something decides: those before may be of an earlier run.
    """
    told = (
        text
        for line in reversed(lines)
        for words, text in _DISCOVERY.items()
        if any(word in line for word in words)
    )
    if (text := next(told, None)) is None:
        return None
    return text.format(
        size=discovery.size,
        token=discovery.token,
        service=discovery.service,
        protocol=discovery.protocol,
        fresh="Use a new token"
        if discovery.given
        else "etcd-sandbox down, then etcd-sandbox up --fresh makes a new cluster with a new token",
        start=f"etcd-sandbox start {discovery.process}"
        if discovery.process
        else "start it again, or check its URL; the member tries again by itself",
    )


_LOOKUP = r"lookup (\S+?)\.? on \S+?: (.*?)(?=\n|; |\Z)"
_NOT_THERE = "no such host"
_NOBODY_ANSWERS = ("connection refused", "i/o timeout")
_NOT_OURS = "server misbehaving"
_NOT_IN_RECORDS = r'cannot find local etcd member "?([^"]+?)"? in SRV records'
_OTHER_SCHEME = (
    r"bootstrap at (\S+) from DNS for \S+ has scheme mismatch with expected peer (\S+?)(?=;|\s|\Z)"
)
_NO_MOUNT = rb"(?:unshare|mount): (.*)"


def explain_dns(dns: DnsSpec, lines: Sequence[bytes]) -> str | None:
    """The fault and the mend; None when the lines are not about names.

    The words are those of etcd 3.4.23, 3.5.1, 3.6.16 and 3.7.3, which all end at their first start.
    """
    cause = fatal_cause(lines)
    if cause is None:
        return _without_resolver(lines)
    if found := re.search(_NOT_IN_RECORDS, cause):
        return (
            f"no SRV record leads to the host and port that {found[1]} advertises to its peers: "
            f"{_show(dns)}"
        )
    if found := re.search(_OTHER_SCHEME, cause):
        return (
            f"the records lead to {found[1]}, but the member advertises {found[2]}: "
            f"records of _etcd-server-ssl are for peers with TLS only"
        )
    return _unknown_name(dns, dict(re.findall(_LOOKUP, cause)))


def _unknown_name(dns: DnsSpec, answers: dict[str, str]) -> str | None:
    """The meaning of the first answer that matters. Without records for TLS all can be well."""
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
        if found := re.match(_NO_MOUNT, line):
            said = found[1].decode(errors="replace")
            return f"the member could not be given its resolver ({said}): see etcd-sandbox doctor"
    return None
