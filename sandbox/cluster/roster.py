"""Who is who: process names, member names and member IDs of one cluster."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.model.spec import MemberSpec, ProcessSpec


class Roster:
    """The members of a cluster, by process name; IDs that only etcd knows are learnt on the way."""

    def __init__(self, processes: Iterable[ProcessSpec]) -> None:
        self._members: dict[str, MemberSpec] = {}
        self._ids: dict[str, str] = {}
        for process in processes:
            self.add(process)

    def add(self, process: ProcessSpec) -> None:
        """Take in a process; one that is no member is passed over."""
        if process.member is not None:
            self._members[process.name] = process.member
            if process.member.id is not None:
                self._ids[process.name] = process.member.id

    def drop(self, process: str) -> None:
        """Forget a process."""
        self._members.pop(process, None)
        self._ids.pop(process, None)

    def learn(self, process: str, member_id: str) -> None:
        """A member said its own ID."""
        if process in self._members:
            self._ids[process] = member_id

    def items(self) -> Iterable[tuple[str, MemberSpec]]:
        """Process names and members, in the order of the cluster."""
        return self._members.items()

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
