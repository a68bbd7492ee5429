"""What the supervisor and the links' process say to each other, a line of JSON each.

States go over stdin, and the number of one that is in force comes back. Links that come or go later have a socket of their own, since a new one's
bound socket goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct, field

from etcd_sandbox.model.fault import CLIENTS, Pair, Rule


class Line(Struct, frozen=True, kw_only=True):
    """One link as its process is given it: whose it is, the bound socket, the real listener."""

    member: str
    fd: int
    host: str
    port: int
    clients: bool = False

    @property
    def key(self) -> str:
        """What the link is known by."""
        return key_of(self.member, clients=self.clients)


def key_of(member: str, *, clients: bool) -> str:
    """What a member's link is known by: that of its peers, or of its clients."""
    return f"{CLIENTS} of {member}" if clients else member


class LinkState(Struct, frozen=True, kw_only=True):
    """All that is wanted of the links. A higher `number` replaces every lower one.

    `resets` counts for each pair, in the order of the names, how often its connections were to be reset.
    """

    number: int = 0
    pids: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[Pair, Rule] = field(default_factory=dict)
    resets: Mapping[Pair, int] = field(default_factory=dict)


class _Told(Struct, kw_only=True):
    """A state on its way: JSON has no pairs for keys."""

    id: int
    pids: dict[str, int]
    rules: list[tuple[str, str, Rule]]
    resets: list[tuple[str, str, int]]


def encode_lines(lines: Iterable[Line]) -> str:
    """The first argument of the links' process."""
    return msgspec.json.encode(list(lines)).decode()


def decode_lines(text: str) -> list[Line]:
    """What `encode_lines` was given."""
    return msgspec.json.decode(text, type=list[Line])


def encode_change(change: Line | str) -> bytes:
    """Says that this link has come, or that the one in front of this member goes.

    The socket of one that comes goes along, whatever number it gets over there.
    """
    return msgspec.json.encode(change) + b"\n"


def decode_change(line: bytes) -> Line | str:
    """A link that has come, its socket by the number it had where it comes from; or whose goes."""
    return msgspec.json.decode(line, type=Line | str)


def encode_state(state: LinkState) -> bytes:
    """The wanted state as one line."""
    told = _Told(
        id=state.number,
        pids=dict(state.pids),
        rules=[(*pair, rule) for pair, rule in state.rules.items()],
        resets=[(*pair, count) for pair, count in state.resets.items()],
    )
    return msgspec.json.encode(told) + b"\n"


def decode_state(line: bytes) -> LinkState:
    """What `encode_state` was given."""
    told = msgspec.json.decode(line, type=_Told)
    rules = {(sender, receiver): rule for sender, receiver, rule in told.rules}
    resets = {(one, other): count for one, other, count in told.resets}
    return LinkState(number=told.id, pids=told.pids, rules=rules, resets=resets)
