"""Composes a member that comes to a cluster that is there: its name, its ports, its command."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import LOOPBACK, Address
from etcd_sandbox.model.selector import check_name, process_name
from etcd_sandbox.model.spec import (
    After,
    ClusterSpec,
    MemberProcess,
    MemberSpec,
    PeerLink,
    ProcessSpec,
    members_of,
)
from etcd_sandbox.plan.memberargv import ENV_DROP
from etcd_sandbox.plan.memberoptions import MEMBERS_OWN, is_composed, options
from etcd_sandbox.plan.ports import PORT_LIMIT, PORTS_PER_MEMBER
from etcd_sandbox.plan.runtimes import composed, runtime_of
from etcd_sandbox.plan.ways import way_of

WIDE_STEP = 10000
"""Between the ports of two members where one alone tells no step."""

NARROW_STEP = 1000
"""Between them where the cluster's own step leaves no room any more."""

_GENERATED = re.compile(r"infra([1-9][0-9]*)")
_OWN = MEMBERS_OWN | {"wal-dir", "initial-cluster-state", "config-file", "force-new-cluster"}
"""Flags that each member has for itself, or that say how a new cluster begins."""


def newcomer(
    spec: ClusterSpec,
    listed: Iterable[ProcessSpec],
    name: str | None,
    data_root: Path,
    is_free: Callable[[int], bool],
    *,
    learner: bool,
) -> MemberProcess:
    """The process of one more member of `spec`, like the others but for what is its own.

    `listed` are all processes that still have a name and ports here, the removed included; with
    no `name` the next number is taken. `is_free` says whether a port can be had: it is asked where the
    ports were chosen for the cluster, and not by the user. Its ID is not known, and its
    list of members is that of `spec` and itself. Raises InputError for a name or ports that cannot be.
    """
    patterns = list(_patterns(spec))
    if not patterns:
        raise InputError(
            "there is no member whose command could be taken as a pattern for another",
            hint="write flags, and no config file and no shell syntax, into the Procfile's commands",
        )
    others = members_of(listed)
    name = _name(name, spec, others)
    pattern = patterns[0]
    like = pattern.member
    shift = _shift(spec, pattern, name, others, is_free)
    peer_url = _peer_url(spec, pattern, name, shift)
    flags = common_flags(patterns)
    member = replace(
        like,
        name=name,
        id=None,
        client_url=like.client_url.moved(shift),
        peer_url=peer_url,
        metrics_url=like.metrics_url.moved(shift) if like.metrics_url else None,
        listen_urls=tuple(url.moved(shift) for url in like.listen_urls),
        data_dir=str(data_root / name),
        data_owned=True,
        wal_dir="",
        wal_owned=False,
        initial_cluster={
            **{each.member.name: (each.member.peer_url,) for each in _members(spec)},
            name: (peer_url,),
        },
        link=_moved_link(like.link, shift) if like.link else None,
        client_link=_moved_link(like.client_link, shift) if like.client_link else None,
        endpoint=like.endpoint.moved(shift) if like.client_link else like.endpoint,
        election_timeout_s=float(flags.get("election-timeout", "1000")) / 1000,
        upgraded_from=(),
        learner=learner,
        joined=True,
    )
    return joining(pattern, member, flags)


def joining(
    pattern: MemberProcess, member: MemberSpec, flags: Mapping[str, str] | None = None
) -> MemberProcess:
    """`pattern` as the process of `member`, which finds its cluster there when it first starts.

    `flags` are those that it shares with the others; None for those of `pattern`.
    """
    like = pattern.member
    assert like.etcd is not None
    if len(member.listen_urls) > 2 + bool(member.metrics_url):
        raise InputError(
            f"{pattern.name} listens on several addresses, so it cannot be a pattern for another",
            hint="give each member one client URL and one peer URL",
        )
    shared = own_flags(pattern) if flags is None else flags
    process = replace(
        pattern,
        name=process_name(member.name) if member.name != like.name else pattern.name,
        after=After.START,
        member=member,
    )
    if not is_composed(pattern):
        process = replace(process, env={}, env_drop=ENV_DROP)
    process = runtime_of(process).renamed(process, like)
    return composed(process, like.etcd.path, {"initial-cluster-state": "existing", **shared})


def own_flags(process: MemberProcess) -> dict[str, str]:
    """What a member's etcd is told beside who it is and whom it finds."""
    return {
        name: value
        for name, value in options(process).items()
        if name not in _OWN and not name.startswith("discovery")
    }


