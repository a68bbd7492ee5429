"""Who is who: process names, member names and member IDs of one cluster."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from msgspec.structs import replace

from etcd_sandbox.model.spec import MemberProcess, MemberSpec, ProcessSpec
from etcd_sandbox.model.state import Peer


class Roster:
    """The members of a cluster, by process name; IDs that only etcd knows are learnt on the way.

    Among them may be outsiders: etcds for whom the discovery token has no place, and those that were
    removed. They are in no member list; some of the first kind run as a proxy.

    Once a member told etcd's own list (`take_list`), that list says who has a vote. An entry of the
    list may be no process of this cluster: its key, where a process name is asked for, is its ID.
    """

    def __init__(self, processes: Iterable[ProcessSpec]) -> None:
        self._members: dict[str, MemberSpec] = {}
        self._ids: dict[str, str] = {}
        self._learners: set[str] = set()
        self._outsiders: set[str] = set()
        self._proxies: set[str] = set()
        self._listed: tuple[Peer, ...] | None = None
        self._in_raft: dict[str, bool] = {}
        for process in processes:
            self.add(process)

    def add(self, process: ProcessSpec) -> None:
        """Take in a process; one that is no member is passed over."""
        if isinstance(process, MemberProcess):
            self._members[process.name] = process.member
            if process.member.id is not None:
                self._ids[process.name] = process.member.id
            if process.member.learner:
                self._learners.add(process.name)
            if process.is_surplus or process.is_to_join:
                self._outsiders.add(process.name)
            if process.member.proxy:
                self.became_proxy(process.name)

    def renew(self, process: ProcessSpec) -> None:
        """A member has another spec; what was learnt of it stays."""
        if process.member is not None and process.name in self._members:
            self._members[process.name] = process.member

    def drop(self, process: str) -> None:
        """Forget a process."""
        self._members.pop(process, None)
        self._ids.pop(process, None)
        self._learners.discard(process)
        self._outsiders.discard(process)
        self._proxies.discard(process)

    def join(self, process: ProcessSpec) -> None:
        """It is on etcd's list of members from now on, as a new one; its place among them stays."""
        if process.member is None:
            return
        self._members[process.name] = process.member
        self._ids.pop(process.name, None)
        self._learners.discard(process.name)
        self.joined(process.name)
        self.add(process)
        if self._listed is not None and process.member.id is not None:
            others = (peer for peer in self._listed if self._key(peer) != process.name)
            self._listed = (*others, _entry(process.member, process.member.id))

    def retire(self, process: str) -> None:
        """It is not, or not any more, on etcd's list of members."""
        if process in self._members:
            self._outsiders.add(process)
            self._learners.discard(process)
            if self._listed is not None:
                self._listed = tuple(peer for peer in self._listed if self._key(peer) != process)

    def joined(self, process: str) -> None:
        """It is a member of the cluster, as its log says."""
        self._outsiders.discard(process)
        self._proxies.discard(process)

    def became_proxy(self, process: str) -> None:
        """It is no member but a proxy, as its log says."""
        self._outsiders.add(process)
        self._proxies.add(process)
        self._ids.pop(process, None)

    def is_outsider(self, process: str) -> bool:
        """Whether it takes no part in the cluster: it has no vote and no data."""
        return process in self._outsiders

    def is_proxy(self, process: str) -> bool:
        """Whether it hands requests on to the members; one that is stopped keeps its kind."""
        return process in self._proxies

    def learn(self, process: str, member_id: str, *, is_learner: bool | None = None) -> None:
        """A member said its own ID, and perhaps whether it has a vote; a proxy says that of others."""
        if process in self._members and process not in self._proxies:
            self._ids[process] = member_id
            if is_learner is not None:
                (self._learners.add if is_learner else self._learners.discard)(process)
                if self._listed is not None:
                    self._listed = tuple(
                        replace(peer, is_learner=is_learner) if peer.id == member_id else peer
                        for peer in self._listed
                    )

    def is_learner(self, process: str) -> bool:
        """Whether the member had no vote when it last answered: a member that is down keeps its kind."""
        return process in self._learners

    def may_vote(self, process: str) -> bool:
        """Whether it counts in a quorum."""
        return process not in self._learners and process not in self._outsiders

    def take_list(self, listed: Sequence[Peer]) -> None:
        """This is etcd's own list of members now."""
        self._listed = tuple(listed)
        there = {peer.id for peer in listed}
        self._in_raft = {id_: known for id_, known in self._in_raft.items() if id_ in there}

    def take_raft(self, ids: Container[str]) -> None:
        """Raft's configuration has these members: entries of the list that was taken before and no others."""
        self._in_raft = {id_: id_ in ids for id_ in self.elsewhere}

    @property
    def unproven(self) -> bool:
        """Whether an entry of the list is no process of this cluster, and may be one that Raft does not know."""
        return not self.elsewhere.keys() <= self._in_raft.keys()

    @property
    def voters(self) -> tuple[str, ...]:
        """Who has a vote: by etcd's list, and by the plan while no member has told the list."""
        own = [name for name in self._members if self.may_vote(name)]
        if self._listed is None:
            return tuple(own)
        left_over = self.remnants
        keys = {
            self._key(peer): peer
            for peer in self._listed
            if not peer.is_learner and peer.id not in left_over
        }
        return (
            *(name for name in self._members if name in keys),
            *(k for k in keys if k not in self),
        )

    @property
    def elsewhere(self) -> dict[str, Peer]:
        """The entries of etcd's list that are no process of this cluster, by ID."""
        return {
            peer.id: peer for peer in self._listed or () if self._key(peer) not in self._members
        }

    @property
    def remnants(self) -> frozenset[str]:
        """The entries of etcd's list, by ID, that Raft does not know: they have no vote.

        etcd 3.6 lists what is in a database that came with a snapshot (issue 20967). Raft's leader tells whom
        it knows; and etcd takes no two members with one peer URL, so an entry with that of a member of ours is none.
        """
        own = {
            url
            for peer in self._listed or ()
            if self._key(peer) in self._members
            for url in peer.peer_urls
        }
        return frozenset(
            key
            for key, peer in self.elsewhere.items()
            if not self._in_raft.get(key, True) or not own.isdisjoint(peer.peer_urls)
        )

    @property
    def moved(self) -> dict[str, tuple[str, ...]]:
        """Where peers dial members that are dialled elsewhere than the plan says, by process."""
        found = {}
        for peer in self._listed or ():
            member = self._members.get(self._key(peer))
            if member is not None and member.peer_url not in ("", *peer.peer_urls):
                found[self._key(peer)] = peer.peer_urls
        return found

    def is_listed(self, process: str) -> bool | None:
        """Whether the process is on etcd's list; None while no member has told the list."""
        if self._listed is None:
            return None
        return any(self._key(peer) == process for peer in self._listed)

    def _key(self, peer: Peer) -> str:
        """The process that is this entry of the list; its ID where it is none of ours."""
        process = self.process_of(peer.id)
        if process is not None:
            return process
        own = (
            name
            for name, member in self._members.items()
            if name not in self._ids and member.peer_url in peer.peer_urls
        )
        return next(own, peer.id)

    def title(self, key: str) -> str:
        """What a voter is called: its name, or its ID where etcd knows no name yet."""
        if key in self._members:
            return self._members[key].name
        peer = self.elsewhere.get(key)
        return (peer.name if peer is not None else "") or key

    def items(self) -> Iterable[tuple[str, MemberSpec]]:
        """Process names and members, in the order of the cluster."""
        return self._members.items()

    @property
    def names(self) -> tuple[str, ...]:
        """The process names of the members, in the order of the cluster."""
        return tuple(self._members)

    def member(self, process: str) -> MemberSpec:
        """The member that this process is; KeyError for a process that is none."""
        return self._members[process]

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, process: str) -> bool:
        return process in self._members

    def id_of(self, process: str) -> str | None:
        """The member's ID, in etcd's own spelling."""
        return self._ids.get(process)

    def process_of(self, member_id: str) -> str | None:
        """The process whose member has that ID."""
        return next((name for name, known in self._ids.items() if known == member_id), None)

    def name_of(self, member_id: str) -> str:
        """The member's name; its ID where the name is not known."""
        process = self.process_of(member_id)
        return member_id if process is None else self._members[process].name


def _entry(member: MemberSpec, member_id: str) -> Peer:
    """The entry that etcd has for a member that it has just added."""
    return Peer(
        id=member_id,
        name="",
        peer_urls=(member.peer_url,),
        client_urls=(),
        is_learner=member.learner,
    )
