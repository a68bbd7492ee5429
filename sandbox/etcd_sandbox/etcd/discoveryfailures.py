"""Why a member did not get past its discovery service, from its own last lines, and the mend.

The texts are those of 3.4 (capnslog and zap), 3.5, 3.6 and 3.7, measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from etcd_sandbox.model.spec import DiscoverySpec


def explain_discovery(discovery: DiscoverySpec, lines: Sequence[bytes]) -> str | None:
    """What is wrong and what to do, from the last lines; None when it is not discovery.

    The last line that says something decides: those before may be of an earlier run.
    """
    for line in reversed(lines):
        for words, tell in _FAILURES:
            if any(word in line for word in words):
                return tell(discovery)
    return None


def _full(discovery: DiscoverySpec) -> str:
    return (
        f"all {discovery.size} places of the discovery token are taken: start it with a greater "
        "--discovery-size (etcd-sandbox down, then up --fresh), or leave it out; a cluster that "
        "runs takes new members by etcdctl member add, not by its token"
    )


def _registered_before(discovery: DiscoverySpec) -> str:
    return (
        "it has registered with this discovery token before, and its data is gone: a token "
        f"introduces a member once. {_fresh(discovery)}"
    )


def _same_name(discovery: DiscoverySpec) -> str:
    return (
        "a member of the same name has registered with this discovery token: name the members "
        f"differently in a profile. {_fresh(discovery)}"
    )


def _unknown(discovery: DiscoverySpec) -> str:
    return (
        f"the discovery token {discovery.token} is not registered at {discovery.service}. "
        f"{_fresh(discovery)}"
    )


def _of_another_kind(discovery: DiscoverySpec) -> str:
    return (
        f"{discovery.service} is no discovery service of the {discovery.protocol} protocol: "
        "v2 takes an etcd 3.4 or 3.5 with --enable-v2"
    )


def _forgot(discovery: DiscoverySpec) -> str:
    return (
        "its data is gone, and the v3 protocol let it register once more: to the others it is the "
        "member that knew what it has forgotten. etcdctl member remove takes it out of the "
        f"cluster. {_fresh(discovery)}"
    )


def _two_directories(_: DiscoverySpec) -> str:
    return (
        "etcd became a proxy there, and does not start again beside the empty database that it "
        "left: delete the directory 'member' in its data directory"
    )


def _silent(discovery: DiscoverySpec) -> str:
    mend = (
        f"etcd-sandbox start {discovery.process}"
        if discovery.process
        else "start it again, or check its URL; the member tries again by itself"
    )
    return f"the discovery service {discovery.service} does not answer: {mend}"


def _fresh(discovery: DiscoverySpec) -> str:
    if discovery.given:
        return "Use a new token"
    return "etcd-sandbox down, then etcd-sandbox up --fresh makes a new cluster with a new token"


_FAILURES: tuple[tuple[tuple[bytes, ...], Callable[[DiscoverySpec], str]], ...] = (
    ((b"discovery: cluster is full",), _full),
    (
        (b"discovery: found duplicate id", b"has previously registered with discovery"),
        _registered_before,
    ),
    ((b"discovery: found duplicate name",), _same_name),
    ((b"discovery: size key not found", b"100: Key not found"), _unknown),
    ((b"discovery: bad discovery endpoint",), _of_another_kind),
    ((b"oth member and proxy directories",), _two_directories),
    ((b"tocommit(", b"raftLog).commitTo("), _forgot),
    ((b"retry connecting to discovery service", b": error connecting to http"), _silent),
)
