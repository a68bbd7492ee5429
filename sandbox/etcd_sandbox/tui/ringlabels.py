"""How members are named in the picture of a cluster, and the list that stands in for it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len

from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, Role
from etcd_sandbox.tui.linkrules import words_for
from etcd_sandbox.tui.memberrows import LEADS, is_stale
from etcd_sandbox.tui.pieces import Line, Piece, fit, joined, printable, width_of
from etcd_sandbox.tui.widgets.colours import BAD, ODD, PLAIN, STRONG, of_process

DOWN, PAUSED, STARTING, SILENT, UNDECIDED, FOLLOWS, LEARNS = "†", "‖", "…", "?", "◇", "●", "○"

_NAME_CELLS = 20
_ROLES = {
    Role.LEADER: (LEADS, "leader"),
    Role.FOLLOWER: (FOLLOWS, "follower"),
    Role.CANDIDATE: (UNDECIDED, "candidate"),
    Role.LEARNER: (LEARNS, "learner"),
    Role.PROXY: (LEARNS, "proxy"),
}


class Label(Struct, frozen=True):
    """How a member is named in the picture: a symbol and its name, and below what it is."""

    title: str
    words: str
    style: str
    words_style: str

    def width(self, rows: int) -> int:
        """Its cells when it takes that many rows."""
        title, words = cell_len(self.title), cell_len(self.words)
        return max(title, words) if rows == 2 else title + 1 + words


def symbol_and_words(member: MemberStatus, status: ClusterStatus) -> tuple[str, str]:
    """What a member is: its role while it answers, else why it does not."""
    if member.state is ProcessState.PAUSED:
        return PAUSED, "paused"
    if not member.state.alive:
        return DOWN, member.state.value
    if member.state is not ProcessState.RUNNING:
        return STARTING, member.state.value
    if member.role is None:
        return SILENT, "no answer"
    symbol, words = _ROLES[member.role]
    return symbol, "leader (stale)" if is_stale(member, status) else words


def label_of(
    member: MemberStatus, index: int, status: ClusterStatus, rules: Mapping[Pair, Rule]
) -> Label:
    symbol, words = symbol_and_words(member, status)
    answers = member.state is ProcessState.RUNNING and member.role is not None
    if answers and member.term is not None and member.role in (Role.LEADER, Role.CANDIDATE):
        words += f" · term {member.term}"
    elif member.state.alive and words_for(member.name, _names(status), rules) == "cut off":
        words += " · cut off"
    colour = of_process(index)
    leads = member.role is Role.LEADER and not is_stale(member, status)
    dead = not member.state.alive
    return Label(
        title=f"{symbol} {fit(printable(member.name), _NAME_CELLS)}",
        words=words,
        style=f"{STRONG} {colour}" if leads else colour,
        words_style=BAD
        if dead
        else PLAIN
        if answers and member.healthy and not member.alarms
        else ODD,
    )


def listed(
    status: ClusterStatus, rules: Mapping[Pair, Rule], width: int, height: int
) -> list[Line]:
    """The members in words, as many on a line as fit; nothing if not all can be told."""
    lines: list[list[Piece]] = [[]]
    for index, member in enumerate(status.members):
        label = label_of(member, index, status, rules)
        links = words_for(member.name, _names(status), rules)
        if links and "cut off" not in label.words and member.state.alive:
            label = replace(label, words=f"{label.words} · {links}", words_style=ODD)
        if label.width(1) > width:
            label = replace(label, words=label.words.partition(" · ")[0])
        if label.width(1) > width:
            return []
        before = width_of(tuple(lines[-1]))
        if before and before + 2 + label.width(1) > width:
            lines.append([])
        elif before:
            lines[-1].append(("  ", ""))
        lines[-1] += [(f"{label.title} ", label.style), (label.words, label.words_style)]
    return [joined(line) for line in lines] if len(lines) <= height else []


def _names(status: ClusterStatus) -> list[str]:
    return [member.name for member in status.members]
