"""What the supervisor and the links' process say to each other: one JSON object a line.

States go over stdin. Links that come or go later have a socket of their own, since a new one's
bound socket goes with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import asdict

from etcd_sandbox.model.fault import Pair, Rule


class Line(Struct, frozen=True, kw_only=True):
    """One link as its process is given it: whose it is, the bound socket, the real listener."""

    member: str
    fd: int
    host: str
    port: int


class LinkState(Struct, frozen=True, kw_only=True):
    """All that is wanted of the links. A higher `number` replaces every lower one."""

    number: int = 0
    pids: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[Pair, Rule] = field(default_factory=dict)


def encode_lines(lines: Iterable[Line]) -> str:
    """The first argument of the links' process."""
    links = [
        {"member": line.member, "fd": line.fd, "target": [line.host, line.port]} for line in lines
    ]
    return json.dumps({"links": links}, separators=(",", ":"))


def decode_lines(text: str) -> list[Line]:
    """What `encode_lines` was given."""
    return [
        Line(
            member=link["member"],
            fd=link["fd"],
            host=link["target"][0],
            port=link["target"][1],
        )
        for link in json.loads(text)["links"]
    ]


def encode_link(line: Line) -> bytes:
    """Says that this link has come; its socket goes along, whatever number it gets over there."""
    return encode_lines([line]).encode() + b"\n"


def encode_gone(member: str) -> bytes:
    """Says that the link in front of that member goes."""
    return json.dumps({"gone": member}, separators=(",", ":")).encode() + b"\n"


def decode_change(line: bytes) -> Line | str:
    """A link that has come, its socket by the number it had where it comes from; or whose goes."""
    content = json.loads(line)
    return str(content["gone"]) if "gone" in content else decode_lines(line.decode())[0]


def encode_state(state: LinkState) -> bytes:
    """The wanted state as one line."""
    content = {
        "id": state.number,
        "pids": dict(state.pids),
        "rules": [[*pair, asdict(rule)] for pair, rule in state.rules.items()],
    }
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def decode_state(line: bytes) -> LinkState:
    """What `encode_state` was given."""
    content = json.loads(line)
    return LinkState(
        number=content["id"],
        pids=content["pids"],
        rules={(dialler, dialled): Rule(**rule) for dialler, dialled, rule in content["rules"]},
    )


def encode_acknowledgement(number: int) -> bytes:
    """Says that the state of this number is in force, and that no earlier one is."""
    return b'{"id":%d}\n' % number


def decode_acknowledgement(line: bytes) -> int:
    """The number of the state that is in force."""
    return int(json.loads(line)["id"])
