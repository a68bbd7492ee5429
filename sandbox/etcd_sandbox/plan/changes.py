"""What an edited input would change in a running cluster, process by process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import ClusterSpec, MemberSpec, PeerLink, ProcessSpec
from etcd_sandbox.plan.runtimes import runtime_of
from etcd_sandbox.plan.ways import way_of


class Moved(Struct, frozen=True, kw_only=True):
    """A member that gets another peer URL: its process, and where its peers dial it now and then."""

    process: str
    member: str
    before: str
    after: str


class Changes(Struct, frozen=True):
    """Process names that changed, came or went, in the order of the inputs.

    `moved` are members with another peer URL; they are not among the changed. `refused` is what
    differs that a running cluster cannot take from an input, empty for nothing: the `member list`
    (a name, whether there is a link), the `peer URL` where the way of bootstrap or the runtime makes
    it, the `bootstrap` (the way or its token), the `runtime`.
    """

    changed: tuple[str, ...] = ()
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    refused: str = ""

    def __bool__(self) -> bool:
        return bool(self.changed or self.came or self.went or self.moved or self.refused)

    def one_line(self) -> str:
        """`web, api changed, db came, old went`; empty when nothing differs."""
        kinds = ((self.changed, "changed"), (self.came, "came"), (self.went, "went"))
        parts = [f"{', '.join(names)} {verb}" for names, verb in kinds if names]
        parts += [f"{each.process} moved to the peer URL {each.after}" for each in self.moved]
        return ", ".join(parts)


def compare(
    running: ClusterSpec, wanted: ClusterSpec, listed: Mapping[str, Sequence[str]] | None = None
) -> Changes:
    """What makes `wanted` differ from `running`, by process name.

    `listed` are the peer URLs on etcd's own list, by process name: what somebody changed there
    (`etcdctl member update`) differs as well.
    """
    moved = tuple(_moved(running, wanted, listed or {}))
    others = {each.process for each in moved}
    before = {process.name: process for process in running.processes}
    after = {process.name: process for process in wanted.processes}
    return Changes(
        changed=tuple(
            name
            for name, process in after.items()
            if name in before and name not in others and _runs_as(before[name]) != _runs_as(process)
        ),
        came=tuple(name for name in after if name not in before),
        went=tuple(name for name in before if name not in after),
        moved=moved,
        refused=_refused(running, wanted, moved),
    )


def _runs_as(process: ProcessSpec) -> tuple[object, ...]:
    return (
        process.argv,
        process.cwd,
        process.env,
        process.env_drop,
        process.restart,
        process.stop_timeout_s,
        process.after,
    )


def in_order(wanted: Sequence[ProcessSpec], now: Mapping[str, MemberSpec]) -> list[ProcessSpec]:
    """The members that move, each after whoever has its new peer URL; `now` is who is where, by process.

    Raises InputError where each waits for another: etcd takes no two members with one peer URL.
    """
    urls: dict[str, str] = {name: member.peer_url for name, member in now.items()}
    left, ordered = list(wanted), list[ProcessSpec]()
    while left:
        for process in left:
            holder = _holder(process, urls)
            if holder is None:
                break
        else:
            process = left[0]
            holder = _holder(process, urls) or ""
            raise InputError(
                f"{_named(process)} is to have the peer URL {_url(process)}, which {now[holder].name} has",
                hint="first give one of them a peer URL that nobody has, with etcd-sandbox apply in between",
            )
        left.remove(process)
        ordered.append(process)
        urls[process.name] = _url(process)
    return ordered


def _holder(process: ProcessSpec, urls: Mapping[str, str]) -> str | None:
    url = _url(process)
    return next((name for name, has in urls.items() if name != process.name and has == url), None)


def _url(process: ProcessSpec) -> str:
    return process.member.peer_url if process.member is not None else ""


def _named(process: ProcessSpec) -> str:
    return process.own_name


def peer_urls_of(member: MemberSpec) -> tuple[str, ...]:
    """All peer URLs of a member: its first, and what else its own list of members has for it."""
    mine = member.initial_cluster.get(member.name, ())
    return mine if member.peer_url in mine else (member.peer_url,)


def runs_differently(running: ProcessSpec, wanted: ProcessSpec) -> bool:
    """Whether the process has to be started anew to be as wanted."""
    return _runs_as(running) != _runs_as(wanted) or _link(running) != _link(wanted)


def _moved(
    running: ClusterSpec, wanted: ClusterSpec, listed: Mapping[str, Sequence[str]]
) -> Iterator[Moved]:
    for process in wanted.members:
        before = running.member_process(process.name)
        if before is None:
            continue
        old, new = before.member, process.member
        urls = listed.get(process.name, (old.peer_url,))
        same = (old.peer_url, old.link) == (new.peer_url, new.link)
        if old.name == new.name and not (same and new.peer_url in urls):
            yield Moved(
                process=process.name,
                member=new.name,
                before=urls[0] if new.peer_url not in urls and urls else old.peer_url,
                after=new.peer_url,
            )


def _link(process: ProcessSpec) -> PeerLink | None:
    return process.member.link if process.member is not None else None


def _has_client_links(spec: ClusterSpec) -> bool:
    return any(process.member.client_link is not None for process in spec.members)


def _refused(running: ClusterSpec, wanted: ClusterSpec, moved: Sequence[Moved]) -> str:
    # The other ways give members other peer URLs and other programs: what is the cause comes first.
    if running.runtime is not wanted.runtime:
        return "runtime"
    if _introduction(running) != _introduction(wanted):
        return "bootstrap"
    if _has_client_links(running) is not _has_client_links(wanted):
        return "client links"
    if running.disk_faults is not wanted.disk_faults:
        return "disk faults"
    if _membership(running, wanted) != _membership(wanted, running):
        return "member list"
    # A name in the DNS, or a container's, is where the others look for a member.
    by_name = way_of(running).by_name or runtime_of(running).by_name
    return "peer URL" if moved and by_name else ""


def _introduction(spec: ClusterSpec) -> tuple[Bootstrap, str]:
    return spec.bootstrap, way_of(spec).single_use


def _membership(spec: ClusterSpec, other: ClusterSpec) -> set[tuple[str, bool, str]]:
    """Who is a member, and whether behind a link; of processes that the other plan has not, also where."""
    return {
        (
            process.member.name,
            process.member.link is not None,
            process.member.peer_url if other.process(process.name) is None else "",
        )
        for process in spec.members
    }
