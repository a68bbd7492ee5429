"""What a member has applied: the list of members, keys, alarms, users."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an entry of the log does. `number` tells it from all others, for whoever waits for it."""

    kind: str
    number: int
    id: str = ""
    name: str = ""
    urls: tuple[str, ...] = ()
    learner: bool = False
    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry of the list of members; `name` is empty until the member has started."""

    id: str
    peer_urls: tuple[str, ...]
    name: str = ""
    client_urls: tuple[str, ...] = ()
    learner: bool = False


@dataclass(slots=True)
class Store:
    """One member's view, built anew from its log at each start."""

    members: dict[str, Listed] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)
    revision: int = 1
    alarms: set[tuple[str, str]] = field(default_factory=set)
    version: str = ""
    authentication: bool = False

    def apply(self, change: Change) -> str:
        """Do it; etcd's refusal, or nothing."""
        known = self.members.get(change.id)
        match change.kind:
            case "add":
                if change.id in self.removed or known:
                    return "etcdserver: member not found" if not known else ALREADY
                self.members[change.id] = Listed(
                    id=change.id, peer_urls=change.urls, name=change.name, learner=change.learner
                )
            case "remove":
                if known is None:
                    return "etcdserver: member not found"
                del self.members[change.id]
                self.removed.add(change.id)
            case "promote" if known:
                self.members[change.id] = replace(known, learner=False)
            case "update" if known:
                self.members[change.id] = replace(known, peer_urls=change.urls)
            case "publish" if known:
                self.members[change.id] = replace(known, name=change.name, client_urls=change.urls)
            case "put":
                if any(kind == "NOSPACE" for _, kind in self.alarms):
                    return "etcdserver: mvcc: database space exceeded"
                self.revision += 1
                self.keys[change.key] = change.value
            case "alarm":
                self.alarms.add((change.id, change.name))
            case "disarm":
                self.alarms.discard((change.id, change.name))
            case "version":
                self.version = change.value
            case "authentication":
                self.authentication = bool(change.value)
            case _:
                pass
        return ""


ALREADY = "etcdserver: Peer URLs already exists"
