"""The ports of the members that we compose, as numbers: nothing is bound or asked here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from etcd_sandbox.config.profileshape import MEMBERS_LIMIT, Profile
from etcd_sandbox.errors import InputError

DEFAULT_BASE_PORT = 12379
PORTS_PER_MEMBER = 4
"""Client, advertised peer, metrics, and the peer listener behind the links."""

CLIENT_LISTENER = 8
"""How far above the client port a member serves clients itself, behind a link of theirs: what stands between is services'."""

PORT_LIMIT = 65535
_IN_A_ROW = f"each member takes {PORTS_PER_MEMBER} ports in a row, from its client port on"
_WIDE_STEP = 10000
_NARROW_STEP = 1000
_WIDE_UP_TO = 5


class MemberPorts(Struct, frozen=True):
    """The ports of one member; `peer_listener` is used behind the links only."""

    client: int
    peer: int
    metrics: int
    peer_listener: int

    @property
    def client_listener(self) -> int:
        """Used behind a link for clients only."""
        return self.client + CLIENT_LISTENER


def ports_from(client: int) -> MemberPorts:
    """The ports of the member whose client port is `client`."""
    return MemberPorts(client, client + 1, client + 2, client + 3)


def member_ports(
    count: int, base_port: int = DEFAULT_BASE_PORT, step: int | None = None
) -> tuple[MemberPorts, ...]:
    """The ports of `count` members, the first of which serves clients on `base_port`.

    `step` lies between the client ports of neighbours: 10000 up to five members, else 1000.
    Raises InputError when `count` is not 1 to 25 or a port would pass 65535.
    """
    if not 1 <= count <= MEMBERS_LIMIT:
        raise InputError(f"a cluster has 1 to {MEMBERS_LIMIT} members, not {count}")
    if not 1 <= base_port <= PORT_LIMIT:
        raise InputError(f"the base port must be 1 to {PORT_LIMIT}, not {base_port}")
    if step is None:
        step = _WIDE_STEP if count <= _WIDE_UP_TO else _NARROW_STEP
    if step < PORTS_PER_MEMBER:
        raise InputError(
            f"the step between members' ports must be at least {PORTS_PER_MEMBER}, not {step}",
            hint=_IN_A_ROW,
        )
    highest = PORT_LIMIT - (PORTS_PER_MEMBER - 1) - step * (count - 1)
    if base_port > highest:
        raise InputError(
            f"with the base port {base_port} and a step of {step}, ports of the {count} members pass {PORT_LIMIT}"
            if count > 1
            else f"with the base port {base_port}, ports of the member pass {PORT_LIMIT}",
            hint=f"use a base port of at most {highest}"
            if highest > 0
            else f"use a step of at most {(PORT_LIMIT - PORTS_PER_MEMBER) // (count - 1)}",
        )
    return tuple(ports_from(base_port + step * index) for index in range(count))


def profile_ports(
    profile: Profile,
    names: Sequence[str],
    base_port: int,
    step: int | None,
    *,
    client_links: bool = False,
) -> tuple[MemberPorts, ...]:
    """The ports of the members `names`, of which some have a `client_port` of their own.

    Raises InputError as `member_ports` does, and where two members would share a port.
    """
    own = [profile.own(name)[1].client_port for name in names]
    if None in own:
        usual = member_ports(len(own), base_port, step)
        planned = [
            each if port is None else ports_from(port)
            for port, each in zip(own, usual, strict=True)
        ]
    else:
        planned = [ports_from(port) for port in own if port is not None]
    taken: dict[int, str] = {}
    for name, each in zip(names, planned, strict=True):
        behind = [each.client_listener] if client_links else []
        for port in (*range(each.client, each.client + PORTS_PER_MEMBER), *behind):
            if port > PORT_LIMIT:
                raise InputError(
                    f"the ports of {name} from {each.client} on pass {PORT_LIMIT}",
                    _place(profile, name),
                    _IN_A_ROW,
                )
            if port in taken:
                raise InputError(
                    f"the members {taken[port]!r} and {name!r} would share the port {port}",
                    _place(profile, name) or _place(profile, taken[port]),
                    _IN_A_ROW,
                )
            taken[port] = name
    return tuple(planned)


def _place(profile: Profile, member: str) -> str:
    index, own = profile.own(member)
    return "" if own.client_port is None else profile.place("member", index, "client_port")
