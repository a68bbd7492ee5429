"""Who is who: process names, member names and member IDs of one cluster."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.model.spec import MemberSpec, ProcessSpec


class Roster:
    """The members of a cluster, by process name; IDs that only etcd knows are learnt on the way.

    Among them may be outsiders: etcds for whom the discovery token has no place, and those that were
    removed. They are in no member list; some of the first kind run as a proxy.
    """

    def __init__(self, processes: Iterable[ProcessSpec]) -> None:
        self._members: dict[str, MemberSpec] = {}
        self._ids: dict[str, str] = {}
        self._learners: set[str] = set()
        self._outsiders: set[str] = set()
        self._proxies: set[str] = set()
        for process in processes:
            self.add(process)

    def add(self, process: ProcessSpec) -> None:
        """Take in a process; one that is no member is passed over."""
        if process.member is not None:
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

    def retire(self, process: str) -> None:
        """It is not, or not any more, on etcd's list of members."""
        if process in self._members:
            self._outsiders.add(process)
            self._learners.discard(process)

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

    def is_learner(self, process: str) -> bool:
        """Whether the member had no vote when it last answered: a member that is down keeps its kind."""
        return process in self._learners

    def may_vote(self, process: str) -> bool:
        """Whether it counts in a quorum."""
        return process not in self._learners and process not in self._outsiders

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