def common_flags(processes: Iterable[MemberProcess]) -> dict[str, str]:
    """The flags that most of these members have, with the values that most have."""
    each = [own_flags(process) for process in processes]
    found = {}
    for name in dict.fromkeys(name for flags in each for name in flags):
        value, _ = Counter(flags.get(name) for flags in each).most_common(1)[0]
        if value is not None:
            found[name] = value
    return found


def _patterns(spec: ClusterSpec) -> Iterator[MemberProcess]:
    """The members whose commands can be taken apart."""
    for process in _members(spec):
        try:
            options(process)
            own = process.member
            if own.etcd is not None and own.client_url.port:
                yield process
        except InputError:
            continue


def _members(spec: ClusterSpec) -> list[MemberProcess]:
    """The members that are no proxies."""
    return [process for process in spec.members if not process.member.proxy]


def _name(name: str | None, spec: ClusterSpec, listed: Sequence[MemberProcess]) -> str:
    if name is None:
        numbers = [_number(process.member.name) for process in listed]
        return f"infra{(max(numbers, default=0) or len(spec.members)) + 1}"
    check_name(name, "", "member")
    return name


def _shift(
    spec: ClusterSpec,
    pattern: MemberProcess,
    name: str,
    listed: Sequence[MemberProcess],
    is_free: Callable[[int], bool],
) -> int:
    """How far its ports are above those of `pattern`: the cluster's next step, or the next that fits."""
    ports = _ports_of(pattern)
    taken = {port for process in listed for port in _ports_of(process)}
    taken |= way_of(spec).ports
    for shift in _shifts(spec, pattern, name):
        moved = {port + shift for port in ports}
        fits = min(moved) > 0 and max(moved) <= PORT_LIMIT and not moved & taken
        if fits and (not spec.port_lock or all(map(is_free, moved))):
            return shift
    raise InputError(
        f"there are no ports left for {name}", hint="a cluster with a smaller --port-step has room"
    )


def _shifts(spec: ClusterSpec, pattern: MemberProcess, name: str) -> Iterator[int]:
    clients = [_client_port(process) for process in _members(spec)]
    step = _step(spec, clients)
    number, like = _number(name), _number(pattern.member.name)
    if number and like:
        yield step * (number - like)
    yield from range(max(clients) - _client_port(pattern) + step, PORT_LIMIT, step)
    yield from range(NARROW_STEP, PORT_LIMIT, NARROW_STEP)
    yield from range(PORTS_PER_MEMBER, PORT_LIMIT, PORTS_PER_MEMBER)


def _step(spec: ClusterSpec, clients: Sequence[int]) -> int:
    """What lies between the ports of neighbours, some of whom may have gone."""
    numbers = [_number(process.member.name) for process in _members(spec)]
    places = numbers if all(numbers) else range(1, len(clients) + 1)
    numbered = sorted(zip(places, clients, strict=True))
    for (before, low), (after, high) in itertools.pairwise(numbered):
        step, rest = divmod(high - low, after - before)
        if step >= PORTS_PER_MEMBER and not rest:
            return step
    given = spec.source.options.get("port_step")
    if isinstance(given, int):
        return given
    return PORTS_PER_MEMBER if spec.port_lock else WIDE_STEP


def _number(name: str) -> int:
    """3 for infra3; 0 for other names."""
    found = _GENERATED.fullmatch(name)
    return int(found[1]) if found else 0


def _client_port(process: MemberProcess) -> int:
    return process.member.client_url.port or 0


def _ports_of(process: MemberProcess) -> set[int]:
    member = process.member
    urls = [member.client_url, member.peer_url, *member.listen_urls]
    for link in filter(None, (member.link, member.client_link)):
        urls += [link.listen_url, link.target_url]
    return {url.port for url in urls if url.port}


def _moved_link(link: PeerLink, shift: int) -> PeerLink:
    return PeerLink(
        listen_url=link.listen_url.moved(shift), target_url=link.target_url.moved(shift)
    )


def _peer_url(spec: ClusterSpec, pattern: MemberProcess, name: str, shift: int) -> Address:
    moved = pattern.member.peer_url.moved(shift)
    if way_of(spec).by_name:
        # It was not there when the records were made, and needs none: nobody looks for it by name.
        return moved.at(LOOPBACK)
    prefix = runtime_of(pattern).host_prefix(spec.name)
    return moved.at(f"{prefix}{name}") if prefix else moved
